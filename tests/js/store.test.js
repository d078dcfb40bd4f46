import assert from 'node:assert/strict';
import { test } from 'node:test';
import { control, deferred, load, open, rejects, refusal, SwarmStore, throws } from './support.js';

const memory = { storage: 'memory' };

test('a_failed_load_of_the_module_is_unavailable_and_the_next_open_tries_again', async (t) => {
  control.initError = new Error('HTTP 503');
  const error = await rejects(SwarmStore.open('x', memory), { code: 'UNAVAILABLE', retryable: true, message: /HTTP 503/ });
  assert.equal(error.cause.message, 'HTTP 503');
  control.initError = undefined;
  await open(t);
});

test('the_module_is_loaded_once_for_concurrent_opens', async (t) => {
  const { SwarmStore: Fresh } = await load('node.js?fresh');
  const before = control.initialised;
  const stores = await Promise.all(['a', 'b', 'c'].map((name) => Fresh.open(name, memory)));
  t.after(() => stores.forEach((store) => store.close()));
  assert.equal(control.initialised, before + 1);
});

test('a_store_has_a_name_a_storage_and_its_services', async (t) => {
  const store = await SwarmStore.open('demo', memory);
  t.after(() => store.close());
  assert.deepEqual([store.name, store.storage, store.closed], ['demo', 'memory', false]);
  assert.deepEqual(Object.keys(store), ['agents', 'tasks', 'events']);
  assert.throws(() => {
    store.tasks = undefined;
  }, TypeError);
  assert.throws(() => new SwarmStore(), TypeError);
});

test('the_name_may_carry_the_storage', async (t) => {
  for (const [name, options, expected] of [
    ['memory:a', undefined, ['a', 'memory']],
    ['memory:', undefined, ['memory', 'memory']],
    ['memory:a', { storage: 'memory' }, ['a', 'memory']],
    ['indexeddb:b', undefined, ['b', 'indexeddb']],
    ['indexeddb:b:c', { storage: 'indexeddb' }, ['b:c', 'indexeddb']],
    ['c', undefined, ['c', 'indexeddb']],
    ['d', { storage: 'memory' }, ['d', 'memory']],
  ]) {
    const store = await SwarmStore.open(name, options);
    t.after(() => store.close());
    assert.deepEqual([store.name, store.storage], expected);
  }
});

test('a_bad_name_or_option_is_refused_and_named', async () => {
  const controller = {};
  for (const [name, options, field, code = 'INVALID_ARGUMENT'] of [
    ['', {}, 'name'],
    [undefined, {}, 'name'],
    [7, {}, 'name'],
    ['\ud800', {}, 'name'],
    ['indexeddb:', {}, 'name'],
    ['sqlite:/tmp/x', {}, 'name', 'UNSUPPORTED'],
    ['postgres://host/db', {}, 'name', 'UNSUPPORTED'],
    ['memory:a', { storage: 'indexeddb' }, 'storage'],
    ['indexeddb:a', { storage: 'memory' }, 'storage'],
    ['a', { storage: 'opfs' }, 'storage'],
    ['a', { durability: 'eventual' }, 'durability'],
    ['a', { syncInterval: NaN }, 'syncInterval'],
    ['a', { limits: { maxJsonBytes: 2 ** 53 } }, 'limits.maxJsonBytes'],
    ['a', { transactionTimeout: 0 }, 'transactionTimeout'],
    ['a', { transactionTimeout: 2 ** 31 }, 'transactionTimeout'],
    ['a', { transactionTimeout: '5' }, 'transactionTimeout'],
    ['a', { onFlushError: 'log' }, 'onFlushError'],
    ['a', { clock: 5 }, 'clock'],
    ['a', { signal: controller }, 'signal'],
    ['a', { readOnly: 'yes' }, 'readOnly'],
    ['a', { actor: 'me' }, 'actor'],
    ['a', null, 'options'],
    ['a', [], 'options'],
    ['a', 'memory', 'options'],
  ]) {
    await rejects(SwarmStore.open(name, options), { code, field });
  }
});

