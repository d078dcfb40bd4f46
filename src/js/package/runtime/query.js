/**
 * The arguments of a query, checked.
 * @module
 */
import { invalid } from './error.js';
import { isWellFormed } from './json.js';

/**
 * @param {unknown} sql
 * @param {unknown} [params]
 * @returns {unknown[]} the parameters, in an array of our own
 */
export function checkQuery(sql, params = []) {
  if (typeof sql !== 'string') throw invalid('sql', 'sql: a string is needed');
  if (!isWellFormed(sql)) throw invalid('sql', 'sql: the text has a lone surrogate');
  if (!Array.isArray(params)) throw invalid('params', 'params: an array is needed');
  return Array.from(params, (value, index) => {
    const reason = fault(value);
    if (reason) throw invalid(`params[${index}]`, `params[${index}]: ${reason}`);
    return value;
  });
}

/** @param {unknown} value */
function fault(value) {
  switch (typeof value) {
    case 'string':
      return isWellFormed(value) ? undefined : 'the text has a lone surrogate';
    case 'number':
      if (Number.isNaN(value)) return 'NaN is no value in SQL';
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'an integer beyond ±(2^53 − 1) cannot be kept exactly' : undefined;
    case 'object':
      if (value === null || value instanceof Uint8Array) return undefined;
  }
  return 'null, a number, a string or a Uint8Array is needed';
}
