import { SwarmStore } from 'swarmstore';
import { roundTrip } from './round-trip.js';

async function use(store) {
  const { status } = await roundTrip(store);
  const { storage } = store;
  await store.close();
  return { status, storage };
}

onmessage = async ({ data: port }) => {
  try {
    const own = await use(await SwarmStore.open('memory:'));
    const through = await use(await SwarmStore.connect(port));
    postMessage({ own, through });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
};
