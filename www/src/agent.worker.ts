import { SwarmStore, type Task } from 'swarmstore';
import { QUEUES } from './flow';
import { doublePrecision, halfPrecision } from './mandelbrot';
import { assemble } from './work/assemble';
import { check } from './work/check';
import { Fault, isStoreError, Workplace } from './work/place';
import { plan } from './work/plan';
import { compute } from './work/tile';

/** What the page tells a new worker. */
export interface Assignment {
  port: MessagePort;
  agent: { id: string; slot: number };
  leaseMs: number;
  /** Computes in half precision, so that its self-tests and the checks of others have something to find. */
  faulty: boolean;
}

/** What a worker tells the page: only trouble. Everything else goes through the store. */
export interface Trouble {
  code: string;
  message: string;
}

const IDLE_MS = 400;
const TROUBLE_MS = 2000;
/** How long an agent catches its breath after a task that it could not do. */
const FAULT_MS = 250;
// The lease ran out or the picture was called off while we worked, or a transaction took too long and left no trace; or we were
// silent for so long that we count as failed, which the next heartbeat puts right.
const PASSING = new Set(['LEASE_LOST', 'CONFLICT', 'NOT_FOUND', 'TIMEOUT']);
// What the store writes down when it takes a task from an agent that has gone silent.
const TAKEN_BACK = new Set(['lease expired', 'agent stale']);

const WORK: Record<string, (place: Workplace, task: Task) => Promise<void>> = { plan, tile: compute, check, assembly: assemble };

self.onmessage = ({ data }: MessageEvent<Assignment>) => {
  // Reported, an error reaches the page as one of its worker.
  work(data).catch(reportError);
};

async function work({ port, agent, leaseMs, faulty }: Assignment): Promise<void> {
  const place = new Workplace(await SwarmStore.connect(port), agent, leaseMs, faulty ? halfPrecision : doublePrecision);
  for (;;) {
    try {
      await place.beat();
      const task = await claim(place);
      if (task) await attempt(place, task);
      else await sleep(IDLE_MS);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      if (error.code === 'CLOSED') return;
      const passing = PASSING.has(error.code);
      if (!passing) self.postMessage({ code: error.code, message: error.message } satisfies Trouble);
      await sleep(passing ? IDLE_MS : TROUBLE_MS);
    }
  }
}

/** Takes the most urgent task that this agent is capable of, from any queue that is not paused. */
function claim(place: Workplace): Promise<Task | undefined> {
  const { agent, leaseMs } = place;
  return place.store.transaction(async (tx) => {
    const [task] = await tx.tasks.claim(agent.id, { queues: [...QUEUES], leaseMs });
    if (!task) return undefined;
    const last = task.errors.at(-1);
    if (last?.attempt === task.attempt - 1 && TAKEN_BACK.has(last.message)) await place.record(tx, task, 'taken_over', { attempt: task.attempt, message: last.message });
    return tx.tasks.start(task.id, task.leaseToken!);
  });
}

/** Does a task. What the agent finds itself unable to do fails the attempt, and is retried until it is a dead letter. */
async function attempt(place: Workplace, task: Task): Promise<void> {
  try {
    await WORK[task.taskType]!(place, task);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    await place.store.transaction(async (tx) => {
      const failed = await tx.tasks.fail(task.id, task.leaseToken!, error.message);
      await place.record(tx, task, failed.status === 'failed' ? 'dead_letter' : 'attempt_failed', { attempt: task.attempt, message: error.message });
    });
    await sleep(FAULT_MS);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
