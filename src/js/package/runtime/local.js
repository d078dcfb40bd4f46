/**
 * A store in this realm: the wasm class, with its errors made errors and its state guarded.
 * @module
 */
import { Caller, decode } from './caller.js';
import { Channel } from './channel.js';
import { closed, fromText, invalid, SwarmStoreError } from './error.js';
import * as originStorage from './origin-storage.js';

/** @typedef {import('./engine.js').Engine} Engine */

/** From this length on, arguments are written to the memory of wasm by the browser's own encoder. */
const LONG = 4096;

/** Why nothing may be asked of a store or its transactions any more, if so. */
class Gate {
  /** @type {(() => SwarmStoreError) | undefined} */
  shut;
}

export class LocalChannel extends Channel {
  #engine;
  #core;
  #gate = new Gate();
  /** Fetched while the instance still works. @type {() => void} */
  #abandon;
  #closed = false;
  #abandoned = false;
  /** @type {Promise<void> | undefined} */
  #closing;

  /**
   * @param {Engine} engine
   * @param {import('./options.js').Opening} opening
   */
  static async open(engine, opening) {
    const { signal, clock, onFlushError } = opening;
    throwIfAborted(signal);
    const Core = await engine.ready();
    throwIfAborted(signal);
    const { generation } = engine;
    const hooks = {
      ...(clock && { clock: guarded(engine, clock) }),
      ...(onFlushError && { onFlushError: (/** @type {string} */ text) => queueMicrotask(() => onFlushError(fromText(text))) }),
      ...(signal && { signal }),
    };
    const core = await unlessAborted(signal, engine.run(() => Core.open(opening.text, hooks)));
    engine.checkSince(generation);
    return new LocalChannel(engine, core, opening);
  }

  /**
   * @param {Engine} engine
   * @param {any} core
   * @param {{ name: string, transactionTimeout: number }} opening
   */
  constructor(engine, core, { name, transactionTimeout }) {
    super();
    this.#engine = engine;
    this.#core = core;
    this.#abandon = core.abandon;
    this.name = name;
    /** @type {'indexeddb' | 'memory'} */
    this.storage = core.storage;
    this.transactionTimeout = transactionTimeout;
    engine.attach(this);
  }

  get closed() {
    return this.#closed;
  }

