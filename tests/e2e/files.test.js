// Files that go out to other programs and come in from them.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';
import { inspect, inspector, rows, sqlite, temporaryFolder } from './support/sqlite.js';

const browser = Browser.forThisFile();

/** A store with rows of every kind, in the page's `store`. */
function fill(page, name) {
  return page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.agents.addMany([
      { id: 'ada', agentType: 'worker', name: 'Ada ü😀', capabilities: ['x', 'y'], metadata: { n: 0.1, deep: [[null, true]] } },
      { id: 'bob', agentType: 'checker' },
    ]);
    await store.tasks.addMany(Array.from({ length: 300 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: { i, text: 'ü'.repeat(300) }, priority: i % 10 })));
    await store.tasks.add({ id: 'after', taskType: 'x', payload: null, dependencies: ['t0', 't1'] });
    const claimed = await store.tasks.claim('ada', { limit: 3 });
    await store.tasks.complete(claimed[0].id, claimed[0].leaseToken, { ok: true });
    await store.tasks.fail(claimed[1].id, claimed[1].leaseToken, 'no luck');
    await store.events.append({ aggregateType: 'run', aggregateId: '1' }, [
      { eventType: 'started', data: { at: 'ü' } },
      { eventType: 'finished', data: [1, 2.5, null], agentId: 'ada' },
    ]);
  }, name);
}

/** Writes the page's store to a file. */
async function exported(page, folder, file) {
  await page.evaluate(async (file) => send(file, await store.exportFile()), file);
  const path = join(folder, file);
  await writeFile(path, browser.server.files.get(file));
  return path;
}

