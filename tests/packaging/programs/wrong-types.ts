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
  await store.tasks.list({ where: { status: { eq: 'sleeping' } } }); // wrong
  await store.tasks.list({ where: { status: { in: ['pending', 'sleeping'] } } }); // wrong
  await store.tasks.list({ where: { status: null } }); // wrong
  await store.tasks.list({ where: { status: { ne: null } } }); // wrong
  await store.tasks.list({ where: { priority: { ge: 'high' } } }); // wrong
  await store.tasks.list({ where: { priority: { gte: 7 } } }); // wrong
  await store.tasks.list({ where: { priority: { like: '7%' } } }); // wrong
  await store.tasks.list({ where: { priority: { between: [7] } } }); // wrong
  await store.tasks.list({ where: { queue: { like: 7 } } }); // wrong
  await store.tasks.list({ where: { queue: { contains: 'q' } } }); // wrong
  await store.tasks.list({ where: { uniqueKey: { isNull: 'yes' } } }); // wrong
  await store.tasks.list({ where: { requiredCapabilities: { contains: 7 } } }); // wrong
  await store.tasks.list({ where: { requiredCapabilities: { lt: ['gpu'] } } }); // wrong
  await store.tasks.list({ where: { dependencies: 'a' } }); // wrong
  await store.tasks.list({ where: { payload: { contains: ['a'] } } }); // wrong
  await store.tasks.list({ where: { payload: { lt: 1 } } }); // wrong
  await store.tasks.list({ where: { errors: { contains: 'broken' } } }); // wrong
  await store.tasks.list({ where: { or: { status: 'pending' } } }); // wrong
  await store.tasks.list({ where: { or: [{ colour: 'red' }] } }); // wrong
  await store.tasks.list({ where: { not: { not: { status: 5 } } } }); // wrong
  await store.tasks.deleteWhere({ colour: 'red' }); // wrong
  await store.tasks.deleteWhere(); // wrong
  await store.tasks.updateWhere({ queue: 'q' }, { status: 'pending' }); // wrong
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
