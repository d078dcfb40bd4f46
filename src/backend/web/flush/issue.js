// What a flush says to IndexedDB, in one call out of wasm: each crossing costs, and a flush is all that a durable write
// waits for.

const RELAXED = { durability: 'relaxed' };
const STRICT = { durability: 'strict' };

/**
 * Adds one record to the log and commits. Throws when it could not be asked for, and then nothing of it happens.
 * `ended(flight)` is called when IndexedDB says `complete`, `ended(flight, error)` when it says `abort`.
 */
export function add(database, strict, flight, ended, epoch, number, record) {
  const transaction = database.transaction('log', 'readwrite', strict ? STRICT : RELAXED);
  try {
    transaction.objectStore('log').add(record, [epoch, number]);
  } catch (error) {
    transaction.abort();
    throw error;
  }
  depart(transaction, flight, ended);
}

/** As `add`, for several records: epochs and numbers alternate in `places`. */
export function addAll(database, strict, flight, ended, places, records) {
  const transaction = database.transaction('log', 'readwrite', strict ? STRICT : RELAXED);
  try {
    // Without the abort those before a failed one would be committed.
    const log = transaction.objectStore('log');
    records.forEach((record, at) => log.add(record, [places[2 * at], places[2 * at + 1]]));
  } catch (error) {
    transaction.abort();
    throw error;
  }
  depart(transaction, flight, ended);
}

/** Listens to a transaction whose requests are all issued, and lets it go. */
export function depart(transaction, flight, ended) {
  transaction.oncomplete = () => ended(flight);
  transaction.onabort = () => ended(flight, transaction.error);
  try {
    // Without this a flush made while the page goes away is lost.
    transaction.commit();
  } catch {
    // A browser that has no `commit` commits by itself a little later.
  }
}

/** The promise that a flush is kept, for all who wait for it. */
export class Kept {
  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.done = resolve;
      this.failed = reject;
    });
  }

  /** Somebody's answer, and the promise that it is kept. */
  beside(answer) {
    return [answer, this.promise];
  }
}
