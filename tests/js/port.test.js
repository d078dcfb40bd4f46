import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { control, deferred, open, rejects, SwarmStore } from './support.js';

test('a_connected_store_tells_the_name_and_storage_of_its_owner', async (t) => {
  const owner = await open(t, { storage: 'indexeddb' });
  const store = await SwarmStore.connect(owner.port());
  t.after(() => store.close());
  assert.deepEqual([store.name, store.storage, store.closed], [owner.name, 'indexeddb', false]);
});

test('ports_are_served_independently', async (t) => {
  const owner = await open(t);
  const [one, two] = await Promise.all([SwarmStore.connect(owner.port()), SwarmStore.connect(owner.port())]);
  t.after(() => two.close());
  await one.tasks.add({ id: 'a' });
  await one.close();
  await rejects(one.tasks.count(), { code: 'CLOSED' });
  assert.equal(await two.tasks.count(), 1);
  assert.equal(owner.closed, false);
  assert.equal(await owner.tasks.count(), 1);
});

test('closing_the_owner_closes_all_its_ports_and_they_answer_closed', async (t) => {
  const owner = await open(t);
  const store = await SwarmStore.connect(owner.port());
  const unconnected = owner.port();
  await owner.close();
  await rejects(store.tasks.count(), { code: 'CLOSED' });
  assert.equal(store.closed, true);
  await rejects(SwarmStore.connect(unconnected), { code: 'CLOSED' });
  await store.close();
});

test('after_close_a_connected_store_is_closed_for_every_call', async (t) => {
  const store = await open(t, { through: 'a port' });
  const closing = store.close();
  assert.equal(store.close(), closing);
  await closing;
  for (const call of ['flush', 'exportFile', 'health', 'persist', 'estimate']) await rejects(store[call](), { code: 'CLOSED' });
  await rejects(store.transaction(() => 1), { code: 'CLOSED' });
  assert.throws(() => store.port(), { code: 'CLOSED' });
});

test('closing_a_connection_waits_for_what_is_under_way', async (t) => {
  const owner = await open(t, { storage: 'indexeddb' });
  const store = await SwarmStore.connect(owner.port());
  const entered = deferred();
  const released = deferred();
  const write = store.tasks.add({ id: 'a' });
  const transaction = store.transaction(async (tx) => {
    entered.resolve();
    await released.promise;
    await tx.tasks.add({ id: 'b' });
  });
  await entered.promise;
  const closing = store.close();
  await rejects(store.tasks.count(), { code: 'CLOSED' });
  released.resolve();
  await Promise.all([write, transaction, closing]);
  assert.equal(await owner.tasks.count(), 2);
});

test('a_port_connects_once', async (t) => {
  const owner = await open(t);
  const port = owner.port();
  const store = await SwarmStore.connect(port);
  t.after(() => store.close());
  await rejects(SwarmStore.connect(port), { code: 'INVALID_ARGUMENT', field: 'port' });
});

test('what_is_no_port_is_refused', async () => {
  for (const bad of [undefined, null, 7, {}, 'x']) await rejects(SwarmStore.connect(bad), { code: 'INVALID_ARGUMENT', field: 'port' });
});

test('another_version_of_the_protocol_is_refused', async (t) => {
  const owner = await open(t);
  const port = owner.port();
  t.after(() => port.close());
  const answered = new Promise((resolve) => port.addEventListener('message', (event) => resolve(event.data), { once: true }));
  port.start();
  port.postMessage({ id: 1, ask: 'hello', version: 99 });
  assert.equal((await answered).error.code, 'UNSUPPORTED');
});

