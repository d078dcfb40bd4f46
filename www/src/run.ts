import type { SwarmStore, Task, Transaction } from 'swarmstore';
import { flowOf, QUEUES } from './flow';
import type { Order } from './picture';

/** A picture under way. Its own task is the assembly; the plan, the tiles and the checks are the subtasks. */
export interface Run {
  id: string;
  order: Order;
  finished: boolean;
}

/** The newest run in the store. */
export async function latestRun(store: SwarmStore): Promise<Run | undefined> {
  const [task] = await store.tasks.list({ where: { taskType: 'assembly' }, orderBy: [['createdAt', 'desc'], ['id', 'desc']], limit: 1 });
  return task && { id: task.id, order: task.payload as Order, finished: task.status === 'completed' };
}

/**
 * Starts a run: calls off what is left of the one before and purges it, and adds the whole flow and the event, in one
 * transaction.
 */
export function startRun(store: SwarmStore, order: Order): Promise<Run> {
  const id = crypto.randomUUID();
  return store.transaction(async (tx) => {
    const unfinished = await tx.tasks.list({ where: { taskType: 'assembly', status: { in: ['pending', 'assigned', 'running'] } } });
    for (const task of unfinished) await tx.tasks.cancel(task.id, { subtree: true, reason: 'a new picture was ordered' });
    await tx.tasks.purge(Date.now() + 60_000);
    const tasks = await tx.tasks.addFlow(flowOf(id, order));
    await record(tx, id, 'picture_ordered', { region: order.region, tiles: order.columns * order.rows, tasks: tasks.length }, 'none');
    return { id, order, finished: false };
  });
}

/** Leaves a mark in the run's stream that a new page has taken it up. */
export async function noteResumed(store: SwarmStore, run: Run, done: number): Promise<void> {
  await store.transaction((tx) => record(tx, run.id, 'picture_resumed', { done }));
}

/** Pauses or resumes queues, all together. */
export async function setPaused(store: SwarmStore, queues: readonly string[], paused: boolean): Promise<void> {
  await store.transaction(async (tx) => {
    for (const queue of queues) await (paused ? tx.tasks.pause(queue) : tx.tasks.resume(queue));
    const queue = queues.length === QUEUES.length ? 'all' : queues.join(', ');
    await tx.events.append({ aggregateType: 'queue', aggregateId: queue }, [{ eventType: paused ? 'queue_paused' : 'queue_resumed', data: { queue } }]);
  });
}

/** Gives dead letters another life. */
export async function redrive(store: SwarmStore, run: Run, ids: string[]): Promise<Task[]> {
  return store.transaction(async (tx) => {
    const tasks = await tx.tasks.redrive(ids);
    await record(tx, run.id, 'redriven', { tasks: tasks.length });
    return tasks;
  });
}

async function record(tx: Transaction, run: string, eventType: string, data: Record<string, string | number>, expected: 'none' | 'any' = 'any'): Promise<void> {
  await tx.events.append({ aggregateType: 'picture', aggregateId: run }, [{ eventType, data, taskId: run, correlationId: run }], { expected });
}
