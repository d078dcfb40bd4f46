// Opening, closing, reloading, and what a page that goes away leaves behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

test('importing_the_package_loads_nothing_and_touches_nothing', async (t) => {
  const page = await browser.page(t, { path: '/pages/bare.html' });
  const seen = await page.evaluate(async () => {
    const before = Object.keys(globalThis).sort();
    const { SwarmStore, SwarmStoreError } = await import('/pkg/index.js');
    return {
      globals: Object.keys(globalThis).sort().filter((name) => !before.includes(name)),
      wasm: performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.wasm')).length,
      databases: (await indexedDB.databases()).length,
      versions: SwarmStore.version(),
      error: new SwarmStoreError('CLOSED', 'x') instanceof Error,
    };
  });
  assert.deepEqual({ ...seen, versions: undefined }, { globals: [], wasm: 0, databases: 0, versions: undefined, error: true });
});

test('the_versions_are_those_of_the_module', async (t) => {
  const page = await browser.page(t);
  const { said, sqlite, swarmstore } = await page.evaluate(async () => {
    // Only the parts of the package let the module be asked.
    const parts = await import('/parts/index.js');
    const store = await parts.SwarmStore.open('memory:');
    const [{ sqlite }] = await store.query('SELECT sqlite_version() AS sqlite');
    const { Core } = await import('/parts/swarmstore.js');
    return { said: SwarmStore.version(), sqlite, swarmstore: Core.version() };
  });
  assert.deepEqual(said, { swarmstore, sqlite });
});

test('a_store_that_is_open_for_reading_only_refuses_every_write', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const code = (promise) => promise.then(() => 'done', (error) => error.code);
    const missing = await code(SwarmStore.open(name, { readOnly: true }));
    const made = (await indexedDB.databases()).length;
    const store = await SwarmStore.open(name);
    const task = await store.tasks.add({ taskType: 'x', payload: 1 });
    const file = await store.exportFile();
    await store.close();
    const reader = await SwarmStore.open(name, { readOnly: true });
    const refused = [
      await code(reader.tasks.add({ taskType: 'x', payload: 2 })),
      await code(reader.tasks.update(task.id, { payload: 2 })),
      await code(reader.batch([['tasks.delete', task.id]])),
      await code(reader.transaction((tx) => tx.tasks.delete(task.id))),
      await code(reader.importFile(file)),
    ];
    const read = await reader.tasks.list();
    const exported = (await reader.exportFile()).size;
    await reader.close();
    const memory = await code(SwarmStore.open('memory:', { readOnly: true }));
    const again = await SwarmStore.open(name);
    const left = await again.tasks.list();
    await again.close();
    return { missing, made, refused, same: JSON.stringify(read) === JSON.stringify([task]) && JSON.stringify(left) === JSON.stringify(read), exported: exported === file.size, memory };
  }, name);
  assert.deepEqual(seen, {
    missing: 'NOT_FOUND', made: 0, refused: Array(5).fill('UNSUPPORTED'), same: true, exported: true, memory: 'INVALID_ARGUMENT',
  });
});

test('a_reload_keeps_every_acknowledged_write', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const written = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.agents.add({ id: 'ada', agentType: 'worker', metadata: { text: 'ü😀' } });
    await store.tasks.addMany(Array.from({ length: 200 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: { i, text: 'x'.repeat(500) } })));
    const [task] = await store.tasks.claim('ada');
    await store.tasks.complete(task.id, task.leaseToken, { done: true });
    await store.events.append({ aggregateType: 'run', aggregateId: '1' }, [{ eventType: 'finished', data: [1, 2.5, null] }]);
    await store.transaction(async (tx) => {
      await tx.tasks.delete('t7');
      await tx.tasks.update('t8', { priority: 'critical' });
    }, { durability: 'strict' });
    return dump(store);
  }, name);
  for (let i = 0; i < 3; i += 1) {
    await browser.reload(page);
    const found = await page.evaluate(async (name) => {
      globalThis.store = await SwarmStore.open(name);
      return { dump: await dump(store), integrity: await store.maintain('integrity'), health: await store.health() };
    }, name);
    assert.equal(found.dump, written);
    assert.deepEqual(found.integrity, ['ok']);
    assert.deepEqual([found.health.healthy, found.health.problems, found.health.pendingBytes, found.health.lossWindowMs], [true, [], 0, 0]);
  }
});

