/**
 * Names and options, checked.
 * @module
 */
import { invalid, SwarmStoreError } from './error.js';
import { encode, isPlain, isWellFormed } from './json.js';

export const DEFAULT_TRANSACTION_TIMEOUT = 10_000;
/** A longer one overflows the timer, which would then fire at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

const STORAGES = ['indexeddb', 'memory'];
const DURABILITIES = ['relaxed', 'durable', 'strict'];
/** What the Rust side judges. */
const PASSED_ON = ['storage', 'durability', 'syncInterval', 'limits', 'readOnly'];
const OWN = ['transactionTimeout', 'onFlushError', 'clock', 'signal'];

/** What opens natively only; such a name is not quietly taken for that of a browser store. */
const NATIVE_ONLY = /^(sqlite|json|postgres|postgresql):/;

/**
 * @typedef {object} Opening
 * @property {string} name
 * @property {string} text the options for the Rust side
 * @property {number} transactionTimeout
 * @property {((error: SwarmStoreError) => void) | undefined} onFlushError
 * @property {(() => number) | undefined} clock
 * @property {AbortSignal | undefined} signal
 */

/**
 * @param {unknown} name
 * @param {any} [options]
 * @returns {Opening}
 */
export function openOptions(name, options = {}) {
  known(options, [...PASSED_ON, ...OWN], 'options');
  const { transactionTimeout, onFlushError, clock, signal } = options;
  oneOf('storage', options.storage, STORAGES);
  oneOf('durability', options.durability, DURABILITIES);
  if (options.readOnly !== undefined && typeof options.readOnly !== 'boolean') throw invalid('readOnly', 'readOnly: true or false is needed');
  timeout('transactionTimeout', transactionTimeout);
  callable('onFlushError', onFlushError);
  callable('clock', clock);
  if (signal !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw invalid('signal', 'signal: an AbortSignal is needed');
  }
  const place = locate(name, options.storage);
  const passed = Object.fromEntries(PASSED_ON.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
  return {
    name: place.name,
    text: encode([{ ...passed, ...place }], 0, ['options']).slice(1, -1),
    transactionTimeout: transactionTimeout ?? DEFAULT_TRANSACTION_TIMEOUT,
    onFlushError,
    clock,
    signal,
  };
}

/**
 * The name of a store that is kept in IndexedDB, for what is done to it while it is not open.
 * @param {unknown} name
 */
export function keptName(name) {
  const place = locate(name, undefined);
  if (place.storage === 'memory') throw invalid('name', 'name: a memory store is gone when it is closed');
  return place.name;
}

/**
 * @param {any} [options]
 * @returns {{ durability?: string, timeout?: number }}
 */
export function transactionOptions(options = {}) {
  known(options, ['durability', 'timeout'], 'options');
  oneOf('durability', options.durability, DURABILITIES);
  timeout('timeout', options.timeout);
  return { durability: options.durability, timeout: options.timeout };
}

/**
 * @param {unknown} name
 * @param {string | undefined} storage
 * @returns {{ name: string, storage: string }}
 */
function locate(name, storage) {
  if (typeof name !== 'string' || name === '') throw invalid('name', 'name: a non-empty string is needed');
  if (!isWellFormed(name)) throw invalid('name', 'name: the text has a lone surrogate');
  if (NATIVE_ONLY.test(name)) throw new SwarmStoreError('UNSUPPORTED', 'name: this kind of store opens natively only', { field: 'name' });
  const [, prefix, rest] = /^(?:(memory|indexeddb):)?(.*)$/s.exec(name) ?? [];
  if (prefix !== undefined && storage !== undefined && prefix !== storage) {
    throw invalid('storage', `storage: the name says ${prefix} and the option ${storage}`);
  }
  if (rest === '' && prefix === 'indexeddb') throw invalid('name', 'name: indexeddb: needs a name after it');
  return { name: rest || 'memory', storage: prefix ?? storage ?? 'indexeddb' };
}

/**
 * @param {any} options
 * @param {string[]} names
 * @param {string} field
 */
function known(options, names, field) {
  if (typeof options !== 'object' || options === null || Array.isArray(options) || !isPlain(options)) {
    throw invalid(field, `${field}: a plain object is needed`);
  }
  for (const key of Object.keys(options)) {
    if (options[key] !== undefined && !names.includes(key)) throw invalid(key, `${key}: there is no such option`);
  }
}

/**
 * @param {string} field
 * @param {unknown} value
 * @param {string[]} values
 */
function oneOf(field, value, values) {
  if (value === undefined || values.includes(/** @type {string} */ (value))) return;
  throw invalid(field, `${field}: one of ${values.map((each) => `'${each}'`).join(', ')} is needed`);
}

/**
 * @param {string} field
 * @param {unknown} value
 */
function timeout(field, value) {
  if (value === undefined) return;
  if (typeof value === 'number' && value >= 1 && value <= LONGEST_TIMEOUT) return;
  throw invalid(field, `${field}: a number of milliseconds from 1 to ${LONGEST_TIMEOUT} is needed`);
}

/**
 * @param {string} field
 * @param {unknown} value
 */
function callable(field, value) {
  if (value !== undefined && typeof value !== 'function') throw invalid(field, `${field}: a function is needed`);
}
