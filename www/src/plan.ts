import type { NewTask } from 'swarmstore';
import type { TileJob } from './mandelbrot';
import { PALETTES } from './palette';

/** A part of the complex plane worth a picture, with the depth and the tones that suit it. */
export interface Region {
  id: string;
  name: string;
  centre: [re: number, im: number];
  /** Width of the picture on the complex plane. */
  width: number;
  limit: number;
  samples: number;
  tone: [low: number, high: number];
}

export const REGIONS: Region[] = [
  { id: 'starfish', name: 'Starfish', centre: [-0.374004139, 0.659792175], width: 0.01, limit: 1500, samples: 11, tone: [37.6, 222] },
  { id: 'island', name: 'Spiral island', centre: [-0.743643887037151, 0.13182590420533], width: 0.00002, limit: 1600, samples: 5, tone: [107, 935] },
  { id: 'seahorse', name: 'Seahorse valley', centre: [-0.7436, 0.1318], width: 0.012, limit: 1500, samples: 6, tone: [24.4, 1325] },
  { id: 'elephant', name: 'Elephant coast', centre: [0.283, 0.0095], width: 0.012, limit: 1500, samples: 5, tone: [14.5, 994] },
  { id: 'whole', name: 'The whole set', centre: [-0.65, 0], width: 3.5, limit: 1500, samples: 5, tone: [1.8, 111] },
];

export interface Grid {
  columns: number;
  rows: number;
}

export const GRIDS: Grid[] = [
  { columns: 12, rows: 8 },
  { columns: 18, rows: 12 },
  { columns: 24, rows: 16 },
];

export type Work = 'normal' | 'light';

/** Everything that defines a run. It is the payload of the run's own task, so a reloaded page finds it there. */
export type Plan = {
  region: string;
  palette: string;
  columns: number;
  rows: number;
  work: Work;
};

export const DEFAULT_PLAN: Plan = { region: REGIONS[0]!.id, palette: PALETTES[0]!.id, columns: 18, rows: 12, work: 'normal' };

/** Queues: one for runs, one for tiles, and one per author for checks, so that nobody claims a check of their own tile. */
export const RUNS = 'runs';
export const TILES = 'tiles';
export const checksOf = (slot: number): string => `checks-${slot}`;

/** How many agents may be at work at once. */
export const MAX_AGENTS = 8;

export function regionById(id: string): Region {
  return REGIONS.find((region) => region.id === id) ?? REGIONS[0]!;
}

/** Size of the picture in pixels: always three to two. */
export function pictureSize(work: Work): { width: number; height: number } {
  return work === 'light' ? { width: 288, height: 192 } : { width: 1728, height: 1152 };
}

/** The plan's tiles in the order in which they are to be computed: from the middle outwards. */
export function tilesOf(plan: Plan): TileJob[] {
  const region = regionById(plan.region);
  const size = pictureSize(plan.work);
  const step = region.width / size.width;
  const light = plan.work === 'light';
  const common = {
    left: region.centre[0] - region.width / 2,
    top: region.centre[1] + (step * size.height) / 2,
    step,
    limit: light ? Math.ceil(region.limit / 2) : region.limit,
    samples: light ? 1 : region.samples,
    tone: region.tone,
  };

  const tiles: TileJob[] = [];
  for (let row = 0; row < plan.rows; row++) {
    const y = Math.round((row * size.height) / plan.rows);
    const height = Math.round(((row + 1) * size.height) / plan.rows) - y;
    for (let column = 0; column < plan.columns; column++) {
      const x = Math.round((column * size.width) / plan.columns);
      const width = Math.round(((column + 1) * size.width) / plan.columns) - x;
      tiles.push({ x, y, width, height, ...common });
    }
  }
  const fromMiddle = (tile: TileJob) => Math.hypot(tile.x + tile.width / 2 - size.width / 2, tile.y + tile.height / 2 - size.height / 2);
  return tiles.sort((a, b) => fromMiddle(a) - fromMiddle(b));
}

// ---- task ids: RUN.tile.0042.1 and RUN.check.0042.1 -------------------------
// Ids sort like the tiles, and the claim takes the lowest id first. The last part counts the rounds: a tile that fails its
// check is computed again, as a new task.

export type TaskKind = 'tile' | 'check';

export function taskId(run: string, kind: TaskKind, tile: number, round: number): string {
  return `${run}.${kind}.${String(tile).padStart(4, '0')}.${round}`;
}

export function parseTaskId(id: string): { run: string; kind: TaskKind; tile: number; round: number } | undefined {
  const [run, kind, tile, round] = id.split('.');
  if (!run || !tile || !round || (kind !== 'tile' && kind !== 'check')) return undefined;
  return { run, kind, tile: Number(tile), round: Number(round) };
}

// Reloading or killing agents is what visitors come for, and each one costs the tile an attempt.
// The usual three retries would soon leave holes in the picture.
const RETRIES = 1000;

/** What an agent finds in a tile task. */
export type TilePayload = TileJob & { tile: number; round: number };

export function tileTask(run: string, tile: number, round: number, job: TileJob): NewTask {
  const payload: TilePayload = { ...job, tile, round };
  return {
    id: taskId(run, 'tile', tile, round),
    taskType: 'tile',
    queue: TILES,
    parentTaskId: run,
    priority: round > 1 ? 'critical' : 'medium',
    payload,
    maxRetries: RETRIES,
    backoff: { kind: 'fixed', baseMs: 500 },
  };
}

/** What an agent finds in a check task: the tile task to look at and who made it. */
export type CheckPayload = { tile: number; round: number; tileTask: string; author: string };

export function checkTask(run: string, tile: number, round: number, author: { id: string; slot: number }): NewTask {
  const payload: CheckPayload = { tile, round, tileTask: taskId(run, 'tile', tile, round), author: author.id };
  return {
    id: taskId(run, 'check', tile, round),
    taskType: 'check',
    queue: checksOf(author.slot),
    parentTaskId: run,
    priority: 'high',
    payload,
    maxRetries: RETRIES,
    backoff: { kind: 'fixed', baseMs: 500 },
  };
}

/** What a computed tile leaves as its result. */
export type TileResult = { tones: string; iterations: number; ms: number };

/** What a check leaves as its result. */
export type CheckResult = { ok: boolean; rows: number; differing: number; ms: number };
