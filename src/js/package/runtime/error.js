/**
 * The one error class. Everything the store refuses, loses or cannot do arrives as one of these, on either side of a port.
 * @module
 */

/** @typedef {import('../types.js').ErrorCode} ErrorCode */

/** What an error may know beside its code, in the order in which it is written. */
const DETAILS = /** @type {const} */ (['table', 'id', 'field', 'index', 'actual', 'committed']);

export class SwarmStoreError extends Error {
  // Bundling gives it a shorter one.
  static name = 'SwarmStoreError';

  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {{ retryable?: boolean, table?: string, id?: string, field?: string, index?: number, actual?: number, committed?: boolean, cause?: unknown }} [details]
   */
  constructor(code, message, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? false;
    for (const key of DETAILS) if (details[key] !== undefined && details[key] !== null) this[key] = details[key];
  }
}

// On the prototype, as for the built-in errors, so that it is no own property of every instance.
Object.defineProperty(SwarmStoreError.prototype, 'name', { value: 'SwarmStoreError', configurable: true, writable: true });

/**
 * The error as an object that survives structured cloning and JSON.
 * @param {unknown} error
 */
export function toPlain(error) {
  const known = error instanceof SwarmStoreError ? error : internal(error);
  const plain = { code: known.code, message: known.message, retryable: known.retryable };
  for (const key of DETAILS) if (known[key] !== undefined) plain[key] = known[key];
  if (known.cause !== undefined) plain.cause = describe(known.cause);
  return plain;
}

/**
 * The error that an object made by {@link toPlain} (or by the Rust side) describes.
 * @param {any} plain
 */
export function fromPlain(plain) {
  const { code, message, cause, ...details } = plain;
  return new SwarmStoreError(code, message, { ...details, cause: cause ? revive(cause) : undefined });
}

/**
 * What the Rust side throws is JSON text.
 * @param {string} text
 */
export function fromText(text) {
  let plain;
  try {
    plain = JSON.parse(text);
  } catch {
    return new SwarmStoreError('INTERNAL', text);
  }
  return typeof plain?.code === 'string' ? fromPlain(plain) : new SwarmStoreError('INTERNAL', text);
}

/** @param {unknown} cause */
export function internal(cause) {
  return new SwarmStoreError('INTERNAL', `unexpected failure: ${describe(cause).message}`, { cause });
}

/**
 * @param {string} field
 * @param {string} message
 * @param {{ index?: number, cause?: unknown }} [details]
 */
export function invalid(field, message, details) {
  return new SwarmStoreError('INVALID_ARGUMENT', message, { ...details, field });
}

/** @param {string} [what] */
export function closed(what = 'the store is closed') {
  return new SwarmStoreError('CLOSED', what);
}

/** @param {any} cause */
function describe(cause) {
  if (typeof cause === 'object' && cause !== null && typeof cause.message === 'string') {
    return { name: String(cause.name ?? 'Error'), message: cause.message };
  }
  return { name: 'Error', message: String(cause) };
}

/** @param {{ name?: string, message?: string }} cause */
function revive({ name = 'Error', message = '' }) {
  const error = new Error(message);
  // The stack would be ours and not where it happened, so only the name and message are kept.
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  return error;
}
