// Stores in workers, of their own and through a port.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

for (const [kind, shared] of [['dedicated', false], ['shared', true]]) {
  test(`a_${kind}_worker_has_a_store_of_its_own`, async (t) => {
    const name = storeName();
    const page = await browser.page(t);
    const seen = await page.evaluate(async ([name, shared]) => {
      const worker = startWorker(shared);
      const outcome = await worker.ask({
        open: [name],
        run: async (store) => {
          await store.tasks.add({ id: 'a', taskType: 'x', payload: 1 });
          return { storage: store.storage, integrity: await store.maintain('integrity') };
        },
      });
      const locked = await attempt(() => SwarmStore.open(name));
      await worker.ask({ run: (store) => store.close() });
      return { outcome, locked, count: await (await SwarmStore.open(name)).tasks.count() };
    }, [name, shared]);
    assert.deepEqual(seen.outcome, { value: { storage: 'indexeddb', integrity: ['ok'] } });
    refused(seen.locked, { code: 'LOCKED' });
    assert.equal(seen.count, 1);
  });

  test(`a_${kind}_worker_gets_the_same_store_through_a_port`, async (t) => {
    const name = storeName();
    const page = await browser.page(t);
    const seen = await page.evaluate(async ([name, shared]) => {
      globalThis.store = await SwarmStore.open(name);
      const worker = startWorker(shared);
      const connected = await worker.connect(store.port());
      const work = await worker.ask({
        argument: { runAt: new Date(5) },
        run: async (store, { runAt }) => {
          await store.agents.add({ id: 'ada', agentType: 'worker' });
          await store.tasks.addMany([{ id: 'a', taskType: 'x', payload: { text: 'ü😀' }, runAt }, { id: 'b', taskType: 'x', payload: 1 }]);
          const [task] = await store.tasks.claim('ada');
          await store.tasks.complete(task.id, task.leaseToken, { by: 'ada' });
          const inTransaction = await store.transaction(async (tx) => {
            await tx.events.append({ aggregateType: 'run', aggregateId: '1' }, [{ eventType: 'done', data: {} }]);
            return [await tx.events.count(), await store.events.count()];
          });
          const batch = await store.batch([['tasks.count'], ['tasks.get', 'nobody'], ['tasks.add', { id: 'c', taskType: 'x', payload: 1 }]]);
          await store.flush();
          return {
            completed: task.id,
            inTransaction,
            batch: [batch[0], batch[1], batch[2].id],
            query: await store.query('SELECT count(*) AS n FROM tasks WHERE id <> ?1', ['a']),
            health: (await store.health()).healthy,
            integrity: await store.maintain('integrity'),
            size: (await store.exportFile()).size,
            persisted: await store.persisted(),
            names: [store.name, store.storage],
            none: await store.tasks.get('nobody'),
          };
        },
      });
      return { connected, work, here: { status: (await store.tasks.get('a')).status, runAt: (await store.tasks.get('a')).runAt, events: await store.events.count(), size: (await store.exportFile()).size } };
    }, [name, shared]);
    assert.deepEqual(seen.connected, { value: undefined });
    const { value } = seen.work;
    assert.ok(value, JSON.stringify(seen.work.error));
    assert.deepEqual(value, {
      completed: 'a',
      inTransaction: [1, 0],
      batch: [2, undefined, 'c'],
      query: [{ n: 2 }],
      health: true,
      integrity: ['ok'],
      size: seen.here.size,
      persisted: false,
      names: [name, 'indexeddb'],
      none: undefined,
    });
    assert.deepEqual([seen.here.status, seen.here.runAt, seen.here.events], ['completed', 5, 1]);
  });
}

test('errors_reach_a_worker_as_they_are', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    const worker = startWorker();
    await worker.connect(store.port());
    return Promise.all([
      worker.ask({ run: (store) => store.tasks.addMany([{ id: 'a', taskType: 'x', payload: 1 }, { id: 'a', taskType: 'x', payload: 1 }]) }),
      worker.ask({ run: (store) => store.tasks.add({ id: 'a', taskType: 'x', payload: { list: [1, NaN] } }) }),
      worker.ask({ run: (store) => store.tasks.update('nobody', { priority: 1 }) }),
      worker.ask({ run: (store) => store.events.append({ aggregateType: 'a', aggregateId: '1' }, [{ eventType: 'e', data: 1 }], { expected: 7 }) }),
      worker.ask({ run: (store) => store.query('DELETE FROM tasks') }),
      worker.ask({
        run: async (store) => {
          const mine = new TypeError('mine');
          return store.transaction(() => {
            throw mine;
          }).catch((error) => error === mine);
        },
      }),
    ]);
  }, storeName());
  refused(seen[0], { code: 'CONFLICT', table: 'tasks', id: 'a', index: 1 });
  refused(seen[1], { code: 'INVALID_ARGUMENT', field: 'payload.list[1]' });
  refused(seen[2], { code: 'NOT_FOUND', table: 'tasks', id: 'nobody' });
  refused(seen[3], { code: 'CONFLICT', actual: 0 });
  refused(seen[4], { code: 'INVALID_ARGUMENT' });
  assert.deepEqual(seen[5], { value: true });
  assert.equal(seen[0].error.ours, true);
});

