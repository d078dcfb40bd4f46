// The disk is full, and nobody waits. In a file of its own: what another test has deleted becomes free at a time of
// Chromium's own choosing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** @type {WeakMap<object, Promise<import('playwright-core').CDPSession>>} */
const sessions = new WeakMap();

/**
 * Limits the origin to what it uses now and so many bytes more; without a number there is no limit but the disk's. The limit
 * lasts as long as the session that set it.
 */
async function quota(page, more) {
  if (!sessions.has(page)) sessions.set(page, browser.context.newCDPSession(page));
  const session = await sessions.get(page);
  const { usage } = await session.send('Storage.getUsageAndQuota', { origin: browser.origin });
  await session.send('Storage.overrideQuotaForOrigin', { origin: browser.origin, ...(more !== undefined && { quotaSize: usage + more }) });
}

test('a_flush_that_fails_in_the_background_is_told', { timeout: 60_000 }, async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  await quota(page, 2_000_000);
  const seen = await page.evaluate(async (name) => {
    let told;
    const failed = new Promise((resolve) => {
      told = resolve;
    });
    globalThis.store = await SwarmStore.open(name, { durability: 'relaxed', syncInterval: 50, onFlushError: told });
    await store.tasks.add({ id: 'big', taskType: 'x', payload: noise(5_000_000) });
    const error = await failed;
    return { outcome: await attempt(() => Promise.reject(error)), health: await store.health() };
  }, name);
  refused(seen.outcome, { code: 'QUOTA' });
  assert.match(seen.health.lastFlushError, /quota/i);
  await quota(page);
  const left = await page.evaluate(async () => {
    await store.flush();
    return (await store.health()).pendingBytes;
  });
  assert.equal(left, 0);
});
