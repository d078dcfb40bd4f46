// Every line that ends with the comment is a mistake that the types have to show; the others have none.
import { SwarmStore, type Task } from 'swarmstore';

export async function mistakes(store: SwarmStore, task: Task): Promise<void> {
  await SwarmStore.open(1); // wrong
  await SwarmStore.open('demo', { durability: 'eventual' }); // wrong
  await SwarmStore.open('demo', { colour: 'red' }); // wrong
  await store.tasks.add({ payload: null }); // wrong
  await store.tasks.add({ taskType: 'render', payload: null, status: 'pending' }); // wrong
  await store.tasks.add({ taskType: 'render', payload: () => 1 }); // wrong
  await store.tasks.add({ taskType: 'render', payload: null, priority: 'urgent' }); // wrong
  await store.tasks.list({ where: { colour: 'red' } }); // wrong
  await store.tasks.list({ where: { status: 'sleeping' } }); // wrong
  await store.tasks.list({ orderBy: [['colour', 'asc']] }); // wrong
  await store.tasks.complete(task.id); // wrong
  await store.agents.update('a', { version: 2 }); // wrong
  await store.agents.setStatus('a', 'sleeping'); // wrong
  await store.groups.add({ name: 'Readers' }); // wrong
  await store.config.set('key', () => 1); // wrong
  await store.events.append({ aggregateType: 'tile' }, []); // wrong
  await store.maintain('everything'); // wrong
  await store.transaction(async (tx) => tx.close()); // wrong
  await store.transaction(async (tx) => tx.transaction(async () => 1)); // wrong
  store.name = 'another'; // wrong
  const text: string = await store.tasks.get(task.id); // wrong
  console.log(text, task.colour); // wrong
}
