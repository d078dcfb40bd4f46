// A swarm that works until it is killed, and tells the server what was acknowledged to it. Whatever it tells was durable before.
import { SwarmStore } from '/pkg/index.js';
import '/pages/page.js';

/** Resolves when the server has heard it. */
const report = (acknowledged) => fetch('/report', { method: 'POST', body: JSON.stringify(acknowledged) });

/**
 * A database of the same origin with nothing of ours in it: Chromium keeps all of an origin together, and when it is killed it
 * now and then loses all of it, also what a page has written past any library.
 * @returns {Promise<boolean>} whether it was there before
 */
export function witness() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('witness', 1);
    let found = true;
    request.onupgradeneeded = () => {
      found = false;
      request.result.createObjectStore('nothing');
    };
    request.onsuccess = () => {
      request.result.close();
      resolve(found);
    };
    request.onerror = () => reject(request.error);
  });
}

/** What is there, judged before anything is written. */
export async function examine(name) {
  globalThis.store = await SwarmStore.open(name);
  const ids = (table) => store.query(`SELECT id FROM ${table}`).then((rows) => rows.map(({ id }) => id));
  return {
    integrity: await store.maintain('integrity'),
    health: await store.health(),
    tasks: await store.query('SELECT id, status, result, agent_id, lease_token, lease_expires_at, completed_at, assigned_at, length(payload) AS length FROM tasks'),
    events: await ids('events'),
    streams: await store.query('SELECT aggregate_id AS stream, count(*) AS events, max(sequence) AS last FROM events GROUP BY aggregate_id'),
    strays: await store.query('SELECT count(*) AS n FROM task_errors WHERE task_id NOT IN (SELECT id FROM tasks)'),
  };
}

/** Never resolves: runs until it is killed. */
export function work(run) {
  const random = (n) => Math.floor(Math.random() * n);
  const filler = 'x'.repeat(200_000);
  const endlessly = async (body) => {
    for (let i = 0; ; i += 1) await body(`${run}-${i}`, i);
  };

  // Tasks of all sizes, alone and in bulk.
  void endlessly(async (id) => {
    await store.tasks.add({ id: `add-${id}`, taskType: 'x', payload: filler.slice(0, random(random(10) ? 2_000 : 200_000)) });
    await report({ tasks: [`add-${id}`] });
  });
  void endlessly(async (id) => {
    const rows = Array.from({ length: 1 + random(40) }, (_, n) => ({ id: `bulk-${id}-${n}`, taskType: 'x', payload: { n }, priority: random(10) }));
    await store.tasks.addMany(rows);
    await report({ tasks: rows.map((row) => row.id) });
  });

  // Agents that claim and finish, or give up.
  for (const agent of ['ada', 'bob']) {
    void endlessly(async (id, i) => {
      if (i === 0) await store.agents.put({ id: agent, agentType: 'worker' });
      const [task] = await store.tasks.claim(agent, { leaseMs: 60_000 });
      if (!task) return;
      if (random(3) === 0) await store.tasks.start(task.id, task.leaseToken);
      if (random(5) === 0) {
        await store.tasks.fail(task.id, task.leaseToken, 'no luck');
      } else {
        await store.tasks.complete(task.id, task.leaseToken, { by: agent, id });
        await report({ completed: [[task.id, { by: agent, id }]] });
      }
    });
  }

  // Transactions that span tasks and events, and deletions.
  void endlessly(async (id) => {
    await store.transaction(async (tx) => {
      await tx.tasks.add({ id: `tx-${id}`, taskType: 'x', payload: 1 });
      await tx.events.append({ aggregateType: 'run', aggregateId: 'all' }, [{ id: `event-${id}`, eventType: 'e', data: { id } }]);
    });
    await report({ tasks: [`tx-${id}`], events: [`event-${id}`], together: [[`tx-${id}`, `event-${id}`]] });
  });
  void endlessly(async (id) => {
    await store.tasks.add({ id: `gone-${id}`, taskType: 'x', payload: filler.slice(0, random(20_000)), queue: 'nobody claims here', runAt: Date.now() + 1e9 });
    await store.tasks.delete(`gone-${id}`);
    await report({ deleted: [`gone-${id}`] });
  });
}

Object.assign(globalThis, { examine, witness, work });
