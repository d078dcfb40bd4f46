import { computeRow } from '../mandelbrot';
import { colourTable, paint, paletteById, PALETTES } from '../palette';
import { frameFor, GRIDS, REGIONS, type Grid, type Order, type Region } from '../picture';
import { Survey } from '../survey';
import { byId, make, setText } from './dom';

const PREVIEW = { width: 132, height: 88 };
const PREVIEW_SIDE = 40;
const gridId = ({ columns, rows }: Grid): string => `${columns}x${rows}`;

/** Asks what to compute next, starting from what was computed last. Answers nothing if the visitor thinks better of it. */
export async function askForOrder(current: Order, underWay: boolean): Promise<Order | undefined> {
  const grid = { columns: current.columns, rows: current.rows };
  const grids = GRIDS.some((one) => gridId(one) === gridId(grid)) ? GRIDS : [grid, ...GRIDS];
  const previews: [Region, HTMLCanvasElement][] = [];

  byId('regions').replaceChildren(...REGIONS.map((region) => {
    const canvas = make('canvas', { width: String(PREVIEW.width), height: String(PREVIEW.height), 'aria-hidden': 'true' });
    previews.push([region, canvas]);
    return choice('region', region.id, current.region, canvas, make('span', { text: region.name }));
  }));
  byId('palettes').replaceChildren(...PALETTES.map((palette) => {
    const swatch = make('i', { class: 'swatch' });
    swatch.style.background = `linear-gradient(90deg, ${palette.stops.map((rgb) => `rgb(${rgb.join(' ')})`).join(', ')})`;
    return choice('palette', palette.id, current.palette, swatch, make('span', { text: palette.name }));
  }));
  byId('grids').replaceChildren(...grids.map((one) => (
    choice('grid', gridId(one), gridId(grid), make('span', { text: `${one.columns} × ${one.rows}` }), make('small', { text: `${one.columns * one.rows} tiles` }))
  )));
  setText(byId('run-hint'), underWay ? 'The picture under way is called off, and its tasks are purged.' : 'The tasks and results of the picture before are purged; its events stay.');

  const form = byId('run-dialog').querySelector('form')!;
  const draw = () => previews.forEach(([region, canvas]) => drawPreview(region, String(new FormData(form).get('palette')), canvas));
  form.onchange = (event) => (event.target as HTMLInputElement).name === 'palette' && draw();
  draw();

  if ((await show('run-dialog')) !== 'start') return undefined;
  const data = new FormData(form);
  const chosen = grids.find((one) => gridId(one) === data.get('grid')) ?? grid;
  return { region: String(data.get('region')), palette: String(data.get('palette')), columns: chosen.columns, rows: chosen.rows, work: current.work };
}

export async function confirmReset(): Promise<boolean> {
  return (await show('reset-dialog')) === 'delete';
}

/** Shows a dialog and answers the value of the button that closed it. */
function show(id: string): Promise<string> {
  const dialog = byId<HTMLDialogElement>(id);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true }));
}

function choice(name: string, value: string, current: string, ...children: HTMLElement[]): HTMLElement {
  const input = make('input', { type: 'radio', name, value });
  input.checked = value === current;
  return make('label', { class: 'choice' }, input, ...children);
}

const tonesOf = new Map<Region, Uint8Array>();

function drawPreview(region: Region, palette: string, canvas: HTMLCanvasElement): void {
  let tones = tonesOf.get(region);
  if (!tones) tonesOf.set(region, (tones = previewTones(region)));
  const context = canvas.getContext('2d')!;
  context.putImageData(paint(tones, context.createImageData(PREVIEW.width, PREVIEW.height), colourTable(paletteById(palette))), 0, 0);
}

/** Planned and computed like a picture of one tile, in small. */
function previewTones(region: Region): Uint8Array {
  const frame = frameFor(region, PREVIEW);
  const area = { x: 0, y: 0, ...PREVIEW };
  const survey = new Survey(frame, [area], PREVIEW_SIDE);
  survey.look(0);
  const job = { ...frame, ...area, ...survey.conclude(PREVIEW.width * PREVIEW.height, 1) };
  const tones = new Uint8Array(PREVIEW.width * PREVIEW.height);
  for (let row = 0; row < PREVIEW.height; row++) computeRow(job, row, tones.subarray(row * PREVIEW.width, (row + 1) * PREVIEW.width));
  return tones;
}
