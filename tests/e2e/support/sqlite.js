/**
 * The sqlite3 command line, and files for it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A folder that is removed after the test.
 * @param {import('node:test').TestContext} t
 */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), 'swarmstore-e2e-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * @param {string} file
 * @param {string} sql
 * @returns {string} what it prints
 */
export function sqlite(file, sql) {
  return execFileSync('sqlite3', ['-bail', file, sql], { encoding: 'utf8', maxBuffer: 64 << 20 }).trimEnd();
}

/**
 * @param {string} file
 * @param {string} sql
 * @returns {Record<string, unknown>[]}
 */
export function rows(file, sql) {
  const printed = execFileSync('sqlite3', ['-bail', '-json', file, sql], { encoding: 'utf8', maxBuffer: 64 << 20 });
  return printed.trim() ? JSON.parse(printed) : [];
}

/**
 * The crate's example that opens a file with the native backend and prints what is in it as JSON. SWARMSTORE_INSPECT names it;
 * otherwise it is looked for where cargo puts it.
 * @returns {string | undefined}
 */
export function inspector() {
  if (process.env.SWARMSTORE_INSPECT) return process.env.SWARMSTORE_INSPECT;
  const built = ['release', 'debug'].map((profile) => fileURLToPath(new URL(`../../../target/${profile}/examples/inspect`, import.meta.url)));
  return built.find((path) => existsSync(path));
}

/**
 * @param {string} file
 * @returns {any}
 */
export function inspect(file) {
  const program = inspector();
  assert.ok(program, 'cargo build --example inspect makes the program');
  return JSON.parse(execFileSync(program, [file], { encoding: 'utf8', maxBuffer: 64 << 20 }));
}
