/**
 * The end of a port that has the store.
 * @module
 */
import { numberOf } from './catalogue.js';
import { closed, invalid, SwarmStoreError, toPlain } from './error.js';
import { transactionOptions } from './options.js';
import { watch } from './presence.js';
import { METHODS, PROTOCOL_VERSION } from './protocol.js';
import { checkQuery } from './query.js';

/** @typedef {import('./channel.js').Line} Line */

export class PortServer {
  #port;
  #channel;
  #onGone;
  #gone = false;
  /** Aborted when the other end need not be watched any more. @type {AbortController | undefined} */
  #watching;
  /** The transactions of the other end, by the numbers it gave them. @type {Map<number, any>} */
  #lines = new Map();

  /**
   * @param {MessagePort} port
   * @param {any} channel
   * @param {() => void} onGone the other end said bye, or is gone
   */
  constructor(port, channel, onGone) {
    this.#port = port;
    this.#channel = channel;
    this.#onGone = onGone;
    port.addEventListener('message', (event) => this.#receive(event.data));
    // A worker that died; not every browser tells, see presence.js.
    port.addEventListener('close', () => this.#leave());
    port.start();
    // In Node a port that is listened to keeps the process alive; a worker does that by itself.
    /** @type {any} */ (port).unref?.();
  }

  /** The store is closed. Whatever is asked later is answered by this last message, even by a `connect` that is yet to come. */
  close() {
    if (this.#gone) return;
    this.#port.postMessage({ closed: true });
    this.#leave();
  }

  #leave() {
    if (this.#gone) return;
    this.#gone = true;
    this.#onGone();
    for (const line of this.#lines.values()) line.rollback();
    this.#lines.clear();
    this.#port.close();
    this.#watching?.abort();
  }

  /** @param {any} message */
  #receive(message) {
    if (this.#gone || typeof message !== 'object' || message === null) return;
    if (message.ask === 'bye') this.#leave();
    else if (message.ask === 'rollback') this.#rollback(message.tx);
    else this.#answer(message);
  }

  /** @param {any} message */
  #answer(message) {
    try {
      const answer = this.#handle(message);
      if (answer instanceof Promise) {
        answer.then(
          (value) => this.#send({ id: message.id, value }),
          (error) => this.#send({ id: message.id, error: toPlain(error) }),
        );
      } else {
        this.#send({ id: message.id, value: answer });
      }
    } catch (error) {
      this.#send({ id: message.id, error: toPlain(error) });
    }
  }

  /**
   * The other end checks what it sends, but it may be anybody who got hold of the port: nothing of a wrong type goes on to wasm.
   * @param {any} message
   */
  #handle(message) {
    const channel = this.#channel;
    switch (message.ask) {
      case 'hello':
        return this.#hello(message.version, message.lock);
      case 'call':
        return whole(this.#caller(message.tx).call(operation(message.name), string(message.text)));
      case 'query':
        return this.#caller(message.tx).query(message.sql, checkQuery(message.sql, message.params));
      case 'batch':
        return channel.batch(array(message.calls).map((call) => [operation(array(call)[0]), string(call[1])]));
      case 'begin':
        return this.#begin(message.tx, message.timeout);
      case 'commit':
        return this.#commit(message.tx, message.durability);
      default:
        if (METHODS.has(message.ask)) return channel[message.ask](argument(message));
        throw new SwarmStoreError('UNSUPPORTED', 'the store at the other end of the port does not know this call');
    }
  }

  /**
   * @param {unknown} version
   * @param {unknown} lock
   */
  #hello(version, lock) {
    if (version !== PROTOCOL_VERSION) {
      throw new SwarmStoreError('UNSUPPORTED', 'the two ends of the port are different versions of swarmstore');
    }
    this.#channel.check();
    const { name, storage, transactionTimeout } = this.#channel;
    const answer = { name, storage, transactionTimeout };
    // Nothing is begun before it is answered, so nobody is gone in a transaction without having been watched.
    return lock === undefined ? answer : this.#watch(string(lock)).then(() => answer);
  }

  /** @param {string} lock */
  async #watch(lock) {
    if (this.#watching) return;
    this.#watching = new AbortController();
    // Told all the same: a page may lose its locks and come back.
    await watch(lock, this.#watching.signal, () => this.close());
  }

  /**
   * @param {number} tx
   * @param {number | undefined} timeout
   */
  async #begin(tx, timeout) {
    transactionOptions({ timeout });
    const line = await this.#channel.begin(timeout);
    if (this.#gone) {
      line.rollback();
      return;
    }
    this.#lines.set(tx, line);
    line.broken.catch((/** @type {unknown} */ error) => {
      this.#lines.delete(tx);
      this.#send({ tx, broken: toPlain(error) });
    });
  }

  /**
   * @param {number} tx
   * @param {string | undefined} durability
   */
  #commit(tx, durability) {
    transactionOptions({ durability });
    const line = this.#caller(tx);
    this.#lines.delete(tx);
    return line.commit(durability);
  }

  /** @param {number} tx */
  #rollback(tx) {
    const line = this.#lines.get(tx);
    this.#lines.delete(tx);
    line?.rollback();
  }

  /** @param {number | undefined} tx */
  #caller(tx) {
    if (tx === undefined) return this.#channel;
    const line = this.#lines.get(tx);
    if (!line) throw closed('the transaction has ended');
    return line;
  }

  /** @param {object} message */
  #send(message) {
    if (!this.#gone) this.#port.postMessage(message);
  }
}

/** @param {string} name */
function operation(name) {
  const op = numberOf(name);
  if (op === undefined) throw new SwarmStoreError('UNSUPPORTED', 'the store at the other end of the port does not know this operation');
  return op;
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function string(value) {
  if (typeof value !== 'string') throw invalid('text', 'text: a string is needed');
  return value;
}

/**
 * @param {unknown} value
 * @returns {any[]}
 */
function array(value) {
  if (!Array.isArray(value)) throw invalid('calls', 'calls: an array is needed');
  return value;
}

/** @param {any} message */
function argument(message) {
  if (message.ask === 'maintain') return string(message.argument);
  if (message.ask === 'importFile' && !(message.argument instanceof Blob)) throw invalid('file', 'file: a Blob is needed');
  return message.argument;
}

/**
 * The answer when it is kept.
 * @param {string | undefined | Promise<string | undefined> | [string | undefined, Promise<unknown>]} answer
 */
function whole(answer) {
  return Array.isArray(answer) ? answer[1].then(() => answer[0]) : answer;
}
