// The floor: raw IndexedDB, one object store and one compound index, written as well as we know how.
import { deleteDatabase, openDatabase, result, write } from '../idb.js';

export const label = 'raw IndexedDB';
export const load = async () => {};

const database = (name) => `raw:${name}`;
export const destroy = (name) => deleteDatabase(database(name));

// An IndexedDB index has one direction, so "priority desc" is kept as a rank that grows as the priority falls.
export const shape = (rows) => rows.map((r) => ({
  id: r.id, type: r.type, agent_id: r.agentId, priority: r.priority, rank: 9 - r.priority,
  payload: r.payload, status: r.status, created_at: r.createdAt,
}));

export async function open(name) {
  const db = await openDatabase(database(name), (fresh) => {
    fresh.createObjectStore('tasks', { keyPath: 'id' }).createIndex('queue', ['status', 'rank', 'created_at']);
  });
  return new Raw(db);
}

class Raw {
  constructor(db) { this.db = db; }

  addMany(rows) { return write(this.db, 'tasks', (tx) => { const store = tx.objectStore('tasks'); for (const row of rows) store.add(row); }); }
  add(row, durability) { return write(this.db, 'tasks', (tx) => tx.objectStore('tasks').put(row), durability); }
  get(id) { return result(this.db.transaction('tasks').objectStore('tasks').get(id)); }

  pending() {
    const range = IDBKeyRange.bound(['pending'], ['pending', []]);
    return result(this.db.transaction('tasks').objectStore('tasks').index('queue').getAll(range, 20));
  }

  seed(rows) { return this.addMany(rows); }
  remove(ids) { return write(this.db, 'tasks', (tx) => { const store = tx.objectStore('tasks'); for (const id of ids) store.delete(id); }); }
  async close() { this.db.close(); }
}
