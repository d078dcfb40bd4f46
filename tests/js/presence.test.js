// A connection whose other end is gone without a word, which only its Web Lock tells.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webLocks } from './locks.js';
import { deferred, open, rejects, SwarmStore } from './support.js';

/** The version of the port's protocol. */
const protocol = 2;

/** Longer than any test waits: whoever is let in before was not let in by a timeout. */
const patient = { transactionTimeout: 60_000 };

/** The only lock that is held, once it is waited for as well. */
async function only(locks) {
  await until(() => locks.awaited.length > 0);
  assert.equal(locks.held.size, 1);
  assert.deepEqual(locks.awaited, [...locks.held.keys()]);
  return locks.awaited[0];
}

/** When nobody holds a lock or waits for one. */
const none = (locks) => until(() => locks.held.size + locks.awaited.length === 0);

/** A transaction that never comes to its end. Resolves when it is open. */
async function stuck(store) {
  const entered = deferred();
  const outcome = store.transaction(async (tx) => {
    await tx.tasks.add({ id: 'half' });
    entered.resolve();
    await new Promise(() => {});
  }).then(() => 'done', (error) => error.code);
  await entered.promise;
  return { outcome };
}

/** Fails the test for a rejection that nobody handles. */
function watchRejections(t) {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(async () => {
    await settled();
    process.off('unhandledRejection', note);
    assert.deepEqual(unhandled, []);
  });
}

/** When everything that was said and asked has arrived. */
async function settled() {
  for (let i = 0; i < 20; i += 1) await new Promise(setImmediate);
}

async function until(condition) {
  const end = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < end, `it does not come to pass: ${condition}`);
    await new Promise(setImmediate);
  }
}

test('a_connection_that_is_gone_in_a_transaction_gives_the_turn_back', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const store = await SwarmStore.connect(owner.port());
  const { outcome } = await stuck(store);
  const waiting = owner.transaction((tx) => tx.tasks.count());
  locks.lose(await only(locks));
  assert.equal(await waiting, 0);
  // If it is there after all, it is told and does not wait for answers for ever.
  assert.equal(await outcome, 'CLOSED');
  assert.equal(store.closed, true);
  await none(locks);
});

test('a_connection_that_is_gone_while_it_waits_for_its_turn_never_takes_it', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const store = await SwarmStore.connect(owner.port());
  const released = deferred();
  const first = owner.transaction(() => released.promise);
  const waiting = rejects(store.transaction(() => 1), { code: 'CLOSED' });
  await settled();
  locks.lose(await only(locks));
  await waiting;
  released.resolve();
  await first;
  assert.equal(await owner.transaction((tx) => tx.tasks.count()), 0);
});

test('the_other_connections_go_on_when_one_is_gone', async (t) => {
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const [one, two] = [await SwarmStore.connect(owner.port()), await SwarmStore.connect(owner.port())];
  const [first, second] = locks.held.keys();
  assert.notEqual(first, second);
  await stuck(one);
  const write = two.transaction((tx) => tx.tasks.add({ id: 'whole' }));
  locks.lose(first);
  await write;
  assert.deepEqual([one.closed, two.closed], [true, false]);
  assert.deepEqual((await two.tasks.list()).map(({ id }) => id), ['whole']);
  assert.equal(await only(locks), second);
  await two.close();
});

test('closing_a_connection_lets_go_of_its_lock', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const store = await SwarmStore.connect(owner.port());
  await only(locks);
  await store.close();
  await none(locks);
  assert.equal(await owner.tasks.count(), 0);
});

test('a_connection_that_closes_in_a_transaction_holds_its_lock_until_that_is_committed', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const store = await SwarmStore.connect(owner.port());
  const entered = deferred();
  const released = deferred();
  const transaction = store.transaction(async (tx) => {
    entered.resolve();
    await released.promise;
    await tx.tasks.add({ id: 'a' });
  });
  await entered.promise;
  const closing = store.close();
  await settled();
  await only(locks);
  released.resolve();
  await Promise.all([transaction, closing]);
  assert.equal(await owner.tasks.count(), 1);
  await none(locks);
});

test('closing_the_store_waits_for_no_lock_any_more', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const store = await SwarmStore.connect(owner.port());
  await only(locks);
  await owner.close();
  assert.deepEqual(locks.awaited, []);
  await until(() => store.closed);
  await none(locks);
});

test('a_port_that_is_connected_after_the_store_was_closed_leaves_no_lock', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const port = owner.port();
  await owner.close();
  await rejects(SwarmStore.connect(port), { code: 'CLOSED' });
  await none(locks);
});

test('a_store_that_closes_while_somebody_connects_leaves_no_lock', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const connecting = rejects(SwarmStore.connect(owner.port()), { code: 'CLOSED' });
  await until(() => locks.held.size === 1);
  await owner.close();
  await connecting;
  await none(locks);
});

test('whoever_is_gone_behind_another_connection_gives_the_turn_back', async (t) => {
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const middle = await SwarmStore.connect(owner.port());
  const [first] = locks.held.keys();
  const far = await SwarmStore.connect(middle.port());
  const [, second] = locks.held.keys();
  const { outcome } = await stuck(far);
  const write = owner.transaction((tx) => tx.tasks.count());
  locks.lose(second);
  assert.equal(await write, 0);
  assert.equal(await outcome, 'CLOSED');
  assert.equal(middle.closed, false);
  assert.equal(await middle.tasks.count(), 0);
  assert.equal(await only(locks), first);
  await middle.close();
});

test('the_transactions_of_a_connection_go_with_the_one_in_between', async (t) => {
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const middle = await SwarmStore.connect(owner.port());
  const [first] = locks.held.keys();
  const far = await SwarmStore.connect(middle.port());
  const { outcome } = await stuck(far);
  const write = owner.transaction((tx) => tx.tasks.count());
  locks.lose(first);
  assert.equal(await write, 0);
  assert.equal(await outcome, 'CLOSED');
  await none(locks);
});

test('a_lock_that_cannot_be_seen_from_here_says_nothing', async (t) => {
  // As of a page of another origin, whose locks are others.
  const locks = webLocks(t);
  const owner = await open(t, patient);
  const port = owner.port();
  const answers = [];
  const ask = (message) => new Promise((resolve) => {
    answers[message.id] = resolve;
    port.postMessage(message);
  });
  port.addEventListener('message', ({ data }) => answers[data.id]?.(data));
  port.start();
  t.after(() => port.close());
  assert.equal((await ask({ id: 1, ask: 'hello', version: protocol, lock: 'of another origin' })).value.name, owner.name);
  await settled();
  assert.deepEqual(locks.awaited, []);
  assert.equal((await ask({ id: 2, ask: 'call', name: 'tasks.count', text: '[]' })).value, '0');
  assert.equal((await ask({ id: 3, ask: 'hello', version: protocol, lock: 7 })).error.code, 'INVALID_ARGUMENT');
});

test('where_locks_are_refused_a_connection_does_without', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  locks.refusal = new DOMException('an opaque origin', 'SecurityError');
  const store = await SwarmStore.connect(owner.port());
  assert.equal(await store.tasks.count(), 0);
  await store.close();
});

test('a_lock_that_is_never_granted_is_unavailable', async (t) => {
  watchRejections(t);
  const locks = webLocks(t);
  const owner = await open(t, patient);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  locks.request = (name, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const connecting = rejects(SwarmStore.connect(owner.port()), { code: 'UNAVAILABLE' });
  t.mock.timers.tick(10_000);
  await connecting;
});
