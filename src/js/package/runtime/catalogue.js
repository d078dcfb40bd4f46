/**
 * The operations by name and by number.
 *
 * Numbers are this build's own; between the two ends of a port an operation goes by its name.
 * @module
 */
import { OPERATIONS } from '../operations.js';

/** @type {Map<string, number>} */
const NUMBERS = new Map(OPERATIONS.map(([name], op) => [/** @type {string} */ (name), op]));

/**
 * @param {unknown} name
 * @returns {number | undefined}
 */
export function numberOf(name) {
  return NUMBERS.get(/** @type {string} */ (name));
}

/** @param {number} op */
export function nameOf(op) {
  return /** @type {string} */ (OPERATIONS[op][0]);
}

/**
 * Bit mask of the arguments that are Json values themselves.
 * @param {number} op
 */
export function rawOf(op) {
  return /** @type {number | undefined} */ (OPERATIONS[op][2]) ?? 0;
}

/**
 * Names of the arguments, for error messages.
 * @param {number} op
 * @returns {readonly string[] | undefined}
 */
export function argumentsOf(op) {
  return /** @type {any} */ (OPERATIONS[op][3]);
}

/**
 * What makes the answer of a packed one; undefined for an answer that is not packed.
 * @param {number} op
 * @returns {((packed: any) => any) | undefined}
 */
export function makerOf(op) {
  return /** @type {any} */ (OPERATIONS[op][4]);
}
