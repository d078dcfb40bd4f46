/**
 * How the end of a port that has the store learns that the other end is gone.
 *
 * A worker that is terminated and a page that is closed say nothing, and not every browser has the port tell. But each lets go
 * of its Web Locks: the asking end holds one, whose name nobody else could know, and the end with the store waits for it.
 * Without Web Locks nobody is watched, and a transaction of somebody who is gone ends by its timeout.
 * @module
 */

/** No store's lock begins like this, so what is sent through a port cannot have anybody wait for a store. */
const PREFIX = 'swarmstore-port:';

/** @returns {LockManager | undefined} */
const lockManager = () => globalThis.navigator?.locks;

/** A lock that is held until it is released, or until this realm is gone. */
export class Presence {
  #waiting = new AbortController();
  /** @type {() => void} */
  #end = () => {};
  /** @type {Promise<void>} */
  #ended = new Promise((resolve) => {
    this.#end = resolve;
  });

  /**
   * @returns {Promise<string | undefined>} what {@link watch} has to know, once the lock is held; undefined if there will be none
   */
  async take() {
    const locks = lockManager();
    if (!locks) return undefined;
    const id = crypto.randomUUID();
    return new Promise((resolve) => {
      const held = locks.request(PREFIX + id, { signal: this.#waiting.signal }, () => {
        resolve(id);
        return this.#ended;
      });
      // An origin without a name has no locks; one that was released too early is not granted; one that is stolen is not missed.
      held.catch(() => resolve(undefined));
    });
  }

  /** Idempotent, and right before the lock is held as well. */
  release() {
    this.#waiting.abort();
    this.#end();
  }
}

/**
 * Calls `onGone` once whoever took the presence is gone. Resolves when that is being watched for, or when it cannot be.
 * @param {string} id
 * @param {AbortSignal} signal ends the watch
 * @param {() => void} onGone
 */
export async function watch(id, signal, onGone) {
  const locks = lockManager();
  if (!locks) return;
  const name = PREFIX + id;
  // Each origin has locks of its own: nobody seems to hold the one of a page of another origin, which is not gone for that.
  const held = await locks.request(name, { ifAvailable: true }, (lock) => lock === null).catch(() => false);
  if (held) locks.request(name, { signal }, () => {}).then(onGone, () => {});
}
