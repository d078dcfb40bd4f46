// The disk is full.
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

test('a_full_disk_is_quota_with_committed_and_the_store_goes_on_once_there_is_room', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  // Before the first write: Chromium remembers for a while how much room there was.
  await quota(page, 2_000_000);
  await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'small', taskType: 'x', payload: 1 });
  }, name);

  const full = await page.evaluate(async () => ({
    outcome: await attempt(() => store.tasks.add({ id: 'big', taskType: 'x', payload: noise(5_000_000) })),
    visible: (await store.tasks.get('big'))?.payload.length,
    health: await store.health(),
  }));
  const error = refused(full.outcome, { code: 'QUOTA', committed: true, retryable: true });
  assert.equal(error.cause?.name, 'QuotaExceededError');
  assert.equal(full.visible, 5_000_000, 'committed in memory, and visible');
  assert.ok(full.health.pendingBytes > 5_000_000);
  assert.equal(full.health.healthy, false);
  assert.match(full.health.lastFlushError, /quota/i);

  const meanwhile = await page.evaluate(async () => ({
    again: await attempt(() => store.tasks.add({ id: 'next', taskType: 'x', payload: 1 })),
    transaction: await attempt(() => store.transaction(async (tx) => tx.tasks.add({ id: 'tx', taskType: 'x', payload: 1 }))),
    flush: await attempt(() => store.flush()),
    count: await store.tasks.count(),
    exported: (await store.exportFile()).size,
    integrity: await store.maintain('integrity'),
    close: await attempt(() => store.close()),
    closed: store.closed,
  }));
  refused(meanwhile.again, { code: 'QUOTA', committed: true });
  refused(meanwhile.transaction, { code: 'QUOTA', committed: true });
  refused(meanwhile.flush, { code: 'QUOTA' });
  assert.equal(meanwhile.count, 4);
  assert.ok(meanwhile.exported > 5_000_000);
  assert.deepEqual(meanwhile.integrity, ['ok']);
  refused(meanwhile.close, { code: 'QUOTA' });
  assert.equal(meanwhile.closed, false, 'a close that would lose writes is refused');

  await quota(page);
  const after = await page.evaluate(async () => {
    await store.flush();
    const health = await store.health();
    await store.tasks.add({ id: 'after', taskType: 'x', payload: 1 });
    return health;
  });
  assert.deepEqual([after.healthy, after.pendingBytes, after.lastFlushError], [true, 0, undefined]);
  await browser.reload(page);
  const found = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    return { ids: (await store.tasks.list()).map(({ id }) => id), length: (await store.tasks.get('big')).payload.length, integrity: await store.maintain('integrity') };
  }, name);
  assert.deepEqual(found, { ids: ['after', 'big', 'next', 'small', 'tx'], length: 5_000_000, integrity: ['ok'] });
});
