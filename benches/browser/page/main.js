// What run.mjs calls through the page: `bench.<step>(arguments)`. State between the steps is the open engines and no more.
import { deleteDatabase, openDatabase, result, write } from './idb.js';
import * as dexie from './engines/dexie.js';
import * as raw from './engines/raw.js';
import * as sqljs from './engines/sqljs.js';
import * as swarmstore from './engines/swarmstore.js';
import { row, rows, someIds } from './rows.js';
import * as workloads from './workloads.js';

const ENGINES = { raw, sqljs, dexie, swarmstore };
const ADDED_FROM = 50_000_000;         // rows that a workload adds and removes again are numbered from here
const MIB = 1 << 20;
const SEED_CHUNK = 5_000;

const stored = (size) => `tasks-${size}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const pick = (open, names) => Object.fromEntries(names.filter((name) => open[name]).map((name) => [name, open[name]]));

let open = {};
let ahead;                              // rows for profiled writes, made before the profiler runs

globalThis.bench = {
  async seed({ engine, size }) {
    const module = ENGINES[engine];
    await module.load();
    const start = performance.now();
    const store = await module.open(stored(size));
    for (let from = 0; from < size; from += SEED_CHUNK) {
      const chunk = rows(from, Math.min(SEED_CHUNK, size - from));
      await store.seed(module.shape(chunk), chunk.filter((r) => r.status !== 'pending').map((r) => r.id));
    }
    await pause(2_000);                 // what an engine does in idle time belongs to the seeding, not to the first figure
    await store.close();
    return performance.now() - start;
  },

  async open({ engines, size, options }) {
    for (const engine of engines) {
      await ENGINES[engine].load();
      open[engine] = await ENGINES[engine].open(stored(size), options);
    }
    await pause(300);
  },

  async close() {
    for (const store of Object.values(open)) await store.close();
    open = {};
  },

  /** W1: `size` rows in one transaction into a fresh store, until durable. Rows per second. */
  async bulk({ engine, size, run }) {
    const module = ENGINES[engine];
    await module.load();
    const name = `bulk-${size}-${run}`;
    const store = await module.open(name);
    const input = module.shape(rows(0, size));
    await pause(300);
    const start = performance.now();
    await store.addMany(input);
    const took = performance.now() - start;
    if (!await store.get(row(size - 1).id)) throw new Error(`${engine} lost a row`);
    await store.close();
    await module.destroy(name);
    return (size / took) * 1000;
  },

  /** W2 and W6: ms per durable row, the engines alternately. */
  async singles({ engines, run, count, warm = 10, durability }) {
    const added = rows(ADDED_FROM + run * 100_000, count + warm);
    const some = pick(open, engines);
    const answer = await workloads.singles(some, shaped(some, added), count, { warm, durability });
    await removed(some, added);
    return answer;
  },

  /** W3: ms per awaited read of one row by its id. */
  async points({ engines, run, size, slices = 5, slice = 400 }) {
    const ids = someIds(slice, size, run);
    const some = pick(open, engines);
    for (const [name, store] of Object.entries(some)) {
      const found = await store.get(ids[0]);
      if (found?.id !== ids[0] || typeof found.payload !== 'object') throw new Error(`${name} did not find the row`);
    }
    return workloads.reads(some, (store, i) => store.get(ids[i % ids.length]), { slices, slice, warm: slice * 2 });
  },

  /** W4: ms per query for the 20 most urgent pending tasks, as objects. */
  async queue({ engines, slices = 5, slice = 150 }) {
    const some = pick(open, engines);
    for (const [name, store] of Object.entries(some)) {
      const found = await store.pending();
      const falling = found.every((task, i) => i === 0 || found[i - 1].priority >= task.priority);
      if (found.length !== 20 || !falling || found.some((task) => task.status !== 'pending')) throw new Error(`${name} gave a wrong queue`);
    }
    return workloads.reads(some, (store) => store.pending(), { slices, slice, warm: slice });
  },

  /** Filters as programs ask them, 20 rows each: ms per query. */
  async filters({ slices = 5, slice = 100 }) {
    const { store } = open.swarmstore;
    const queries = {
      range: { where: { status: 'pending', priority: { ge: 7 } }, orderBy: [['priority', 'desc'], ['createdAt', 'asc']], limit: 20 },
      in: { where: { taskType: { in: ['tile', 'check'] }, createdAt: { between: [0, Date.now()] } }, orderBy: [['id', 'desc']], limit: 20 },
      or: { where: { or: [{ taskType: { like: 'em%' } }, { requiredCapabilities: { contains: 'gpu' } }], status: { ne: 'pending' }, parentTaskId: null }, limit: 20 },
    };
    const answer = {};
    for (const [name, query] of Object.entries(queries)) {
      const found = await store.tasks.list(query);
      if (found.length !== 20) throw new Error(`${name} gave ${found.length} rows`);
      const { swarmstore: ms } = await workloads.reads({ swarmstore: open.swarmstore }, () => store.tasks.list(query), { slices, slice, warm: slice });
      answer[name] = ms;
    }
    const { swarmstore: ms } = await workloads.reads({ swarmstore: open.swarmstore }, () => store.tasks.count({ where: { status: 'pending' } }), { slices, slice: 20, warm: 5 });
    return { ...answer, count: ms };
  },

  /** W7: ms for 20 writers of 20 durable rows each. */
  async writers({ engines, run, bursts = 3, writers = 20, each = 20 }) {
    const added = rows(ADDED_FROM + run * 100_000 + 50_000, bursts * writers * each);
    const some = pick(open, engines);
    const answer = await workloads.writers(some, shaped(some, added), { writers, each, bursts });
    await removed(some, added);
    return answer;
  },

  /** W5: ms until the store is open and one row is read. With `code` that includes loading it. */
  async openAndRead({ engine, size, code = false }) {
    const module = ENGINES[engine];
    if (!code) await module.load();
    const start = performance.now();
    const store = await module.open(stored(size));
    if (!await store.get(row(size >> 1).id)) throw new Error(`${engine} lost a row`);
    const took = performance.now() - start;
    await store.close();
    return took;
  },

  /** The floor of W5: the bytes of our own file in records of 1 MiB, in a database of the benchmark's own. */
  async storeBytes({ size, from }) {
    const bytes = await image(from, size);
    const db = await openDatabase(`bytes:${size}`, (fresh) => fresh.createObjectStore('records'));
    await write(db, 'records', (tx) => {
      for (let i = 0; i * MIB < bytes.length; i++) tx.objectStore('records').put(bytes.slice(i * MIB, (i + 1) * MIB), i);
    });
    db.close();
    return bytes.length;
  },

  async readBytes({ size }) {
    const start = performance.now();
    const db = await openDatabase(`bytes:${size}`, () => {});
    const records = await result(db.transaction('records').objectStore('records').getAll());
    let touched = 0;
    for (const record of records) touched += record[0] + record[record.length - 1];
    const took = performance.now() - start;
    db.close();
    return touched < 0 ? NaN : took;     // what was touched has to be used, or it might not be
  },

  /** How our store lies in IndexedDB, seen from outside: records of the log and of the base, and their bytes. */
  async layout({ size }) {
    const db = await openDatabase(`swarmstore:${stored(size)}`, () => {});
    const answer = {};
    for (const store of db.objectStoreNames) {
      const values = await result(db.transaction(store).objectStore(store).getAll());
      answer[store] = { records: values.length, bytes: values.reduce((sum, value) => sum + (value.byteLength ?? 0), 0) };
    }
    db.close();
    return answer;
  },

  /** For information: a worker's round (claim one task, complete it) and an append of one event. ms each. */
  async rounds({ run, count = 100 }) {
    const { store } = open.swarmstore;
    const queue = `bench-${run}-${Date.now()}`;
    const agent = await store.agents.add({ agentType: 'bench', status: 'active' });
    const tasks = await store.tasks.addMany(rows(0, count).map((r) => ({ taskType: r.type, payload: r.payload, queue })));
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const [task] = await store.tasks.claim(agent.id, { queues: [queue] });
      await store.tasks.complete(task.id, task.leaseToken, { ok: true });
    }
    const claimed = performance.now();
    for (let i = 0; i < count; i++) await store.events.append({ aggregateType: 'bench', aggregateId: queue }, [{ eventType: 'tile', data: { i } }]);
    const appended = performance.now();
    await store.tasks.deleteMany(tasks.map((task) => task.id));
    return { claimComplete: (claimed - start) / count, append: (appended - claimed) / count };
  },

  /** Rounds of `callers` at once, each claiming a task and completing it until all are done: ms per round. */
  async roundsTogether({ run, callers, count = 512 }) {
    const { store } = open.swarmstore;
    const queue = `bench-${callers}-${run}-${Date.now()}`;
    const agents = await store.agents.addMany(Array.from({ length: callers }, () => ({ agentType: 'bench', status: 'active' })));
    const tasks = await store.tasks.addMany(rows(0, count).map((r) => ({ taskType: r.type, payload: r.payload, queue })));
    const start = performance.now();
    await Promise.all(agents.map(async ({ id }) => {
      for (let i = 0; i < count / callers; i++) {
        const [task] = await store.tasks.claim(id, { queues: [queue] });
        await store.tasks.complete(task.id, task.leaseToken, { ok: true });
      }
    }));
    const took = performance.now() - start;
    await store.tasks.deleteMany(tasks.map((task) => task.id));
    return took / count;
  },

  /** Only for profile.mjs: one engine's side of a workload alone, for about `ms`. Operations done. */
  async alone({ engine, workload, run, size, ms }) {
    const store = open[engine];
    const ids = someIds(1000, size, run);
    const stop = performance.now() + ms;
    let done = 0;
    if (workload === 'W1') {
      for (; performance.now() < stop; done++) await globalThis.bench.bulk({ engine, size, run: `profile-${run}-${done}` });
      return done;
    }
    if (workload === 'X') {
      for (; performance.now() < stop; done += 50) await globalThis.bench.rounds({ run, count: 50 });
      return done;
    }
    if (workload === 'W5') {
      await globalThis.bench.close();
      for (; performance.now() < stop; done++) await globalThis.bench.openAndRead({ engine, size });
      return done;
    }
    ahead ??= ENGINES[engine].shape(rows(ADDED_FROM, 'W2 W7'.includes(workload) ? 60_000 : 0));
    const turns = {
      W2: async () => { await store.add(ahead.pop()); return 1; },
      W3: async (n) => { await store.get(ids[n % ids.length]); return 1; },
      W4: async () => { await store.pending(); return 1; },
      W7: async () => { await Promise.all(ahead.splice(-20).map((r) => store.add(r))); return 20; },
    };
    while (performance.now() < stop) done += await turns[workload](done);
    return done;
  },

  versions: () => ({ userAgent: navigator.userAgent, cores: navigator.hardwareConcurrency, swarmstore: swarmstore.version() }),
  deleteDatabase,
};

function shaped(some, added) {
  return Object.fromEntries(Object.keys(some).map((name) => [name, ENGINES[name].shape(added)]));
}

async function removed(some, added) {
  const ids = added.map((r) => r.id);
  for (const store of Object.values(some)) await store.remove(ids);
  await pause(300);
}

async function image(from, size) {
  if (from === 'swarmstore') {
    const store = await swarmstore.open(stored(size));
    const file = await store.store.exportFile();
    await store.close();
    return new Uint8Array(await file.arrayBuffer());
  }
  const db = await openDatabase(`sqljs:${stored(size)}`, () => {});
  const bytes = await result(db.transaction('file').objectStore('file').get('image'));
  db.close();
  return bytes;
}