test('a_worker_that_is_terminated_in_a_transaction_does_not_hold_up_the_next_writer', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name, { transactionTimeout: 600_000 });
    const worker = startWorker();
    await worker.connect(store.port());
    const begun = await worker.ask({
      run: (store) => new Promise((resolve) => {
        void store.transaction(async (tx) => {
          await tx.tasks.add({ id: 'half', taskType: 'x', payload: 1 });
          resolve('inside');
          await new Promise(() => {});
        });
      }),
    });
    const write = store.tasks.add({ id: 'waits', taskType: 'x', payload: 1 }).then(() => 'written');
    worker.terminate();
    const outcome = await Promise.race([write, new Promise((resolve) => setTimeout(resolve, 30_000, 'held up'))]);
    return { begun, outcome, ids: (await store.tasks.list()).map(({ id }) => id) };
  }, storeName());
  assert.deepEqual(seen, { begun: { value: 'inside' }, outcome: 'written', ids: ['waits'] });
});

test('a_frame_that_is_removed_in_a_transaction_does_not_hold_up_the_next_writer', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name, { transactionTimeout: 600_000 });
    const frame = document.body.appendChild(document.createElement('iframe'));
    await new Promise((resolve) => {
      frame.onload = resolve;
      frame.src = '/pages/page.html';
    });
    await frame.contentWindow.ready;
    const connected = await frame.contentWindow.SwarmStore.connect(store.port());
    await new Promise((inside) => {
      void connected.transaction(async (tx) => {
        await tx.tasks.add({ id: 'half', taskType: 'x', payload: 1 });
        inside();
        await new Promise(() => {});
      }).catch(() => {});
    });
    const write = store.tasks.add({ id: 'waits', taskType: 'x', payload: 1 }).then(() => 'written');
    frame.remove();
    const outcome = await Promise.race([write, new Promise((resolve) => setTimeout(resolve, 30_000, 'held up'))]);
    return { outcome, ids: (await store.tasks.list()).map(({ id }) => id) };
  }, storeName());
  assert.deepEqual(seen, { outcome: 'written', ids: ['waits'] });
});

test('connections_that_are_closed_leave_no_lock', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    const worker = startWorker();
    await worker.connect(store.port());
    const here = await SwarmStore.connect(store.port());
    const locks = async () => {
      const { held, pending } = await navigator.locks.query();
      const ours = (list) => list.filter(({ name }) => name.startsWith('swarmstore-port:')).length;
      return [ours(held), ours(pending)];
    };
    const gone = async (left) => {
      while (String(await locks()) !== String(left)) await new Promise((resolve) => setTimeout(resolve, 10));
      return left;
    };
    const before = await gone([2, 2]);
    await here.close();
    const one = await gone([1, 1]);
    await store.close();
    return [before, one, await gone([0, 0])];
  }, storeName());
  assert.deepEqual(seen, [[2, 2], [1, 1], [0, 0]]);
});

test('closing_the_store_closes_its_ports', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    const [connected, late] = [startWorker(), startWorker()];
    await connected.connect(store.port());
    const port = store.port();
    await connected.ask({ run: (store) => store.tasks.add({ id: 'a', taskType: 'x', payload: 1 }) });
    await store.close();
    return [await connected.ask({ run: (store) => store.tasks.count() }), await late.connect(port), await connected.ask({ run: (store) => store.closed })];
  }, storeName());
  refused(seen[0], { code: 'CLOSED' });
  refused(seen[1], { code: 'CLOSED' });
  assert.deepEqual(seen[2], { value: true });
});

test('a_swarm_of_workers_completes_every_task_exactly_once', async (t) => {
  const page = await browser.page(t);
  const seen = await page.evaluate(async (name) => {
    globalThis.store = await SwarmStore.open(name);
    await store.tasks.addMany(Array.from({ length: 200 }, (_, i) => ({ id: `t${i}`, taskType: 'x', payload: i })));
    const workers = await Promise.all(['a', 'b', 'c', 'd'].map(async (agent) => {
      const worker = startWorker();
      await worker.connect(store.port());
      await store.agents.add({ id: agent, agentType: 'worker' });
      return worker.ask({
        argument: agent,
        run: async (store, agent) => {
          let done = 0;
          for (;;) {
            const [task] = await store.tasks.claim(agent);
            if (!task) return done;
            await store.tasks.complete(task.id, task.leaseToken, { by: agent });
            done += 1;
          }
        },
      });
    }));
    return {
      done: workers.map(({ value, error }) => value ?? error),
      completed: await store.tasks.count({ where: { status: 'completed' } }),
      attempts: (await store.query('SELECT max(attempt) AS most FROM tasks'))[0].most,
    };
  }, storeName());
  assert.equal(seen.done.reduce((sum, done) => sum + done), 200, JSON.stringify(seen.done));
  assert.deepEqual([seen.completed, seen.attempts], [200, 1]);
});
