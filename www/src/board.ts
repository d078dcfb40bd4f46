import type { SwarmStore, Task } from 'swarmstore';
import { decodeCounts, decodeTones, fromBase64 } from './encode';
import { parseTaskId, planId, taskId, type AssemblyResult, type PlanResult, type TileResult } from './flow';
import { tilesOf } from './picture';
import type { Run } from './run';
import type { Lease, Picture, Snapshot, SurveyView, TileState, TileView } from './snapshot';
import { toneOfCount } from './survey';

// Rows are asked for again for this long after their change, so that a clock set back by a little loses none.
const OVERLAP_MS = 2000;
const RESULTS_PER_LOOK = 64;
const RATE_WINDOW_MS = 5000;

interface Row {
  id: string;
  status: Task['status'];
  agent_id: string | null;
  attempt: number;
  error_count: number;
  lease_expires_at: number | null;
  updated_at: number;
  verdict: number | null;
}

// One cheap query tells what happened since the last look. Results are large and are fetched one by one, once.
const CHANGED_TASKS = `
  SELECT id, status, agent_id, attempt, error_count, lease_expires_at, updated_at,
         CASE WHEN task_type = 'check' THEN json_extract(result, '$.ok') END AS verdict
    FROM tasks
   WHERE (parent_task_id = ?1 OR id = ?1) AND updated_at >= ?2`;

/** What a board adds to a snapshot. */
export type BoardView = Pick<Snapshot, 'tiles' | 'changed' | 'survey' | 'picture' | 'done' | 'verified' | 'rejected' | 'failedAttempts' | 'iterations' | 'tilesPerSecond' | 'leases' | 'work' | 'stage'>;

/** One run as far as it is known: its tasks by id, and what they come to for each tile. */
export class Board {
  readonly run: Run;
  readonly #tiles: TileView[];
  readonly #rows = new Map<string, Row>();
  #watermark = 0;
  /** Tiles whose result is in the store, but not here yet. */
  readonly #missing = new Set<TileView>();
  #iterations = 0;
  #survey: SurveyView | undefined;
  #picture: Picture | undefined;
  #changed: Set<TileView>;

  constructor(run: Run) {
    this.run = run;
    this.#tiles = tilesOf(run.order).map((area, index) => ({ number: index + 1, area, state: 'pending', computed: false, attempt: 0, round: 1 }));
    this.#changed = new Set(this.#tiles);
  }