test('an_exported_file_opens_in_the_sqlite3_command_line_with_the_same_rows', async (t) => {
  const folder = await temporaryFolder(t);
  const page = await browser.page(t);
  await fill(page, storeName());
  const file = await exported(page, folder, 'export.sqlite3');

  assert.equal(sqlite(file, 'PRAGMA integrity_check'), 'ok');
  assert.equal(sqlite(file, 'PRAGMA foreign_key_check'), '');
  const header = await readFile(file);
  assert.equal(header.subarray(0, 16).toString('latin1'), 'SQLite format 3\0');
  assert.deepEqual([...header.subarray(18, 20)], [1, 1], 'no write-ahead log is needed to read it');
  const tables = rows(file, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name").map(({ name }) => name);
  assert.ok(['agents', 'events', 'task_dependencies', 'task_errors', 'tasks'].every((table) => tables.includes(table)), tables.join());
  for (const table of tables) {
    const ours = await page.evaluate((table) => store.query(`SELECT * FROM "${table}"`), table);
    assert.deepEqual(rows(file, `SELECT * FROM "${table}"`), ours, table);
  }
  assert.equal(rows(file, 'SELECT count(*) AS n FROM tasks')[0].n, 301);
});

test('an_exported_file_opens_in_the_native_backend_with_the_same_rows', { skip: !inspector() && 'cargo build --example inspect' }, async (t) => {
  const folder = await temporaryFolder(t);
  const page = await browser.page(t);
  await fill(page, storeName());
  const file = await exported(page, folder, 'native.sqlite3');
  const ours = await page.evaluate(async () => ({
    agents: await store.agents.list({ limit: 1000 }),
    tasks: await store.tasks.list({ limit: 1000 }),
    events: await store.events.readAll({ limit: 1000 }),
  }));
  const native = inspect(file);
  assert.deepEqual(native.integrity, ['ok']);
  assert.deepEqual({ agents: native.agents, tasks: native.tasks, events: native.events }, ours);
});

test('an_export_does_not_show_an_open_transaction', async (t) => {
  const folder = await temporaryFolder(t);
  const page = await browser.page(t);
  await fill(page, storeName());
  const outcome = await page.evaluate(async () => {
    let inside;
    const entered = new Promise((resolve) => {
      inside = resolve;
    });
    const transaction = store.transaction(async (tx) => {
      await tx.tasks.deleteMany((await tx.tasks.list({ limit: 1000 })).filter(({ dependencies }) => dependencies.length > 0).map(({ id }) => id));
      inside();
      await new Promise((resolve) => setTimeout(resolve, 100));
      await tx.tasks.add({ id: 'second-half', taskType: 'x', payload: 1 });
    });
    await entered;
    const file = await store.exportFile();
    await transaction;
    await send('during.sqlite3', file);
    return store.tasks.count();
  });
  assert.equal(outcome, 301);
  const file = join(folder, 'during.sqlite3');
  await writeFile(file, browser.server.files.get('during.sqlite3'));
  assert.equal(sqlite(file, 'PRAGMA integrity_check'), 'ok');
  const [{ after, second }] = rows(file, "SELECT sum(id = 'after') AS after, sum(id = 'second-half') AS second FROM tasks");
  assert.ok((after === 1 && second === 0) || (after === 0 && second === 1), `half of the transaction is in the file: ${after} ${second}`);
});

test('a_native_file_with_a_write_ahead_log_and_another_page_size_imports', async (t) => {
  const folder = await temporaryFolder(t);
  const page = await browser.page(t);
  const name = storeName();
  await fill(page, name);
  for (const pageSize of [8192, 1024, 65536]) {
    const file = await exported(page, folder, `wal-${pageSize}.sqlite3`);
    sqlite(file, `PRAGMA page_size = ${pageSize}; VACUUM; PRAGMA journal_mode = WAL;
      UPDATE agents SET agent_type = 'from the command line ${pageSize}' WHERE id = 'bob';
      DELETE FROM tasks WHERE id = 't200'; PRAGMA wal_checkpoint(TRUNCATE);`);
    const bytes = await readFile(file);
    assert.deepEqual([...bytes.subarray(18, 20)], [2, 2], 'the header says WAL');
    assert.equal(bytes.readUInt16BE(16), pageSize === 65536 ? 1 : pageSize);
    browser.server.files.set('in.sqlite3', bytes);

    const seen = await page.evaluate(async () => {
      await store.tasks.put({ id: 't200', taskType: 'not in the file', payload: 1 });
      await store.importFile(await receive('in.sqlite3'));
      const bob = await store.agents.get('bob');
      await store.tasks.update('t5', { payload: 'after the import' });
      return { bob: bob.agentType, count: await store.tasks.count(), gone: await store.tasks.get('t200'), integrity: await store.maintain('integrity'), dump: await dump(store) };
    });
    assert.deepEqual({ ...seen, dump: undefined }, { bob: `from the command line ${pageSize}`, count: 300, gone: undefined, integrity: ['ok'], dump: undefined });

    await browser.reload(page);
    const again = await page.evaluate(async (name) => {
      globalThis.store = await SwarmStore.open(name);
      return { dump: await dump(store), integrity: await store.maintain('integrity'), health: (await store.health()).healthy };
    }, name);
    assert.deepEqual(again, { dump: seen.dump, integrity: ['ok'], health: true });
    await page.evaluate(async () => store.tasks.add({ id: 't200', taskType: 'x', payload: 1 }));
  }
});

test('an_import_replaces_everything_and_a_second_one_does_so_again', async (t) => {
  const page = await browser.page(t);
  const name = storeName();
  await fill(page, name);
  const seen = await page.evaluate(async () => {
    const full = await store.exportFile();
    const before = await dump(store);
    await store.tasks.deleteMany((await store.tasks.list({ limit: 1000 })).map(({ id }) => id));
    const empty = await store.exportFile();
    await store.importFile(full);
    const imported = await dump(store);
    await store.importFile(empty);
    const counts = [await store.tasks.count(), await store.agents.count()];
    await store.importFile(full);
    return { same: imported === before && await dump(store) === before, counts };
  });
  assert.deepEqual(seen, { same: true, counts: [0, 2] });
  await browser.kill();
  await browser.launch();
  const again = await browser.page(t);
  assert.deepEqual(await again.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    return { count: await store.tasks.count(), integrity: await store.maintain('integrity') };
  }, name), { count: 301, integrity: ['ok'] });
});