test('options_that_are_undefined_are_as_if_not_given', async (t) => {
  const store = await SwarmStore.open('u', { ...memory, readOnly: undefined, durability: undefined, signal: undefined });
  t.after(() => store.close());
  assert.deepEqual(control.opened.at(-1), { options: { name: 'u', storage: 'memory' }, hooks: {} });
});

test('what_the_rust_side_judges_is_passed_on', async (t) => {
  const passed = { durability: 'relaxed', syncInterval: 100, limits: { maxJsonBytes: 5 }, readOnly: true };
  const store = await SwarmStore.open('p', { ...memory, ...passed, transactionTimeout: 5 });
  t.after(() => store.close());
  assert.deepEqual(control.opened.at(-1).options, { ...passed, storage: 'memory', name: 'p' });
});

test('an_error_of_opening_is_passed_on', async () => {
  await rejects(SwarmStore.open('locked'), { code: 'LOCKED', retryable: true });
});

test('an_aborted_signal_stops_opening', async () => {
  const reason = new Error('enough');
  const opened = control.opened.length;
  const error = await rejects(SwarmStore.open('x', { ...memory, signal: AbortSignal.abort(reason) }), { code: 'ABORTED' });
  assert.equal(error.cause, reason);
  assert.equal(control.opened.length, opened);
});

test('an_open_that_is_aborted_on_its_way_is_closed_again', async () => {
  const controller = new AbortController();
  const opened = deferred();
  control.beforeOpened = opened.promise;
  const opening = SwarmStore.open('slow', { ...memory, signal: controller.signal });
  await new Promise(setImmediate);
  controller.abort();
  await rejects(opening, { code: 'ABORTED' });
  const closes = control.closes;
  opened.resolve();
  control.beforeOpened = undefined;
  await new Promise(setImmediate);
  assert.equal(control.closes, closes + 1);
});

test('a_signal_goes_on_to_the_rust_side', async (t) => {
  const { signal } = new AbortController();
  await open(t, { signal });
  assert.equal(control.opened.at(-1).hooks.signal, signal);
});

test('the_store_cannot_be_entered_from_its_clock', async (t) => {
  let inside;
  let store;
  store = await open(t, { clock: () => {
    inside ??= store && store.tasks.count();
    return 5;
  } });
  await store.tasks.count();
  await rejects(inside, { code: 'INVALID_ARGUMENT', field: 'clock' });
  assert.equal(await store.tasks.count(), 0);
});

test('a_clock_that_throws_says_that_there_is_no_time_and_its_error_surfaces', async (t) => {
  const oops = new Error('no battery');
  await open(t, { clock: () => {
    throw oops;
  } });
  const surfacing = t.mock.method(globalThis, 'queueMicrotask', () => {});
  assert.ok(Number.isNaN(control.opened.at(-1).hooks.clock()));
  assert.throws(surfacing.mock.calls[0].arguments[0], oops);
});

test('a_flush_error_in_the_background_arrives_as_an_error_and_not_within_the_call', async (t) => {
  const told = deferred();
  await open(t, { onFlushError: told.resolve });
  let within = true;
  told.promise.then(() => assert.equal(within, false));
  control.opened.at(-1).hooks.onFlushError(refusal('QUOTA', { committed: true }));
  within = false;
  const error = await told.promise;
  assert.deepEqual([error.name, error.code, error.committed], ['SwarmStoreError', 'QUOTA', true]);
});

test('what_is_not_there_is_undefined', async (t) => {
  const store = await open(t);
  assert.equal(await store.tasks.get('nobody'), undefined);
});

