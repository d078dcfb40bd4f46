import { SwarmStoreError, type Agent, type Event, type Health, type SwarmStore, type Where } from 'swarmstore';
import { Board, type BoardView } from './board';
import { QUEUES } from './flow';
import type { Run } from './run';
import type { DeadLetter, QueueView, RunState, Snapshot } from './snapshot';

const POLL_MS = 250;
const HEALTH_MS = 1000;
const ESTIMATE_MS = 5000;
const EVENTS_KEPT = 60;
const GONE_KEPT = 30;
const GONE = { status: { in: ['failed', 'terminated'] } } satisfies Where<Agent>;
const LETTERS_KEPT = 50;

// What `pending` does not tell apart: tasks that others stand in the way of, and those whose next attempt is not due yet.
const WAITING = `
  SELECT queue, sum(unmet_dependencies > 0) AS blocked, sum(unmet_dependencies = 0 AND run_at > ?1) AS retrying
    FROM tasks WHERE status = 'pending' GROUP BY queue`;

const LAST_POSITION = 'SELECT coalesce(max(position), 0) AS position FROM events';

/** Polls the store a few times per second and hands out what it found. */
export class Watch {
  readonly #store: SwarmStore;
  readonly #onSnapshot: (snapshot: Snapshot) => void;
  readonly #onError: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #looks: Promise<void> = Promise.resolve();

  #board: Board | undefined;
  #queues: QueueView[] = [];
  #letters: DeadLetter[] = [];
  #events: Event[] = [];
  #position: number | undefined;
  #agents: Agent[] = [];
  #health: Health | undefined;
  #healthAt = 0;
  #storage: Snapshot['storage'] = { persisted: false, usage: 0, quota: 0 };
  #storageAt = 0;

  constructor(store: SwarmStore, onSnapshot: (snapshot: Snapshot) => void, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onSnapshot = onSnapshot;
    this.#onError = onError;
  }

  /** Shows this run from now on. */
  follow(run: Run | undefined): void {
    this.#board = run && new Board(run);
  }

  start(): void {
    void this.#loop();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #loop(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      const code = error instanceof SwarmStoreError ? error.code : undefined;
      if (code === 'CLOSED' && this.#stopped) return;
      this.#onError(error);
      // There is nothing more to see.
      if (code === 'CLOSED' || code === 'INTERNAL') return;
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#loop(), POLL_MS);
  }

  /** Looks once, now or after the look that is under way. */
  refresh(): Promise<void> {
    const look = this.#looks.then(() => this.#look());
    this.#looks = look.catch(() => undefined);
    return look;
  }

  async #look(): Promise<void> {
    const now = Date.now();
    const board = this.#board;
    await Promise.all([board?.look(this.#store), this.#readQueues(now), this.#readEvents(), this.#readAgents(), this.#readHealth(now), this.#readStorage(now)]);
    if (board !== this.#board || this.#stopped) return;
    this.#onSnapshot(this.#snapshot(now));
  }

  async #readQueues(now: number): Promise<void> {
    const [queues, waiting] = await Promise.all([this.#store.tasks.queues(), this.#store.query(WAITING, [now])]);
    this.#queues = QUEUES.map((queue) => {
      const { pausedAt, counts } = queues.find(({ name }) => name === queue) ?? {};
      const held = waiting.find((row) => row['queue'] === queue);
      const retrying = Number(held?.['retrying'] ?? 0);
      const waits = Number(held?.['blocked'] ?? 0) + retrying;
      return {
        queue,
        paused: pausedAt !== undefined,
        waiting: waits,
        retrying,
        // Two queries, and a claim may have come between them.
        ready: Math.max(0, (counts?.pending ?? 0) - waits),
        running: (counts?.assigned ?? 0) + (counts?.running ?? 0),
        completed: counts?.completed ?? 0,
        failed: counts?.failed ?? 0,
      };
    });
    const dead = this.#queues.some(({ failed }) => failed > 0);
    const letters = dead ? await this.#store.tasks.deadLetters({ orderBy: [['completedAt', 'desc'], ['id', 'asc']], limit: LETTERS_KEPT }) : [];
    this.#letters = letters.map(({ id, attempt, errors, completedAt }) => ({ taskId: id, attempts: attempt, message: errors.at(-1)?.message ?? '', failedAt: completedAt ?? 0 }));
  }

  async #readEvents(): Promise<void> {
    if (this.#position === undefined) {
      const [last] = await this.#store.query(LAST_POSITION);
      this.#position = Math.max(0, Number(last?.['position']) - EVENTS_KEPT);
    }
    const fresh = await this.#store.events.readAll({ after: this.#position, limit: 500 });
    if (fresh.length === 0) return;
    this.#position = fresh[fresh.length - 1]!.position;
    this.#events = [...fresh.reverse(), ...this.#events].slice(0, EVENTS_KEPT);
  }

  async #readAgents(): Promise<void> {
    const [counted, gone] = await Promise.all([
      this.#store.agents.list({ where: { not: GONE } }),
      this.#store.agents.list({ where: GONE, orderBy: [['createdAt', 'desc'], ['id', 'desc']], limit: GONE_KEPT }),
    ]);
    this.#agents = [...counted, ...gone];
  }

  async #readHealth(now: number): Promise<void> {
    if (now - this.#healthAt < HEALTH_MS) return;
    this.#healthAt = now;
    this.#health = await this.#store.health();
  }

  async #readStorage(now: number): Promise<void> {
    if (now - this.#storageAt < ESTIMATE_MS) return;
    this.#storageAt = now;
    const [persisted, estimate] = await Promise.all([this.#store.persisted(), this.#store.estimate()]);
    this.#storage = { persisted, ...estimate };
  }

  /** Has the next poll ask again whether the browser keeps the data for good. */
  forgetStorage(): void {
    this.#storageAt = 0;
  }

  #snapshot(now: number): Snapshot {
    const run = this.#board?.run;
    return {
      now,
      ...(run && { run }),
      state: stateOf(run, this.#queues),
      ...(this.#board?.view(now) ?? nothing()),
      queues: this.#queues,
      letters: this.#letters,
      agents: this.#agents,
      events: this.#events,
      ...(this.#health && { health: this.#health }),
      healthAt: this.#healthAt,
      storage: this.#storage,
    };
  }
}

function nothing(): BoardView {
  return { stage: '', tiles: [], changed: new Set(), done: 0, verified: 0, rejected: 0, failedAttempts: 0, iterations: 0, tilesPerSecond: 0, leases: [], work: new Map() };
}

function stateOf(run: Run | undefined, queues: QueueView[]): RunState {
  if (!run) return 'idle';
  if (run.finished) return 'finished';
  if (queues.every(({ paused }) => paused)) return 'paused';
  const moving = queues.some(({ ready, retrying, running }) => ready + retrying + running > 0);
  const dead = queues.some(({ failed }) => failed > 0);
  return dead && !moving ? 'stalled' : 'running';
}
