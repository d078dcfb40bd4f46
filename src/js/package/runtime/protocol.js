/**
 * What the two ends of a port say to each other.
 *
 * The end with the store answers; the other asks. An operation goes by its name, arguments and results are the JSON text that
 * the store itself takes and gives, so that nothing is converted twice.
 *
 * ```text
 * asked     { id, ask: 'hello', version, lock? }          lock: held as long as the asking end is there
 *           { id, ask: 'call', tx?, name, text }          { id, ask: 'batch', calls: [[name, text], …] }
 *           { id, ask: 'query', tx?, sql, params }
 *           { id, ask: 'begin', tx, timeout }             { id, ask: 'commit', tx, durability }
 *           { ask: 'rollback', tx }                       { ask: 'bye' }
 *           { id, ask: 'flush' | 'exportFile' | 'importFile' | 'health' | 'maintain' | 'persist' | 'persisted' | 'estimate', argument? }
 * answered  { id, value }                                 { id, error }
 *           { tx, broken }                                the transaction ended without its body's doing
 *           { closed: true }                              the last thing said
 * ```
 * @module
 */

/** Raised when an end could misunderstand the other; adding a question is no such change. */
export const PROTOCOL_VERSION = 2;

/** Questions that are a method of the channel, with at most one argument. */
export const METHODS = new Set(['flush', 'exportFile', 'importFile', 'health', 'maintain', 'persist', 'persisted', 'estimate']);
