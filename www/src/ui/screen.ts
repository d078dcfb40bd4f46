import type { Agent } from 'swarmstore';
import { colourTable, paint, paletteById, proofTable } from '../palette';
import { pictureSize, regionById, type Order } from '../picture';
import type { Run } from '../run';
import type { Picture, Snapshot, SurveyView, TileView } from '../snapshot';
import { slotOf } from '../swarm';
import { channelOf, isAlive } from './channels';
import { byId, setText } from './dom';
import { count, seconds } from './format';

const FADE_MS = 320;
// A few steps look as good as sixty frames per second, and leave the processor to the agents.
const FADE_STEP_MS = 80;
const GRATICULE = 'rgb(150 178 178 / 0.16)';
// Neighbouring tiles draw their common line twice.
const TILE_LINE = 'rgb(150 178 178 / 0.08)';
const GROUND = '#0a0f11';
/** How much of the survey shows through where nothing is computed yet. */
const SURVEY_OPACITY = 0.5;

/**
 * The picture on one canvas, what is going on in it on another above.
 * Where nothing is computed yet, the plan's survey shows, coarse and dim. A computed tile is a grey proof; it takes on its
 * colours when a second agent has verified it. A finished picture is drawn as it was assembled.
 */
export class Screen {
  readonly #stage = byId('stage');
  readonly #picture = byId<HTMLCanvasElement>('picture');
  readonly #overlay = byId<HTMLCanvasElement>('overlay');
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  #run: Run | undefined;
  #colours = colourTable(paletteById(''));
  #proof = proofTable(this.#colours);
  #snapshot: Snapshot | undefined;
  /** The survey, one pixel per point, in the order of the grid. */
  #survey: HTMLCanvasElement | undefined;
  #assembled: Picture | undefined;
  #agents = new Map<string, Agent>();
  /** What each tile looks like now, and since when the verified ones are taking on colour. */
  #painted = new Map<TileView, 'blank' | 'survey' | 'proof' | 'colour'>();
  #fading = new Map<TileView, number>();
  #ticking = false;
  /** Whether the dead hold tiles: their countdowns change with every snapshot. */
  #held = false;
  #pointed: number | undefined;