test('importing_what_is_no_database_is_corrupt_and_changes_nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const page = await browser.page(t);
  const name = storeName();
  await fill(page, name);
  const good = await readFile(await exported(page, folder, 'good.sqlite3'));
  const damaged = Buffer.from(good);
  // Inside the first page's tree, past the header.
  damaged.fill(0xff, 100, 200);
  const files = {
    'nothing at all': Buffer.alloc(0),
    'a text': Buffer.from('this is no database, whatever its name says\n'.repeat(500)),
    'random bytes': Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7919 + (i >> 3)) & 255)),
    'only a header': good.subarray(0, 100),
    'the first half': good.subarray(0, Math.floor(good.length / 8192) * 4096),
    'not a whole number of pages': good.subarray(0, good.length - 1000),
    'a header and then zeros': Buffer.concat([good.subarray(0, 100), Buffer.alloc(good.length - 100)]),
    'a damaged first page': damaged,
  };
  const before = await page.evaluate(() => dump(store));
  for (const [what, bytes] of Object.entries(files)) {
    browser.server.files.set('bad', bytes);
    const outcome = await page.evaluate(async () => ({ ...await attempt(async () => store.importFile(await receive('bad'))), dump: await dump(store) }));
    assert.equal(outcome.dump, before, what);
    t.diagnostic(`${what}: ${refused(outcome, { code: 'CORRUPT' }).message}`);
  }

  // Databases, but not of ours: whatever code says so, nothing changes.
  const other = join(folder, 'other.sqlite3');
  sqlite(other, 'CREATE TABLE shopping (item TEXT); INSERT INTO shopping VALUES (1)');
  const newer = join(folder, 'newer.sqlite3');
  await writeFile(newer, good);
  const [{ name: migrations }] = rows(newer, "SELECT name FROM sqlite_master WHERE name = 'schema_migrations'");
  const columns = rows(newer, `PRAGMA table_info(${migrations})`);
  sqlite(newer, `INSERT INTO ${migrations} SELECT ${columns.map(({ name }) => (name === 'version' ? 'max(version) + 1000' : name)).join(', ')} FROM ${migrations}`);
  for (const file of [other, newer]) {
    browser.server.files.set('bad', await readFile(file));
    const outcome = await page.evaluate(async () => ({ ...await attempt(async () => store.importFile(await receive('bad'))), dump: await dump(store) }));
    refused(outcome, { code: file === other ? 'INVALID_ARGUMENT' : 'MIGRATION' });
    assert.equal(outcome.dump, before);
  }

  const usable = await page.evaluate(async () => {
    await store.tasks.add({ id: 'still works', taskType: 'x', payload: 1 });
    return store.maintain('integrity');
  });
  assert.deepEqual(usable, ['ok']);
  await browser.reload(page);
  assert.equal(await page.evaluate(async (name) => (await SwarmStore.open(name)).tasks.count(), name), 302);
});

test('an_import_that_is_killed_leaves_the_old_or_the_new_state', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { mayFail: true });
  await fill(page, name);
  await page.evaluate(async () => {
    const other = await SwarmStore.open('memory:');
    await other.tasks.addMany(Array.from({ length: 2000 }, (_, i) => ({ id: `n${i}`, taskType: 'x', payload: 'x'.repeat(5000) })));
    globalThis.file = await other.exportFile();
  });
  const importing = page.evaluate(() => {
    void store.importFile(file);
    return new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
  });
  await importing;
  await browser.kill();
  await browser.launch();
  const again = await browser.page(t);
  const found = await again.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    return { count: await store.tasks.count(), integrity: await store.maintain('integrity') };
  }, name);
  assert.deepEqual(found.integrity, ['ok']);
  assert.ok([301, 2000].includes(found.count), `${found.count} tasks: neither the old state nor the new one`);
});
