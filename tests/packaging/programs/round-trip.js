// One task from its beginning to its end.
export async function roundTrip(store) {
  const agent = await store.agents.add({ agentType: 'renderer' });
  const task = await store.tasks.add({ taskType: 'render', payload: { tile: [0, 1] }, priority: 'high' });
  const [claimed] = await store.tasks.claim(agent.id, { leaseMs: 60_000 });
  if (claimed.id !== task.id) throw new Error(`claimed ${claimed.id}, not ${task.id}`);
  const running = await store.tasks.start(claimed.id, claimed.leaseToken);
  return store.tasks.complete(running.id, running.leaseToken, { pixels: 64 });
}
