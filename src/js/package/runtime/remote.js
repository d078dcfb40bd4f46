/**
 * A store at the other end of a port.
 * @module
 */
import { Caller } from './caller.js';
import { nameOf } from './catalogue.js';
import { Channel } from './channel.js';
import { closed, fromPlain, invalid, SwarmStoreError } from './error.js';
import { joined } from './json.js';
import { Presence } from './presence.js';
import { PROTOCOL_VERSION } from './protocol.js';

/** A port whose other end is gone answers nothing at all. */
const HELLO_TIMEOUT = 10_000;

/** Two connections on one port would take each other's answers. @type {WeakSet<object>} */
const taken = new WeakSet();

export class RemoteChannel extends Channel {
  #port;
  #presence = new Presence();
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: unknown) => void }>} */
  #pending = new Map();
  /** @type {Map<number, RemoteLine>} */
  #lines = new Map();
  #lastId = 0;
  /** Why nothing more can be asked, if so. @type {string | undefined} */
  #shut;
  /** What the connection was lost by, if it is. @type {SwarmStoreError | undefined} */
  #lost;
  /** @type {Promise<void> | undefined} */
  #closing;
  /** Told when the last answer has come. @type {(() => void)[]} */
  #idle = [];

  name = '';
  /** @type {'indexeddb' | 'memory'} */
  storage = 'memory';
  transactionTimeout = 0;

  /**
   * @param {any} port
   * @returns {Promise<RemoteChannel>}
   */
  static async open(port) {
    if (typeof port?.postMessage !== 'function' || typeof port.start !== 'function') throw invalid('port', 'port: a MessagePort is needed');
    if (taken.has(port)) throw invalid('port', 'port: it is connected already; ask the store for another one');
    taken.add(port);
    const channel = new RemoteChannel(port);
    const timer = setTimeout(
      () => channel.#lose(new SwarmStoreError('UNAVAILABLE', 'no store answers at the other end of the port')),
      HELLO_TIMEOUT,
    );
    try {
      const lock = await channel.#presence.take();
      Object.assign(channel, await channel.ask({ ask: 'hello', version: PROTOCOL_VERSION, lock }));
      return channel;
    } catch (error) {
      channel.#lose(/** @type {SwarmStoreError} */ (error));
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {MessagePort} port */
  constructor(port) {
    super();
    this.#port = port;
    port.addEventListener('message', (event) => this.#receive(event.data));
    port.addEventListener('close', () => this.#lose(closed('the store at the other end of the port is gone')));
    port.start();
    this.#ref();
  }

  get closed() {
    return this.#shut !== undefined;
  }

  /** Whether an answer is awaited or a transaction open. */
  get #busy() {
    return this.#pending.size + this.#lines.size > 0;
  }

  /**
   * @param {number} op
   * @param {string | string[]} text
   * @returns {Promise<string | undefined>}
   */
  call(op, text) {
    this.check();
    return this.ask({ ask: 'call', name: nameOf(op), text: joined(text) });
  }

  /**
   * @param {[op: number, text: string][]} calls
   * @returns {Promise<string>} JSON text of the results
   */
  async batch(calls) {
    this.check();
    return this.ask({ ask: 'batch', calls: calls.map(([op, text]) => [nameOf(op), text]) });
  }

  /**
   * @param {string} sql
   * @param {unknown[]} params
   * @returns {Promise<object[]>}
   */
  async query(sql, params) {
    this.check();
    return this.ask({ ask: 'query', sql, params });
  }

  /** @param {number} [timeout] */
  async begin(timeout) {
    this.check();
    const tx = (this.#lastId += 1);
    const line = new RemoteLine(this, tx, () => this.#forget(tx));
    this.#lines.set(tx, line);
    try {
      await this.ask({ ask: 'begin', tx, timeout });
    } catch (error) {
      this.#forget(tx);
      throw error;
    }
    return line;
  }

  flush() {
    return this.#method('flush');
  }

  exportFile() {
    return this.#method('exportFile');
  }

  /** @param {Blob} file */
  importFile(file) {
    return this.#method('importFile', file);
  }

  health() {
    return this.#method('health');
  }

  /** @param {string} what */
  maintain(what) {
    return this.#method('maintain', what);
  }

  persist() {
    return this.#method('persist');
  }

  persisted() {
    return this.#method('persisted');
  }

  estimate() {
    return this.#method('estimate');
  }

  /** Waits for what is under way, then closes this connection only. */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    this.#shut ??= 'the store is closed';
    if (this.#busy) await new Promise((resolve) => this.#idle.push(() => resolve(undefined)));
    if (this.#lost) return;
    this.#port.postMessage({ ask: 'bye' });
    this.#lose(closed());
  }

  check() {
    if (this.#shut !== undefined) throw closed(this.#shut);
  }

  /**
   * Asks the other end; also for a transaction, which goes on while the store is being closed.
   * @param {Record<string, unknown>} message
   * @returns {Promise<any>}
   */
  ask(message) {
    return new Promise((resolve, reject) => {
      if (this.#lost) {
        reject(this.#lost);
        return;
      }
      const id = (this.#lastId += 1);
      this.#port.postMessage({ ...message, id });
      this.#pending.set(id, { resolve, reject });
      this.#ref();
    });
  }

  /**
   * Says something that has no answer.
   * @param {Record<string, unknown>} message
   */
  tell(message) {
    if (!this.#lost) this.#port.postMessage(message);
  }

  /**
   * @param {string} name
   * @param {unknown} [argument]
   */
  async #method(name, argument) {
    this.check();
    return this.ask({ ask: name, argument });
  }

  /** @param {any} message */
  #receive(message) {
    if (typeof message !== 'object' || message === null) return;
    if (message.closed) this.#lose(closed());
    else if (message.broken) this.#lines.get(message.tx)?.break(fromPlain(message.broken));
    else this.#settle(message);
  }

  /** @param {any} message */
  #settle({ id, value, error }) {
    const waiter = this.#pending.get(id);
    if (!waiter) return;
    this.#pending.delete(id);
    if (error) waiter.reject(fromPlain(error));
    else waiter.resolve(value);
    this.#ease();
  }

  /** @param {number} tx */
  #forget(tx) {
    this.#lines.delete(tx);
    this.#ease();
  }

  #ease() {
    this.#ref();
    if (this.#busy) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** In Node only what is under way keeps the process alive. */
  #ref() {
    const port = /** @type {any} */ (this.#port);
    if (this.#busy) port.ref?.();
    else port.unref?.();
  }

  /**
   * Nothing will be answered any more.
   * @param {SwarmStoreError} error
   */
  #lose(error) {
    if (this.#lost) return;
    this.#lost = error;
    this.#shut ??= error.message;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
    for (const line of [...this.#lines.values()]) line.break(error);
    this.#lines.clear();
    this.#ease();
    this.closePorts();
    this.#port.close();
    this.#presence.release();
  }
}

/** A transaction of a store at the other end of a port. Its timeout runs there. */
class RemoteLine extends Caller {
  #channel;
  #tx;
  #onEnd;
  /** @type {string | undefined} */
  #over;
  /** What ended it, if that was not its body. @type {SwarmStoreError | undefined} */
  #cause;
  /** @type {(error: SwarmStoreError) => void} */
  #reject = () => {};

  /**
   * @param {RemoteChannel} channel
   * @param {number} tx
   * @param {() => void} onEnd
   */
  constructor(channel, tx, onEnd) {
    super();
    this.#channel = channel;
    this.#tx = tx;
    this.#onEnd = onEnd;
    /** @type {Promise<never>} */
    this.broken = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // It may break while it waits for its turn, when nobody listens yet.
    this.broken.catch(() => {});
  }

  /**
   * @param {number} op
   * @param {string | string[]} text
   * @returns {Promise<string | undefined>}
   */
  call(op, text) {
    this.check();
    return this.#channel.ask({ ask: 'call', tx: this.#tx, name: nameOf(op), text: joined(text) });
  }

  /**
   * @param {string} sql
   * @param {unknown[]} params
   * @returns {Promise<object[]>}
   */
  async query(sql, params) {
    this.check();
    return this.#channel.ask({ ask: 'query', tx: this.#tx, sql, params });
  }

  /** @param {string} [durability] */
  async commit(durability) {
    if (this.#cause) throw this.#cause;
    this.check();
    this.#over = 'the transaction has ended';
    try {
      await this.#channel.ask({ ask: 'commit', tx: this.#tx, durability });
    } catch (error) {
      // The timeout may have come first, while the commit was on its way.
      throw this.#cause ?? error;
    } finally {
      this.#onEnd();
    }
  }

  rollback() {
    if (this.#over) return;
    this.#channel.tell({ ask: 'rollback', tx: this.#tx });
    this.#end('the transaction has ended');
  }

  /** @param {SwarmStoreError} error */
  break(error) {
    this.#cause = error;
    this.#end(`the transaction has ended: ${error.message}`);
    this.#reject(error);
  }

  /** @param {string} why */
  #end(why) {
    this.#over = why;
    this.#onEnd();
  }

  check() {
    if (this.#over) throw closed(this.#over);
  }
}
