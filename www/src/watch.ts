import { SwarmStoreError, type Agent, type Event, type Health, type SwarmStore, type Task } from 'swarmstore';
import { decodeTones } from './encode';
import { parseTaskId, taskId, tilesOf, type TileResult } from './plan';
import type { TileJob } from './mandelbrot';
import type { Run } from './run';

const POLL_MS = 250;
const HEALTH_MS = 1000;
const ESTIMATE_MS = 5000;
// Rows are asked for again for this long after their change, so that a clock set back by a little loses none.
const OVERLAP_MS = 2000;
const RESULTS_PER_POLL = 64;
const EVENTS_KEPT = 60;
const RATE_WINDOW_MS = 5000;

export type TileState = 'pending' | 'computing' | 'computed' | 'checking' | 'verified' | 'failed';

/** A tile as the page shows it, put together from its newest tile task and that one's check. */
export interface TileView {
  /** From 1, in the order in which tiles are computed. */
  number: number;
  job: TileJob;
  state: TileState;
  /** Who computed it or is about to; who checked it or is about to. */
  author?: string;
  checker?: string;
  attempt: number;
  round: number;
  /** End of the lease of whoever is at work on it. */
  leaseExpiresAt?: number;
  tones?: Uint8Array;
  ms?: number;
}

/** A task under lease. */
export interface Lease {
  taskId: string;
  kind: 'tile' | 'check';
  tile: number;
  agentId: string;
  attempt: number;
  expiresAt: number;
}

export type Counts = Record<'pending' | 'running' | 'completed' | 'failed', number>;

/** Everything the page shows, as of one poll. */
export interface Snapshot {
  now: number;
  run?: Run;
  tiles: TileView[];
  /** Those that changed since the last snapshot. */
  changed: Set<TileView>;
  done: number;
  verified: number;
  rejected: number;
  reclaimed: number;
  iterations: number;
  tilesPerSecond: number;
  counts: { tile: Counts; check: Counts };
  leases: Lease[];
  agents: Agent[];
  work: Map<string, { tiles: number; checks: number }>;
  /** Newest first. */
  events: Event[];
  health?: Health;
  /** When the health was asked for. */
  healthAt: number;
  storage: { persisted: boolean; usage: number; quota: number };
}

interface Row {
  id: string;
  status: Task['status'];
  agent_id: string | null;
  attempt: number;
  lease_expires_at: number | null;
  updated_at: number;
  verdict: number | null;
}

// One cheap query tells what happened since the last look. Results are large and are fetched one by one, once.
const CHANGED_TASKS = `
  SELECT id, status, agent_id, attempt, lease_expires_at, updated_at,
         CASE WHEN task_type = 'check' THEN json_extract(result, '$.ok') END AS verdict
    FROM tasks
   WHERE parent_task_id = ?1 AND updated_at >= ?2`;

const RUN_STATUS = 'SELECT status FROM tasks WHERE id = ?1';
const LAST_POSITION = 'SELECT coalesce(max(position), 0) AS position FROM events';

/** Polls the store a few times per second and hands out what it found. */
export class Watch {
  readonly #store: SwarmStore;
  readonly #onSnapshot: (snapshot: Snapshot) => void;
  readonly #onError: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #looks: Promise<void> = Promise.resolve();

  #run: Run | undefined;
  #tiles: TileView[] = [];
  #rows = new Map<string, Row>();
  #watermark = 0;
  /** Tiles whose result is in the store, but not here yet. */
  #missing = new Set<TileView>();
  #iterations = 0;
  #changed = new Set<TileView>();

