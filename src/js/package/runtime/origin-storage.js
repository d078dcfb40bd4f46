/**
 * How the browser treats what this origin keeps.
 * @module
 */
import { SwarmStoreError } from './error.js';

/** @returns {Promise<boolean>} */
export function persist() {
  return ask('persist');
}

/** @returns {Promise<boolean>} */
export function persisted() {
  return ask('persisted');
}

/** @returns {Promise<{ usage: number, quota: number }>} */
export async function estimate() {
  const { usage = 0, quota = 0 } = await ask('estimate');
  return { usage, quota };
}

/** @param {'persist' | 'persisted' | 'estimate'} name */
async function ask(name) {
  const storage = globalThis.navigator?.storage;
  if (typeof storage?.[name] !== 'function') {
    throw new SwarmStoreError('UNSUPPORTED', `navigator.storage.${name} is not available here`);
  }
  try {
    return await /** @type {any} */ (storage)[name]();
  } catch (cause) {
    throw new SwarmStoreError('UNSUPPORTED', `navigator.storage.${name} failed`, { cause });
  }
}
