// Stands for wasm-bindgen's glue and the class Core: the same shape, a Map for a database. `control` lets a test decide what
// the real one would only do on a bad day.
import { OPERATIONS } from './operations.js';

export const control = {
  initialised: 0,
  instance: 0,
  initError: undefined,
  opened: [],
  trap: undefined,
  hang: false,
  openHangs: false,
  beforeOpened: undefined,
  closes: 0,
  commitError: undefined,
  closeError: undefined,
  closedAllTheSame: false,
  rollbacks: 0,
  rollbackError: undefined,
  abandoned: 0,
  lastText: undefined,
  panicHook: undefined,
  url: import.meta.url,
};

export default async function init({ module_or_path }) {
  control.initialised += 1;
  if (control.initError) throw control.initError;
  if (!(module_or_path instanceof WebAssembly.Module)) throw new TypeError('a compiled module is expected');
}

export function __wbg_reset_state() {
  control.instance += 1;
}

export const refusal = (code, more = {}) => JSON.stringify({ code, message: `fake ${code}`, retryable: false, ...more });

export class Core {
  #instance = control.instance;
  #rows = new Map();
  #transactions = new Map();
  #turn = Promise.resolve();
  #closed = false;
  #lastTransaction = 0;

  static async open(text, hooks) {
    const options = JSON.parse(text);
    control.opened.push({ options, hooks });
    await control.beforeOpened;
    if (control.openHangs) await new Promise(() => {});
    if (options.name === 'locked') throw refusal('LOCKED', { retryable: true });
    return new Core(options, hooks);
  }

  static onPanic(hook) { control.panicHook = hook; }
  static async destroy(name) { control.destroyed = name; }
  static async rescue(name) { return new Blob([name]); }
  static version() { return '0.1.0'; }

  constructor(options, hooks) {
    this.options = options;
    this.hooks = hooks;
    this.abandon = () => { control.abandoned += 1; };
  }

  get name() { return this.options.name; }
  get storage() { return this.options.storage; }

  call(op, text) {
    this.#enter(text);
    control.lastText = text;
    if (control.hang) return new Promise(() => {});
    const [name, access] = OPERATIONS[op];
    if (access === 'read') return answer(this.#apply(this.#rows, name, JSON.parse(text)));
    if (this.storage === 'memory' && this.#transactions.size === 0) return answer(this.#apply(this.#rows, name, JSON.parse(text)));
    return this.#inTurn(() => answer(this.#apply(this.#rows, name, JSON.parse(text))));
  }

  callLong(op, pieces) {
    return this.call(op, pieces.join(''));
  }

  async batch(text) {
    this.#enter(text);
    const rows = new Map(this.#rows);
    const results = JSON.parse(text).map(([op, args], index) => {
      try {
        return this.#apply(rows, OPERATIONS[op][0], args) ?? null;
      } catch (thrown) {
        throw JSON.stringify({ ...JSON.parse(thrown), index });
      }
    });
    this.#rows = rows;
    return JSON.stringify(results);
  }

  begin() {
    this.#enter();
    if (this.#closed) return Promise.reject(refusal('CLOSED'));
    const id = (this.#lastTransaction += 1);
    return new Promise((begun) => {
      this.#turn = this.#turn.then(() => new Promise((release) => {
        this.#transactions.set(id, { rows: new Map(this.#rows), release });
        begun(id);
      }));
    });
  }

  callIn(id, op, text) {
    this.#enter(text);
    const transaction = this.#transactions.get(id);
    if (!transaction) throw refusal('CLOSED');
    return answer(this.#apply(transaction.rows, OPERATIONS[op][0], JSON.parse(text)));
  }

  callLongIn(id, op, pieces) {
    return this.callIn(id, op, pieces.join(''));
  }

  async commit(id, durability) {
    this.#enter();
    control.lastDurability = durability;
    const error = control.commitError;
    const committed = !error || JSON.parse(error).committed;
    if (committed) {
      this.#rows = this.#transactions.get(id).rows;
      this.#end(id);
    }
    if (error) throw error;
  }

  rollback(id) {
    this.#enter();
    control.rollbacks += 1;
    if (control.rollbackError) throw control.rollbackError;
    this.#end(id);
  }

  query(sql, params, id) {
    this.#enter(sql);
    if (this.#closed) throw refusal('CLOSED');
    const rows = id === 0 ? this.#rows : this.#transactions.get(id).rows;
    return [{ sql, params: params.length, rows: rows.size }];
  }

  async flush() { this.#enter(); }
  async exportFile() { this.#enter(); return new Blob([JSON.stringify([...this.#rows])]); }
  async importFile(file) { this.#enter(); this.#rows = new Map(JSON.parse(await file.text())); }
  health() { this.#enter(); return JSON.stringify({ healthy: true, problems: [] }); }

  maintain(what) {
    this.#enter(what);
    if (what !== 'integrity') throw refusal('INVALID_ARGUMENT', { field: 'what' });
    return '["ok"]';
  }

  async close() {
    this.#enter();
    control.closes += 1;
    this.#closed = !control.closeError || control.closedAllTheSame;
    if (control.closeError) throw control.closeError;
    await this.#turn;
  }

  #enter(text = '') {
    // As wasm-bindgen does with what is no string.
    if (typeof text !== 'string') throw new TypeError('a string is expected');
    if (this.#instance !== control.instance) throw new Error('Invalid stale object since the wasm instance has been reset');
    this.hooks.clock?.();
    if (control.trap) {
      const trap = control.trap;
      control.trap = undefined;
      throw trap;
    }
  }

  #end(id) {
    this.#transactions.get(id)?.release();
    this.#transactions.delete(id);
  }

  #inTurn(work) {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #apply(rows, name, args) {
    const add = (row, index) => {
      const id = row?.id;
      if (typeof id !== 'string') throw refusal('INVALID_ARGUMENT', { field: 'id', index });
      if (rows.has(id)) throw refusal('CONFLICT', { table: 'tasks', id, index });
      rows.set(id, row);
      return row;
    };
    switch (name) {
      case 'tasks.add': return add(args[0]);
      case 'tasks.addMany': return args[0].map(add);
      case 'tasks.get': return rows.get(args[0]);
      case 'tasks.list': return [...rows.values()];
      case 'tasks.count': return rows.size;
      case 'tasks.complete': throw refusal('LEASE_LOST', { id: args[0], cause: { name: 'QuotaExceededError', message: 'disk full' } });
      case 'agents.heartbeat': throw refusal('NOT_FOUND', { table: 'agents', id: args[0] });
      default: return [];
    }
  }
}

const answer = (value) => (value === undefined ? undefined : JSON.stringify(value));
