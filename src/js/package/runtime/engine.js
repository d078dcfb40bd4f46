/**
 * The wasm module: loaded once, on first use, and made anew after a panic.
 *
 * A panic in wasm does not unwind. Whatever the Rust side was doing stays half done, so nothing may be asked of that instance
 * again: every store of it is given up (its lock and its connection are released), whoever waits for an answer gets INTERNAL,
 * and a new instance takes its place, in which `open` loads what was flushed.
 * @module
 */
import * as glue from '../swarmstore.js';
import { fromText, internal, SwarmStoreError } from './error.js';

export class Engine {
  #load;
  /** @type {Promise<any> | undefined} */
  #ready;
  /** Which instance this is; counts up with each failure. */
  generation = 0;
  /** Set while the instance is poisoned and no other one made. @type {SwarmStoreError | undefined} */
  #broken;
  /** The failure that ended the instance before. @type {SwarmStoreError | undefined} */
  #failure;
  /** What to give up in a panic. @type {Set<{ abandon(error: SwarmStoreError): void }>} */
  #stores = new Set();
  /** Whoever waits for an answer that a panic would withhold. @type {Set<(error: SwarmStoreError) => void>} */
  #waiting = new Set();
  /** The latest flush that somebody waits for. @type {Promise<unknown> | undefined} */
  #kept;
  /** The same, settled. @type {Promise<unknown> | undefined} */
  #settled;
  /** Set while the module calls out, when it cannot be entered. @type {(() => SwarmStoreError) | undefined} */
  shut;

  /** @param {() => Promise<WebAssembly.Module>} load */
  constructor(load) {
    this.#load = load;
  }

  /**
   * The wasm class, in an instance that works.
   * @returns {Promise<any>}
   */
  async ready() {
    this.#restart();
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

  /**
   * Makes a new instance if this one is poisoned. No frame of the old one may be on the stack: on its way out it would be taken
   * for one of the new.
   */
  #restart() {
    if (!this.#broken) return;
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

  /** As soon as possible: what of the old instance is still under way, such as a flush, comes to an end by it. */
  #tryToRestart() {
    try {
      this.#restart();
    } catch {
      // The next open tries again, and tells.
    }
  }

  /** A panic in a callback reaches nobody as an exception, so the Rust side tells of it. */
  #watchPanics() {
    const { generation } = this;
    glue.Core.onPanic?.((/** @type {string} */ message) => {
      if (generation !== this.generation) return;
      this.poison(new Error(message));
      queueMicrotask(() => this.#tryToRestart());
    });
  }

  /**
   * @param {number} generation
   * @throws {SwarmStoreError} INTERNAL when the instance has failed since
   */
  checkSince(generation) {
    if (generation !== this.generation) throw /** @type {SwarmStoreError} */ (this.#failure);
  }

  /** @param {{ abandon(error: SwarmStoreError): void }} store */
  attach(store) {
    this.#stores.add(store);
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
      this.#waiting.add(reject);
      Promise.resolve(answer).then(
        (value) => {
          this.#waiting.delete(reject);
          resolve(value);
        },
        (reason) => {
          // Rejected already by the failure of its instance.
          if (!this.#waiting.delete(reject)) return;
          if (typeof reason === 'string') reject(fromText(reason));
          else reject(isTrap(reason) ? this.failure(reason) : internal(reason));
        },
      );
    });
  }

  /**
   * As {@link settle}, for the promise that all who wait for one flush are given.
   * @param {Promise<unknown>} kept
   * @returns {Promise<unknown>}
   */
  settleOnce(kept) {
    if (kept !== this.#kept) {
      this.#kept = kept;
      this.#settled = this.settle(kept);
    }
    return /** @type {Promise<unknown>} */ (this.#settled);
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
    if (typeof thrown === 'string') return fromText(thrown);
    const error = this.poison(thrown);
    this.#tryToRestart();
    return error;
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
    this.#failure = error;
    this.generation += 1;
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
