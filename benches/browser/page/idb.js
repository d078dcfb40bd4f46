// IndexedDB with as little around it as a promise allows: what an experienced user writes by hand.

export function openDatabase(name, upgrade) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => upgrade(request.result);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error(`${name} is blocked`));
  });
}

export function deleteDatabase(name) {
  return result(indexedDB.deleteDatabase(name));
}

export function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * One readwrite transaction. Resolves on `complete`, which under relaxed durability means: handed to the operating system,
 * safe from a crash of the browser. The explicit commit() saves the round trip that an idle transaction waits for.
 */
export function write(db, stores, body, durability = 'relaxed') {
  return new Promise((resolve, reject) => {
    const tx = db.transaction(stores, 'readwrite', { durability });
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error);
    body(tx);
    tx.commit();
  });
}