  /** Reads what has changed. */
  async look(store: SwarmStore): Promise<void> {
    const rows = (await store.query(CHANGED_TASKS, [this.run.id, this.#watermark - OVERLAP_MS])) as unknown as Row[];
    const touched = new Set<TileView>();
    for (const row of rows) {
      const known = this.#rows.get(row.id);
      if (known && known.updated_at === row.updated_at && known.status === row.status && known.lease_expires_at === row.lease_expires_at) continue;
      this.#rows.set(row.id, row);
      this.#watermark = Math.max(this.#watermark, row.updated_at);
      const parsed = parseTaskId(row.id);
      const tile = parsed && this.#tiles[parsed.tile - 1];
      if (!tile) continue;
      touched.add(tile);
      tile.round = Math.max(tile.round, parsed.round);
    }
    const finished = this.#rows.get(this.run.id)?.status === 'completed';
    for (const tile of touched) this.#update(tile, finished);
    if (finished && !this.#picture) await this.#readPicture(store);
    this.run.finished = finished;
    await Promise.all([this.#survey ?? this.#readSurvey(store), ...[...this.#missing].slice(0, RESULTS_PER_LOOK).map((tile) => this.#readTile(store, tile))]);
  }

  #update(tile: TileView, finished: boolean): void {
    const task = this.#rows.get(taskId(this.run.id, 'tile', tile.number, tile.round));
    const check = this.#rows.get(taskId(this.run.id, 'check', tile.number, tile.round));
    if (!task) return;
    const state = stateOf(task, check);
    const atWork = state === 'computing' ? task : state === 'checking' ? check : undefined;
    const computed = task.status === 'completed';
    // Of a finished picture there is the whole to show.
    if (computed && !tile.tones && !finished) this.#missing.add(tile);
    if (!computed) delete tile.tones;
    tile.state = state;
    tile.computed = computed;
    set(tile, 'author', task.agent_id ?? undefined);
    set(tile, 'checker', check?.agent_id ?? undefined);
    set(tile, 'leaseExpiresAt', atWork?.lease_expires_at ?? undefined);
    tile.attempt = (atWork ?? task).attempt;
    this.#changed.add(tile);
  }

  async #readTile(store: SwarmStore, tile: TileView): Promise<void> {
    const task = await store.tasks.get(taskId(this.run.id, 'tile', tile.number, tile.round));
    this.#missing.delete(tile);
    if (task?.status !== 'completed') return;
    const result = task.result as TileResult;
    tile.tones = decodeTones(result.tones, tile.area.width * tile.area.height);
    tile.ms = result.ms;
    this.#iterations += result.iterations;
    this.#changed.add(tile);
  }

  async #readSurvey(store: SwarmStore): Promise<void> {
    const id = planId(this.run.id);
    if (this.#rows.get(id)?.status !== 'completed') return;
    const plan = (await store.tasks.get(id))?.result as PlanResult;
    const counts = decodeCounts(plan.counts, this.#tiles.length * plan.side * plan.side);
    this.#survey = { side: plan.side, tones: Uint8Array.from(counts, (count) => toneOfCount(count, plan)), estimate: plan.estimate };
    for (const tile of this.#tiles) this.#changed.add(tile);
  }

  async #readPicture(store: SwarmStore): Promise<void> {
    const task = await store.tasks.get(this.run.id);
    if (!task) return;
    const result = task.result as AssemblyResult;
    this.#picture = { result, file: new Blob([fromBase64(result.png)], { type: 'image/png' }), ...(task.agentId && { by: task.agentId }) };
  }

  /** What there is to show, and what changed since this was asked last. */
  view(now: number): BoardView {
    const leases: Lease[] = [];
    const work: BoardView['work'] = new Map();
    let rejected = 0;
    let failedAttempts = 0;
    let recent = 0;
    for (const row of this.#rows.values()) {
      const parsed = parseTaskId(row.id);
      if (!parsed) continue;
      const { kind, tile } = parsed;
      failedAttempts += row.error_count;
      if ((row.status === 'assigned' || row.status === 'running') && row.agent_id && row.lease_expires_at) {
        leases.push({ taskId: row.id, kind, tile, agentId: row.agent_id, attempt: row.attempt, expiresAt: row.lease_expires_at });
      }
      if (row.status !== 'completed') continue;
      if (kind === 'check' && row.verdict === 0) rejected++;
      if (kind === 'tile' && row.updated_at > now - RATE_WINDOW_MS) recent++;
      if (!row.agent_id || (kind !== 'tile' && kind !== 'check')) continue;
      const sum = work.get(row.agent_id) ?? { tiles: 0, checks: 0 };
      sum[kind === 'tile' ? 'tiles' : 'checks']++;
      work.set(row.agent_id, sum);
    }
    const verified = this.#tiles.filter(({ state }) => state === 'verified').length;
    const changed = this.#changed;
    this.#changed = new Set();
    return {
      tiles: this.#tiles,
      changed,
      ...(this.#survey && { survey: this.#survey }),
      ...(this.#picture && { picture: this.#picture }),
      done: this.#tiles.filter(({ computed }) => computed).length,
      verified,
      rejected,
      failedAttempts,
      iterations: this.#picture?.result.iterations ?? this.#iterations,
      tilesPerSecond: recent / (RATE_WINDOW_MS / 1000),
      leases: leases.sort((a, b) => a.expiresAt - b.expiresAt),
      work,
      stage: this.run.finished ? '' : !this.#survey ? 'planning' : verified === this.#tiles.length ? 'assembling' : 'computing',
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

function set<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}
