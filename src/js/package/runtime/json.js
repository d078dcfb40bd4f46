/**
 * What goes in, checked before `JSON.stringify` could lose or mangle any of it.
 *
 * Two kinds of value are told apart. A *record* is an argument with named fields; a `Date` in it is a time and becomes epoch
 * milliseconds. *Json* is the caller's own data (a task's payload, an event's data) and comes back exactly as given, or is refused.
 * @module
 */
import { JSON_FIELDS } from '../operations.js';
import { SwarmStoreError } from './error.js';

/** Deeper than this is refused; a cycle is found by it as well. */
const MAX_DEPTH = 128;
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** @type {(text: string) => boolean} */
export const isWellFormed = typeof String.prototype.isWellFormed === 'function'
  ? (text) => text.isWellFormed()
  : (text) => !/\p{Surrogate}/u.test(text);

/** Where the walk is: the keys from the argument down. The stack is shared by one argument's walk and read only to report. */
class Path {
  /**
   * @param {string} root name of the argument, used when the argument itself is at fault
   * @param {string} from what every path begins with: the name of an argument that is a Json value, nothing before a record's fields
   */
  constructor(root, from) {
    this.root = root;
    this.from = from;
    /** @type {number | undefined} */
    this.index = undefined;
    /** @type {(string | number)[]} */
    this.keys = [];
  }

  /**
   * @param {number} length how many of the keys lead to the fault
   * @param {string} reason
   */
  refuse(length, reason) {
    let field = this.from;
    for (const key of this.keys.slice(0, length)) {
      if (typeof key === 'number') field += `[${key}]`;
      else if (!/^[A-Za-z_$][\w$]*$/.test(key)) field += `[${JSON.stringify(key)}]`;
      else field += field === '' ? key : `.${key}`;
    }
    field ||= this.root;
    const row = this.index === undefined ? '' : ` in row ${this.index}`;
    return new SwarmStoreError('INVALID_ARGUMENT', `${field}${row}: ${reason}`, { field, index: this.index });
  }
}

/** So many rows make a piece of text. */
const ROWS = 256;

/**
 * Whether texts are looked into for lone surrogates. `JSON.stringify` finds them as well, for nothing: it escapes them. So this
 * is only done when it did, to say where they are.
 */
let careful = false;

/**
 * The JSON text of a call's positional arguments.
 *
 * @param {unknown[]} args
 * @param {number} raw bit mask of the arguments that are Json values themselves
 * @param {readonly string[]} [names] of the arguments, for error messages
 * @returns {string}
 * @throws {SwarmStoreError} INVALID_ARGUMENT, with `field` (a path like `payload.steps[3].score`) and, for rows of an array, `index`
 */
export function encode(args, raw, names) {
  return joined(encodeInPieces(args, raw, names));
}

/**
 * As {@link encode}. Many rows are made several texts, to be put together where they are needed: browsers are faster at that.
 *
 * @param {unknown[]} args
 * @param {number} raw
 * @param {readonly string[]} [names]
 * @returns {string | string[]}
 * @throws {SwarmStoreError}
 */
export function encodeInPieces(args, raw, names) {
  const kept = checked(args, raw, names);
  const text = kept.some(isLong) ? pieces(kept) : JSON.stringify(kept);
  if (typeof text === 'string' ? hasEscaped(text) : text.some(hasEscaped)) {
    careful = true;
    try {
      checked(kept, raw, names);
    } finally {
      careful = false;
    }
  }
  return text;
}

/** @param {string | string[]} text */
export function joined(text) {
  return typeof text === 'string' ? text : text.join('');
}

/**
 * Whether there may be a lone surrogate in it. No other escape begins like theirs; an escaped backslash before a `u` may look like it.
 * @param {string} text
 */
function hasEscaped(text) {
  return text.includes('\\ud');
}

/** @param {unknown} arg */
function isLong(arg) {
  return Array.isArray(arg) && arg.length > ROWS;
}

/**
 * @param {unknown[]} args
 * @returns {string[]}
 */
function pieces(args) {
  const all = [];
  for (const arg of args) {
    all.push(all.length === 0 ? '[' : ',');
    if (!isLong(arg)) {
      all.push(JSON.stringify(arg) ?? 'null');
      continue;
    }
    const rows = /** @type {unknown[]} */ (arg);
    for (let from = 0; from < rows.length; from += ROWS) {
      all.push(from === 0 ? '[' : ',', JSON.stringify(rows.slice(from, from + ROWS)).slice(1, -1));
    }
    all.push(']');
  }
  all.push(']');
  return all;
}

/**
 * The arguments, checked, with dates converted.
 * @param {unknown[]} args
 * @param {number} raw
 * @param {readonly string[]} [names]
 * @returns {unknown[]}
 */
function checked(args, raw, names) {
  let length = args.length;
  while (length > 0 && args[length - 1] === undefined) length -= 1;
  if (length !== args.length) args = args.slice(0, length);
  for (let i = 0; i < length; i += 1) {
    const value = args[i];
    if (value === undefined || isScalar(value)) continue;
    const isJson = (raw >> i) & 1;
    const name = names?.[i] ?? `argument ${i + 1}`;
    const path = new Path(name, isJson ? name : '');
    if (typeof value !== 'object') throw path.refuse(0, fault(value));
    const kept = isJson ? json(/** @type {object} */ (value), 0, 0, path) : plain(value, path);
    if (kept !== value) args = Object.assign([...args], { [i]: kept });
  }
  return args;
}

/**
 * An argument that is a record, options, or an array of records.
 * @param {unknown} value
 * @param {Path} path
 */
function plain(value, path) {
  return Array.isArray(value) ? rows(value, path) : record(value, 0, 0, path);
}

