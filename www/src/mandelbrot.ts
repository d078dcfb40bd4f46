/** One tile of the picture, complete in itself: whoever holds it can compute it without knowing the rest. */
export type TileJob = {
  /** Pixel rectangle within the picture. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** Complex coordinate of the picture's top left corner, and the distance from one pixel to the next. */
  left: number;
  top: number;
  step: number;
  /** Iterations after which a point counts as inside the set. */
  limit: number;
  /** Samples per pixel along each axis. */
  samples: number;
  /** Escape counts that map to the first and the last tone. */
  tone: [low: number, high: number];
};

/** The tone of a pixel inside the set. Everything outside is 1 to 255. */
export const INSIDE = 0;

// Far beyond 2, so that the fractional part of the escape count is smooth across neighbouring pixels.
const BAILOUT = 65_536;

/**
 * Computes row `row` of a tile (counted from the tile's own top) into `out`, one tone per pixel.
 * Answers the number of iterations it took.
 */
export function computeRow(job: TileJob, row: number, out: Uint8Array): number {
  const { samples, limit } = job;
  const low = Math.log(job.tone[0]);
  const scale = 254 / (Math.log(job.tone[1]) - low);
  let iterations = 0;

  for (let column = 0; column < job.width; column++) {
    let inside = 0;
    let tone = 0;
    for (let i = 0; i < samples; i++) {
      const cy = job.top - job.step * (job.y + row + (i + 0.5) / samples);
      for (let j = 0; j < samples; j++) {
        const cx = job.left + job.step * (job.x + column + (j + 0.5) / samples);
        let zx = 0;
        let zy = 0;
        let xx = 0;
        let yy = 0;
        let n = 0;
        while (n < limit && xx + yy < BAILOUT) {
          zy = 2 * zx * zy + cy;
          zx = xx - yy + cx;
          xx = zx * zx;
          yy = zy * zy;
          n++;
        }
        iterations += n;
        if (n === limit) inside++;
        else tone += toneOf(n, xx + yy, low, scale);
      }
    }
    const outside = samples * samples - inside;
    out[column] = inside > outside ? INSIDE : Math.round(tone / outside);
  }
  return iterations;
}

/** The smooth escape count on a logarithmic scale, cut off at both ends. */
function toneOf(n: number, squared: number, low: number, scale: number): number {
  const smooth = Math.max(1, n + 1 - Math.log2(Math.log2(squared) / 2));
  return 1 + Math.min(254, Math.max(0, (Math.log(smooth) - low) * scale));
}