test('nonsense_on_a_port_harms_nobody', async (t) => {
  const owner = await open(t);
  const port = owner.port();
  t.after(() => port.close());
  const answers = [];
  const done = new Promise((resolve) => port.addEventListener('message', ({ data }) => {
    answers.push([data.id, data.error?.code]);
    if (data.id === 4) resolve();
  }));
  port.start();
  for (const message of [
    7,
    null,
    {},
    { id: 1, ask: 'explode' },
    { id: 2, ask: 'call', name: 'tasks.explode', text: '[]' },
    { id: 3, ask: 'commit', tx: 99 },
    { ask: 'rollback', tx: 99 },
    { id: 5, ask: 'constructor' },
    { id: 6, ask: 'call', name: 'tasks.get', text: 7 },
    { id: 7, ask: 'call', name: ['tasks.get'], text: '[]' },
    { id: 8, ask: 'query', sql: 7, params: [] },
    { id: 9, ask: 'query', sql: 'SELECT 1', params: [{}] },
    { id: 10, ask: 'batch', calls: 7 },
    { id: 11, ask: 'batch', calls: [7] },
    { id: 12, ask: 'batch', calls: [['tasks.get', 7]] },
    { id: 13, ask: 'begin', tx: 1, timeout: Infinity },
    { id: 14, ask: 'maintain', argument: 7 },
    { id: 15, ask: 'importFile', argument: 7 },
    { id: 4, ask: 'constructor' },
  ]) port.postMessage(message);
  await done;
  assert.deepEqual(Object.fromEntries(answers), {
    undefined: 'UNSUPPORTED',
    1: 'UNSUPPORTED',
    2: 'UNSUPPORTED',
    3: 'CLOSED',
    4: 'UNSUPPORTED',
    5: 'UNSUPPORTED',
    6: 'INVALID_ARGUMENT',
    7: 'UNSUPPORTED',
    8: 'INVALID_ARGUMENT',
    9: 'INVALID_ARGUMENT',
    10: 'INVALID_ARGUMENT',
    11: 'INVALID_ARGUMENT',
    12: 'INVALID_ARGUMENT',
    13: 'INVALID_ARGUMENT',
    14: 'INVALID_ARGUMENT',
    15: 'INVALID_ARGUMENT',
  });
  assert.equal(await owner.tasks.count(), 0);
});

test('a_worker_that_dies_in_a_transaction_gives_the_turn_back', async (t) => {
  const owner = await open(t, { transactionTimeout: 60_000 });
  const port = owner.port();
  const url = new URL('node.js', control.url).href;
  const worker = new Worker(`
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.url).then(async ({ SwarmStore }) => {
      const store = await SwarmStore.connect(workerData.port);
      await store.transaction(async (tx) => {
        await tx.tasks.add({ id: 'half' });
        parentPort.postMessage('inside');
        await new Promise(() => {});
      });
    });
    setInterval(() => {}, 1000);
  `, { eval: true, workerData: { url, port }, transferList: [port] });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const waiting = owner.transaction((tx) => tx.tasks.count());
  await worker.terminate();
  assert.equal(await waiting, 0);
});

test('closing_the_owner_reaches_whoever_is_connected_to_a_connected_store', async (t) => {
  const owner = await open(t);
  const middle = await SwarmStore.connect(owner.port());
  const far = await SwarmStore.connect(middle.port());
  assert.equal(await far.tasks.count(), 0);
  await owner.close();
  await rejects(far.tasks.count(), { code: 'CLOSED' });
  const other = await open(t);
  const between = await SwarmStore.connect(other.port());
  const end = await SwarmStore.connect(between.port());
  await between.close();
  await rejects(end.tasks.count(), { code: 'CLOSED' });
  assert.deepEqual([far.closed, end.closed], [true, true]);
});

test('a_transaction_that_waits_for_its_turn_when_the_connection_goes_is_closed', async (t) => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const owner = await open(t);
  const port = owner.port();
  const store = await SwarmStore.connect(port);
  const released = deferred();
  const first = owner.transaction(() => released.promise);
  const waiting = store.transaction(() => 1);
  await new Promise(setImmediate);
  port.close();
  await rejects(waiting, { code: 'CLOSED' });
  released.resolve();
  await first;
  await owner.transaction(() => 1, { timeout: 1000 });
  await new Promise(setImmediate);
  assert.deepEqual(unhandled, []);
});

test('a_commit_that_crosses_the_timeout_on_its_way_is_a_timeout_or_done', async (t) => {
  const owner = await open(t);
  const store = await SwarmStore.connect(owner.port());
  for (let i = 0; i < 5; i += 1) {
    const before = await owner.tasks.count();
    const outcome = await store.transaction((tx) => {
      void tx.tasks.add({ id: `t${i}` }).catch(() => {});
      const until = performance.now() + 30;
      while (performance.now() < until);
    }, { timeout: 15 }).then(() => 'done', (error) => error.code);
    assert.ok(['done', 'TIMEOUT'].includes(outcome), outcome);
    assert.equal(await owner.tasks.count(), before + (outcome === 'done' ? 1 : 0));
  }
});

test('a_panic_of_the_owner_reaches_the_port', async (t) => {
  const owner = await open(t);
  const store = await SwarmStore.connect(owner.port());
  const entered = deferred();
  const transaction = store.transaction(() => {
    entered.resolve();
    return new Promise(() => {});
  });
  await entered.promise;
  control.trap = new WebAssembly.RuntimeError('unreachable');
  await rejects(store.tasks.count(), { code: 'INTERNAL' });
  await rejects(transaction, { code: 'INTERNAL' });
  await rejects(store.tasks.count(), { code: 'INTERNAL' });
});
