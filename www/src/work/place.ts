import { SwarmStoreError, type SwarmStore, type Task, type Transaction } from 'swarmstore';
import type { Arithmetic } from '../mandelbrot';

/** How often an agent says that it is alive. */
export const HEARTBEAT_MS = 700;

/** Where one agent works: its store, its name in it, and what it computes with. */
export class Workplace {
  readonly store: SwarmStore;
  readonly agent: { id: string; slot: number };
  readonly leaseMs: number;
  readonly iterate: Arithmetic;
  #beatDue = 0;

  constructor(store: SwarmStore, agent: { id: string; slot: number }, leaseMs: number, iterate: Arithmetic) {
    this.store = store;
    this.agent = agent;
    this.leaseMs = leaseMs;
    this.iterate = iterate;
  }

  /** Says that the agent is alive, if it is time to. */
  async beat(): Promise<void> {
    if (Date.now() < this.#beatDue) return;
    this.#beatDue = Date.now() + HEARTBEAT_MS;
    await this.store.agents.heartbeat(this.agent.id);
  }

  /** A function to call between steps of a task: keeps the agent alive, and extends the lease when half of it has passed. */
  keeper(task: Task): () => Promise<void> {
    let due = Date.now() + this.leaseMs / 2;
    return async () => {
      await this.beat();
      if (Date.now() < due) return;
      await this.store.tasks.extend(task.id, task.leaseToken!, this.leaseMs);
      due = Date.now() + this.leaseMs / 2;
    };
  }

  /** The result of a task that is finished. Throws a `Fault` if it is not there: its picture was called off and purged meanwhile. */
  async resultOf<T>(id: string): Promise<T> {
    const task = await this.store.tasks.get(id);
    if (task?.status !== 'completed') throw new Fault(`${id} is not there to work with`);
    return task.result as T;
  }

  /** Appends an event about a task to the stream of its tile, or of its picture if it belongs to none. */
  async record(tx: Transaction, task: Task, eventType: string, data: Record<string, number | string>): Promise<void> {
    const { tile } = task.payload as { tile?: number };
    const run = task.parentTaskId ?? task.id;
    const stream = tile === undefined ? { aggregateType: 'picture', aggregateId: run } : { aggregateType: 'tile', aggregateId: `${run}.${tile}` };
    const about = tile === undefined ? data : { tile, ...data };
    await tx.events.append(stream, [{ eventType, data: about, agentId: this.agent.id, taskId: task.id, correlationId: run }]);
  }
}

/** A task that an agent cannot do, and why: it fails the attempt with this message. */
export class Fault extends Error {}

export function isStoreError(error: unknown): error is SwarmStoreError {
  return error instanceof SwarmStoreError;
}
