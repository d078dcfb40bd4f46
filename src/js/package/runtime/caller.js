/**
 * Calling an operation: check and encode, call, decode.
 * @module
 */
import { argumentsOf, makerOf, numberOf, rawOf } from './catalogue.js';
import { invalid, SwarmStoreError } from './error.js';
import { encode, encodeInPieces } from './json.js';

/**
 * What answers to operations: a store's channel, or the line of one transaction.
 *
 * @abstract
 */
export class Caller {
  /**
   * @abstract
   * @throws {SwarmStoreError} when nothing can be asked any more
   */
  check() {
    throw new TypeError('check is not implemented');
  }

  /**
   * `text` is the JSON of the positional arguments, in pieces when it is long, the answer that of the result, or undefined for
   * "not there". A local store
   * answers reads at once, and then the promise made in `invoke` is the only one; a write whose outcome is known but not kept
   * yet is answered by both, the text and the promise that it is kept.
   *
   * @abstract
   * @param {number} op
   * @param {string | string[]} text
   * @returns {string | undefined | Promise<string | undefined> | [string | undefined, Promise<unknown>]}
   * @throws {SwarmStoreError}
   */
  call(op, text) {
    void [op, text];
    throw new TypeError('call is not implemented');
  }

  /**
   * @param {number} op
   * @param {unknown[]} args
   * @param {number} raw
   * @returns {Promise<any>}
   */
  invoke(op, args, raw) {
    try {
      this.check();
      const answer = this.call(op, encodeInPieces(args, raw, argumentsOf(op)));
      const make = makerOf(op);
      if (typeof answer !== 'object') return Promise.resolve(decode(answer, make));
      if (answer instanceof Promise) return answer.then((text) => decode(text, make));
      return decodeMeanwhile(answer, make);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/**
 * @param {string | undefined} text
 * @param {((packed: any) => any)} [make] makes the answer of a packed one
 */
export function decode(text, make) {
  if (text === undefined) return undefined;
  const value = JSON.parse(text);
  return make ? make(value) : value;
}

/**
 * Decodes while the storage is at work. The flush is issued in a microtask that is queued already, so it goes first.
 * @param {[string | undefined, Promise<unknown>]} answer
 * @param {((packed: any) => any)} [make]
 */
function decodeMeanwhile([text, kept], make) {
  /** @type {any} */
  let value;
  queueMicrotask(() => {
    value = decode(text, make);
  });
  return kept.then(() => value);
}

/**
 * The operations of a batch, checked and encoded.
 * @param {unknown} operations
 * @returns {[op: number, text: string][]}
 */
export function encodeBatch(operations) {
  if (!Array.isArray(operations)) throw invalid('operations', "operations: an array like [['tasks.add', {…}], …] is needed");
  return operations.map((operation, index) => {
    if (!Array.isArray(operation)) throw invalid('operations', `operation ${index}: an array like ['tasks.add', {…}] is needed`, { index });
    const [name, ...args] = operation;
    const op = numberOf(name);
    if (op === undefined) {
      const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, 64)) : `a ${typeof name}`;
      throw invalid('operations', `operation ${index}: there is no operation ${shown}`, { index });
    }
    try {
      return [op, encode(args, rawOf(op), argumentsOf(op))];
    } catch (error) {
      throw withIndex(error, index);
    }
  });
}

/**
 * In a batch the index is that of the operation.
 * @param {any} error
 * @param {number} index
 */
function withIndex(error, index) {
  if (!(error instanceof SwarmStoreError)) return error;
  return new SwarmStoreError(error.code, `operation ${index}: ${error.message}`, { ...error, index });
}

/**
 * What is "not there" is null in a batch's answer and undefined outside of it.
 * @param {string} text
 * @param {[op: number, text: string][]} calls
 */
export function decodeBatch(text, calls) {
  return JSON.parse(text).map((/** @type {any} */ value, /** @type {number} */ at) => {
    if (value === null) return undefined;
    const make = makerOf(calls[at][0]);
    return make ? make(value) : value;
  });
}
