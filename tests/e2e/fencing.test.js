// Two writers of one name, which the lock would prevent: a lock that was lost without anybody noticing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** Grants every lock. */
function bypassLocks() {
  LockManager.prototype.request = async (name, ...rest) => rest.at(-1)({ name, mode: 'exclusive' });
}

const open = (page, name, options) => page.evaluate(async ([name, options]) => {
  globalThis.store = await SwarmStore.open(name, options);
}, [name, options]);
const add = (page, id) => page.evaluate((id) => attempt(async () => (await store.tasks.add({ id, taskType: 'x', payload: id })).id), id);
const ids = (page) => page.evaluate(async () => (await store.tasks.list({ limit: 1000 })).map(({ id }) => id));

/** What a third one finds. */
async function found(t, name) {
  const page = await browser.page(t, { script: bypassLocks });
  await open(page, name);
  assert.deepEqual(await page.evaluate(() => store.maintain('integrity')), ['ok']);
  return ids(page);
}

test('of_two_writers_only_the_second_one_can_flush', async (t) => {
  const name = storeName();
  const [first, second] = [await browser.page(t), await browser.page(t, { script: bypassLocks })];
  await open(first, name);
  assert.deepEqual(await add(first, 'first-before'), { value: 'first-before' });
  await open(second, name);
  assert.deepEqual(await ids(second), ['first-before']);

  refused(await add(first, 'first-after'), { code: 'PERSISTENCE_LOST', committed: true });
  assert.deepEqual(await add(second, 'second'), { value: 'second' });
  refused(await add(first, 'first-again'), { code: 'PERSISTENCE_LOST' });
  refused(await first.evaluate(() => attempt(() => store.flush())), { code: 'PERSISTENCE_LOST' });
  assert.deepEqual(await add(second, 'second-again'), { value: 'second-again' });
  assert.equal(await first.evaluate(async () => (await store.exportFile()).size > 0), true, 'the first one can still be exported');
  const closing = await first.evaluate(async () => ({ ...await attempt(() => store.close()), closed: store.closed }));
  refused(closing, { code: 'PERSISTENCE_LOST' });
  assert.equal(closing.closed, true, 'nothing could be gained by keeping it open');

  await first.close();
  await second.close();
  assert.deepEqual(await found(t, name), ['first-before', 'second', 'second-again']);
});

test('a_writer_that_was_overtaken_stays_fenced_after_the_log_was_folded', async (t) => {
  const name = storeName();
  const [first, second] = [await browser.page(t), await browser.page(t, { script: bypassLocks })];
  await open(first, name);
  assert.deepEqual(await add(first, 'first-before'), { value: 'first-before' });
  await open(second, name);
  await second.evaluate(async (name) => {
    await store.tasks.add({ id: 'folded', taskType: 'x', payload: 'x' });
    for (let i = 0; i < 400; i += 1) await store.tasks.update('folded', { payload: `${i}`.repeat(2000) });
    await kept.folded(name);
  }, name);
  await second.close();

  refused(await add(first, 'first-after'), { code: 'PERSISTENCE_LOST', committed: true });
  refused(await add(first, 'first-again'), { code: 'PERSISTENCE_LOST' });
  await first.close();
  assert.deepEqual(await found(t, name), ['first-before', 'folded']);
});

test('a_writer_that_folds_cannot_undo_what_another_has_written', async (t) => {
  const name = storeName();
  const [first, second] = [await browser.page(t), await browser.page(t, { script: bypassLocks })];
  await open(first, name);
  // Much to fold for the first one, just when the second one takes over.
  await first.evaluate(async () => {
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 'x' });
    for (let i = 0; i < 300; i += 1) await store.tasks.update('a', { payload: `${i}`.repeat(3000) });
  });
  await open(second, name);
  assert.deepEqual(await add(second, 'second'), { value: 'second' });
  await first.evaluate(() => new Promise((resolve) => {
    requestIdleCallback(() => setTimeout(resolve, 1000));
  }));
  assert.deepEqual(await add(second, 'second-again'), { value: 'second-again' });
  await first.close();
  await second.close();
  assert.deepEqual(await found(t, name), ['a', 'second', 'second-again']);
});

test('writers_that_overtake_each_other_keep_what_each_was_told_is_kept', async (t) => {
  const name = storeName();
  const pages = [];
  const acknowledged = [];
  for (let i = 0; i < 6; i += 1) {
    const page = await browser.page(t, { script: bypassLocks });
    pages.push(page);
    await open(page, name);
    // The one before keeps writing while this one opens.
    const outcomes = await Promise.all(pages.slice(-2).map((each, n) => each.evaluate(async ([i, n]) => {
      const told = [];
      for (let k = 0; k < 10; k += 1) {
        const { value } = await attempt(async () => (await store.tasks.add({ id: `${i}-${n}-${k}`, taskType: 'x', payload: k })).id);
        if (value) told.push(value);
      }
      return told;
    }, [i, n])));
    acknowledged.push(...outcomes.flat());
  }
  for (const page of pages) await page.close();
  assert.ok(acknowledged.length >= 60, `${acknowledged.length} writes were acknowledged`);
  const kept = await found(t, name);
  assert.deepEqual(kept.filter((id) => acknowledged.includes(id)).sort(), acknowledged.sort());
  assert.equal(kept.length, acknowledged.length, 'nothing that was refused is there');
});

test('a_lock_is_not_taken_for_granted_where_the_first_is_relaxed', async (t) => {
  const name = storeName();
  const [first, second] = [await browser.page(t), await browser.page(t, { script: bypassLocks })];
  await open(first, name, { durability: 'relaxed', syncInterval: 3_600_000 });
  await add(first, 'relaxed');
  await open(second, name);
  refused(await first.evaluate(() => attempt(() => store.flush())), { code: 'PERSISTENCE_LOST' });
  assert.deepEqual(await add(second, 'second'), { value: 'second' });
  await first.close();
  await second.close();
  assert.deepEqual(await found(t, name), ['second']);
});
