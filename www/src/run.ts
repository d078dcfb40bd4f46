import type { SwarmStore, Task } from 'swarmstore';
import { RUNS, tilesOf, tileTask, type Plan } from './plan';

/** A run is a task of its own; its tiles and checks are the subtasks. */
export interface Run {
  id: string;
  plan: Plan;
  finished: boolean;
}

/** The newest run in the store. */
export async function latestRun(store: SwarmStore): Promise<Run | undefined> {
  const [task] = await store.tasks.list({ where: { taskType: 'run' }, orderBy: [['createdAt', 'desc'], ['id', 'desc']], limit: 1 });
  return task && runOf(task);
}

function runOf(task: Task): Run {
  return { id: task.id, plan: task.payload as Plan, finished: task.status === 'completed' };
}

/** Starts a run: calls off what is left of the ones before, and adds the run, all its tiles and the event, in one transaction. */
export function startRun(store: SwarmStore, plan: Plan): Promise<Run> {
  return store.transaction(async (tx) => {
    const before = await tx.tasks.list({ where: { taskType: 'run', status: 'pending' } });
    for (const task of before) await tx.tasks.cancel(task.id, { subtree: true, reason: 'a new run was started' });
    const run = await tx.tasks.add({ taskType: 'run', queue: RUNS, payload: plan });
    await tx.tasks.addMany(tilesOf(plan).map((job, index) => tileTask(run.id, index + 1, 1, job)));
    const data = { region: plan.region, tiles: plan.columns * plan.rows };
    await tx.events.append({ aggregateType: 'run', aggregateId: run.id }, [{ eventType: 'run_started', data, taskId: run.id }], { expected: 'none' });
    return runOf(run);
  });
}

/** Leaves a mark in the run's stream that a new page has taken it up. */
export async function noteResumed(store: SwarmStore, run: Run, done: number): Promise<void> {
  await store.events.append({ aggregateType: 'run', aggregateId: run.id }, [{ eventType: 'run_resumed', data: { done }, taskId: run.id }], { expected: 'exists' });
}