test('a_call_that_fails_at_once_rejects_and_does_not_throw', async (t) => {
  const store = await open(t);
  await store.tasks.add({ id: 'a' });
  await rejects(store.tasks.add({ id: 'a' }), { code: 'CONFLICT', table: 'tasks', id: 'a' });
  await rejects(store.tasks.addMany([{ id: 'b' }, { id: 'a' }]), { code: 'CONFLICT', index: 1 });
  await rejects(store.tasks.add({ id: 'c', payload: NaN }), { code: 'INVALID_ARGUMENT', field: 'payload' });
});

test('an_error_keeps_its_cause', async (t) => {
  const store = await open(t);
  const error = await rejects(store.tasks.complete('a', 'token', { ok: true }), { code: 'LEASE_LOST', id: 'a' });
  assert.deepEqual([error.cause.name, error.cause.message], ['QuotaExceededError', 'disk full']);
});

test('after_close_every_call_is_closed', async () => {
  const store = await SwarmStore.open('c', memory);
  await store.close();
  assert.equal(store.closed, true);
  for (const call of [
    () => store.tasks.add({ id: 'a' }),
    () => store.tasks.get('a'),
    () => store.tasks.add({ payload: NaN }),
    () => store.batch([['tasks.count']]),
    () => store.batch(7),
    () => store.transaction(async () => {}),
    () => store.transaction(7),
    () => store.query('SELECT 1'),
    () => store.query(7),
    () => store.flush(),
    () => store.exportFile(),
    () => store.importFile(new Blob([])),
    () => store.importFile(7),
    () => store.health(),
    () => store.maintain('integrity'),
    () => store.persist(),
    () => store.persisted(),
    () => store.estimate(),
  ]) {
    await rejects(call(), { code: 'CLOSED' });
  }
  throws(() => store.port(), { code: 'CLOSED' });
});

test('close_is_idempotent_and_concurrent_calls_share_it', async () => {
  const store = await SwarmStore.open('c', memory);
  const first = store.close();
  assert.equal(store.close(), first);
  assert.equal(store.closed, true);
  await first;
  await store.close();
});

test('await_using_closes', async () => {
  const store = await SwarmStore.open('c', memory);
  await store[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]();
  assert.equal(store.closed, true);
});

test('a_close_that_cannot_flush_leaves_the_store_open', async (t) => {
  const store = await open(t);
  control.closeError = refusal('QUOTA', { committed: true });
  await rejects(store.close(), { code: 'QUOTA', committed: true });
  control.closeError = undefined;
  assert.equal(store.closed, false);
  assert.equal(await store.tasks.count(), 0);
  await store.close();
  assert.equal(store.closed, true);
});

test('a_close_that_fails_for_good_closes', async () => {
  const store = await SwarmStore.open('c', memory);
  const connected = await SwarmStore.connect(store.port());
  control.closeError = refusal('PERSISTENCE_LOST');
  control.closedAllTheSame = true;
  await rejects(store.close(), { code: 'PERSISTENCE_LOST' });
  control.closeError = undefined;
  control.closedAllTheSame = false;
  assert.equal(store.closed, true);
  await rejects(store.tasks.count(), { code: 'CLOSED' });
  await rejects(connected.tasks.count(), { code: 'CLOSED' });
});

test('close_waits_for_an_open_transaction_and_that_goes_on', async () => {
  const store = await SwarmStore.open('c', memory);
  const entered = deferred();
  const released = deferred();
  const transaction = store.transaction(async (tx) => {
    entered.resolve();
    await released.promise;
    return tx.tasks.add({ id: 'late' });
  });
  await entered.promise;
  let finished = false;
  const closing = store.close().then(() => {
    finished = true;
  });
  await rejects(store.tasks.count(), { code: 'CLOSED' });
  assert.equal(finished, false);
  released.resolve();
  assert.deepEqual(await transaction, { id: 'late' });
  await closing;
});

