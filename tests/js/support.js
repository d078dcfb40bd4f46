// The package as a user has it, with a fake where the build would put the wasm module: these tests are about the JavaScript.
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

const folder = await mkdtemp(join(tmpdir(), 'swarmstore-js-'));
after(() => rm(folder, { recursive: true, force: true }));
await cp(join(here, '../../src/js/package'), folder, { recursive: true });
await cp(join(here, 'fake'), folder, { recursive: true });
// The smallest module there is: a magic number and a version.
await writeFile(join(folder, 'swarmstore_bg.wasm'), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));

/** @param {string} path within the package */
export const load = (path) => import(new URL(path, pathToFileURL(join(folder, '/'))).href);

export const { SwarmStore, SwarmStoreError } = await load('node.js');
export const { control, refusal } = await load('swarmstore.js');

/** Rejects, with a SwarmStoreError that has these properties. Answers the error. */
export async function rejects(promise, expected) {
  assert.ok(promise instanceof Promise, 'a promise is expected');
  const error = await promise.then(
    (value) => assert.fail(`resolved with ${JSON.stringify(value)} instead of rejecting with ${JSON.stringify(expected)}`),
    (reason) => reason,
  );
  matches(error, expected);
  return error;
}

/** As {@link rejects}, for what throws at once. */
export function throws(body, expected) {
  try {
    body();
  } catch (error) {
    matches(error, expected);
    return error;
  }
  return assert.fail('nothing was thrown');
}

function matches(error, expected) {
  if (!(error instanceof SwarmStoreError)) throw error;
  const { message, ...rest } = expected;
  assert.deepEqual(Object.fromEntries(Object.keys(rest).map((key) => [key, error[key]])), rest, error.message);
  if (message) assert.match(error.message, message);
}

let stores = 0;

/** A store of its own for a test, directly or through a port; closed when the test ends. */
export async function open(t, { through = 'directly', ...options } = {}) {
  const store = await SwarmStore.open(`store-${(stores += 1)}`, { storage: 'memory', ...options });
  t.after(() => store.close().catch(() => {}));
  if (through === 'directly') return store;
  const connected = await SwarmStore.connect(store.port());
  t.after(() => connected.close().catch(() => {}));
  return connected;
}

/** A promise and the means to settle it. */
export function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
