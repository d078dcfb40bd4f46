/**
 * Explicit transactions: what `store.transaction(async (tx) => …)` runs and what its body is given.
 * @module
 */
import { NAMESPACES } from '../operations.js';
import { invalid } from './error.js';
import { transactionOptions } from './options.js';
import { checkQuery } from './query.js';

/** @typedef {import('./channel.js').Line} Line */

/** The services over one open transaction, and nothing that could end or nest it. */
export class Transaction {
  #line;

  /** @param {Line} line */
  constructor(line) {
    this.#line = line;
    for (const [name, Service] of Object.entries(NAMESPACES)) {
      Object.defineProperty(this, name, { value: new Service(/** @type {any} */ (line)), enumerable: true });
    }
  }

  /**
   * @param {string} sql
   * @param {unknown[]} [params]
   */
  async query(sql, params) {
    this.#line.check();
    return this.#line.query(sql, checkQuery(sql, params));
  }
}

/**
 * @template T
 * @param {any} channel
 * @param {(tx: Transaction) => T | Promise<T>} body
 * @param {object} [options]
 * @returns {Promise<T>}
 */
export async function transaction(channel, body, options) {
  if (typeof body !== 'function') throw invalid('body', 'body: a function is needed');
  const { timeout, durability } = transactionOptions(options);
  /** @type {Line} */
  const line = await channel.begin(timeout);
  let value;
  try {
    // A body that never settles loses this race to the timeout.
    value = await Promise.race([body(new Transaction(line)), line.broken]);
  } catch (thrown) {
    line.rollback();
    throw thrown;
  }
  await line.commit(durability);
  return value;
}
