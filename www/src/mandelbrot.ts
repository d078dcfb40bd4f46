/** Where the picture lies on the complex plane. */
export type Frame = {
  /** Complex coordinate of the picture's top left corner, and the distance from one pixel to the next. */
  left: number;
  top: number;
  step: number;
};

/** A pixel rectangle within the picture. */
export type Area = { x: number; y: number; width: number; height: number };

/** How a picture is computed; the plan decides it. */
export type Depth = {
  /** Iterations after which a point counts as inside the set. */
  limit: number;
  /** Samples per pixel along each axis. */
  samples: number;
  /** Escape counts that map to the first and the last tone. */
  tone: [low: number, high: number];
};

/** One tile of the picture, complete in itself: whoever holds it can compute it without knowing the rest. */
export type TileJob = Frame & Area & Depth;

/** The tone of a pixel inside the set. Everything outside is 1 to 255. */
export const INSIDE = 0;

// Far beyond 2, so that the fractional part of the escape count is smooth across neighbouring pixels.
const BAILOUT = 65_536;

/** Iterates one point and answers how often, at most `limit` times. What is left of it afterwards is in `distance`. */
export type Arithmetic = (re: number, im: number, limit: number) => number;

/** The squared distance from the origin at which the point iterated last was left. */
let distance = 0;

/** As every agent should compute. */
export const doublePrecision: Arithmetic = (re, im, limit) => {
  let zx = 0;
  let zy = 0;
  let xx = 0;
  let yy = 0;
  let n = 0;
  while (n < limit && xx + yy < BAILOUT) {
    zy = 2 * zx * zy + im;
    zx = xx - yy + re;
    xx = zx * zx;
    yy = zy * zy;
    n++;
  }
  distance = xx + yy;
  return n;
};

/** As a faulty agent computes: the same steps, each rounded to the eleven significant bits of a half-precision number. */
export const halfPrecision: Arithmetic = (re, im, limit) => {
  const cx = toHalf(re);
  const cy = toHalf(im);
  let zx = 0;
  let zy = 0;
  let xx = 0;
  let yy = 0;
  let n = 0;
  while (n < limit && xx + yy < BAILOUT) {
    zy = toHalf(toHalf(2 * zx * zy) + cy);
    zx = toHalf(toHalf(xx - yy) + cx);
    xx = toHalf(zx * zx);
    yy = toHalf(zy * zy);
    n++;
  }
  distance = xx + yy;
  return n;
};

/** Dekker's splitting: what survives of a double when all but its first eleven bits are cut off. */
function toHalf(value: number): number {
  const scaled = value * (2 ** 42 + 1);
  return scaled - (scaled - value);
}

/** The escape count of one point, `undefined` inside the set, and the iterations it took. */
export function escapeOf(re: number, im: number, limit: number, iterate: Arithmetic): { iterations: number; smooth?: number } {
  const iterations = iterate(re, im, limit);
  return iterations === limit ? { iterations } : { iterations, smooth: smoothed(iterations, distance) };
}

/**
 * Computes row `row` of a tile (counted from the tile's own top) into `out`, one tone per pixel.
 * Answers the number of iterations it took.
 */
export function computeRow(job: TileJob, row: number, out: Uint8Array, iterate: Arithmetic = doublePrecision): number {
  const { samples, limit } = job;
  const low = Math.log(job.tone[0]);
  const scale = 254 / (Math.log(job.tone[1]) - low);
  let iterations = 0;

  for (let column = 0; column < job.width; column++) {
    let inside = 0;
    let tone = 0;
    for (let i = 0; i < samples; i++) {
      const im = job.top - job.step * (job.y + row + (i + 0.5) / samples);
      for (let j = 0; j < samples; j++) {
        const re = job.left + job.step * (job.x + column + (j + 0.5) / samples);
        const n = iterate(re, im, limit);
        iterations += n;
        if (n === limit) inside++;
        else tone += toneOf(smoothed(n, distance), low, scale);
      }
    }
    const outside = samples * samples - inside;
    out[column] = inside > outside ? INSIDE : Math.round(tone / outside);
  }
  return iterations;
}

/** The escape count with a fractional part, so that neighbouring tones meet without a step. */
function smoothed(n: number, squared: number): number {
  return Math.max(1, n + 1 - Math.log2(Math.log2(squared) / 2));
}

/** The smooth escape count on a logarithmic scale, cut off at both ends. */
function toneOf(smooth: number, low: number, scale: number): number {
  return 1 + Math.min(254, Math.max(0, (Math.log(smooth) - low) * scale));
}

/** The tone of a single escape count, `undefined` being inside the set. */
export function toneAt(smooth: number | undefined, [low, high]: Depth['tone']): number {
  if (smooth === undefined) return INSIDE;
  return Math.round(toneOf(smooth, Math.log(low), 254 / (Math.log(high) - Math.log(low))));
}
