// At hand in every test page, as globals.
import { SwarmStore, SwarmStoreError } from '/pkg/index.js';

/** Runs something and tells how it went, in a form that reaches the test. */
async function attempt(body) {
  try {
    return { value: await body() };
  } catch (error) {
    if (!(error instanceof Error)) return { error: { name: typeof error, message: String(error), thrown: error } };
    const { name, message, stack, code, retryable, table, id, field, index, actual, committed, cause } = error;
    return {
      error: { name, message, stack, code, retryable, table, id, field, index, actual, committed, cause: cause && { name: cause.name, message: cause.message } },
    };
  }
}

const request = (asked) => new Promise((resolve, reject) => {
  asked.onsuccess = () => resolve(asked.result);
  asked.onerror = () => reject(asked.error);
});

/** What IndexedDB holds of a store, past the store itself. */
const kept = {
  async database(name) {
    return request(indexedDB.open(`swarmstore:${name}`));
  },

  /** All records, as [object store, key, number of bytes]. */
  async records(name) {
    const database = await this.database(name);
    try {
      const records = [];
      for (const store of database.objectStoreNames) {
        const objects = database.transaction(store).objectStore(store);
        const [keys, values] = await Promise.all([request(objects.getAllKeys()), request(objects.getAll())]);
        keys.forEach((key, i) => records.push([store, key, values[i]?.byteLength ?? 0]));
      }
      return records;
    } finally {
      database.close();
    }
  },

  async bytes(name) {
    return (await this.records(name)).reduce((sum, [, , bytes]) => sum + bytes, 0);
  },

  /** Runs something on an object store, and resolves when it is kept. */
  async change(name, store, body) {
    const database = await this.database(name);
    try {
      const transaction = database.transaction(store, 'readwrite');
      const answer = await body(transaction.objectStore(store));
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      return answer;
    } finally {
      database.close();
    }
  },

  /** Flips one bit, `at` being a fraction of the record's length. */
  flip(name, store, key, at) {
    return this.change(name, store, async (records) => {
      const bytes = await request(records.get(key));
      bytes[Math.min(bytes.length - 1, Math.floor(bytes.length * at))] ^= 0x10;
      records.put(bytes, key);
    });
  },

  /** Removes a record and answers it. */
  take(name, store, key) {
    return this.change(name, store, async (records) => {
      const value = await request(records.get(key));
      records.delete(key);
      return value;
    });
  },

  put(name, store, key, value) {
    return this.change(name, store, async (records) => records.put(value, key));
  },

  /** Resolves when a log that was worth folding has been folded into the base, all of it. */
  async folded(name) {
    const end = performance.now() + 60_000;
    for (;;) {
      const records = await this.records(name);
      const base = records.filter(([store]) => store === 'base').length;
      const log = records.length - base;
      if (base > 0 && log < 50) return;
      if (performance.now() > end) throw new Error(`there are still ${log} records in the log, and ${base} in the base`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
};

/** Everything in the database, as text: two are equal when nothing was written in between. */
async function dump(store) {
  const tables = await store.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name");
  const content = {};
  for (const { name } of tables) content[name] = await store.query(`SELECT * FROM "${name}"`);
  return JSON.stringify(content);
}

/** A text that cannot be compressed, as Chromium does with what it keeps. */
function noise(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return Array.from(bytes, (byte) => String.fromCharCode(48 + (byte & 63))).join('');
}

/** A file to the server, and back. */
const send = (name, blob) => fetch(`/files/${name}`, { method: 'PUT', body: blob });
const receive = async (name) => (await fetch(`/files/${name}`)).blob();

Object.assign(globalThis, { SwarmStore, SwarmStoreError, attempt, kept, dump, noise, send, receive });

/** A worker of pages/worker.js; `ask` answers what came of it. */
globalThis.startWorker = (shared = false) => {
  const worker = shared ? new SharedWorker('/pages/worker.js', { type: 'module', name: Math.random() }) : new Worker('/pages/worker.js', { type: 'module' });
  const target = shared ? worker.port : worker;
  const waiting = new Map();
  target.onmessage = ({ data: { id, answer } }) => {
    waiting.get(id)(answer);
    waiting.delete(id);
  };
  let last = 0;
  return {
    ask({ run, ...message }, transfer = []) {
      last += 1;
      const answer = new Promise((resolve) => waiting.set(last, resolve));
      target.postMessage({ id: last, run: run?.toString(), ...message }, transfer);
      return answer;
    },
    connect(port) {
      return this.ask({ port }, [port]);
    },
    terminate: () => worker.terminate(),
  };
};