  constructor() {
    new ResizeObserver(() => this.#fit()).observe(this.#stage);
    this.#overlay.addEventListener('pointermove', (event) => this.#point(this.#tileAt(event)));
    this.#overlay.addEventListener('pointerdown', (event) => this.#point(this.#tileAt(event)));
    this.#overlay.addEventListener('pointerleave', () => this.#point(undefined));
    this.#overlay.addEventListener('blur', () => this.#point(undefined));
    this.#overlay.addEventListener('keydown', (event) => this.#step(event));
  }

  update(snapshot: Snapshot): void {
    if (snapshot.run !== this.#run) this.#begin(snapshot);
    this.#snapshot = snapshot;
    this.#agents = new Map(snapshot.agents.map((agent) => [agent.id, agent]));
    if (snapshot.survey && !this.#survey) this.#survey = this.#drawSurvey(snapshot.tiles, snapshot.survey);
    for (const tile of snapshot.changed) this.#paint(tile);
    if (snapshot.picture && snapshot.picture !== this.#assembled) void this.#drawAssembled(snapshot.picture);
    if (this.#fading.size > 0 && !this.#ticking) this.#fade();
    const held = snapshot.leases.some(({ agentId }) => !isAlive(this.#agents.get(agentId)));
    if (snapshot.changed.size > 0 || held || this.#held) this.#drawOverlay();
    this.#held = held;
    this.#describe();
  }

  #begin({ run }: Snapshot): void {
    this.#run = run;
    this.#painted.clear();
    this.#fading.clear();
    this.#pointed = undefined;
    this.#survey = undefined;
    this.#assembled = undefined;
    if (!run) return;
    this.#colours = colourTable(paletteById(run.order.palette));
    this.#proof = proofTable(this.#colours);
    Object.assign(this.#picture, pictureSize(run.order));
  }

  #drawSurvey(tiles: TileView[], { side, tones }: SurveyView): HTMLCanvasElement {
    const { columns, rows } = this.#run!.order;
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: columns * side, height: rows * side });
    const context = canvas.getContext('2d')!;
    tiles.forEach(({ area }, index) => {
      const image = context.createImageData(side, side);
      context.putImageData(paint(tones.subarray(index * side * side, (index + 1) * side * side), image, this.#proof), area.column * side, area.row * side);
    });
    return canvas;
  }

  async #drawAssembled(picture: Picture): Promise<void> {
    this.#assembled = picture;
    const image = await createImageBitmap(picture.file);
    if (this.#assembled !== picture) return;
    this.#fading.clear();
    this.#picture.getContext('2d', { alpha: false })!.drawImage(image, 0, 0);
    image.close();
  }

  #paint(tile: TileView): void {
    const context = this.#picture.getContext('2d', { alpha: false })!;
    const { x, y, width, height, column, row } = tile.area;
    const before = this.#painted.get(tile);
    if (this.#assembled) return;
    if (!tile.tones) {
      const look = this.#survey ? 'survey' : 'blank';
      if (before === look) return;
      this.#painted.set(tile, look);
      this.#fading.delete(tile);
      context.fillStyle = GROUND;
      context.fillRect(x, y, width, height);
      if (!this.#survey) return;
      const side = this.#survey.width / this.#run!.order.columns;
      context.globalAlpha = SURVEY_OPACITY;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.#survey, column * side, row * side, side, side, x, y, width, height);
      context.globalAlpha = 1;
      return;
    }
    const look = tile.state === 'verified' ? 'colour' : 'proof';
    if (before === look) return;
    this.#painted.set(tile, look);
    if (look === 'colour' && before === 'proof' && !this.#still.matches) this.#fading.set(tile, performance.now());
    else this.#put(tile, look === 'colour' ? 1 : 0);
  }

  #put(tile: TileView, mix: number): void {
    const context = this.#picture.getContext('2d', { alpha: false })!;
    const { x, y, width, height } = tile.area;
    context.putImageData(paint(tile.tones!, context.createImageData(width, height), this.#proof, this.#colours, mix), x, y);
  }

  #fade(): void {
    this.#ticking = false;
    const now = performance.now();
    for (const [tile, since] of this.#fading) {
      const mix = Math.min(1, (now - since) / FADE_MS);
      if (tile.tones) this.#put(tile, mix);
      if (mix === 1) this.#fading.delete(tile);
    }
    if (this.#fading.size === 0) return;
    this.#ticking = true;
    setTimeout(() => this.#fade(), FADE_STEP_MS);
  }

  #fit(): void {
    const scale = devicePixelRatio || 1;
    const width = Math.round(this.#stage.clientWidth * scale);
    const height = Math.round(this.#stage.clientHeight * scale);
    if (this.#overlay.width === width && this.#overlay.height === height) return;
    this.#overlay.width = width;
    this.#overlay.height = height;
    this.#drawOverlay();
  }

  #drawOverlay(): void {
    const context = this.#overlay.getContext('2d')!;
    const { width, height } = this.#overlay;
    context.clearRect(0, 0, width, height);
    const snapshot = this.#snapshot;
    if (!snapshot?.run) return drawGraticule(context, width, height);
    const scale = width / pictureSize(snapshot.run.order).width;
    const pixel = devicePixelRatio || 1;
    for (const tile of snapshot.tiles) this.#drawTile(context, tile, scale, pixel);
    const pointed = this.#pointed === undefined ? undefined : snapshot.tiles[this.#pointed];
    if (pointed) {
      context.lineWidth = 2 * pixel;
      context.strokeStyle = '#ffffff';
      const box = boxOf(pointed, scale);
      context.strokeRect(box.x + pixel, box.y + pixel, box.width - 2 * pixel, box.height - 2 * pixel);
    }
  }

  #drawTile(context: CanvasRenderingContext2D, tile: TileView, scale: number, pixel: number): void {
    const box = boxOf(tile, scale);
    if (!tile.tones && !this.#assembled) {
      context.lineWidth = 1;
      context.strokeStyle = TILE_LINE;
      context.strokeRect(box.x + 0.5, box.y + 0.5, box.width, box.height);
    }
    if (tile.state === 'failed') return drawCross(context, box, pixel);
    if (tile.state !== 'computing' && tile.state !== 'checking') return;
    const agent = this.#agents.get((tile.state === 'computing' ? tile.author : tile.checker) ?? '');
    const channel = channelOf(agent);
    const dead = agent !== undefined && !isAlive(agent);
    if (dead) drawHatch(context, box, channel, pixel);
    else if (tile.state === 'computing') {
      context.fillStyle = `${channel}2e`;
      context.fillRect(box.x, box.y, box.width, box.height);
    }
    const line = 2 * pixel;
    context.lineWidth = line;
    context.strokeStyle = channel;
    context.setLineDash(tile.state === 'checking' && !dead ? [4 * pixel, 3 * pixel] : []);
    context.strokeRect(box.x + line / 2, box.y + line / 2, box.width - line, box.height - line);
    context.setLineDash([]);
    const label = dead ? seconds((tile.leaseExpiresAt ?? 0) - Date.now()) : agent ? String(slotOf(agent)) : '';
    drawLabel(context, box, label, channel, pixel, dead);
  }

  #tileAt(event: PointerEvent): number | undefined {
    const snapshot = this.#snapshot;
    if (!snapshot?.run) return undefined;
    const size = pictureSize(snapshot.run.order);
    const x = (event.offsetX / this.#overlay.clientWidth) * size.width;
    const y = (event.offsetY / this.#overlay.clientHeight) * size.height;
    return indexAt(snapshot.tiles, x, y);
  }

  /** Arrow keys move from tile to tile. */
  #step(event: KeyboardEvent): void {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const tiles = this.#snapshot?.tiles;
    if (!move || !tiles?.length) return;
    event.preventDefault();
    const from = this.#pointed === undefined ? undefined : tiles[this.#pointed]?.area;
    if (!from) return this.#point(0);
    const x = from.x + (move[0]! === 0 ? 0.5 : move[0]! > 0 ? from.width + 0.5 : -0.5);
    const y = from.y + (move[1]! === 0 ? 0.5 : move[1]! > 0 ? from.height + 0.5 : -0.5);
    this.#point(indexAt(tiles, x, y) ?? this.#pointed);
  }

  #point(index: number | undefined): void {
    if (this.#pointed === index) return;
    this.#pointed = index;
    this.#drawOverlay();
    this.#describe();
  }

  #describe(): void {
    const snapshot = this.#snapshot;
    if (!snapshot?.run) return setText(byId('probe'), '');
    const tile = this.#pointed === undefined ? undefined : snapshot.tiles[this.#pointed];
    setText(byId('probe'), tile ? this.#describeTile(tile) : coordinates(snapshot.run.order));
    const summary = `Picture of ${snapshot.tiles.length} tiles, ${snapshot.done} computed and ${snapshot.verified} verified. Arrow keys move from tile to tile.`;
    if (this.#overlay.getAttribute('aria-label') !== summary) this.#overlay.setAttribute('aria-label', summary);
  }

  #describeTile(tile: TileView): string {
    const name = (id: string | undefined) => (id && this.#agents.get(id)?.name) || 'an agent';
    const took = tile.ms === undefined ? '' : `, ${count(tile.ms)} ms`;
    switch (tile.state) {
      case 'pending': return `Tile ${tile.number}: ${this.#survey ? 'ready to be claimed' : 'waits for the plan'}`;
      case 'computing': return `Tile ${tile.number}: ${name(tile.author)}, attempt ${tile.attempt}`;
      case 'computed': return `Tile ${tile.number}: ${name(tile.author)}${took}, not checked`;
      case 'checking': return `Tile ${tile.number}: ${name(tile.author)}${took}, ${name(tile.checker)} checks`;
      case 'verified': return `Tile ${tile.number}: ${name(tile.author)}${took}, verified by ${name(tile.checker)}`;
      case 'failed': return `Tile ${tile.number}: a dead letter, to be redriven`;
    }
  }
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function boxOf({ area }: TileView, scale: number): Box {
  const x = Math.round(area.x * scale);
  const y = Math.round(area.y * scale);
  return { x, y, width: Math.round((area.x + area.width) * scale) - x, height: Math.round((area.y + area.height) * scale) - y };
}

function indexAt(tiles: TileView[], x: number, y: number): number | undefined {
  const index = tiles.findIndex(({ area }) => x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height);
  return index < 0 ? undefined : index;
}

function coordinates(order: Order): string {
  const { centre, width } = regionById(order.region);
  const digits = (value: number) => String(Number(value.toFixed(12))).replace('-', '−');
  const [re, im] = centre;
  return `${digits(re)} ${im < 0 ? '−' : '+'} ${digits(Math.abs(im))}i, ${width.toExponential(1).replace('-', '−')} wide`;
}

/** The empty screen: a graticule of twelve by eight. */
function drawGraticule(context: CanvasRenderingContext2D, width: number, height: number): void {
  context.strokeStyle = GRATICULE;
  context.lineWidth = 1;
  context.beginPath();
  for (let column = 1; column < 12; column++) {
    const x = Math.round((column * width) / 12) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height);
  }
  for (let row = 1; row < 8; row++) {
    const y = Math.round((row * height) / 8) + 0.5;
    context.moveTo(0, y);
    context.lineTo(width, y);
  }
  context.stroke();
}

function drawHatch(context: CanvasRenderingContext2D, box: Box, channel: string, pixel: number): void {
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  context.fillStyle = 'rgb(10 15 17 / 0.7)';
  context.fillRect(box.x, box.y, box.width, box.height);
  context.strokeStyle = `${channel}8c`;
  context.lineWidth = 1.5 * pixel;
  context.beginPath();
  for (let at = -box.height; at < box.width; at += 7 * pixel) {
    context.moveTo(box.x + at, box.y + box.height);
    context.lineTo(box.x + at + box.height, box.y);
  }
  context.stroke();
  context.restore();
}

function drawCross(context: CanvasRenderingContext2D, box: Box, pixel: number): void {
  context.strokeStyle = '#ff7468';
  context.lineWidth = 2 * pixel;
  context.beginPath();
  context.moveTo(box.x, box.y);
  context.lineTo(box.x + box.width, box.y + box.height);
  context.moveTo(box.x + box.width, box.y);
  context.lineTo(box.x, box.y + box.height);
  context.stroke();
}

/** The agent's number in the corner, or the time left in the middle; nothing where there is no room. */
function drawLabel(context: CanvasRenderingContext2D, box: Box, label: string, channel: string, pixel: number, middle: boolean): void {
  const size = 11 * pixel;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const width = context.measureText(label).width + 6 * pixel;
  const height = size + 4 * pixel;
  if (!label || width > box.width || height > box.height) return;
  const x = middle ? box.x + (box.width - width) / 2 : box.x;
  const y = middle ? box.y + (box.height - height) / 2 : box.y;
  context.fillStyle = channel;
  context.fillRect(x, y, width, height);
  context.fillStyle = '#0a0f11';
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  context.fillText(label, x + width / 2, y + height / 2 + pixel / 2);
}
