// The tables, in markdown.
import { cpus, loadavg } from 'node:os';
import { KILOBYTES, TARGETS, verdict } from './targets.mjs';

const LABELS = { raw: 'raw IndexedDB', sqljs: 'sql.js', dexie: 'Dexie', swarmstore: 'swarmstore', bytes: 'getAll of the same bytes' };

const WORKLOADS = [
  ['W1', 'one transaction of N rows, into an empty store', 'rows/s', 'IndexedDB `complete`', perSecond],
  ['W2', 'one durable row at a time, N stored (W6 is the line of 100,000)', 'ms', 'IndexedDB `complete`', millis],
  ['W3', 'point read by id, awaited', 'reads/s', 'the object is there', rate],
  ['W4', '20 pending tasks by priority, as objects', 'queries/s', 'the objects are there', rate],
  ['W5', 'open with N rows and read one, after closing', 'ms', 'the row is there; code already loaded', millis],
  ['W5 restart', 'the same after a restart of the browser', 'ms', 'the row is there; code already loaded', millis],
  ['W5 restart with code', 'the same, loading the code included', 'ms', 'the row is there', millis],
  ['W7', '20 writers at once, 20 durable rows each', 'ms for all', 'IndexedDB `complete`', millis],
  ['filter range', 'for information: 20 pending tasks of priority 7 or more, by priority', 'queries/s', 'the objects are there', rate],
  ['filter in', 'for information: the 20 newest of two types and a time', 'queries/s', 'the objects are there', rate],
  ['filter or', 'for information: 20 by a pattern or an element of a list, finished, no subtasks', 'queries/s', 'the objects are there', rate],
  ['filter count', 'for information: the count of the pending tasks', 'counts/s', 'the number is there', rate],
  ['claim+complete', 'for information: claim one task, complete it, each durable', 'ms', 'IndexedDB `complete`, twice', millis],
  ['claim+complete 8', 'for information: the same by 8 callers at once, per round', 'ms', 'IndexedDB `complete`, twice', millis],
  ['claim+complete 64', 'for information: the same by 64 callers at once, per round', 'ms', 'IndexedDB `complete`, twice', millis],
  ['append', 'for information: append one event', 'ms', 'IndexedDB `complete`', millis],
  ['add strict', 'for information: W2 with strict durability on both sides', 'ms', '`complete` with strict durability', millis],
  ['add relaxed', 'for information: one row, relaxed', 'ms', 'acknowledged in memory; compare with nothing above', millis],
  ['claim+complete relaxed', 'for information', 'ms', 'acknowledged in memory', millis],
  ['append relaxed', 'for information', 'ms', 'acknowledged in memory', millis],
];

export function report({ figures, facts, loaded, options }) {
  const out = [heading(facts, options)];
  for (const [id, title, unit, done, format] of WORKLOADS) {
    const engines = ['bytes', 'raw', 'sqljs', 'dexie', 'swarmstore'].filter((engine) => options.rows.some((size) => figures.get(id, size, engine)));
    if (engines.length) out.push(workload({ id, title, unit, done, format, engines, figures, rows: options.rows }));
  }
  if (loaded.length) out.push(weight(loaded));
  if (facts.layout) out.push(layout(facts));
  out.push(targets(figures, loaded, options));
  return out.filter(Boolean).join('\n\n');
}

function heading({ chromium, swarmstore }, { runs }) {
  const version = swarmstore ? `, swarmstore ${swarmstore.swarmstore}, SQLite ${swarmstore.sqlite}` : '';
  const load = loadavg()[0].toFixed(1);
  return `## Browser\n\nChromium ${chromium}${version}; ${cpus().length} cores (${cpus()[0].model.trim()}), load at the end ${load}; `
    + `persistent profile on disk; ${runs} runs; each cell is the median of the runs (min–max).`;
}