/**
 * An array argument holds rows (or ids): a fault is reported by its row and the path within.
 * @param {unknown[]} values
 * @param {Path} path
 */
function rows(values, path) {
  let copy = values;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (isScalar(value)) continue;
    path.index = i;
    if (typeof value !== 'object') throw path.refuse(0, fault(value));
    const kept = record(value, 0, 1, path);
    if (kept !== value) {
      if (copy === values) copy = [...values];
      copy[i] = kept;
    }
  }
  path.index = undefined;
  return copy;
}

// The two walks below are the hot path of every bulk write. They call themselves for objects only, judge scalars in place, and
// note a key only when it may be asked for; for…in is the fastest way through a plain object (an enumerable property that
// somebody gave to Object.prototype is told apart where it would be refused, and JSON.stringify leaves it out).

/**
 * Checks an object outside Json fields and answers it, or a copy with its dates converted.
 * @param {any} value
 * @param {number} at number of keys that lead here
 * @param {number} depth number of containers around it
 * @param {Path} path
 * @returns {unknown}
 */
function record(value, at, depth, path) {
  if (depth >= MAX_DEPTH) throw tooDeep(at, path);
  const { keys } = path;
  let copy = value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const item = value[i];
      if (isScalar(item)) continue;
      keys[at] = i;
      if (typeof item !== 'object') throw path.refuse(at + 1, fault(item));
      const kept = record(item, at + 1, depth + 1, path);
      if (kept === item) continue;
      if (copy === value) copy = [...value];
      copy[i] = kept;
    }
    return copy;
  }
  if (!isPlain(value)) return time(value, at, path);
  for (const key in value) {
    const item = value[key];
    if (careful && !isWellFormed(key)) throw path.refuse(at, 'a key has a lone surrogate');
    if (item === undefined || isScalar(item)) continue;
    keys[at] = key;
    if (typeof item !== 'object') {
      if (!Object.hasOwn(value, key)) continue;
      throw path.refuse(at + 1, fault(item));
    }
    const kept = JSON_FIELDS.has(key) ? json(item, at + 1, 0, path) : record(item, at + 1, depth + 1, path);
    if (kept === item) continue;
    if (copy === value) copy = { ...value };
    // Not by assignment: a key named __proto__ would set the prototype.
    Object.defineProperty(copy, key, { value: kept, enumerable: true, configurable: true, writable: true });
  }
  return copy;
}

/**
 * Checks an object within Json. Nothing in it is converted.
 * @template T
 * @param {T & object} value
 * @param {number} at
 * @param {number} depth
 * @param {Path} path
 * @returns {T} the same
 */
function json(value, at, depth, path) {
  if (depth >= MAX_DEPTH) throw tooDeep(at, path);
  const { keys } = path;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const item = value[i];
      if (isScalar(item)) continue;
      keys[at] = i;
      if (typeof item !== 'object') throw path.refuse(at + 1, fault(item));
      json(item, at + 1, depth + 1, path);
    }
    return value;
  }
  if (!isPlain(value)) throw path.refuse(at, notPlain(value));
  for (const key in value) {
    const item = /** @type {any} */ (value)[key];
    if (careful && !isWellFormed(key)) throw path.refuse(at, 'a key has a lone surrogate');
    if (item === undefined || isScalar(item)) continue;
    keys[at] = key;
    if (typeof item === 'object') json(item, at + 1, depth + 1, path);
    else if (Object.hasOwn(value, key)) throw path.refuse(at + 1, fault(item));
  }
  return value;
}

/**
 * Null, or a string, number or boolean that JSON keeps exactly.
 * @param {unknown} value
 */
function isScalar(value) {
  if (typeof value === 'string') return !careful || isWellFormed(value);
  // Beyond 2^53 every double is an integer, so this one comparison finds those, NaN and the infinities.
  if (typeof value === 'number') return value <= MAX_INTEGER && value >= -MAX_INTEGER;
  return value === null || typeof value === 'boolean';
}

/**
 * Why a value that is neither an object nor a good scalar is refused.
 * @param {unknown} value
 */
function fault(value) {
  if (typeof value === 'string') return 'the text has a lone surrogate';
  if (typeof value !== 'number') return `${article(typeof value)} is not JSON`;
  return Number.isFinite(value) ? 'an integer beyond ±(2^53 − 1) cannot be kept exactly' : `${value} is not JSON`;
}

/**
 * Made by `{}`, `Object.create(null)` or `JSON.parse`, here or in another realm (whose Object.prototype is another object).
 * @param {object} value
 */
export function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The milliseconds of a Date, also of one from another realm; any other object is refused.
 * @param {any} value
 * @param {number} at
 * @param {Path} path
 */
function time(value, at, path) {
  if (!isDate(value)) throw path.refuse(at, notPlain(value));
  const millis = Date.prototype.getTime.call(value);
  if (Number.isNaN(millis)) throw path.refuse(at, 'the Date is invalid');
  return millis;
}

/** @param {any} value */
function isDate(value) {
  try {
    Date.prototype.getTime.call(value);
    return true;
  } catch {
    return false;
  }
}

/** @param {any} value */
function notPlain(value) {
  if (isDate(value)) return 'a Date is not JSON; give a number or a string';
  return `${article(String(value.constructor?.name || 'object'))} is not a plain object`;
}

/**
 * @param {number} at
 * @param {Path} path
 */
function tooDeep(at, path) {
  // The first few keys say where; a hundred more would only be noise.
  return path.refuse(Math.min(at, 8), `cyclic or nested deeper than ${MAX_DEPTH}`);
}

/** @param {string} noun */
function article(noun) {
  return `${/^(?!Uint)[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}
