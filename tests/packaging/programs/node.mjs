import { SwarmStore } from 'swarmstore';
import { roundTrip } from './round-trip.js';

const codeOf = (promise) => promise.then(() => 'no error', (error) => error.code);

const store = await SwarmStore.open('memory:');
const { status, result } = await roundTrip(store);
await store.events.append({ aggregateType: 'tile', aggregateId: '0-1' }, [{ eventType: 'render.done', data: { pixels: 64 } }]);

const connected = await SwarmStore.connect(store.port());
const throughPort = await connected.tasks.count();
await connected.close();

const mistake = new Error('a mistake');
const thrown = await store
  .transaction(async (tx) => {
    await tx.tasks.add({ taskType: 'render', payload: null });
    throw mistake;
  })
  .catch((error) => error);
if (thrown !== mistake) throw new Error(`the transaction threw ${thrown}`);

const events = await store.events.readAll();
const rolledBack = await store.tasks.count();
const { storage } = store;
await store.close();

console.log(
  JSON.stringify({
    storage,
    completed: { status, result },
    throughPort,
    rolledBack,
    events: events.map(({ eventType }) => eventType),
    closed: await codeOf(store.tasks.count()),
    indexeddb: await codeOf(SwarmStore.open('packaging')),
    version: typeof SwarmStore.version().sqlite,
  }),
);
