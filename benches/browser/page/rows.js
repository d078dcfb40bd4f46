// The rows every engine stores: the same ids, the same payloads of about 200 bytes of JSON, the same order in every run.

export const PENDING_OF = 4;             // one row in four is pending, the rest are finished: what a queue looks like
const TYPES = ['tile', 'check', 'summarise', 'embed'];
const EPOCH = Date.UTC(2026, 0, 1);

/** Row `n` of the benchmark. Its id is a UUIDv7 whose time part grows with `n`, as the ids of real rows do. */
export function row(n) {
  const random = generator(n + 1);
  return {
    id: uuid(EPOCH + n, random),
    type: TYPES[n % TYPES.length],
    agentId: `agent-${n % 32}`,
    priority: random() % 10,
    payload: {
      tile: { x: random() % 4096, y: random() % 4096, zoom: random() % 24 },
      iterations: random() % 5000,
      palette: hex(random, 2),
      checksum: hex(random, 3),
      prompt: `render the tile and report ${hex(random, 2)}`,
      source: `run/${n}/${hex(random, 1)}`,
    },
    status: n % PENDING_OF === 0 ? 'pending' : 'cancelled',
    createdAt: EPOCH + n,
  };
}

export function rows(from, count) {
  return Array.from({ length: count }, (_, i) => row(from + i));
}

/** `count` ids out of the first `stored` rows, spread evenly and in no order. */
export function someIds(count, stored, seed = 1) {
  const random = generator(seed * 7919);
  return Array.from({ length: count }, () => row(random() % stored).id);
}

// xorshift32: the page needs no better randomness, only the same one everywhere.
function generator(seed) {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13; state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5; state >>>= 0;
    return state;
  };
}

function hex(random, words) {
  let text = '';
  for (let i = 0; i < words; i++) text += random().toString(16).padStart(8, '0');
  return text;
}

function uuid(time, random) {
  const t = time.toString(16).padStart(12, '0');
  const r = hex(random, 3);
  return `${t.slice(0, 8)}-${t.slice(8)}-7${r.slice(0, 3)}-a${r.slice(3, 6)}-${r.slice(6, 18)}`;
}
