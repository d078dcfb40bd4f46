import type { NewTask } from 'swarmstore';
import type { Area, Depth } from './mandelbrot';
import { tilesOf, type Order } from './picture';

/**
 * The queues, in the order in which a picture goes through them: a plan, then the tiles, then a check of each, then one
 * picture of all. Any of them can be paused.
 */
export const QUEUES = ['plan', 'tiles', 'checks', 'assembly'] as const;
export type Queue = (typeof QUEUES)[number];

/** How many agents may be at work at once. */
export const MAX_AGENTS = 8;

/** What an agent has to be capable of to check what the agent in this slot computed. Everybody else is. */
export const checkerOf = (slot: number): string => `check-${slot}`;

/** Everybody's capabilities but for the slot they are in. */
export function capabilitiesOf(slot: number): string[] {
  return Array.from({ length: MAX_AGENTS }, (_, at) => at + 1).filter((other) => other !== slot).map(checkerOf);
}

// ---- task ids: RUN, RUN.plan, RUN.tile.0042.01 and RUN.check.0042.01 ---------
// Ids sort like the tiles, and the claim takes the lowest id first. The last part counts the rounds: a tile that does not
// pass its check is computed again, as a new task.

export type TaskKind = 'assembly' | 'plan' | 'tile' | 'check';

export function planId(run: string): string {
  return `${run}.plan`;
}

export function taskId(run: string, kind: 'tile' | 'check', tile: number, round: number): string {
  return `${run}.${kind}.${String(tile).padStart(4, '0')}.${String(round).padStart(2, '0')}`;
}

/** What a task id says; the tile is 0 for a plan and an assembly, which belong to none. */
export function parseTaskId(id: string): { run: string; kind: TaskKind; tile: number; round: number } | undefined {
  const [run, kind, tile, round] = id.split('.');
  if (!run) return undefined;
  if (kind === undefined) return { run, kind: 'assembly', tile: 0, round: 1 };
  if (kind === 'plan') return { run, kind, tile: 0, round: 1 };
  if (!tile || !round || (kind !== 'tile' && kind !== 'check')) return undefined;
  return { run, kind, tile: Number(tile), round: Number(round) };
}

/** What a visitor reads instead of a task id. */
export function nameOfTask(id: string): string {
  const parsed = parseTaskId(id);
  switch (parsed?.kind) {
    case 'assembly': return 'Assembly';
    case 'plan': return 'Plan';
    case 'tile': return `Tile ${parsed.tile}`;
    case 'check': return `Check of tile ${parsed.tile}`;
    default: return id;
  }
}

// ---- the tasks ---------------------------------------------------------------

// Whoever waits for a task that failed for good holds until it is redriven. A retry comes soon: somebody is watching.
const COMMON = { onDependencyFailure: 'hold', maxRetries: 3, backoff: { kind: 'exponential', baseMs: 250, maxMs: 2000 } } as const;

/** What an agent finds in a tile task. */
export type TilePayload = Area & { tile: number; round: number };

/** What an agent finds in a check task: which tile task to look at. */
export type CheckPayload = { tile: number; round: number; tileTask: string };

/**
 * Everything that makes a picture, to be added at once: the assembly, which the others are parts of and which waits for all
 * checks; the plan; and for each tile a task that waits for the plan and a check that waits for the tile.
 */
export function flowOf(run: string, order: Order): NewTask[] {
  const tiles = tilesOf(order);
  const parts = tiles.flatMap(({ x, y, width, height }, index) => tileTasks(run, index + 1, 1, { x, y, width, height }));
  return [
    { ...COMMON, id: run, taskType: 'assembly', queue: 'assembly', priority: 'critical', payload: order, dependencies: tiles.map((_, index) => taskId(run, 'check', index + 1, 1)) },
    { ...COMMON, id: planId(run), taskType: 'plan', queue: 'plan', priority: 'critical', parentTaskId: run, payload: order },
    ...parts,
  ];
}

/** A tile and its check. From the second round on they go first. */
export function tileTasks(run: string, tile: number, round: number, area: Area): [tile: NewTask, check: NewTask] {
  const id = taskId(run, 'tile', tile, round);
  const payload: TilePayload = { ...area, tile, round };
  const check: CheckPayload = { tile, round, tileTask: id };
  return [
    { ...COMMON, id, taskType: 'tile', queue: 'tiles', priority: round > 1 ? 'critical' : 'medium', parentTaskId: run, payload, dependencies: [planId(run)] },
    { ...COMMON, id: taskId(run, 'check', tile, round), taskType: 'check', queue: 'checks', priority: 'high', parentTaskId: run, payload: check, dependencies: [id] },
  ];
}

// ---- their results -----------------------------------------------------------

/** How the picture is to be computed, and the survey that this follows from. */
export type PlanResult = Depth & {
  /** Points per tile along each axis, and their escape counts, tile by tile; packed. */
  side: number;
  counts: string;
  /** Iterations that all tiles together will take, about. */
  estimate: number;
  ms: number;
};

/** What a computed tile leaves as its result. */
export type TileResult = { tones: string; iterations: number; ms: number };

/** What a check leaves as its result: in how many pixels it came to something else. */
export type CheckResult = { ok: boolean; differing: number; ms: number };

/** What the assembly leaves as its result: the picture as a file, and how it came about. */
export type AssemblyResult = {
  /** A PNG, as base64. */
  png: string;
  bytes: number;
  sha256: string;
  width: number;
  height: number;
  tiles: number;
  iterations: number;
  /** Part of the pixels that belong to the set. */
  inside: number;
  /** Attempts of the picture's tasks that failed, and tiles that were computed again because of a check. */
  failedAttempts: number;
  rejected: number;
  /** Tiles by the agent that computed them. */
  tilesBy: Record<string, number>;
  ms: number;
  /** From the order to the picture. */
  elapsedMs: number;
};
