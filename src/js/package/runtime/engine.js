/**
 * The wasm module: loaded once, on first use, and made anew after a panic.
 *
 * A panic in wasm does not unwind. Whatever the Rust side was doing stays half done, so nothing may be asked of that instance
 * again: every store of it is given up (its lock and its connection are released), whoever waits for an answer gets INTERNAL,
 * and the next `open` starts a new instance, which loads what was flushed.
 * @module
 */
import * as glue from '../swarmstore.js';
import { fromText, internal, SwarmStoreError } from './error.js';

export class Engine {
  #load;
  /** @type {Promise<any> | undefined} */
  #ready;
  /** Set while the instance is poisoned. @type {SwarmStoreError | undefined} */
  #broken;
  /** What to give up in a panic. @type {Set<{ abandon(error: SwarmStoreError): void }>} */
  #stores = new Set();
  /** Whoever waits for an answer that a panic would withhold. @type {Set<(error: SwarmStoreError) => void>} */
  #waiting = new Set();

  /** @param {() => Promise<WebAssembly.Module>} load */
  constructor(load) {
    this.#load = load;
  }

  /**
   * The wasm class, in an instance that works.
   * @returns {Promise<any>}
   */
  ready() {
    if (this.#broken) this.#restart();
    this.#ready ??= this.#start().catch((cause) => {
      this.#ready = undefined;
      throw new SwarmStoreError('UNAVAILABLE', `the wasm module could not be loaded: ${cause?.message ?? cause}`, { retryable: true, cause });
    });
    return this.#ready;
  }

  async #start() {
    await glue.default({ module_or_path: await this.#load() });
    this.#watchPanics();
    return glue.Core;
  }

  #restart() {
    const reset = /** @type {any} */ (glue).__wbg_reset_state;
    if (typeof reset !== 'function') throw new SwarmStoreError('INTERNAL', 'the engine failed; load the page again', { cause: this.#broken });
    try {
      reset();
      this.#watchPanics();
    } catch (cause) {
      throw new SwarmStoreError('INTERNAL', 'the engine failed and could not be started again; load the page again', { cause });
    }
    this.#broken = undefined;
  }

  /** A panic in a callback reaches nobody as an exception, so the Rust side tells of it. */
  #watchPanics() {
    glue.Core.onPanic?.((/** @type {string} */ message) => void this.poison(new Error(message)));
  }

  /** @param {{ abandon(error: SwarmStoreError): void }} store */
  attach(store) {
    if (this.#broken) store.abandon(this.#broken);
    else this.#stores.add(store);
  }

  /** @param {{ abandon(error: SwarmStoreError): void }} store */
  detach(store) {
    this.#stores.delete(store);
  }

  /**
   * Calls an asynchronous function of the wasm class.
   * @template T
   * @param {() => T | Promise<T>} start
   * @returns {Promise<T>}
   */
  async run(start) {
    let answer;
    try {
      answer = start();
    } catch (thrown) {
      throw this.failure(thrown);
    }
    return this.settle(answer);
  }

  /**
   * The promise with its rejection made an error, and rejected by a panic: the Rust side would leave it pending for ever.
   * @template T
   * @param {T | Promise<T>} answer
   * @returns {Promise<T>}
   */
  settle(answer) {
    return new Promise((resolve, reject) => {
      const unwatch = this.watch(reject);
      Promise.resolve(answer).then(
        (value) => {
          unwatch();
          resolve(value);
        },
        (reason) => {
          unwatch();
          if (typeof reason === 'string') reject(fromText(reason));
          else reject(isTrap(reason) ? this.poison(reason) : internal(reason));
        },
      );
    });
  }

  /**
   * @param {(error: SwarmStoreError) => void} onPanic
   * @returns {() => void} to stop watching
   */
  watch(onPanic) {
    this.#waiting.add(onPanic);
    return () => void this.#waiting.delete(onPanic);
  }

  /**
   * What a synchronous call threw, as an error. The Rust side throws JSON text; anything else has left its frames without
   * unwinding them (a trap, a stack overflow, an exception of an import), and the instance cannot be trusted any more.
   * @param {unknown} thrown
   */
  failure(thrown) {
    return typeof thrown === 'string' ? fromText(thrown) : this.poison(thrown);
  }

  /**
   * Touches no wasm: it may run inside the panic.
   * @param {any} cause
   * @returns {SwarmStoreError}
   */
  poison(cause) {
    if (this.#broken) return this.#broken;
    const error = new SwarmStoreError('INTERNAL', `the engine failed (${cause?.message ?? cause}); open the store again to go on from what was flushed`, { cause });
    this.#broken = error;
    const stores = [...this.#stores];
    const waiting = [...this.#waiting];
    this.#stores.clear();
    this.#waiting.clear();
    for (const store of stores) store.abandon(error);
    for (const reject of waiting) reject(error);
    return error;
  }
}

/** @param {unknown} reason */
function isTrap(reason) {
  return reason instanceof WebAssembly.RuntimeError;
}
