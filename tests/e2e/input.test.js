// Bad input: a clear error, nothing written, and the store still works.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

for (const through of ['directly', 'a port', 'a transaction']) {
  test(`bad_input_for_every_operation_is_refused_and_nothing_written (${through})`, async (t) => {
    const page = await browser.page(t, { path: '/pages/bad-input.html' });
    const seen = await page.evaluate(async ([name, through]) => {
      const owner = await SwarmStore.open(name);
      const tokens = await badInput.prepare(owner);
      let outcome;
      if (through === 'directly') outcome = await badInput.run(owner, owner, tokens);
      if (through === 'a port') outcome = await badInput.run(await SwarmStore.connect(owner.port()), owner, tokens);
      if (through === 'a transaction') {
        // What is judged is what the transaction itself sees.
        outcome = await owner.transaction((tx) => badInput.run(tx, tx, tokens), { timeout: 600_000 });
      }
      const { OPERATIONS } = await import('/parts/operations.js');
      const task = await owner.tasks.add({ id: 'good', taskType: 'good', payload: { fine: true } });
      const [claimed] = await owner.tasks.claim('ada', { types: ['good'] });
      await owner.tasks.complete(claimed.id, claimed.leaseToken, { by: task.id });
      return {
        ...outcome,
        operations: OPERATIONS.map(([operation]) => operation),
        status: (await owner.tasks.get('good')).status,
        integrity: await owner.maintain('integrity'),
      };
    }, [storeName(), through]);
    assert.deepEqual(seen.wrong, []);
    assert.deepEqual(seen.called.map(([operation]) => operation).sort(), [...seen.operations].sort(), 'every operation was tried');
    t.diagnostic(`${seen.called.reduce((sum, [, count]) => sum + count, 0)} calls of ${seen.operations.length} operations`);
    assert.deepEqual([seen.status, seen.integrity], ['completed', ['ok']]);
  });
}

test('after_close_every_operation_is_closed', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const owner = await SwarmStore.open(name);
    const connected = await SwarmStore.connect(owner.port());
    const open = await SwarmStore.connect(owner.port());
    let ended;
    await owner.transaction((tx) => {
      ended = tx;
    });
    const { OPERATIONS } = await import('/parts/operations.js');
    const every = async (store) => {
      const codes = {};
      for (const [operation] of OPERATIONS) {
        const [namespace, method] = operation.split('.');
        codes[operation] = (await attempt(() => store[namespace][method]('x', 'x'))).error?.code;
        codes[`${operation} with nonsense`] = (await attempt(() => store[namespace][method](NaN, 1n))).error?.code;
      }
      for (const method of ['query', 'batch', 'transaction', 'port', 'flush', 'exportFile', 'importFile', 'health', 'maintain', 'persist', 'persisted', 'estimate']) {
        if (store[method]) codes[method] = (await attempt(() => store[method]('SELECT 1'))).error?.code;
      }
      return codes;
    };
    const codes = { transaction: await every(ended) };
    await connected.close();
    codes.connection = await every(connected);
    const goesOn = await open.tasks.count();
    await owner.close();
    codes.owner = await every(owner);
    codes.port = await every(open);
    await Promise.all([owner.close(), connected.close(), open.close()]);
    return { codes, goesOn, closed: [owner.closed, connected.closed, open.closed] };
  }, storeName());
  for (const [which, codes] of Object.entries(seen.codes)) {
    for (const [call, code] of Object.entries(codes)) assert.equal(code, 'CLOSED', `${call} after the end of the ${which}`);
  }
  assert.deepEqual([seen.goesOn, seen.closed], [0, [true, true, true]]);
});

test('a_query_only_reads', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
    const before = await dump(store);
    const outcomes = {};
    for (const sql of [
      'DELETE FROM tasks',
      'INSERT INTO tasks SELECT * FROM tasks',
      "UPDATE tasks SET id = 'b' RETURNING id",
      'WITH x AS (SELECT 1) DELETE FROM tasks',
      'DROP TABLE tasks',
      'CREATE TABLE x (a)',
      'CREATE TEMP TABLE x (a)',
      'VACUUM',
      "VACUUM INTO 'elsewhere.db'",
      "ATTACH ':memory:' AS other",
      'PRAGMA journal_mode = WAL',
      'PRAGMA journal_mode = OFF',
      'PRAGMA foreign_keys = OFF',
      'PRAGMA writable_schema = ON',
      'PRAGMA user_version = 7',
      'PRAGMA locking_mode = EXCLUSIVE',
      'PRAGMA query_only = OFF',
      'BEGIN',
      'COMMIT',
      'SAVEPOINT x',
      'SELECT 1; DELETE FROM tasks',
      'SELEC 1',
      'SELECT nothing FROM tasks',
      'SELECT ?1, ?2',
      '',
      '-- nothing',
    ]) outcomes[sql] = await attempt(() => store.query(sql, ['one']));
    outcomes['too many parameters'] = await attempt(() => store.query('SELECT 1', ['one', 'two']));
    outcomes['an integer that JavaScript cannot hold'] = await attempt(() => store.query('SELECT 9007199254740993 AS n'));
    const write = await attempt(async () => (await store.tasks.add({ id: 'b', taskType: 'x', payload: 1 })).id);
    await store.tasks.delete('b');
    return {
      outcomes,
      same: await dump(store) === before,
      write,
      values: await store.query('SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d, ?5 AS e', [null, 9007199254740991, 0.5, 'ü\u0000😀', Uint8Array.of(1, 0, 255)]).then(([row]) => ({ ...row, e: [...row.e] })),
      integrity: await store.maintain('integrity'),
    };
  }, storeName());
  for (const [sql, outcome] of Object.entries(seen.outcomes)) {
    assert.ok(outcome.error, `${sql} was accepted, and answered ${JSON.stringify(outcome.value)}`);
    refused(outcome, { code: 'INVALID_ARGUMENT' });
  }
  assert.equal(seen.same, true);
  assert.deepEqual(seen.write, { value: 'b' });
  assert.deepEqual(seen.values, { a: null, b: 9007199254740991, c: 0.5, d: 'ü\u0000😀', e: [1, 0, 255] });
  assert.deepEqual(seen.integrity, ['ok']);
});

