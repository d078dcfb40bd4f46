/**
 * What a SwarmStore is a face of: a store in this realm (local.js) or at the other end of a port (remote.js).
 * @module
 */
import { Caller } from './caller.js';
import { PortServer } from './port-server.js';

/**
 * @typedef {object} Line One transaction. A Caller, and:
 * @property {(sql: string, params: unknown[]) => Promise<object[]>} query
 * @property {(durability: string | undefined) => Promise<void>} commit
 * @property {() => void} rollback idempotent
 * @property {Promise<never>} broken rejects when the transaction ends without its body's doing: by its timeout, or with the store
 */

/**
 * @abstract
 * @property {string} name
 * @property {'indexeddb' | 'memory'} storage
 * @property {number} transactionTimeout
 * @property {boolean} closed
 */
export class Channel extends Caller {
  /** @type {Set<PortServer>} */
  #servers = new Set();

  /**
   * A new port at which this channel can be had as well.
   * @returns {MessagePort}
   */
  port() {
    const { port1, port2 } = new MessageChannel();
    const server = new PortServer(port1, this, () => this.#servers.delete(server));
    this.#servers.add(server);
    return port2;
  }

  /** Tells whoever is connected that the store is closed. */
  closePorts() {
    for (const server of [...this.#servers]) server.close();
  }
}
