import { SwarmStore, SwarmStoreError, type Task, type Transaction } from 'swarmstore';
import { decodeTones, encodeTones } from './encode';
import { computeRow } from './mandelbrot';
import { checksOf, checkTask, MAX_AGENTS, RUNS, TILES, tileTask, type CheckPayload, type CheckResult, type TilePayload, type TileResult } from './plan';

/** What the page tells a new worker. */
export interface Assignment {
  port: MessagePort;
  agent: { id: string; slot: number };
  leaseMs: number;
  /** Spoils some of the tiles, so that the checks have something to find. */
  faulty: boolean;
}

/** What a worker tells the page: only trouble. Everything else goes through the store. */
export interface Trouble {
  code: string;
  message: string;
}

const IDLE_MS = 400;
const TROUBLE_MS = 2000;
// The lease ran out or the run was called off while we worked, or a transaction took too long and left no trace: on to the next.
const PASSING = new Set(['LEASE_LOST', 'CONFLICT', 'NOT_FOUND', 'TIMEOUT']);
// A check recomputes one row in three: enough to catch a wrong tile, and a third of the work.
const CHECK_EVERY = 3;

self.onmessage = ({ data }: MessageEvent<Assignment>) => {
  // Reported, an error reaches the page as one of its worker.
  work(data).catch(reportError);
};

async function work(assignment: Assignment): Promise<void> {
  const store = await SwarmStore.connect(assignment.port);
  for (;;) {
    try {
      const task = await claim(store, assignment);
      if (!task) await sleep(IDLE_MS);
      else if (task.taskType === 'check') await check(store, assignment, task);
      else await compute(store, assignment, task);
    } catch (error) {
      if (!(error instanceof SwarmStoreError)) throw error;
      if (error.code === 'CLOSED') return;
      if (PASSING.has(error.code)) continue;
      self.postMessage({ code: error.code, message: error.message } satisfies Trouble);
      await sleep(TROUBLE_MS);
    }
  }
}

/** Takes the most urgent task that is not a check of this agent's own work. */
function claim(store: SwarmStore, { agent, leaseMs }: Assignment): Promise<Task | undefined> {
  const queues = [TILES];
  for (let slot = 1; slot <= MAX_AGENTS; slot++) if (slot !== agent.slot) queues.push(checksOf(slot));

  return store.transaction(async (tx) => {
    const [task] = await tx.tasks.claim(agent.id, { queues, leaseMs });
    if (!task) return undefined;
    if (task.attempt > 1) await record(tx, agent.id, task, 'lease_expired', { attempt: task.attempt });
    return tx.tasks.start(task.id, task.leaseToken!);
  });
}

/** Computes a tile. Its result, the task to check it and the event go into the store together, or not at all. */
async function compute(store: SwarmStore, assignment: Assignment, task: Task): Promise<void> {
  const { tile, round, ...job } = task.payload as TilePayload;
  const { agent } = assignment;
  const lease = keepLease(store, assignment, task);
  const tones = new Uint8Array(job.width * job.height);
  const began = performance.now();
  let iterations = 0;
  for (let row = 0; row < job.height; row++) {
    iterations += computeRow(job, row, tones.subarray(row * job.width, (row + 1) * job.width));
    await lease();
  }
  if (assignment.faulty && tile % 3 === 0 && round === 1) spoil(tones);
  const result: TileResult = { tones: encodeTones(tones), iterations, ms: Math.round(performance.now() - began) };

  await store.transaction(async (tx) => {
    await tx.tasks.complete(task.id, task.leaseToken!, result);
    await tx.tasks.add(checkTask(task.parentTaskId!, tile, round, agent));
    await record(tx, agent.id, task, 'tile_computed', { iterations, ms: result.ms });
  });
}

/** Checks another agent's tile. A tile that is wrong is computed again, as a new task. */
async function check(store: SwarmStore, assignment: Assignment, task: Task): Promise<void> {
  const { tile, round, tileTask: tileId } = task.payload as CheckPayload;
  const { agent } = assignment;
  const subject = await store.tasks.get(tileId);
  if (!subject) throw new Error(`the tile task ${tileId} is gone`);
  const { tile: _tile, round: _round, ...job } = subject.payload as TilePayload;
  const lease = keepLease(store, assignment, task);
  const began = performance.now();
  const tones = decodeTones((subject.result as TileResult).tones, job.width * job.height);
  const row = new Uint8Array(job.width);
  let rows = 0;
  let differing = 0;
  for (let at = tile % CHECK_EVERY; at < job.height; at += CHECK_EVERY) {
    computeRow(job, at, row);
    if (row.some((tone, column) => tone !== tones[at * job.width + column])) differing++;
    rows++;
    await lease();
  }
  const result: CheckResult = { ok: differing === 0, rows, differing, ms: Math.round(performance.now() - began) };

  await store.transaction(async (tx) => {
    await tx.tasks.complete(task.id, task.leaseToken!, result);
    if (result.ok) {
      await record(tx, agent.id, task, 'tile_verified', { rows });
      await finishRun(tx, agent.id, task.parentTaskId!);
    } else {
      await tx.tasks.add(tileTask(task.parentTaskId!, tile, round + 1, job));
      await record(tx, agent.id, task, 'tile_rejected', { rows, differing });
    }
  });
}

/** Whoever verifies the last tile completes the run, in the same transaction. */
async function finishRun(tx: Transaction, agentId: string, run: string): Promise<void> {
  for (const status of ['running', 'pending', 'assigned', 'failed'] as const) {
    if ((await tx.tasks.count({ where: { parentTaskId: run, status } })) > 0) return;
  }
  const [task] = await tx.tasks.claim(agentId, { queues: [RUNS] });
  if (!task) return;
  await tx.tasks.complete(task.id, task.leaseToken!);
  await tx.events.append({ aggregateType: 'run', aggregateId: run }, [{ eventType: 'run_finished', data: {}, agentId, taskId: run }]);
}

/** Appends an event to the stream of the tile that a task is about. */
async function record(tx: Transaction, agentId: string, task: Task, eventType: string, data: Record<string, number>): Promise<void> {
  const { tile } = task.payload as { tile: number };
  const stream = { aggregateType: 'tile', aggregateId: `${task.parentTaskId}.${tile}` };
  await tx.events.append(stream, [{ eventType, data: { tile, ...data }, agentId, taskId: task.id, correlationId: task.parentTaskId! }]);
}

/** A function to call between rows: extends the lease when half of it has passed. */
function keepLease(store: SwarmStore, { leaseMs }: Assignment, task: Task): () => Promise<void> {
  let due = Date.now() + leaseMs / 2;
  return async () => {
    if (Date.now() < due) return;
    await store.tasks.extend(task.id, task.leaseToken!, leaseMs);
    due = Date.now() + leaseMs / 2;
  };
}

function spoil(tones: Uint8Array): void {
  for (let at = 0; at < tones.length; at += 7) tones[at]! ^= 0x55;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
