// swarmstore through its public API, with the full tasks schema: everything a user's call goes through.
export const label = 'swarmstore';

let SwarmStore;
let warm = false;

async function code() { ({ SwarmStore } = await import('/pkg/index.js')); }

/** Loads the JavaScript and the wasm module; a memory store is the only public way to ask for the latter by itself. */
export async function load() {
  if (warm) return;
  await code();
  const store = await SwarmStore.open('warm-up', { storage: 'memory' });
  await store.close();
  warm = true;
}

export async function destroy(name) { await load(); await SwarmStore.destroy(name); }
export const version = () => SwarmStore?.version();

export const shape = (rows) => rows.map((r) => ({ id: r.id, taskType: r.type, priority: r.priority, payload: r.payload }));

export async function open(name, options) {
  if (!SwarmStore) await code();
  return new Swarm(await SwarmStore.open(name, options));
}

class Swarm {
  constructor(store) { this.store = store; }

  addMany(rows) { return this.store.tasks.addMany(rows); }
  add(row) { return this.store.tasks.add(row); }
  get(id) { return this.store.tasks.get(id); }
  pending() { return this.store.tasks.list({ where: { status: 'pending' }, orderBy: [['priority', 'desc'], ['createdAt', 'asc']], limit: 20 }); }

  // A task is born pending; the finished ones of the data set are cancelled through the API.
  async seed(rows, finished) {
    await this.addMany(rows);
    if (finished.length) await this.store.batch(finished.map((id) => ['tasks.cancel', id]));
  }

  remove(ids) { return this.store.tasks.deleteMany(ids); }
  close() { return this.store.close(); }
}
