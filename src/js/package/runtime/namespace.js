/**
 * What `store.tasks`, `tx.events` and so on are made of; the generated classes only add the names of the operations.
 *
 * This file imports nothing, since operations.js needs it while it loads and everything else needs operations.js.
 */
export class Namespace {
  #caller;

  /** @param {import('./caller.js').Caller} caller a store's channel, or a transaction's line */
  constructor(caller) {
    this.#caller = caller;
  }

  /**
   * @param {number} op index into OPERATIONS
   * @param {unknown[]} args positional arguments
   * @param {number} raw bit mask of the arguments that are Json values themselves
   * @returns {Promise<any>}
   */
  invoke(op, args, raw) {
    return this.#caller.invoke(op, args, raw);
  }
}
