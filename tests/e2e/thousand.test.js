// A thousand tasks and eight workers who claim them at once through ports: each task done once.
//
// Every change of a task raises its version by one, so versions are a clock that all workers share: a lease that began with version 4
// and ended with version 5 was nobody else's meanwhile. Some tasks are given back and some fail at first, so that they go from
// hand to hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

const TASKS = 1_000;
const WORKERS = 8;

for (const durability of ['durable', 'relaxed']) {
  test(`eight_workers_do_each_of_a_thousand_tasks_once (${durability})`, async (t) => {
    const page = await browser.page(t);
    const { outcomes, tasks, integrity } = await page.evaluate(async ([name, durability, TASKS, WORKERS]) => {
      const store = await SwarmStore.open(name, { durability });
      const agents = Array.from({ length: WORKERS }, (_, number) => `agent-${number}`);
      await store.agents.addMany(agents.map((id) => ({ id, agentType: 'worker' })));
      await store.tasks.addMany(Array.from({ length: TASKS }, (_, number) => ({
        id: String(number).padStart(4, '0'),
        taskType: 'work',
        payload: { number },
        backoff: { kind: 'fixed', baseMs: 0 },
      })));
      const workers = await Promise.all(agents.map(async () => {
        const worker = startWorker();
        const { error } = await worker.connect(store.port());
        if (error) throw new Error(error.message);
        return worker;
      }));
      const outcomes = await Promise.all(workers.map((worker, number) => worker.ask({
        argument: { agent: agents[number], limit: 1 + number % 3 },
        run: async (store, { agent, limit }) => {
          const held = [];
          for (;;) {
            const claimed = await store.tasks.claim(agent, { limit });
            if (claimed.length === 0) return held;
            for (const { id, leaseToken, version, payload: { number } } of claimed) {
              const first = version === 2;
              let ended;
              if (first && number % 7 === 0) ended = await store.tasks.release(id, leaseToken);
              else if (first && number % 11 === 0) ended = await store.tasks.fail(id, leaseToken, 'not yet');
              else ended = await store.tasks.complete(id, leaseToken, { by: agent });
              held.push({ id, agent, from: version, to: ended.version, completed: ended.status === 'completed' });
            }
          }
        },
      })));
      for (const worker of workers) worker.terminate();
      await store.close();
      // What was kept is what was done.
      const kept = await SwarmStore.open(name);
      const tasks = await kept.tasks.list({ limit: 10 * TASKS });
      return { outcomes, tasks, integrity: await kept.maintain('integrity') };
    }, [storeName(), durability, TASKS, WORKERS]);

    assert.deepEqual(outcomes.map(({ error }) => error), Array(WORKERS).fill(undefined));
    const leases = grouped(outcomes.flatMap(({ value }) => value));
    assert.deepEqual([leases.size, tasks.length, integrity], [TASKS, TASKS, ['ok']]);
    for (const task of tasks) {
      const held = leases.get(task.id).sort((a, b) => a.from - b.from);
      let version = 1;
      for (const { from, to } of held) {
        assert.deepEqual([from, to], [version + 1, version + 2], `nobody else changed it meanwhile: ${JSON.stringify(held)}`);
        version = to;
      }
      assert.deepEqual(held.filter(({ completed }) => completed), [held.at(-1)]);
      assert.deepEqual([task.status, task.version, task.agentId, task.result], ['completed', version, held.at(-1).agent, { by: held.at(-1).agent }]);
    }
    const shares = outcomes.map(({ value }) => value.filter(({ completed }) => completed).length);
    t.diagnostic(`done by each: ${shares.join(', ')}`);
    assert.ok(shares.every((share) => share > 0), `each worker did some: ${shares.join(', ')}`);
  });
}

/** The leases of each task. */
function grouped(held) {
  const groups = new Map();
  for (const one of held) groups.set(one.id, [...(groups.get(one.id) ?? []), one]);
  return groups;
}
