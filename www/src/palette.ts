import { INSIDE } from './mandelbrot';

type Rgb = [red: number, green: number, blue: number];

export interface Palette {
  id: string;
  name: string;
  /** Colour of the points inside the set. */
  inside: Rgb;
  /** Evenly spaced stops for the tones outside, from the first to the last. */
  stops: Rgb[];
}

export const PALETTES: Palette[] = [
  {
    id: 'plate',
    name: 'Plate',
    inside: [8, 12, 18],
    stops: [[10, 24, 46], [22, 66, 104], [78, 140, 168], [226, 226, 204], [240, 178, 92], [168, 72, 40], [58, 22, 34], [24, 44, 84], [118, 172, 190], [246, 240, 220]],
  },
  {
    id: 'copper',
    name: 'Copper',
    inside: [12, 9, 8],
    stops: [[22, 14, 12], [74, 32, 20], [158, 74, 36], [230, 150, 84], [252, 228, 188], [120, 150, 140], [30, 72, 76], [14, 26, 32], [146, 84, 46], [250, 224, 180]],
  },
  {
    id: 'aurora',
    name: 'Aurora',
    inside: [4, 10, 14],
    stops: [[6, 18, 34], [10, 66, 84], [26, 134, 118], [128, 210, 132], [236, 246, 186], [206, 150, 190], [112, 74, 156], [36, 32, 92], [22, 110, 126], [214, 244, 204]],
  },
  {
    id: 'silver',
    name: 'Silver',
    inside: [10, 11, 12],
    stops: [[18, 20, 22], [72, 76, 80], [178, 182, 184], [246, 246, 242], [132, 136, 140], [40, 42, 46], [108, 112, 116], [226, 228, 228], [84, 88, 92], [250, 250, 248]],
  },
];

export function paletteById(id: string): Palette {
  return PALETTES.find((palette) => palette.id === id) ?? PALETTES[0]!;
}

/** The palette's colour for each of the 256 tones, as red, green, blue. */
export function colourTable(palette: Palette): Uint8ClampedArray {
  const table = new Uint8ClampedArray(256 * 3);
  table.set(palette.inside, INSIDE * 3);
  for (let tone = 1; tone < 256; tone++) {
    const at = ((tone - 1) / 254) * (palette.stops.length - 1);
    const from = Math.min(Math.floor(at), palette.stops.length - 2);
    const a = palette.stops[from]!;
    const b = palette.stops[from + 1]!;
    for (let c = 0; c < 3; c++) table[tone * 3 + c] = a[c]! + (b[c]! - a[c]!) * (at - from);
  }
  return table;
}

/** The same table as a dim proof print: what a tile looks like until a second agent has verified it. */
export function proofTable(colours: Uint8ClampedArray): Uint8ClampedArray {
  const table = new Uint8ClampedArray(colours.length);
  for (let at = 0; at < colours.length; at += 3) {
    const light = 0.3 * colours[at]! + 0.59 * colours[at + 1]! + 0.11 * colours[at + 2]!;
    table[at] = light * 0.5 + 6;
    table[at + 1] = light * 0.54 + 10;
    table[at + 2] = light * 0.56 + 12;
  }
  return table;
}

/** Paints tones with a colour table, or with a mix of two: 0 is all `from`, 1 is all `to`. */
export function paint(tones: Uint8Array, image: ImageData, from: Uint8ClampedArray, to = from, mix = 0): ImageData {
  const table = mix <= 0 ? from : mix >= 1 ? to : from.map((value, at) => value + (to[at]! - value) * mix);
  const pixels = image.data;
  for (let i = 0, p = 0; i < tones.length; i++, p += 4) {
    const t = tones[i]! * 3;
    pixels[p] = table[t]!;
    pixels[p + 1] = table[t + 1]!;
    pixels[p + 2] = table[t + 2]!;
    pixels[p + 3] = 255;
  }
  return image;
}
