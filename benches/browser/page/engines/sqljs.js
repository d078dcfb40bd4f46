// sql.js: SQLite in memory, made durable in the only way it offers: export the whole file and put it into IndexedDB.
import { deleteDatabase, openDatabase, result, write } from '../idb.js';

export const label = 'sql.js';

const SCHEMA = `
  CREATE TABLE tasks (id TEXT PRIMARY KEY, type TEXT NOT NULL, agent_id TEXT, priority INTEGER NOT NULL,
                      payload TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL);
  CREATE INDEX tasks_queue ON tasks (status, priority DESC, created_at);`;
const INSERT = 'INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)';
const GET = 'SELECT id, type, agent_id, priority, payload, status, created_at FROM tasks WHERE id = ?';
const PENDING = `SELECT id, type, agent_id, priority, payload, status, created_at FROM tasks
                 WHERE status = ? ORDER BY priority DESC, created_at LIMIT 20`;

let module;
export function load() {
  module ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/modules/sql.js/dist/sql-wasm-browser.js';
    script.onload = () => resolve(globalThis.initSqlJs({ locateFile: (file) => `/modules/sql.js/dist/${file}` }));
    script.onerror = () => reject(new Error('sql.js did not load'));
    document.head.append(script);
  });
  return module;
}

const database = (name) => `sqljs:${name}`;
export const destroy = (name) => deleteDatabase(database(name));
export const shape = (rows) => rows;

export async function open(name) {
  const [SQL, idb] = await Promise.all([load(), openDatabase(database(name), (fresh) => fresh.createObjectStore('file'))]);
  const bytes = await result(idb.transaction('file').objectStore('file').get('image'));
  const db = new SQL.Database(bytes);
  if (!bytes) db.run(SCHEMA);
  return new SqlJs(db, idb);
}

class SqlJs {
  constructor(db, idb) { this.db = db; this.idb = idb; this.prepare(); }

  prepare() {
    this.insert = this.db.prepare(INSERT);
    this.select = this.db.prepare(GET);
    this.queue = this.db.prepare(PENDING);
  }

  // export() finalises every prepared statement; preparing them again is part of what being durable costs here.
  async save() {
    const image = this.db.export();
    this.prepare();
    await write(this.idb, 'file', (tx) => tx.objectStore('file').put(image, 'image'));
  }

  async addMany(rows) {
    this.db.run('BEGIN');
    for (const row of rows) this.insertRow(row);
    this.db.run('COMMIT');
    await this.save();
  }

  async add(row) { this.insertRow(row); await this.save(); }
  insertRow(r) { this.insert.run([r.id, r.type, r.agentId, r.priority, JSON.stringify(r.payload), r.status, r.createdAt]); }

  async get(id) {
    this.select.bind([id]);
    const found = this.select.step() ? object(this.select.get()) : undefined;
    this.select.reset();
    return found;
  }

  async pending() {
    const found = [];
    this.queue.bind(['pending']);
    while (this.queue.step()) found.push(object(this.queue.get()));
    this.queue.reset();
    return found;
  }

  seed(rows) { return this.addMany(rows); }
  async remove(ids) { this.db.run(`DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?))`, [JSON.stringify(ids)]); await this.save(); }
  async close() { this.db.close(); this.idb.close(); }
}

// Built by hand from get(): measurably faster than getAsObject(), which asks for the column names of every row.
function object([id, type, agent_id, priority, payload, status, created_at]) {
  return { id, type, agent_id, priority, payload: JSON.parse(payload), status, created_at };
}
