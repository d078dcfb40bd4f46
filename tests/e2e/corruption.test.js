// What is kept is damaged: it is said, and not papered over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** Places in a record, as fractions of its length: its header, its pages, its end. */
const PLACES = [0, 0.001, 0.5, 1];

/** A closed store with records of both kinds; answers them. */
async function filled(page, name) {
  return page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.addMany(Array.from({ length: 500 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: `${i} `.repeat(500) })));
    for (let i = 0; i < 200; i += 1) await store.tasks.update(`t${i}`, { payload: `${i}` });
    await kept.folded(name);
    await store.tasks.addMany(Array.from({ length: 20 }, (_, i) => ({ id: `u${i}`, taskType: 'x', payload: 'x'.repeat(2000) })));
    await store.close();
    return kept.records(name);
  }, name);
}

for (const where of ['log', 'base']) {
  test(`a_flipped_bit_in_the_${where}_is_corrupt_and_rescue_gives_a_file`, async (t) => {
    const name = storeName();
    const page = await browser.page(t);
    const records = (await filled(page, name)).filter(([store]) => store === where);
    const data = records.filter(([, , bytes]) => bytes > 1000);
    assert.ok(data.length > 0, `there are records in the ${where}: ${JSON.stringify(records)}`);
    for (const [, key] of [data[0], data.at(-1)]) {
      for (const at of PLACES) {
        await page.evaluate(([name, where, key, at]) => kept.flip(name, where, key, at), [name, where, key, at]);
        const outcome = await page.evaluate((name) => attempt(() => SwarmStore.open(name)), name);
        refused(outcome, { code: 'CORRUPT', retryable: false });
        const header = await page.evaluate(async (name) => {
          const file = await SwarmStore.rescue(name);
          return { type: file instanceof Blob, size: file.size, text: await file.slice(0, 16).text() };
        }, name);
        assert.equal(header.type, true);
        assert.equal(header.text, 'SQLite format 3\0');
        assert.ok(header.size > 100_000, `${header.size} bytes were rescued`);
        // Back to what it was: nothing of the above may have changed it.
        await page.evaluate(([name, where, key, at]) => kept.flip(name, where, key, at), [name, where, key, at]);
      }
    }
    const whole = await page.evaluate(async (name) => {
      const store = await SwarmStore.open(name);
      return { integrity: await store.maintain('integrity'), count: await store.tasks.count() };
    }, name);
    assert.deepEqual(whole, { integrity: ['ok'], count: 520 });
  });

  test(`a_missing_record_in_the_${where}_is_corrupt_or_was_not_needed_any_more`, async (t) => {
    const name = storeName();
    const page = await browser.page(t);
    const records = (await filled(page, name)).filter(([store]) => store === where);
    // The end of a log cannot be told from one that was never written, so the last one is left alone.
    const removable = where === 'log' ? records.slice(0, -1) : records;
    const outcomes = await page.evaluate(async ([name, where, keys]) => {
      const open = () => attempt(async () => {
        const store = await SwarmStore.open(name);
        const content = await dump(store);
        await store.close();
        return content;
      });
      const whole = (await open()).value;
      const outcomes = [];
      for (const key of keys) {
        const copy = await kept.take(name, where, key);
        const { value, error } = await open();
        outcomes.push(error?.code ?? (value === whole ? 'the same' : 'another state'));
        await kept.put(name, where, key, copy);
      }
      return { outcomes, whole: (await open()).value === whole };
    }, [name, where, removable.map(([, key]) => key)]);
    t.diagnostic(outcomes.outcomes.join(', '));
    assert.ok(outcomes.outcomes.every((outcome) => ['CORRUPT', 'the same'].includes(outcome)), outcomes.outcomes.join(', '));
    assert.ok(outcomes.outcomes.includes('CORRUPT'));
    assert.equal(outcomes.whole, true);
  });
}

test('a_rescued_file_of_a_store_with_a_damaged_log_still_has_the_rows_of_the_base', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const records = await filled(page, name);
  const [, key] = records.filter(([store, , bytes]) => store === 'log' && bytes > 1000).at(-1);
  const seen = await page.evaluate(async ([name, key]) => {
    await kept.flip(name, 'log', key, 0.5);
    const file = await SwarmStore.rescue(name);
    const other = await SwarmStore.open('memory:rescued');
    const outcome = await attempt(() => other.importFile(file));
    return { outcome, count: await other.tasks.count(), locked: (await attempt(() => SwarmStore.rescue(name))).error };
  }, [name, key]);
  // The damaged record is dropped or taken as it is; the rest must not be lost with it.
  if (seen.outcome.error) refused(seen.outcome, { code: 'CORRUPT' });
  else assert.ok(seen.count >= 500, `${seen.count} rows were rescued`);
  assert.equal(seen.locked, undefined, 'a rescue can be repeated');
});

test('rescuing_what_is_not_there_is_not_found', async (t) => {
  const page = await browser.page(t);
  refused(await page.evaluate((name) => attempt(() => SwarmStore.rescue(name)), storeName()), { code: 'NOT_FOUND' });
});

test('a_corrupt_store_can_be_destroyed_and_made_again', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const records = await filled(page, name);
  const [, key] = records.find(([store, , bytes]) => store === 'base' && bytes > 1000);
  const count = await page.evaluate(async ([name, key]) => {
    await kept.flip(name, 'base', key, 0.5);
    await SwarmStore.destroy(name);
    return (await SwarmStore.open(name)).tasks.count();
  }, [name, key]);
  assert.equal(count, 0);
});
