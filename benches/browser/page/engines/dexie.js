// Dexie: the usual wrapper of IndexedDB.
import { shape } from './raw.js';

export const label = 'Dexie';
export { shape };

let Dexie;
export async function load() { Dexie ??= (await import('/modules/dexie/dist/modern/dexie.min.mjs')).default; }

const database = (name) => `dexie:${name}`;
export async function destroy(name) { await load(); await Dexie.delete(database(name)); }

export async function open(name) {
  await load();
  const db = new Dexie(database(name), { chromeTransactionDurability: 'relaxed' });
  db.version(1).stores({ tasks: 'id, [status+rank+created_at]' });
  await db.open();
  return new Table(db);
}

class Table {
  constructor(db) { this.db = db; }
  addMany(rows) { return this.db.tasks.bulkAdd(rows); }
  add(row) { return this.db.tasks.put(row); }
  get(id) { return this.db.tasks.get(id); }
  pending() { return this.db.tasks.where('[status+rank+created_at]').between(['pending', Dexie.minKey], ['pending', Dexie.maxKey]).limit(20).toArray(); }
  seed(rows) { return this.addMany(rows); }
  remove(ids) { return this.db.tasks.bulkDelete(ids); }
  async close() { this.db.close(); }
}