test('a_second_tab_gets_locked_and_the_store_once_the_first_lets_go', async (t) => {
  const name = storeName();
  const [first, second] = [await browser.page(t), await browser.page(t)];
  await first.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
  }, name);
  const outcomes = await Promise.all([
    second.evaluate((name) => attempt(() => SwarmStore.open(name)), name),
    second.evaluate((name) => attempt(() => SwarmStore.destroy(name)), name),
    first.evaluate((name) => attempt(() => SwarmStore.open(name)), name),
  ]);
  for (const outcome of outcomes) refused(outcome, { code: 'LOCKED', retryable: true });
  assert.equal(await first.evaluate(() => store.tasks.count()), 1, 'the first goes on');
  await first.evaluate(() => store.close());
  const seen = await second.evaluate(async (name) => (await SwarmStore.open(name)).tasks.get('a'), name);
  assert.equal(seen.payload, 1);
});

test('opening_waits_for_a_predecessor_that_is_about_to_let_go', async (t) => {
  const name = storeName();
  const [first, second] = [await browser.page(t), await browser.page(t)];
  await first.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
  }, name);
  const opening = second.evaluate((name) => attempt(async () => (await SwarmStore.open(name)).name), name);
  await first.evaluate(async (name) => {
    const waiting = async () => (await navigator.locks.query()).pending.some((lock) => lock.name === `swarmstore:${name}`);
    while (!await waiting()) await new Promise((resolve) => setTimeout(resolve, 10));
    await store.close();
  }, name);
  assert.deepEqual(await opening, { value: name });
});

test('an_open_that_waits_for_the_lock_can_be_aborted', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const outcome = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    const controller = new AbortController();
    const opening = attempt(() => SwarmStore.open(name, { signal: controller.signal }));
    controller.abort();
    return opening;
  }, name);
  refused(outcome, { code: 'ABORTED' });
  assert.equal(await page.evaluate(async (name) => {
    await store.close();
    return (await SwarmStore.open(name)).name;
  }, name), name);
});

test('what_was_deleted_stays_deleted_after_a_reload', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.addMany(Array.from({ length: 300 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: 'x'.repeat(1000) })));
    const deleted = await store.tasks.deleteMany(Array.from({ length: 299 }, (_, i) => `t${i}`));
    if (deleted !== 299) throw new Error(`deleted ${deleted}`);
  }, name);
  await browser.reload(page);
  const left = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    const left = (await store.tasks.list({ limit: 1000 })).map(({ id }) => id);
    await store.tasks.delete('t299');
    return left;
  }, name);
  assert.deepEqual(left, ['t299']);
  await browser.reload(page);
  assert.equal(await page.evaluate(async (name) => (await SwarmStore.open(name)).tasks.count(), name), 0);
});

test('a_destroyed_store_is_gone_and_its_name_free', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    await store.close();
    await SwarmStore.destroy(name);
    const databases = (await indexedDB.databases()).map((database) => database.name);
    await SwarmStore.destroy(name);
    return { gone: !databases.includes(`swarmstore:${name}`), count: await (await SwarmStore.open(name)).tasks.count() };
  }, name);
  assert.deepEqual(seen, { gone: true, count: 0 });
});

test('a_memory_store_keeps_nothing_and_locks_nobody_out', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const [one, two] = await Promise.all([SwarmStore.open(`memory:${name}`), SwarmStore.open(name, { storage: 'memory' })]);
    await one.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    return {
      counts: [await one.tasks.count(), await two.tasks.count()],
      storages: [one.storage, two.storage],
      databases: (await indexedDB.databases()).filter((database) => database.name === `swarmstore:${name}`).length,
      window: (await one.health()).lossWindowMs,
    };
  }, name);
  assert.deepEqual(seen, { counts: [1, 0], storages: ['memory', 'memory'], databases: 0, window: undefined });
});