function workload({ id, title, unit, done, format, engines, figures, rows }) {
  const ours = engines.includes('swarmstore');
  const others = engines.filter((engine) => engine !== 'swarmstore');
  const head = ['N', ...engines.map((engine) => LABELS[engine]), ...(ours ? others.map((engine) => `ours ÷ ${LABELS[engine]}`) : [])];
  const lines = rows.filter((size) => engines.some((engine) => figures.get(id, size, engine))).map((size) => {
    const cell = (engine) => { const f = figures.get(id, size, engine); return f ? `${format(f)}${f.runs < 3 ? ` *(${f.runs} run${f.runs > 1 ? 's' : ''})*` : ''}` : '–'; };
    const times = (engine) => { const a = figures.get(id, size, 'swarmstore'), b = figures.get(id, size, engine); return a && b ? `${compare(format, a, b).toFixed(2)} ×` : '–'; };
    return [size.toLocaleString('en'), ...engines.map(cell), ...(ours ? others.map(times) : [])];
  });
  return `### ${id}: ${title} (${unit})\n\nDone means: ${done}.\n\n${table(head, lines)}`;
}

// Ratios are of what the column shows: time where it shows time, throughput where it shows throughput.
function compare(format, a, b) {
  return format === rate ? b.median / a.median : a.median / b.median;
}

function weight(loaded) {
  const lines = [...loaded].sort((a, b) => b.gzipped - a.gzipped).map((f) => [f.path, f.bytes.toLocaleString('en'), f.gzipped.toLocaleString('en')]);
  const sum = (key) => loaded.reduce((total, f) => total + f[key], 0).toLocaleString('en');
  return `### W8: bytes to load, everything the page fetched of the package\n\n${table(['File', 'Bytes', 'Gzipped (-9)'], [...lines, ['**all**', sum('bytes'), `**${sum('gzipped')}**`]])}`;
}

function layout({ layout, bytes }) {
  const lines = Object.entries(layout).map(([size, stores]) => [Number(size).toLocaleString('en'), mib(bytes[size]),
    ...['base', 'log'].map((name) => (stores[name] ? `${stores[name].records} records, ${mib(stores[name].bytes)}` : '–'))]);
  return `### How our store lay in IndexedDB when W5 began\n\n${table(['N', 'exported file', 'base', 'log'], lines)}`;
}

function targets(figures, loaded, { rows }) {
  const lines = [];
  for (const target of TARGETS) {
    for (const size of rows) {
      const value = target.of((id, engine, at = size) => figures.get(id, at, engine));
      if (size === target.size && value !== undefined) lines.push([target.id, size.toLocaleString('en'), target.text, `${value.toFixed(2)} ×`, verdict(target, value)]);
    }
  }
  if (loaded.length) {
    const kb = loaded.reduce((total, f) => total + f.gzipped, 0) / 1000;
    lines.push(['W8', '', `≤ ${KILOBYTES.limit} KB gzipped, then ${KILOBYTES.next}`, `${kb.toFixed(0)} KB`, verdict({ ...KILOBYTES, better: 'less' }, kb)]);
  }
  if (!lines.length) return '';
  return `### Targets\n\nRuns differ by up to 25 %: a ratio that close to its target is a tie.\n\n${table(['', 'N', 'Target', 'Ours', ''], lines)}`;
}

function table(head, lines) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}

function perSecond({ median, min, max }) { return `${kilo(median)} (${kilo(min)}–${kilo(max)})`; }
function rate({ median, min, max }) { return `${kilo(1000 / median)} (${kilo(1000 / max)}–${kilo(1000 / min)})`; }
function millis({ median, min, max }) { return `${short(median)} (${short(min)}–${short(max)})`; }

function kilo(value) { return value >= 100_000 ? `${(value / 1000).toFixed(0)} k` : value >= 1000 ? `${(value / 1000).toFixed(1)} k` : value.toFixed(0); }
function short(value) { return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : value.toFixed(4); }
function mib(bytes) { return `${(bytes / (1 << 20)).toFixed(1)} MiB`; }
