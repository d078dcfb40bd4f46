// Explicit transactions on a store that is kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** Writes 20 MB in a transaction and throws it away; `during` runs in the middle of it. */
async function rollBackMuch(page, during) {
  return page.evaluate(async (during) => {
    const before = await dump(store);
    const oops = new Error('never mind');
    const payload = 'x'.repeat(100_000);
    let seen;
    let thrown;
    try {
      await store.transaction(async (tx) => {
        for (let i = 0; i < 20; i += 1) {
          await tx.tasks.addMany(Array.from({ length: 10 }, (_, n) => ({ id: `big-${i}-${n}`, taskType: 'x', payload })));
          if (i === 10 && during) {
            await tx.tasks.update('before', { payload: 'changed inside' });
            seen = await new Function('store', 'kept', `return (${during})(store, kept)`)(store, kept);
          }
        }
        seen = { ...seen, inside: await tx.tasks.count() };
        throw oops;
      }, { timeout: 60_000 });
    } catch (error) {
      thrown = error;
    }
    return { ...seen, same: await dump(store) === before, unchanged: thrown === oops, pending: (await store.health()).pendingBytes };
  }, during?.toString());
}

test('a_rolled_back_transaction_larger_than_the_page_cache_leaves_nothing', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'before', taskType: 'x', payload: 'before' });
  }, name);
  assert.deepEqual(await rollBackMuch(page), { inside: 201, same: true, unchanged: true, pending: 0 });
  const bytes = await page.evaluate((name) => kept.bytes(name), name);
  assert.ok(bytes < 1_000_000, `${bytes} bytes are kept`);
  assert.deepEqual(await page.evaluate(() => store.maintain('integrity')), ['ok']);
  await browser.reload(page);
  assert.equal(await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'after', taskType: 'x', payload: 1 });
    return store.tasks.count();
  }, name), 2);
});

test('a_flush_in_the_middle_of_a_transaction_keeps_the_state_before_it', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name, { durability: 'relaxed', syncInterval: 3_600_000 });
    await store.tasks.add({ id: 'before', taskType: 'x', payload: 'first' });
    await store.flush();
    // Committed and pending when the transaction begins: the flush in its middle has to keep this and nothing of the transaction.
    await store.tasks.update('before', { payload: 'second' });
  }, name);
  const seen = await rollBackMuch(page, async (store) => {
    const pending = (await store.health()).pendingBytes;
    await store.flush();
    return { flushed: pending > 0 && (await store.health()).pendingBytes === 0, outside: (await store.tasks.get('before')).payload };
  });
  assert.deepEqual(seen, { flushed: true, outside: 'second', inside: 201, same: true, unchanged: true, pending: 0 });
  assert.ok(await page.evaluate((name) => kept.bytes(name), name) < 1_000_000);
  await browser.kill();
  await browser.launch();
  const again = await browser.page(t);
  const found = await again.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    return { count: await store.tasks.count(), payload: (await store.tasks.get('before')).payload, integrity: await store.maintain('integrity') };
  }, name);
  assert.deepEqual(found, { count: 1, payload: 'second', integrity: ['ok'] });
});

test('a_browser_killed_in_the_middle_of_a_transaction_keeps_nothing_of_it', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { mayFail: true });
  await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'before', taskType: 'x', payload: 'before' });
    await new Promise((inside) => {
      void store.transaction(async (tx) => {
        await tx.tasks.add({ id: 'half', taskType: 'x', payload: 'x'.repeat(1_000_000) });
        await tx.tasks.update('before', { payload: 'half' });
        await store.flush();
        inside();
        await new Promise(() => {});
      }, { timeout: 60_000 });
    });
  }, name);
  await browser.kill();
  await browser.launch();
  const again = await browser.page(t);
  const found = await again.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    return { count: await store.tasks.count(), payload: (await store.tasks.get('before')).payload };
  }, name);
  assert.deepEqual(found, { count: 1, payload: 'before' });
});

