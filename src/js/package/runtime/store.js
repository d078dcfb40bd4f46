/**
 * The class that users meet. It holds no rules: it checks the form of what it is given and asks its channel.
 * @module
 */
import { NAMESPACES } from '../operations.js';
import { decodeBatch, encodeBatch } from './caller.js';
import { invalid } from './error.js';
import { isWellFormed } from './json.js';
import { LocalChannel } from './local.js';
import { keptName, openOptions } from './options.js';
import { checkQuery } from './query.js';
import { RemoteChannel } from './remote.js';
import { transaction } from './transaction.js';
import { VERSION } from './version.js';

const KEY = Symbol('made by open or connect');

/** Older engines lack the symbol; TypeScript's and Babel's helpers for `await using` look for it under this name. */
const ASYNC_DISPOSE = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');

/** What index.js and node.js export as SwarmStore, each with an engine that finds the wasm file in its way. */
export class Store {
  /** @type {import('./engine.js').Engine} */
  static engine;

  #channel;

  /**
   * @param {symbol} key
   * @param {any} channel
   */
  constructor(key, channel) {
    if (key !== KEY) throw new TypeError('use SwarmStore.open or SwarmStore.connect');
    this.#channel = channel;
    for (const [name, Service] of Object.entries(NAMESPACES)) {
      Object.defineProperty(this, name, { value: new Service(channel), enumerable: true });
    }
  }

  /**
   * @param {string} name
   * @param {object} [options]
   */
  static async open(name, options) {
    return new this(KEY, await LocalChannel.open(this.engine, openOptions(name, options)));
  }

  /** @param {MessagePort} port */
  static async connect(port) {
    return new this(KEY, await RemoteChannel.open(port));
  }

  /** @param {string} name */
  static async destroy(name) {
    const kept = keptName(name);
    const Core = await this.engine.ready();
    await this.engine.run(() => Core.destroy(kept));
  }

  /**
   * @param {string} name
   * @returns {Promise<Blob>}
   */
  static async rescue(name) {
    const kept = keptName(name);
    const Core = await this.engine.ready();
    return this.engine.run(() => Core.rescue(kept));
  }

  static version() {
    return { ...VERSION };
  }

  /** @returns {string} */
  get name() {
    return this.#channel.name;
  }

  /** @returns {'indexeddb' | 'memory'} */
  get storage() {
    return this.#channel.storage;
  }

  /** @returns {boolean} */
  get closed() {
    return this.#channel.closed;
  }

  /**
   * @param {(tx: any) => any} body
   * @param {object} [options]
   */
  async transaction(body, options) {
    this.#channel.check();
    return transaction(this.#channel, body, options);
  }

  /** @param {unknown[][]} operations */
  async batch(operations) {
    this.#channel.check();
    const calls = encodeBatch(operations);
    return decodeBatch(await this.#channel.batch(calls), calls);
  }

  /**
   * @param {string} sql
   * @param {unknown[]} [params]
   */
  async query(sql, params) {
    this.#channel.check();
    return this.#channel.query(sql, checkQuery(sql, params));
  }

  /** @returns {MessagePort} */
  port() {
    this.#channel.check();
    return this.#channel.port();
  }

  async flush() {
    return this.#channel.flush();
  }

  /** @returns {Promise<Blob>} */
  async exportFile() {
    return this.#channel.exportFile();
  }

  /** @param {Blob} file */
  async importFile(file) {
    this.#channel.check();
    if (typeof file?.arrayBuffer !== 'function' || typeof file.size !== 'number') throw invalid('file', 'file: a Blob is needed');
    return this.#channel.importFile(file);
  }

  async health() {
    return this.#channel.health();
  }

  /** @param {string} what */
  async maintain(what) {
    this.#channel.check();
    if (typeof what !== 'string' || !isWellFormed(what)) throw invalid('what', "what: a name like 'integrity' is needed");
    return this.#channel.maintain(what);
  }

  async persist() {
    return this.#channel.persist();
  }

  async persisted() {
    return this.#channel.persisted();
  }

  async estimate() {
    return this.#channel.estimate();
  }

  /** @returns {Promise<void>} */
  close() {
    return this.#channel.close();
  }

  /** @returns {Promise<void>} */
  [ASYNC_DISPOSE]() {
    return this.close();
  }
}
