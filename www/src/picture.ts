import type { Area, Frame } from './mandelbrot';
import { PALETTES } from './palette';

/** A part of the complex plane worth a picture. */
export interface Region {
  id: string;
  name: string;
  centre: [re: number, im: number];
  /** Width of the picture on the complex plane. */
  width: number;
}

export const REGIONS: Region[] = [
  { id: 'starfish', name: 'Starfish', centre: [-0.374004139, 0.659792175], width: 0.01 },
  { id: 'island', name: 'Spiral island', centre: [-0.743643887037151, 0.13182590420533], width: 0.00002 },
  { id: 'seahorse', name: 'Seahorse valley', centre: [-0.7436, 0.1318], width: 0.012 },
  { id: 'elephant', name: 'Elephant coast', centre: [0.283, 0.0095], width: 0.012 },
  { id: 'whole', name: 'The whole set', centre: [-0.65, 0], width: 3.5 },
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

/** What a visitor asks for. It is the payload of the picture's own task, so a reloaded page finds it there. */
export type Order = {
  region: string;
  palette: string;
  columns: number;
  rows: number;
  work: Work;
};

export const DEFAULT_ORDER: Order = { region: REGIONS[0]!.id, palette: PALETTES[0]!.id, columns: 18, rows: 12, work: 'normal' };

/** A tile's place in the grid and its pixels. */
export type Tile = Area & { column: number; row: number };

export function regionById(id: string): Region {
  return REGIONS.find((region) => region.id === id) ?? REGIONS[0]!;
}

/** Size of the picture in pixels: always three to two. */
export function pictureSize({ work }: Pick<Order, 'work'>): { width: number; height: number } {
  return work === 'light' ? { width: 288, height: 192 } : { width: 1728, height: 1152 };
}

export function frameOf(order: Order): Frame {
  return frameFor(regionById(order.region), pictureSize(order));
}

export function frameFor({ centre, width }: Region, size: { width: number; height: number }): Frame {
  const step = width / size.width;
  return { left: centre[0] - width / 2, top: centre[1] + (step * size.height) / 2, step };
}

/** The order's tiles in the sequence in which they are to be computed: from the middle outwards. */
export function tilesOf(order: Order): Tile[] {
  const size = pictureSize(order);
  const tiles: Tile[] = [];
  for (let row = 0; row < order.rows; row++) {
    const y = Math.round((row * size.height) / order.rows);
    const height = Math.round(((row + 1) * size.height) / order.rows) - y;
    for (let column = 0; column < order.columns; column++) {
      const x = Math.round((column * size.width) / order.columns);
      const width = Math.round(((column + 1) * size.width) / order.columns) - x;
      tiles.push({ x, y, width, height, column, row });
    }
  }
  const fromMiddle = (tile: Tile) => Math.hypot(tile.x + tile.width / 2 - size.width / 2, tile.y + tile.height / 2 - size.height / 2);
  return tiles.sort((a, b) => fromMiddle(a) - fromMiddle(b));
}