for (const [way, leave] of [
  ['a_reload', (page) => browser.reload(page)],
  ['a_navigation', (page) => browser.visit(page, '/pages/bare.html')],
  ['closing_the_tab', (page) => page.close()],
]) {
  test(`relaxed_writes_land_on_${way}`, async (t) => {
    const name = storeName();
    const page = await browser.page(t);
    for (let i = 0; i < 3; i += 1) {
      const current = i === 0 ? page : await browser.page(t);
      const bytes = await current.evaluate(async ([name, i]) => {
        globalThis.store = await SwarmStore.open(name, { durability: 'relaxed', syncInterval: 3_600_000 });
        await store.tasks.add({ id: `t${i}`, taskType: 'x', payload: 'x'.repeat(i === 1 ? 3_000_000 : 100) });
        return (await store.health()).pendingBytes;
      }, [name, i]);
      assert.ok(bytes > 0, 'the write is not flushed before');
      await leave(current);
      if (!current.isClosed()) await current.close();
      const after = await browser.page(t);
      const count = await after.evaluate(async (name) => {
        const store = await SwarmStore.open(name);
        const count = await store.tasks.count();
        await store.close();
        return count;
      }, name);
      assert.equal(count, i + 1);
      await after.close();
    }
  });
}

test('relaxed_writes_land_by_themselves_within_the_reported_window', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name, { durability: 'relaxed', syncInterval: 100 });
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    const at = performance.now();
    const before = await store.health();
    while ((await store.health()).pendingBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const health = await store.health();
    return { before, health, took: performance.now() - at };
  }, name);
  assert.equal(seen.before.lossWindowMs, 100);
  assert.ok(seen.before.pendingBytes > 0);
  assert.equal(typeof seen.before.pendingSince, 'number');
  assert.equal(seen.health.pendingSince, undefined);
  assert.ok(seen.health.lastFlush >= seen.before.pendingSince);
});

test('flush_keeps_what_is_relaxed', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name, { durability: 'relaxed', syncInterval: 3_600_000 });
    const before = await kept.bytes(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 'x'.repeat(50_000) });
    const pending = await kept.bytes(name);
    await store.flush();
    return { unflushed: pending - before, flushed: await kept.bytes(name) - pending, left: (await store.health()).pendingBytes };
  }, name);
  assert.equal(seen.unflushed, 0);
  assert.ok(seen.flushed > 0);
  assert.equal(seen.left, 0);
});

test('a_commit_that_wrote_nothing_flushes_nothing', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const [before, after] = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    await store.flush();
    const before = await kept.records(name);
    await store.transaction(async (tx) => tx.tasks.get('a'));
    await store.tasks.delete('nobody');
    await store.tasks.deleteMany([]);
    await store.tasks.reclaimExpired();
    await store.flush();
    return [before, await kept.records(name)];
  }, name);
  assert.deepEqual(after, before);
});

test('the_log_is_folded_in_idle_time_and_does_not_grow_without_bound', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const payload = 'x'.repeat(20_000);
    await store.tasks.add({ id: 'a', taskType: 'x', payload });
    for (let i = 0; i < 400; i += 1) await store.tasks.update('a', { payload: `${i}${payload}` });
    await kept.folded(name);
    await store.tasks.update('a', { payload: 'after folding' });
    return { bytes: await kept.bytes(name), size: (await store.health()).sizeBytes };
  }, name);
  assert.ok(seen.bytes < 4 * seen.size + 2_000_000, `${seen.bytes} bytes are kept of a database of ${seen.size}`);
  await browser.reload(page);
  const found = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    return { payload: (await store.tasks.get('a')).payload, integrity: await store.maintain('integrity') };
  }, name);
  assert.deepEqual(found, { payload: 'after folding', integrity: ['ok'] });
});

test('the_storage_of_the_origin_can_be_asked_for', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const { usage, quota } = await store.estimate();
    return { persisted: await store.persisted(), persist: typeof await store.persist(), usage, quota };
  }, storeName());
  assert.equal(seen.persisted, false);
  assert.equal(seen.persist, 'boolean');
  assert.ok(seen.usage > 0 && seen.quota > seen.usage);
});

test('without_web_locks_opening_is_unsupported', async (t) => {
  const page = await browser.page(t, { script: () => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }) });
  refused(await page.evaluate((name) => attempt(() => SwarmStore.open(name)), storeName()), { code: 'UNSUPPORTED' });
  assert.deepEqual(await page.evaluate(() => attempt(async () => (await SwarmStore.open('memory:')).storage)), { value: 'memory' });
});

test('without_indexeddb_opening_is_unavailable_and_not_silently_in_memory', async (t) => {
  const page = await browser.page(t, {
    script: () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('not here', 'SecurityError');
      };
    },
  });
  const error = refused(await page.evaluate((name) => attempt(() => SwarmStore.open(name)), storeName()), { code: 'UNAVAILABLE' });
  assert.equal(error.cause?.name, 'SecurityError');
});