test('good_input_at_the_edges_is_kept_exactly', async (t) => {
  const name = storeName();
  const page = await browser.page(t);
  const write = async ([name, again]) => {
    const store = await SwarmStore.open(name, { storage: 'indexeddb' });
    let deep = [];
    for (let i = 1; i < 128; i += 1) deep = i % 2 ? { a: deep } : [deep];
    const rows = [
      { id: 'x'.repeat(255), taskType: '', payload: null },
      { id: 'ü😀"\\/\n\u2028', taskType: 'ü\u0001', payload: 'ü\u0000\u0001\u2028😀"\\' },
      { id: 'deep', taskType: 'x', payload: deep },
      { id: 'numbers', taskType: 'x', payload: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 5e-324, 0.1, 1e-7, 123456789.125, 0] },
      { id: 'keys', taskType: 'x', payload: { '': 1, ' ': 2, 'ü😀': 3, a: { b: {} }, zz: [] } },
      { id: 'proto', taskType: 'x', payload: JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') },
      { id: 'time', taskType: 'x', payload: 1, runAt: new Date(8.64e15) },
      { id: 'past', taskType: 'x', payload: 1, runAt: -1 },
    ];
    if (!again) await store.tasks.addMany(rows);
    const found = [];
    for (const row of rows) {
      const stored = await store.tasks.get(row.id);
      found.push([JSON.stringify(stored.payload) === JSON.stringify(row.payload) && stored.taskType === row.taskType && stored.id === row.id, stored.id.slice(0, 10), stored.runAt]);
    }
    await store.close();
    return found;
  };
  for (const again of [false, true]) {
    const found = await page.evaluate(write, [name, again]);
    assert.deepEqual(found.map(([same]) => same), found.map(() => true), JSON.stringify(found));
    assert.equal(found.at(-2)[2], 8.64e15);
    assert.equal(found.at(-1)[2], -1);
    await browser.reload(page);
  }
});

test('a_value_that_is_too_large_is_refused', async (t) => {
  const page = await browser.page(t);
  const outcomes = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name, { limits: { maxJsonBytes: 1000 } });
    const payload = (bytes) => ({ id: `t${bytes}`, taskType: 'x', payload: 'x'.repeat(bytes - 2) });
    return [await attempt(() => store.tasks.add(payload(1001))), await attempt(async () => (await store.tasks.add(payload(1000))).id), await store.tasks.count()];
  }, storeName());
  refused(outcomes[0], { code: 'INVALID_ARGUMENT', field: 'payload' });
  assert.deepEqual(outcomes.slice(1), [{ value: 't1000' }, 1]);
});

test('an_open_with_a_bad_option_is_refused_by_the_module_as_well', async (t) => {
  const page = await browser.page(t);
  const outcomes = await page.evaluate(async (name) => {
    const outcomes = {};
    for (const [field, value] of Object.entries({ syncInterval: [0, -1, '250', 1.5], limits: [7, { maxJsonBytes: 0 }, { maxJsonBytes: -1 }, { maxJsonBytes: '1' }, { colour: 'red' }] })) {
      for (const each of value) outcomes[`${field}: ${JSON.stringify(each)}`] = await attempt(() => SwarmStore.open(name, { [field]: each }));
    }
    return { ...outcomes, databases: (await indexedDB.databases()).some((database) => database.name === `swarmstore:${name}`) };
  }, storeName());
  const { databases, ...rest } = outcomes;
  for (const [what, outcome] of Object.entries(rest)) assert.equal(outcome.error?.code, 'INVALID_ARGUMENT', `${what} was accepted`);
  assert.equal(databases, false, 'nothing was made');
});
