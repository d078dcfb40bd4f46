import { doublePrecision, escapeOf, toneAt, type Area, type Arithmetic, type Depth, type Frame } from './mandelbrot';
import { pictureSize, type Order } from './picture';

/** A coarse look at a picture before any of it is computed: escape counts of a few points in each tile. */
export class Survey {
  /** Points per tile along each axis. */
  readonly side: number;
  readonly #frame: Frame;
  readonly #tiles: readonly Area[];
  /** Tile by tile, in the order of the tiles; `DEEPEST` for points inside the set. */
  readonly counts: Uint16Array;
  /** Of the points that escape, with a fractional part. */
  readonly #smooth: number[] = [];

  constructor(frame: Frame, tiles: readonly Area[], side: number) {
    this.#frame = frame;
    this.#tiles = tiles;
    this.side = side;
    this.counts = new Uint16Array(tiles.length * side * side);
  }

  /** Counts the points of tile `index`. */
  look(index: number, iterate: Arithmetic = doublePrecision): void {
    surveyTile(this.#frame, this.#tiles[index]!, this.side, iterate, pointsOf(this.counts, index, this.side), this.#smooth);
  }

  /** What follows from it for the whole picture; `samples` is worked out from the budget unless it is given. */
  conclude(pixels: number, samples?: number): Depth & { estimate: number } {
    const smooth = Float64Array.from(this.#smooth).sort();
    const low = smooth[0] ?? 1;
    const high = smooth[Math.floor(0.995 * smooth.length)] ?? DEEPEST;
    const deepest = this.counts.reduce((most, count) => (count < DEEPEST ? Math.max(most, count) : most), 0);
    const limit = Math.min(DEEPEST, Math.max(SHALLOWEST, Math.ceil((deepest * 1.25) / 100) * 100));
    const mean = this.counts.reduce((sum, count) => sum + Math.min(count, limit), 0) / this.counts.length;
    samples ??= Math.max(1, Math.min(MOST_SAMPLES, Math.round(Math.sqrt(BUDGET / (mean * pixels)))));
    return { limit, samples, tone: [0.98 * low, Math.max(high, 2 * low)], estimate: Math.round(mean * pixels * samples * samples) };
  }
}

/** Iterations that are spent on one point at most; the plan may do with fewer, but not with less than these. */
export const DEEPEST = 2000;
const SHALLOWEST = 500;
/** Iterations that the tiles may take in all, and their checks again: samples per pixel are chosen to come near it. */
const BUDGET = 12e9;
const MOST_SAMPLES = 12;
/** Points along the longer side of the picture, whatever its tiles. */
const POINTS_ACROSS = 108;

/** With how many points a tile of this order is surveyed along each axis. */
export function sideFor({ columns }: Order): number {
  return Math.max(2, Math.min(8, Math.round(POINTS_ACROSS / columns)));
}

/** Samples per pixel that the order insists on. */
export function samplesFor({ work }: Order): number | undefined {
  return work === 'light' ? 1 : undefined;
}

export function pixelsOf(order: Order): number {
  const { width, height } = pictureSize(order);
  return width * height;
}

/** The part of the counts that belongs to one tile. */
export function pointsOf(counts: Uint16Array, index: number, side: number): Uint16Array {
  return counts.subarray(index * side * side, (index + 1) * side * side);
}

/** Counts the iterations of a tile's points into `out`; `smooth` gets the fractional counts of those that escape. */
export function surveyTile(frame: Frame, area: Area, side: number, iterate: Arithmetic, out: Uint16Array, smooth?: number[]): void {
  for (let at = 0; at < side * side; at++) {
    const x = area.x + (((at % side) + 0.5) * area.width) / side;
    const y = area.y + ((Math.floor(at / side) + 0.5) * area.height) / side;
    const escape = escapeOf(frame.left + frame.step * x, frame.top - frame.step * y, DEEPEST, iterate);
    out[at] = escape.iterations;
    if (smooth && escape.smooth !== undefined) smooth.push(escape.smooth);
  }
}

/** The tone of a surveyed point. */
export function toneOfCount(count: number, depth: Depth): number {
  return toneAt(count >= depth.limit ? undefined : Math.max(1, count - 2.5), depth.tone);
}

// A point deep in the valley, whose count depends on the last bits of every step.
const KNOWN = { re: -0.743643887037151, im: 0.13182590420533, limit: 5000, count: 3089 };

/** Tests arithmetic on a point whose count is known. Answers what is wrong with it, if anything. */
export function knownAnswerTest(iterate: Arithmetic): string | undefined {
  const found = iterate(KNOWN.re, KNOWN.im, KNOWN.limit);
  return found === KNOWN.count ? undefined : `self-test: ${found} iterations, not ${KNOWN.count}`;
}

/** Tests arithmetic on a tile's surveyed points. Answers what is wrong with it, if anything. */
export function surveyTest(frame: Frame, area: Area, side: number, expected: Uint16Array, iterate: Arithmetic): string | undefined {
  const found = new Uint16Array(expected.length);
  surveyTile(frame, area, side, iterate, found);
  const wrong = found.reduce((sum, count, at) => sum + (count === expected[at] ? 0 : 1), 0);
  return wrong === 0 ? undefined : `self-test: ${wrong} of ${expected.length} points are off`;
}