test('a_trap_poisons_every_store_of_the_instance_and_opening_again_works', async (t) => {
  const one = await open(t);
  const other = await open(t);
  const abandoned = control.abandoned;
  control.trap = new WebAssembly.RuntimeError('unreachable');
  const error = await rejects(one.tasks.count(), { code: 'INTERNAL', message: /unreachable/ });
  assert.ok(error.cause instanceof WebAssembly.RuntimeError);
  assert.equal(control.abandoned, abandoned + 2);
  for (const store of [one, other]) {
    await rejects(store.tasks.count(), { code: 'INTERNAL' });
    await rejects(store.transaction(async () => {}), { code: 'INTERNAL' });
    assert.equal(store.closed, false);
  }
  const again = await open(t);
  assert.equal(await again.tasks.count(), 0);
  await rejects(one.tasks.count(), { code: 'INTERNAL' });
  await one.close();
  await rejects(one.tasks.count(), { code: 'CLOSED' });
});

test('a_stack_overflow_within_the_module_poisons_as_well', async (t) => {
  const store = await open(t);
  control.trap = new RangeError('Maximum call stack size exceeded');
  await rejects(store.tasks.count(), { code: 'INTERNAL' });
  await rejects(store.tasks.count(), { code: 'INTERNAL' });
});

test('whoever_waits_when_a_panic_strikes_gets_internal', async (t) => {
  const store = await open(t, { storage: 'indexeddb' });
  control.hang = true;
  const waiting = store.tasks.add({ id: 'a' });
  control.hang = false;
  const entered = deferred();
  const transaction = store.transaction(() => {
    entered.resolve();
    return new Promise(() => {});
  });
  await entered.promise;
  control.openHangs = true;
  const opening = SwarmStore.open('hangs', memory);
  await new Promise(setImmediate);
  control.openHangs = false;
  control.panicHook('already borrowed');
  await rejects(waiting, { code: 'INTERNAL', message: /already borrowed/ });
  await rejects(transaction, { code: 'INTERNAL' });
  await rejects(opening, { code: 'INTERNAL' });
  await open(t);
});

test('a_transaction_that_cannot_be_rolled_back_poisons_the_store_and_its_throw_comes_out_unchanged', async (t) => {
  const store = await open(t);
  control.rollbackError = refusal('INTERNAL');
  const oops = new Error('mine');
  await assert.rejects(store.transaction(() => {
    throw oops;
  }), (error) => error === oops);
  control.rollbackError = undefined;
  await rejects(store.tasks.count(), { code: 'INTERNAL' });
});

test('an_ordinary_error_poisons_nothing', async (t) => {
  const store = await open(t);
  const abandoned = control.abandoned;
  await rejects(store.maintain('vacuum'), { code: 'INVALID_ARGUMENT', field: 'what' });
  await rejects(store.agents.heartbeat('nobody'), { code: 'NOT_FOUND' });
  assert.equal(control.abandoned, abandoned);
  assert.deepEqual(await store.maintain('integrity'), ['ok']);
});

test('destroy_and_rescue_go_by_the_bare_name', async () => {
  await SwarmStore.destroy('indexeddb:x');
  assert.equal(control.destroyed, 'x');
  assert.equal(await (await SwarmStore.rescue('y')).text(), 'y');
  await rejects(SwarmStore.destroy('memory:x'), { code: 'INVALID_ARGUMENT', field: 'name' });
  await rejects(SwarmStore.rescue(''), { code: 'INVALID_ARGUMENT', field: 'name' });
});

test('storage_of_the_origin_is_unsupported_where_there_is_none', async (t) => {
  const store = await open(t);
  for (const call of ['persist', 'persisted', 'estimate']) await rejects(store[call](), { code: 'UNSUPPORTED' });
});

test('the_versions_are_known_without_opening', () => {
  const version = SwarmStore.version();
  assert.match(version.swarmstore, /^\d+\.\d+\.\d+/);
  assert.match(version.sqlite, /^3\.\d+\.\d+$/);
});