  #events: Event[] = [];
  #position: number | undefined;
  #agents: Agent[] | undefined;
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
    this.#run = run;
    this.#tiles = run ? tilesOf(run.plan).map((job, index) => ({ number: index + 1, job, state: 'pending', attempt: 0, round: 1 })) : [];
    this.#rows.clear();
    this.#watermark = 0;
    this.#missing.clear();
    this.#iterations = 0;
    this.#changed = new Set(this.#tiles);
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
    const run = this.#run;
    await Promise.all([run && this.#readTasks(run), this.#readEvents(), this.#readHealth(now), this.#readStorage(now)]);
    await this.#readAgents();
    if (run !== this.#run || this.#stopped) return;
    await this.#readResults();
    if (run !== this.#run || this.#stopped) return;
    this.#onSnapshot(this.#snapshot(now));
    this.#changed = new Set();
  }

  async #readTasks(run: Run): Promise<void> {
    const rows = (await this.#store.query(CHANGED_TASKS, [run.id, this.#watermark - OVERLAP_MS])) as unknown as Row[];
    if (run !== this.#run) return;
    const touched = new Set<TileView>();
    for (const row of rows) {
      const known = this.#rows.get(row.id);
      const same = known && known.updated_at === row.updated_at && known.status === row.status && known.lease_expires_at === row.lease_expires_at;
      if (same) continue;
      this.#rows.set(row.id, row);
      this.#watermark = Math.max(this.#watermark, row.updated_at);
      const parsed = parseTaskId(row.id);
      const tile = parsed && this.#tiles[parsed.tile - 1];
      if (!tile) continue;
      touched.add(tile);
      tile.round = Math.max(tile.round, parsed.round);
    }
    for (const tile of touched) this.#updateTile(run, tile);
    if (!run.finished && this.#tiles.every((tile) => tile.state === 'verified')) {
      const [row] = await this.#store.query(RUN_STATUS, [run.id]);
      run.finished = row?.['status'] === 'completed';
    }
  }

  #updateTile(run: Run, tile: TileView): void {
    const task = this.#rows.get(taskId(run.id, 'tile', tile.number, tile.round));
    const check = this.#rows.get(taskId(run.id, 'check', tile.number, tile.round));
    if (!task) return;
    const state = stateOf(task, check);
    const atWork = state === 'computing' ? task : state === 'checking' ? check : undefined;
    const computed = task.status === 'completed';
    if (computed && !tile.tones) this.#missing.add(tile);
    if (!computed) delete tile.tones;
    tile.state = state;
    set(tile, 'author', task.agent_id ?? undefined);
    set(tile, 'checker', check?.agent_id ?? undefined);
    set(tile, 'leaseExpiresAt', atWork?.lease_expires_at ?? undefined);
    tile.attempt = (atWork ?? task).attempt;
    this.#changed.add(tile);
  }

  async #readResults(): Promise<void> {
    const run = this.#run;
    if (!run) return;
    const some = [...this.#missing].slice(0, RESULTS_PER_POLL);
    await Promise.all(some.map(async (tile) => {
      const task = await this.#store.tasks.get(taskId(run.id, 'tile', tile.number, tile.round));
      this.#missing.delete(tile);
      if (run !== this.#run || task?.status !== 'completed') return;
      const result = task.result as TileResult;
      tile.tones = decodeTones(result.tones, tile.job.width * tile.job.height);
      tile.ms = result.ms;
      this.#iterations += result.iterations;
      this.#changed.add(tile);
    }));
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
    if (fresh.some((event) => event.aggregateType === 'agent')) this.#agents = undefined;
  }

  async #readAgents(): Promise<void> {
    this.#agents ??= await this.#store.agents.list({ orderBy: [['createdAt', 'desc'], ['id', 'desc']], limit: 40 });
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
    const counts = { tile: noCounts(), check: noCounts() };
    const work: Snapshot['work'] = new Map();
    const leases: Lease[] = [];
    let rejected = 0;
    let reclaimed = 0;
    let recent = 0;
    for (const row of this.#rows.values()) {
      const parsed = parseTaskId(row.id);
      if (!parsed) continue;
      const { kind, tile } = parsed;
      const status = row.status === 'assigned' ? 'running' : row.status;
      if (status in counts[kind]) counts[kind][status as keyof Counts]++;
      if (row.attempt > 1) reclaimed += row.attempt - 1;
      if (status === 'running' && row.agent_id && row.lease_expires_at) {
        leases.push({ taskId: row.id, kind, tile, agentId: row.agent_id, attempt: row.attempt, expiresAt: row.lease_expires_at });
      }
      if (status !== 'completed') continue;
      if (kind === 'check' && row.verdict === 0) rejected++;
      if (kind === 'tile' && row.updated_at > now - RATE_WINDOW_MS) recent++;
      if (!row.agent_id) continue;
      const sum = work.get(row.agent_id) ?? { tiles: 0, checks: 0 };
      sum[kind === 'tile' ? 'tiles' : 'checks']++;
      work.set(row.agent_id, sum);
    }
    return {
      now,
      ...(this.#run && { run: this.#run }),
      tiles: this.#tiles,
      changed: this.#changed,
      done: this.#tiles.filter(({ state }) => state === 'computed' || state === 'checking' || state === 'verified').length,
      verified: this.#tiles.filter(({ state }) => state === 'verified').length,
      rejected,
      reclaimed,
      iterations: this.#iterations,
      tilesPerSecond: recent / (RATE_WINDOW_MS / 1000),
      counts,
      leases: leases.sort((a, b) => a.expiresAt - b.expiresAt),
      agents: this.#agents ?? [],
      work,
      events: this.#events,
      ...(this.#health && { health: this.#health }),
      healthAt: this.#healthAt,
      storage: this.#storage,
    };
  }
}

function stateOf(task: Row, check: Row | undefined): TileState {
  if (task.status === 'failed' || check?.status === 'failed') return 'failed';
  if (task.status === 'assigned' || task.status === 'running') return 'computing';
  if (task.status !== 'completed') return 'pending';
  if (check?.status === 'assigned' || check?.status === 'running') return 'checking';
  return check?.status === 'completed' && check.verdict === 1 ? 'verified' : 'computed';
}

function noCounts(): Counts {
  return { pending: 0, running: 0, completed: 0, failed: 0 };
}

function set<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}
