/**
 * What every kind of web project has to be able to do with programs/main.js.
 */
import assert from 'node:assert/strict';
import { openPage } from './chromium.mjs';

/** The files of a web project. */
export const WEB_FILES = {
  'index.html': 'index.html',
  'main.js': 'main.js',
  'worker.js': 'worker.js',
  'round-trip.js': 'round-trip.js',
};

/**
 * Visits the project twice, and lets its worker work.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} url
 */
export async function checkInBrowser(t, url) {
  const page = await openPage(t);
  const call = (/** @type {string} */ name) => page.evaluate((name) => globalThis.program.then((program) => program[name]()), name);

  await page.goto(url);
  assert.deepEqual(await call('visit'), { before: 0, status: 'completed', result: { pixels: 64 } }, 'the first visit does the work');
  await page.reload();
  assert.deepEqual(await call('visit'), { before: 1, status: 'completed', result: { pixels: 64 } }, 'the second visit finds it done');
  assert.deepEqual(await call('refusal'), { name: 'SwarmStoreError', code: 'INVALID_ARGUMENT', instance: true });
  assert.deepEqual(
    await call('work'),
    { own: { status: 'completed', storage: 'memory' }, through: { status: 'completed', storage: 'memory' }, seen: 'completed' },
    'a worker has a store of its own, and the page\'s through a port',
  );
}
