// The timed loops. Every loop takes the open engines it compares and goes round them in turn, so that whatever the machine
// does meanwhile it does to all of them. Each answers milliseconds per operation unless it says otherwise.
//
// The page's clock steps by 0.1 ms: single operations are summed and divided, never looked at alone.

/** Durable single rows, one at a time: one row of each engine alternately, `count` rounds. */
export async function singles(engines, rowsOf, count, { warm = 10, durability } = {}) {
  const names = Object.keys(engines);
  const total = Object.fromEntries(names.map((name) => [name, 0]));
  for (let i = -warm; i < count; i++) {
    for (const name of turn(names, i)) {
      const row = rowsOf[name][i + warm];
      const start = performance.now();
      await engines[name].add(row, durability);
      if (i >= 0) total[name] += performance.now() - start;
    }
  }
  return divided(total, count);
}

/** Awaited reads that change nothing, in slices of `slice` per engine. */
export async function reads(engines, read, { slices, slice, warm }) {
  const names = Object.keys(engines);
  const total = Object.fromEntries(names.map((name) => [name, 0]));
  for (const name of names) await repeat(engines[name], read, warm);
  for (let s = 0; s < slices; s++) {
    for (const name of turn(names, s)) {
      const start = performance.now();
      await repeat(engines[name], read, slice);
      total[name] += performance.now() - start;
    }
  }
  return divided(total, slices * slice);
}

/** `writers` loops at once, each awaiting `each` durable rows one after another. Milliseconds for all of them. */
export async function writers(engines, rowsOf, { writers, each, bursts }) {
  const names = Object.keys(engines);
  const total = Object.fromEntries(names.map((name) => [name, 0]));
  const next = Object.fromEntries(names.map((name) => [name, 0]));
  for (let burst = 0; burst < bursts; burst++) {
    for (const name of turn(names, burst)) {
      const engine = engines[name];
      const writer = async () => { for (let i = 0; i < each; i++) await engine.add(rowsOf[name][next[name]++]); };
      const start = performance.now();
      await Promise.all(Array.from({ length: writers }, writer));
      total[name] += performance.now() - start;
    }
  }
  return divided(total, bursts);
}

async function repeat(engine, read, count) {
  for (let i = 0; i < count; i++) await read(engine, i);
}

// Rotates who goes first, so that nobody always runs behind the same neighbour.
function turn(names, round) {
  const first = ((round % names.length) + names.length) % names.length;
  return [...names.slice(first), ...names.slice(0, first)];
}

function divided(total, count) {
  return Object.fromEntries(Object.entries(total).map(([name, sum]) => [name, sum / count]));
}
