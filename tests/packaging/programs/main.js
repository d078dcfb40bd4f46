import { SwarmStore, SwarmStoreError } from 'swarmstore';
import { roundTrip } from './round-trip.js';

async function visit() {
  const store = await SwarmStore.open('packaging');
  const before = await store.tasks.count();
  if (before === 0) await roundTrip(store);
  const [task] = await store.tasks.list({ where: { taskType: 'render' } });
  await store.close();
  return { before, status: task.status, result: task.result };
}

async function refusal() {
  const store = await SwarmStore.open('memory:');
  try {
    await store.tasks.add({ payload: null });
    return 'accepted';
  } catch (error) {
    return { name: error.name, code: error.code, instance: error instanceof SwarmStoreError };
  } finally {
    await store.close();
  }
}

async function work() {
  const store = await SwarmStore.open('memory:');
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  const answer = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  const port = store.port();
  worker.postMessage(port, [port]);
  const { error, ...done } = await answer;
  if (error) throw new Error(error);
  worker.terminate();
  const [task] = await store.tasks.list();
  await store.close();
  return { ...done, seen: task.status };
}

globalThis.ready({ visit, refusal, work });
