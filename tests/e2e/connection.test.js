// The connection to IndexedDB is lost underneath (Safari does this after a suspension), or the database with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** Keeps the connections that the package opens, to do things to them. */
function captureConnections() {
  const { open } = IDBFactory.prototype;
  globalThis.connections = [];
  IDBFactory.prototype.open = function (...args) {
    const request = open.apply(this, args);
    request.addEventListener('success', () => globalThis.connections.push(request.result));
    return request;
  };
}

/** What a write of this page leaves in the store, seen by another page after a reload. */
async function countAfterReload(page, name) {
  await browser.reload(page);
  return page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    return { count: await store.tasks.count(), integrity: await store.maintain('integrity') };
  }, name);
}

test('a_connection_closed_underneath_is_reopened_and_the_write_kept', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: captureConnections });
  const outcomes = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    const outcomes = [];
    for (let i = 0; i < 3; i += 1) {
      const before = connections.length;
      connections.forEach((connection) => connection.close());
      outcomes.push(await attempt(async () => (await store.tasks.add({ id: `t${i}`, taskType: 'x', payload: i })).id));
      outcomes.push(connections.length > before);
    }
    return outcomes;
  }, name);
  assert.deepEqual(outcomes, [{ value: 't0' }, true, { value: 't1' }, true, { value: 't2' }, true]);
  assert.deepEqual(await countAfterReload(page, name), { count: 3, integrity: ['ok'] });
});

test('a_connection_that_tells_that_it_was_closed_is_reopened', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: captureConnections });
  const outcome = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    for (const connection of connections) {
      connection.close();
      connection.dispatchEvent(new Event('close'));
    }
    return attempt(async () => (await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 })).id);
  }, name);
  assert.deepEqual(outcome, { value: 'a' });
  assert.deepEqual(await countAfterReload(page, name), { count: 1, integrity: ['ok'] });
});

test('a_connection_lost_in_the_middle_of_a_flush_is_reopened_and_nothing_written_twice', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: captureConnections });
  const outcomes = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    // The record lands, and then the transaction is reported as aborted, as when the connection goes just after.
    const { transaction } = IDBDatabase.prototype;
    let lost = 0;
    IDBDatabase.prototype.transaction = function (...args) {
      const made = transaction.apply(this, args);
      if (made.mode === 'readwrite' && lost === 0) {
        lost += 1;
        const connection = this;
        made.addEventListener('complete', (event) => {
          event.stopImmediatePropagation();
          connection.close();
          made.dispatchEvent(new Event('abort'));
        }, { capture: true });
      }
      return made;
    };
    const write = await attempt(async () => (await store.tasks.add({ id: 'b', taskType: 'x', payload: 2 })).id);
    return [lost, write, await attempt(async () => (await store.tasks.add({ id: 'c', taskType: 'x', payload: 3 })).id)];
  }, name);
  assert.deepEqual(outcomes, [1, { value: 'b' }, { value: 'c' }]);
  assert.deepEqual(await countAfterReload(page, name), { count: 3, integrity: ['ok'] });
});

test('a_connection_that_cannot_be_reopened_is_persistence_lost_and_the_store_goes_on_once_it_can', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: captureConnections });
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = () => {
      throw new DOMException('Connection to Indexed Database server lost. Refresh the page to try again', 'UnknownError');
    };
    connections.forEach((connection) => connection.close());
    const lost = await attempt(() => store.tasks.add({ id: 'b', taskType: 'x', payload: 2 }));
    const visible = await store.tasks.count();
    const flush = await attempt(() => store.flush());
    const exported = (await store.exportFile()).size;
    IDBFactory.prototype.open = open;
    return { lost, visible, flush, exported, again: await attempt(() => store.flush()), left: (await store.health()).pendingBytes };
  }, name);
  const error = refused(seen.lost, { code: 'PERSISTENCE_LOST', committed: true });
  assert.equal(error.cause?.name, 'UnknownError', 'the name of the exception is not swallowed');
  refused(seen.flush, { code: 'PERSISTENCE_LOST' });
  assert.equal(seen.visible, 2);
  assert.ok(seen.exported > 0);
  assert.deepEqual(seen.again, { value: undefined });
  assert.equal(seen.left, 0);
  assert.deepEqual(await countAfterReload(page, name), { count: 2, integrity: ['ok'] });
});

test('a_database_deleted_underneath_is_never_silently_replaced_by_a_part_of_itself', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.addMany(Array.from({ length: 200 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: 'x'.repeat(1000) })));
  }, name);
  const session = await browser.context.newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin: browser.origin, storageTypes: 'indexeddb' });
  const outcome = await page.evaluate(() => attempt(async () => (await store.tasks.add({ id: 'last', taskType: 'x', payload: 1 })).id));
  const memory = await page.evaluate(() => store.tasks.count());
  assert.equal(memory, 201, 'what is in memory stays');
  const found = await countAfterReload(page, name);
  assert.deepEqual(found.integrity, ['ok']);
  if (outcome.error) {
    refused(outcome, { code: 'PERSISTENCE_LOST', committed: true });
    assert.equal(found.count, 0);
  } else {
    assert.equal(found.count, 201, 'acknowledged, so all of it is kept');
  }
});

test('a_database_deleted_while_it_is_written_leaves_nobody_waiting', { timeout: 90_000 }, async (t) => {
  const page = await browser.page(t);
  const session = await browser.context.newCDPSession(page);
  for (let round = 0; round < 12; round += 1) {
    await page.evaluate(async (name) => {
      globalThis.store = await SwarmStore.open(name);
      globalThis.stop = false;
      globalThis.writing = (async () => {
        const outcomes = [];
        while (!stop) outcomes.push(await attempt(async () => (await store.tasks.add({ taskType: 'x', payload: 'x'.repeat(20_000) })).id));
        return outcomes.filter(({ error }) => error).map(({ error }) => error.code);
      })();
    }, storeName());
    await session.send('Storage.clearDataForOrigin', { origin: browser.origin, storageTypes: 'indexeddb' });
    const codes = await page.evaluate(async () => {
      stop = true;
      const codes = await writing;
      await store.close().catch(() => {});
      return codes;
    });
    assert.ok(codes.every((code) => code === 'PERSISTENCE_LOST'), codes.join());
    await browser.reload(page);
  }
});
