// What works the same directly and through a port.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { control, deferred, open, rejects, refusal, SwarmStoreError } from './support.js';

for (const through of ['directly', 'a port', 'a port of a port']) {
  const it = (name, body) => test(`${name} (${through})`, body);
  const opened = async (t, options) => {
    if (through !== 'a port of a port') return open(t, { through, ...options });
    const { SwarmStore } = await import('./support.js');
    const middle = await open(t, { through: 'a port', ...options });
    const store = await SwarmStore.connect(middle.port());
    t.after(() => store.close().catch(() => {}));
    return store;
  };

  it('reads_and_writes_answer', async (t) => {
    const store = await opened(t);
    const row = { id: 'a', payload: { text: 'ü😀', list: [1, null] }, runAt: 5 };
    assert.deepEqual(await store.tasks.add({ ...row, runAt: new Date(5) }), row);
    assert.deepEqual(await store.tasks.get('a'), row);
    assert.equal(await store.tasks.get('b'), undefined);
    assert.deepEqual(await store.tasks.list(), [row]);
    assert.deepEqual(await store.events.readAll({ limit: 5 }), []);
  });

  it('errors_arrive_whole', async (t) => {
    const store = await opened(t);
    await store.tasks.add({ id: 'a' });
    const error = await rejects(store.tasks.addMany([{ id: 'b' }, { id: 'a' }]), { code: 'CONFLICT', table: 'tasks', id: 'a', index: 1 });
    assert.ok(error instanceof SwarmStoreError);
    const caused = await rejects(store.tasks.complete('a', 't'), { code: 'LEASE_LOST' });
    assert.equal(caused.cause.name, 'QuotaExceededError');
  });

  it('bad_input_is_refused_before_anything_is_asked', async (t) => {
    const store = await opened(t);
    control.lastText = undefined;
    await rejects(store.tasks.add({ id: 'a', payload: { x: [NaN] } }), { code: 'INVALID_ARGUMENT', field: 'payload.x[0]' });
    assert.equal(control.lastText, undefined);
  });

  it('a_batch_answers_what_its_operations_answer', async (t) => {
    const store = await opened(t);
    assert.deepEqual(await store.batch([['tasks.add', { id: 'a' }], ['tasks.get', 'a'], ['tasks.get', 'b'], ['tasks.count']]), [
      { id: 'a' },
      { id: 'a' },
      undefined,
      1,
    ]);
    assert.deepEqual(await store.batch([]), []);
  });

  it('an_error_of_a_batch_names_the_operation_and_nothing_is_written', async (t) => {
    const store = await opened(t);
    await rejects(store.batch([['tasks.add', { id: 'a' }], ['tasks.add', { id: 'a' }]]), { code: 'CONFLICT', index: 1 });
    await rejects(store.batch([['tasks.add', { id: 'a' }], ['tasks.explode']]), { code: 'INVALID_ARGUMENT', index: 1, message: /explode/ });
    await rejects(store.batch([['tasks.add', { id: 'a' }], ['tasks.add', { payload: NaN }]]), { code: 'INVALID_ARGUMENT', index: 1, field: 'payload' });
    await rejects(store.batch([['tasks.complete', 'a', 't', new Date()]]), { code: 'INVALID_ARGUMENT', index: 0, field: 'result' });
    for (const bad of [undefined, 'tasks.add', ['tasks.add'], [[]], [[7]], [null]]) {
      await rejects(store.batch(bad), { code: 'INVALID_ARGUMENT' });
    }
    assert.equal(await store.tasks.count(), 0);
  });

  it('a_query_answers_rows_and_checks_its_parameters', async (t) => {
    const store = await opened(t);
    assert.deepEqual(await store.query('SELECT 1'), [{ sql: 'SELECT 1', params: 0, rows: 0 }]);
    assert.equal((await store.query('SELECT ?1', [null, 1.5, 'x', Uint8Array.of(1)]))[0].params, 4);
    for (const [value, field] of [[7], [undefined], ['\ud800']].map(([sql]) => [[sql], 'sql'])) {
      await rejects(store.query(...value), { code: 'INVALID_ARGUMENT', field });
    }
    await rejects(store.query('SELECT 1', 'x'), { code: 'INVALID_ARGUMENT', field: 'params' });
    for (const value of [NaN, 2 ** 53, 1n, undefined, true, {}, [], new Date(), '\udc00', Symbol('s'), new Uint16Array(1)]) {
      await rejects(store.query('SELECT ?1', ['fine', value]), { code: 'INVALID_ARGUMENT', field: 'params[1]' });
    }
  });

  it('the_whole_database_goes_out_and_in_as_a_blob', async (t) => {
    const store = await opened(t);
    await store.tasks.add({ id: 'a' });
    const file = await store.exportFile();
    assert.ok(file instanceof Blob);
    await store.tasks.add({ id: 'b' });
    await store.importFile(file);
    assert.equal(await store.tasks.count(), 1);
    for (const bad of [undefined, null, 'x', {}, new ArrayBuffer(4)]) {
      await rejects(store.importFile(bad), { code: 'INVALID_ARGUMENT', field: 'file' });
    }
  });

  it('flush_health_and_maintain_answer', async (t) => {
    const store = await opened(t);
    assert.equal(await store.flush(), undefined);
    assert.deepEqual(await store.health(), { healthy: true, problems: [] });
    assert.deepEqual(await store.maintain('integrity'), ['ok']);
    await rejects(store.maintain(7), { code: 'INVALID_ARGUMENT', field: 'what' });
    await rejects(store.maintain('vacuum'), { code: 'INVALID_ARGUMENT', field: 'what' });
    await rejects(store.estimate(), { code: 'UNSUPPORTED' });
  });

  it('a_transaction_answers_what_its_body_answers', async (t) => {
    const store = await opened(t);
    const answer = await store.transaction(async (tx) => {
      await tx.tasks.add({ id: 'a' });
      return { seen: await tx.tasks.count() };
    });
    assert.deepEqual(answer, { seen: 1 });
    assert.equal(await store.tasks.count(), 1);
    assert.equal(await store.transaction(() => 7), 7);
  });

  it('a_transaction_sees_its_own_writes_and_nobody_else_does', async (t) => {
    const store = await opened(t);
    await store.transaction(async (tx) => {
      await tx.tasks.add({ id: 'a' });
      assert.equal(await tx.tasks.count(), 1);
      assert.equal((await tx.query('SELECT 1'))[0].rows, 1);
      assert.equal(await store.tasks.count(), 0);
      assert.equal((await store.query('SELECT 1'))[0].rows, 0);
    });
    assert.equal(await store.tasks.count(), 1);
  });

  it('a_throw_rolls_back_and_comes_out_unchanged', async (t) => {
    const store = await opened(t);
    for (const thrown of [new Error('mine'), 'text', undefined, null, 0, { code: 'CLOSED' }]) {
      for (const body of [
        async (tx) => {
          await tx.tasks.add({ id: 'a' });
          throw thrown;
        },
        (tx) => {
          void tx.tasks.add({ id: 'a' });
          throw thrown;
        },
      ]) {
        const outcome = await store.transaction(body).then(() => assert.fail('resolved'), (reason) => ({ reason }));
        assert.equal(outcome.reason, thrown);
        assert.equal(await store.tasks.count(), 0);
      }
    }
  });

  it('a_failed_operation_may_be_caught_and_the_transaction_goes_on', async (t) => {
    const store = await opened(t);
    await store.transaction(async (tx) => {
      await tx.tasks.add({ id: 'a' });
      await rejects(tx.tasks.add({ id: 'a' }), { code: 'CONFLICT' });
      await rejects(tx.tasks.add({ id: 'b', payload: 1n }), { code: 'INVALID_ARGUMENT', field: 'payload' });
      await tx.tasks.add({ id: 'c' });
    });
    assert.equal(await store.tasks.count(), 2);
  });

  it('an_operation_that_was_not_awaited_is_part_of_the_transaction', async (t) => {
    const store = await opened(t);
    let pending;
    await store.transaction((tx) => {
      pending = tx.tasks.add({ id: 'a' });
    });
    assert.deepEqual(await pending, { id: 'a' });
    assert.equal(await store.tasks.count(), 1);
  });

  it('what_is_asked_of_a_transaction_after_its_end_is_closed', async (t) => {
    const store = await opened(t);
    let kept;
    await store.transaction(async (tx) => {
      kept = tx;
    });
    await rejects(kept.tasks.add({ id: 'a' }), { code: 'CLOSED', message: /transaction has ended/ });
    await rejects(kept.tasks.add({ payload: NaN }), { code: 'CLOSED' });
    await rejects(kept.query('SELECT 1'), { code: 'CLOSED', message: /transaction has ended/ });
    await assert.rejects(store.transaction(async (tx) => {
      kept = tx;
      throw new Error('mine');
    }));
    await rejects(kept.tasks.count(), { code: 'CLOSED', message: /transaction has ended/ });
  });

  it('a_transaction_offers_its_services_and_nothing_else', async (t) => {
    const store = await opened(t);
    await store.transaction(async (tx) => {
      assert.deepEqual(Object.keys(tx), ['agents', 'tasks', 'events']);
      for (const name of ['transaction', 'batch', 'close', 'flush', 'port', 'importFile']) assert.equal(tx[name], undefined, name);
    });
  });

  it('transactions_take_turns', async (t) => {
    const store = await opened(t);
    const order = [];
    await Promise.all([1, 2, 3].map((n) => store.transaction(async (tx) => {
      order.push(`begin ${n}`);
      await tx.tasks.add({ id: `${n}` });
      await new Promise(setImmediate);
      order.push(`end ${n}`);
    })));
    assert.deepEqual(order, [1, 2, 3].flatMap((n) => [`begin ${n}`, `end ${n}`]));
    assert.equal(await store.tasks.count(), 3);
  });

  it('a_body_that_never_settles_is_rolled_back_by_the_timeout', async (t) => {
    const store = await opened(t);
    let kept;
    const never = store.transaction(async (tx) => {
      kept = tx;
      await tx.tasks.add({ id: 'a' });
      await new Promise(() => {});
    }, { timeout: 20 });
    await rejects(never, { code: 'TIMEOUT', retryable: true, message: /20 ms/ });
    await rejects(kept.tasks.add({ id: 'b' }), { code: 'CLOSED', message: /transaction has ended/ });
    assert.equal(await store.tasks.count(), 0);
    await store.transaction((tx) => tx.tasks.add({ id: 'next' }));
  });

  it('the_default_timeout_is_that_of_the_store', async (t) => {
    const store = await opened(t, { transactionTimeout: 20 });
    await rejects(store.transaction(() => new Promise(() => {})), { code: 'TIMEOUT', message: /20 ms/ });
  });

  it('using_the_store_inside_the_body_ends_as_a_timeout', async (t) => {
    const store = await opened(t, { storage: 'indexeddb' });
    let inner;
    await rejects(store.transaction(async () => {
      inner = store.tasks.add({ id: 'a' });
      await inner;
    }, { timeout: 20 }), { code: 'TIMEOUT', message: /use tx, not the store/ });
    assert.deepEqual(await inner, { id: 'a' });
  });

  it('waiting_for_its_turn_does_not_count', async (t) => {
    const store = await opened(t);
    const released = deferred();
    const first = store.transaction(() => released.promise);
    // A clock of its own, so that a busy machine does not use up the time of the second one.
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const second = store.transaction((tx) => tx.tasks.add({ id: 'b' }), { timeout: 20 });
    for (let i = 0; i < 20; i += 1) await new Promise(setImmediate);
    t.mock.timers.tick(1000);
    released.resolve();
    await first;
    assert.deepEqual(await second, { id: 'b' });
  });

  it('a_commit_that_fails_rejects_with_its_error', async (t) => {
    const store = await opened(t);
    for (const [code, committed, rollbacks, count] of [['QUOTA', true, 0, 1], ['CONSTRAINT', undefined, 1, 1]]) {
      control.commitError = refusal(code, { committed });
      const before = control.rollbacks;
      await rejects(store.transaction((tx) => tx.tasks.add({ id: code })), { code, committed });
      control.commitError = undefined;
      assert.equal(control.rollbacks - before, rollbacks);
      assert.equal(await store.tasks.count(), count);
    }
  });

  it('the_durability_goes_with_the_commit_and_options_are_checked', async (t) => {
    const store = await opened(t);
    await store.transaction(() => 1, { durability: 'strict' });
    assert.equal(control.lastDurability, 'strict');
    await store.transaction(() => 1);
    assert.equal(control.lastDurability, undefined);
    for (const [options, field] of [
      [{ durability: 'sometimes' }, 'durability'],
      [{ timeout: 0 }, 'timeout'],
      [{ timeout: Infinity }, 'timeout'],
      [{ actor: 'me' }, 'actor'],
      [7, 'options'],
    ]) {
      await rejects(store.transaction(() => 1, options), { code: 'INVALID_ARGUMENT', field });
    }
    await rejects(store.transaction('SELECT 1'), { code: 'INVALID_ARGUMENT', field: 'body' });
  });

  it('a_failed_transaction_makes_no_unhandled_rejection_of_its_own', async (t) => {
    const store = await opened(t);
    const unhandled = [];
    const note = (reason) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    t.after(() => process.off('unhandledRejection', note));
    const late = deferred();
    await rejects(store.transaction(() => late.promise, { timeout: 20 }), { code: 'TIMEOUT' });
    late.reject(new Error('too late to matter'));
    await assert.rejects(store.transaction(async () => {
      throw new Error('mine');
    }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(unhandled, []);
  });
}