  /**
   * @param {number} op
   * @param {string | string[]} text
   * @returns {string | undefined | Promise<string | undefined> | [string | undefined, Promise<unknown>]}
   */
  call(op, text) {
    this.check();
    const long = pieces(text);
    let answer;
    try {
      answer = long ? this.#core.callLong(op, long) : this.#core.call(op, text);
    } catch (thrown) {
      throw this.#engine.failure(thrown);
    }
    if (typeof answer !== 'object') return answer;
    return Array.isArray(answer) ? [answer[0], this.#engine.settleOnce(answer[1])] : this.#engine.settle(answer);
  }

  /**
   * @param {[op: number, text: string][]} calls
   * @returns {Promise<string>} JSON text of the results
   */
  async batch(calls) {
    this.check();
    const text = `[${calls.map(([op, args]) => `[${op},${args}]`).join(',')}]`;
    const answer = await this.#engine.run(() => this.#core.batch(text));
    if (!Array.isArray(answer)) return answer;
    await this.#engine.settleOnce(answer[1]);
    return answer[0];
  }

  /**
   * @param {string} sql
   * @param {unknown[]} params
   * @returns {Promise<object[]>}
   */
  async query(sql, params) {
    this.check();
    return this.#engine.run(() => this.#core.query(sql, params, 0));
  }

  /**
   * Waits for its turn as the writer; the timeout starts when the turn has come.
   * @param {number} [timeout]
   */
  async begin(timeout = this.transactionTimeout) {
    this.check();
    const id = await this.#engine.run(() => this.#core.begin());
    return new LocalLine(this.#engine, this.#core, this.#gate, id, timeout);
  }

  async flush() {
    this.check();
    await this.#engine.run(() => this.#core.flush());
  }

  /** @returns {Promise<Blob>} */
  async exportFile() {
    this.check();
    return this.#engine.run(() => this.#core.exportFile());
  }

  /** @param {Blob} file */
  async importFile(file) {
    this.check();
    await this.#engine.run(() => this.#core.importFile(file));
  }

  async health() {
    this.check();
    return decode(await this.#engine.run(() => this.#core.health()));
  }

  /** @param {string} what */
  async maintain(what) {
    this.check();
    return decode(await this.#engine.run(() => this.#core.maintain(what)));
  }

  async persist() {
    this.check();
    return originStorage.persist();
  }

  async persisted() {
    this.check();
    return originStorage.persisted();
  }

  async estimate() {
    this.check();
    return originStorage.estimate();
  }

  /** @returns {Promise<void>} */
  close() {
    if (this.#engine.shut) return Promise.reject(this.#engine.shut());
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    this.#closed = true;
    try {
      if (!this.#abandoned) await this.#engine.run(() => this.#core.close());
    } catch (error) {
      if (this.#isOpen()) {
        // What could not be flushed is still in memory, to be exported, flushed or closed again.
        this.#closed = false;
        this.#closing = undefined;
        throw error;
      }
      if (!this.#abandoned) throw error;
    } finally {
      if (this.#closed) {
        this.#engine.detach(this);
        this.closePorts();
      }
    }
  }

  /** Whether the Rust side goes on although closing failed: it does unless there is nothing that could help. */
  #isOpen() {
    if (this.#abandoned) return false;
    try {
      this.#core.query('SELECT 1', [], 0);
      return true;
    } catch (thrown) {
      this.#engine.failure(thrown);
      return false;
    }
  }

  /**
   * After a panic; touches no wasm.
   * @param {SwarmStoreError} error
   */
  abandon(error) {
    this.#abandoned = true;
    this.#gate.shut = () => new SwarmStoreError(error.code, error.message, { cause: error.cause });
    try {
      this.#abandon?.();
    } catch (failure) {
      console.error('swarmstore: giving up a store failed', failure);
    }
  }

  /** @throws {SwarmStoreError} when nothing may be asked of the store */
  check() {
    if (this.#closed) throw closed();
    if (this.#gate.shut) throw this.#gate.shut();
    if (this.#engine.shut) throw this.#engine.shut();
  }
}

/** A transaction of a store in this realm. */
class LocalLine extends Caller {
  #engine;
  #core;
  #gate;
  #id;
  #timer;
  #unwatch;
  /** Why it is over, if it is. @type {string | undefined} */
  #over;
  /** What ended it, if that was not its body. @type {SwarmStoreError | undefined} */
  #cause;
  /** @type {((error: SwarmStoreError) => void)} */
  #reject = () => {};

  /**
   * @param {Engine} engine
   * @param {any} core
   * @param {Gate} gate
   * @param {number} id
   * @param {number} timeout
   */
  constructor(engine, core, gate, id, timeout) {
    super();
    this.#engine = engine;
    this.#core = core;
    this.#gate = gate;
    this.#id = id;
    /** @type {Promise<never>} */
    this.broken = new Promise((_, reject) => {
      this.#reject = reject;
    });
    this.#unwatch = engine.watch((error) => this.#break('the store has failed', error));
    this.#timer = setTimeout(() => this.#expire(timeout), timeout);
  }

  /**
   * @param {number} op
   * @param {string | string[]} text
   * @returns {string | undefined}
   */
  call(op, text) {
    this.check();
    const long = pieces(text);
    try {
      return long ? this.#core.callLongIn(this.#id, op, long) : this.#core.callIn(this.#id, op, text);
    } catch (thrown) {
      throw this.#engine.failure(thrown);
    }
  }

  /**
   * @param {string} sql
   * @param {unknown[]} params
   * @returns {Promise<object[]>}
   */
  async query(sql, params) {
    this.check();
    return this.#engine.run(() => this.#core.query(sql, params, this.#id));
  }

  /** @param {string} [durability] */
  async commit(durability) {
    if (this.#cause) throw this.#cause;
    this.check();
    this.#end('the transaction has ended');
    try {
      await this.#engine.run(() => this.#core.commit(this.#id, durability));
    } catch (error) {
      if (!(/** @type {any} */ (error)?.committed)) this.#undo();
      throw error;
    }
  }

  rollback() {
    if (this.#over) return;
    this.#end('the transaction has ended');
    this.#undo();
  }

  /** @param {number} timeout */
  #expire(timeout) {
    const error = new SwarmStoreError(
      'TIMEOUT',
      `the transaction took longer than ${timeout} ms and was rolled back (inside its body use tx, not the store)`,
      { retryable: true },
    );
    this.#break(`the transaction has ended: it took longer than ${timeout} ms`, error);
    this.#undo();
  }

  /**
   * @param {string} why
   * @param {SwarmStoreError} error
   */
  #break(why, error) {
    this.#cause = error;
    this.#end(why);
    this.#reject(error);
  }

  #undo() {
    if (this.#gate.shut) return;
    try {
      this.#core.rollback(this.#id);
    } catch (thrown) {
      // A transaction that cannot be undone leaves a store that cannot be trusted.
      this.#engine.failure(typeof thrown === 'string' ? fromText(thrown) : thrown);
    }
  }

  /** @param {string} why */
  #end(why) {
    this.#over = why;
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  check() {
    if (this.#gate.shut) throw this.#gate.shut();
    if (this.#engine.shut) throw this.#engine.shut();
    if (this.#over) throw closed(this.#over);
  }
}

/**
 * The pieces of long arguments; undefined for short ones.
 * @param {string | string[]} text
 */
function pieces(text) {
  if (typeof text !== 'string') return text;
  return text.length < LONG ? undefined : [text];
}

/**
 * The user's clock, as the Rust side may call it: it never throws (NaN says that there is no time to be had), and no store can
 * be entered from it.
 * @param {Engine} engine
 * @param {() => number} clock
 */
function guarded(engine, clock) {
  return () => {
    engine.shut = () => invalid('clock', 'clock: a store cannot be used from a clock');
    try {
      return Number(clock());
    } catch (error) {
      // Thrown here it would leave Rust frames without unwinding them. It surfaces as an uncaught error.
      queueMicrotask(() => {
        throw error;
      });
      return NaN;
    } finally {
      engine.shut = undefined;
    }
  };
}

/** @param {AbortSignal | undefined} signal */
function throwIfAborted(signal) {
  if (signal?.aborted) throw aborted(signal);
}

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new SwarmStoreError('ABORTED', 'opening was aborted', { cause: signal.reason });
}

/**
 * What is being opened, or ABORTED as soon as the signal says so; what is opened nevertheless is closed again.
 * @param {AbortSignal | undefined} signal
 * @param {Promise<any>} opening
 * @returns {Promise<any>}
 */
async function unlessAborted(signal, opening) {
  if (!signal) return opening;
  /** @type {() => void} */
  let stop = () => {};
  const abort = new Promise((_, reject) => {
    stop = () => reject(aborted(signal));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([opening, abort]);
  } catch (error) {
    if (signal.aborted) opening.then((core) => core.close()).catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
