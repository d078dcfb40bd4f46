// The figures to reach, as PERFORMANCE.md states them: a ratio to something measured in the same run.
//
// `of(get)` answers our ratio, or undefined where one side was not measured; `limit` is what is asked for now, `next` where it goes.

const ratio = (a, b) => (a && b ? a.median / b.median : undefined);

export const TARGETS = [
  { id: 'W1', size: 10_000, text: '≥ 1.2 × sql.js, then 1.5 ×', limit: 1.2, next: 1.5, better: 'more', of: (get) => ratio(get('W1', 'swarmstore'), get('W1', 'sqljs')) },
  { id: 'W2', size: 10_000, text: '≤ 1.3 × raw, then 1.05 ×', limit: 1.3, next: 1.05, better: 'less', of: (get) => ratio(get('W2', 'swarmstore'), get('W2', 'raw')) },
  { id: 'W3', size: 10_000, text: '≥ 1.5 × sql.js, then 3 ×', limit: 1.5, next: 3, better: 'more', of: (get) => ratio(get('W3', 'sqljs'), get('W3', 'swarmstore')) },
  { id: 'W4', size: 10_000, text: '≥ 1.3 × sql.js, then 2.5 ×', limit: 1.3, next: 2.5, better: 'more', of: (get) => ratio(get('W4', 'sqljs'), get('W4', 'swarmstore')) },
  { id: 'W5', size: 100_000, text: 'after closing: ≤ 1.5 × getAll of the same bytes, then 1.1 ×', limit: 1.5, next: 1.1, better: 'less', of: (get) => ratio(get('W5', 'swarmstore'), get('W5', 'bytes')) },
  { id: 'W5', size: 100_000, text: 'after a restart: ≤ 1.5 × getAll of the same bytes, then 1.1 ×', limit: 1.5, next: 1.1, better: 'less', of: (get) => ratio(get('W5 restart', 'swarmstore'), get('W5 restart', 'bytes')) },
  { id: 'W5', size: 100_000, text: 'after a restart, code included: under sql.js', limit: 1, better: 'less', of: (get) => ratio(get('W5 restart with code', 'swarmstore'), get('W5 restart with code', 'sqljs')) },
  { id: 'W6', size: 100_000, text: '≤ 1.3 × raw', limit: 1.3, better: 'less', of: (get) => ratio(get('W2', 'swarmstore'), get('W2', 'raw')) },
  { id: 'W6', size: 100_000, text: '≤ 1.2 × our own W2 at 10,000', limit: 1.2, better: 'less', of: (get) => ratio(get('W2', 'swarmstore'), get('W2', 'swarmstore', 10_000)) },
  { id: 'W7', size: 10_000, text: '≤ 0.3 × raw', limit: 0.3, better: 'less', of: (get) => ratio(get('W7', 'swarmstore'), get('W7', 'raw')) },
];

export const KILOBYTES = { limit: 600, next: 450 };

/** "met" or "MISSED", and whether the next step is reached too. */
export function verdict({ limit, next, better }, value) {
  const within = (bound) => (better === 'more' ? value >= bound : value <= bound);
  if (!within(limit)) return 'MISSED';
  return next !== undefined && within(next) ? 'met (next too)' : 'met';
}
