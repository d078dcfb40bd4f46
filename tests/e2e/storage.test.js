// Flushing, folding and importing at awkward moments.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** Tells when the package has committed something to both object stores, as every step of folding and every import is. */
function watchFolds() {
  const { commit } = IDBTransaction.prototype;
  IDBTransaction.prototype.commit = function () {
    commit.call(this);
    if (this.objectStoreNames.length !== 2) return;
    const { onFold } = globalThis;
    globalThis.onFold = undefined;
    // Before the browser can tell how it ended.
    if (onFold) queueMicrotask(onFold);
  };
}

/** What is there after a reload: the number of tasks, and the integrity. */
async function found(page, name) {
  await browser.reload(page);
  return page.evaluate((name) => attempt(async () => {
    globalThis.store = await SwarmStore.open(name);
    return [await store.tasks.count(), await store.maintain('integrity')];
  }), name);
}

test('a_flush_issued_behind_the_last_step_of_folding_is_kept', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: watchFolds });
  await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name, { durability: 'relaxed', syncInterval: 3_600_000 });
    const folded = new Promise((resolve) => {
      globalThis.onFold = () => {
        void store.tasks.add({ id: 'last', taskType: 'x', payload: 1 });
        window.dispatchEvent(new Event('pagehide'));
        resolve(store.flush());
      };
    });
    // So many records are worth folding, into the only segment that there is.
    for (let i = 0; i < 80; i += 1) {
      await store.tasks.add({ taskType: 'x', payload: i });
      await store.flush();
    }
    await folded;
  }, name);
  assert.deepEqual(await found(page, name), { value: [81, ['ok']] });
});

test('a_segment_that_was_never_written_leaves_no_gap_in_the_base', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const segments = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    // The file grows, and of what it grew by nothing is left to write.
    await store.transaction(async (tx) => {
      for (let i = 0; i < 3; i += 1) await tx.tasks.add({ id: `big${i}`, taskType: 'x', payload: 'x'.repeat(4_000_000) });
      for (let i = 0; i < 3; i += 1) await tx.tasks.delete(`big${i}`);
      await tx.tasks.add({ id: 'small', taskType: 'x', payload: 1 });
    }, { timeout: 60_000 });
    for (let i = 0; i < 80; i += 1) await store.tasks.add({ taskType: 'x', payload: i });
    await kept.folded(name);
    return (await kept.records(name)).filter(([store]) => store === 'base').map(([, segment]) => segment);
  }, name);
  assert.ok(segments.length > 10, `${segments.length} segments`);
  assert.deepEqual(segments, segments.map((_, i) => i));
  assert.deepEqual(await found(page, name), { value: [81, ['ok']] });
});

test('a_store_of_many_segments_is_the_same_when_it_is_opened_again_and_takes_less_room_than_its_file', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const before = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    // Some of it compresses well, some does not, and some is deleted again, so that pages are free.
    const rows = Array.from({ length: 1200 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: i % 3 ? `${i} `.repeat(1500) : noise(4000) }));
    await store.tasks.addMany(rows);
    await store.tasks.deleteMany(rows.filter((_, i) => i % 50 < 5).map((row) => row.id));
    for (let i = 0; i < 80; i += 1) await store.tasks.add({ id: `u${i}`, taskType: 'x', payload: i });
    await kept.folded(name);
    const content = await dump(store);
    const file = (await store.exportFile()).size;
    await store.close();
    const base = (await kept.records(name)).filter(([store]) => store === 'base').map(([, , bytes]) => bytes);
    return { content, file, base };
  }, name);
  assert.ok(before.base.length >= 5, `${before.base.length} segments`);
  const bytes = before.base.reduce((sum, length) => sum + length, 0);
  assert.ok(bytes < before.file * 0.8, `${bytes} bytes keep ${before.file}`);

  await browser.reload(page);
  const content = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const content = await dump(store);
    await store.close();
    return content;
  }, name);
  assert.equal(content, before.content);

  // Straight after opening most of it is still packed; then all of it is unpacked in idle time.
  const payloads = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.update('t605', { payload: 'changed at once' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await store.tasks.update('t606', { payload: 'changed later' });
    const file = await store.exportFile();
    await store.close();
    const copy = await SwarmStore.open('memory:copy');
    await copy.importFile(file);
    return Promise.all(['t605', 't606', 't607'].map(async (id) => (await copy.tasks.get(id)).payload));
  }, name);
  assert.deepEqual(payloads, ['changed at once', 'changed later', '607 '.repeat(1500)]);
  assert.deepEqual(await found(page, name), { value: [1160, ['ok']] });
});

test('a_flush_asked_for_during_an_import_is_answered', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: watchFolds });
  const outcome = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    const file = await store.exportFile();
    const flushed = new Promise((resolve) => {
      globalThis.onFold = () => resolve(store.flush().then(() => 'answered'));
    });
    await store.importFile(file);
    return Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, 30_000, 'lost'))]);
  }, name);
  assert.equal(outcome, 'answered');
});

test('two_flushes_under_way_that_lose_their_connection_are_written_once', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const outcomes = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    const { transaction } = IDBDatabase.prototype;
    let flushes = 0;
    IDBDatabase.prototype.transaction = function (...args) {
      const made = transaction.apply(this, args);
      if (made.mode !== 'readwrite') return made;
      flushes += 1;
      // The record of the first lands without anybody hearing of it; the second is lost.
      if (flushes === 1) {
        made.addEventListener('complete', (event) => {
          event.stopImmediatePropagation();
          made.dispatchEvent(new Event('abort'));
        }, { capture: true });
      } else if (flushes === 2) {
        made.commit = () => setTimeout(() => made.abort(), 0);
      }
      return made;
    };
    const add = (id) => attempt(async () => (await store.tasks.add({ id, taskType: 'x', payload: 1 })).id);
    const first = add('b');
    // The flush of the first is issued by now.
    await Promise.resolve();
    await Promise.resolve();
    const second = add('c');
    window.dispatchEvent(new Event('pagehide'));
    const underWay = flushes;
    return [underWay, await first, await second, await add('d')];
  }, name);
  assert.deepEqual(outcomes, [2, { value: 'b' }, { value: 'c' }, { value: 'd' }]);
  assert.deepEqual(await found(page, name), { value: [4, ['ok']] });
});

test('a_file_whose_length_is_no_multiple_of_the_page_size_is_imported_or_refused_but_breaks_nothing', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const outcome = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    const file = await store.exportFile();
    await store.tasks.add({ id: 'b', taskType: 'x', payload: 1 });
    return attempt(() => store.importFile(new Blob([file, new Uint8Array(10)])));
  }, name);
  if (outcome.error) refused(outcome, { code: 'CORRUPT' });
  assert.deepEqual(await found(page, name), { value: [outcome.error ? 2 : 1, ['ok']] });
});