test('a_read_outside_sees_the_committed_state_and_does_not_wait', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 'old' });
    const seen = [];
    await store.transaction(async (tx) => {
      await tx.tasks.update('a', { payload: 'new' });
      await tx.tasks.add({ id: 'b', taskType: 'x', payload: 1 });
      seen.push((await tx.tasks.get('a')).payload, await tx.tasks.count(), (await tx.query('SELECT count(*) AS n FROM tasks'))[0].n);
      seen.push((await store.tasks.get('a')).payload, await store.tasks.count(), (await store.query('SELECT count(*) AS n FROM tasks'))[0].n);
    });
    seen.push((await store.tasks.get('a')).payload, await store.tasks.count());
    return seen;
  }, storeName());
  assert.deepEqual(seen, ['new', 2, 2, 'old', 1, 1, 'new', 2]);
});

test('a_transaction_spans_all_services_or_none', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const work = (fail) => attempt(() => store.transaction(async (tx) => {
      await tx.agents.add({ id: 'ada', agentType: 'worker' });
      await tx.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
      const [task] = await tx.tasks.claim('ada');
      await tx.tasks.complete(task.id, task.leaseToken);
      await tx.events.append({ aggregateType: 'run', aggregateId: '1' }, [{ eventType: 'done', data: {} }]);
      if (fail) await tx.tasks.add({ id: 'a', taskType: 'x', payload: 2 });
      return 'done';
    }));
    const counts = async () => [await store.agents.count(), await store.tasks.count(), await store.events.count()];
    return [await work(true), await counts(), await work(false), await counts()];
  }, name);
  refused(seen[0], { code: 'CONFLICT', table: 'tasks', id: 'a' });
  assert.deepEqual(seen.slice(1), [[0, 0, 0], { value: 'done' }, [1, 1, 1]]);
});

test('a_failed_operation_that_is_caught_undoes_itself_only', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const outcome = await store.transaction(async (tx) => {
      await tx.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
      const outcome = await attempt(() => tx.tasks.addMany([{ id: 'b', taskType: 'x', payload: 1 }, { id: 'a', taskType: 'x', payload: 1 }]));
      await tx.tasks.add({ id: 'c', taskType: 'x', payload: 1 });
      return outcome;
    });
    return { outcome, ids: (await store.tasks.list()).map(({ id }) => id) };
  }, storeName());
  refused(seen.outcome, { code: 'CONFLICT', index: 1 });
  assert.deepEqual(seen.ids, ['a', 'c']);
});

test('a_transaction_that_takes_too_long_is_rolled_back_and_the_next_one_runs', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name, { transactionTimeout: 100 });
    let inner;
    const timedOut = await attempt(() => store.transaction(async (tx) => {
      await tx.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
      inner = attempt(() => tx.tasks.add({ id: 'late', taskType: 'x', payload: 1 }));
      await inner;
      // The store instead of tx: waits for this very transaction.
      await store.tasks.add({ id: 'b', taskType: 'x', payload: 1 });
    }));
    const next = await attempt(() => store.transaction(async (tx) => tx.tasks.list()));
    return { timedOut, next: next.value?.map(({ id }) => id) };
  }, storeName());
  refused(seen.timedOut, { code: 'TIMEOUT', retryable: true });
  assert.deepEqual(seen.next, ['b'], 'what waited runs on its own once the transaction is gone');
});

test('close_waits_for_an_open_transaction', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    let release;
    const released = new Promise((resolve) => {
      release = resolve;
    });
    let closed = false;
    const transaction = attempt(() => store.transaction(async (tx) => {
      await released;
      await tx.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
      return closed;
    }));
    await Promise.resolve();
    const closing = store.close().then(() => {
      closed = true;
    });
    const refusedCall = await attempt(() => store.tasks.count());
    setTimeout(release, 50);
    await closing;
    return { transaction: await transaction, refusedCall, count: await (await SwarmStore.open(name)).tasks.count() };
  }, name);
  refused(seen.refusedCall, { code: 'CLOSED' });
  assert.deepEqual([seen.transaction, seen.count], [{ value: false }, 1]);
});

test('writers_at_once_share_flushes', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const log = async () => (await kept.records(name)).filter(([store]) => store === 'log').length;
    const before = await log();
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.tasks.add({ id: `t${i}`, taskType: 'x', payload: i })));
    return { flushes: await log() - before, count: await store.tasks.count() };
  }, name);
  assert.equal(seen.count, 100);
  assert.ok(seen.flushes >= 1 && seen.flushes <= 10, `${seen.flushes} flushes for 100 writes at once`);
});
