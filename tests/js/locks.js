// Stands for navigator.locks, which Node has only of late: exclusive locks, and a way to lose one as if its holder had died.

class FakeLocks {
  /** Who holds which name, as the function that lets go. @type {Map<string, () => void>} */
  held = new Map();
  /** Who waits for which name. @type {Map<string, (() => void)[]>} */
  waiting = new Map();
  /** What every request is refused with, if so. */
  refusal = undefined;

  async request(name, ...rest) {
    const callback = rest.at(-1);
    const { ifAvailable = false, signal } = rest.length > 1 ? rest[0] : {};
    if (this.refusal) throw this.refusal;
    signal?.throwIfAborted();
    // Never at once: the real ones ask another process.
    await new Promise(setImmediate);
    if (this.held.has(name)) {
      if (ifAvailable) return callback(null);
      await this.#turn(name, signal);
    }
    signal?.throwIfAborted();
    return this.#hold(name, callback);
  }

  /** All names that somebody waits for. */
  get awaited() {
    return [...this.waiting].filter(([, queue]) => queue.length > 0).map(([name]) => name);
  }

  /** The holder is gone without a word. */
  lose(name) {
    this.held.get(name)();
  }

  async #hold(name, callback) {
    const lost = new Promise((resolve) => this.held.set(name, resolve));
    try {
      return await Promise.race([callback({ name, mode: 'exclusive' }), lost]);
    } finally {
      this.held.delete(name);
      this.waiting.get(name)?.shift()?.();
    }
  }

  #turn(name, signal) {
    const queue = this.waiting.get(name) ?? [];
    this.waiting.set(name, queue);
    return new Promise((resolve, reject) => {
      queue.push(resolve);
      signal?.addEventListener('abort', () => {
        const at = queue.indexOf(resolve);
        if (at >= 0) queue.splice(at, 1);
        reject(signal.reason);
      });
    });
  }
}

/** Web Locks for the time of a test. */
export function webLocks(t) {
  const locks = new FakeLocks();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  t.after(() => {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else delete globalThis.navigator;
  });
  return locks;
}
