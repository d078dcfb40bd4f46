import type { Task } from 'swarmstore';
import { decodeTones, toBase64 } from '../encode';
import { parseTaskId, type AssemblyResult, type TilePayload, type TileResult } from '../flow';
import { INSIDE } from '../mandelbrot';
import { colourTable, paletteById } from '../palette';
import { pictureSize, type Order } from '../picture';
import { encodePng } from '../png';
import { Fault, type Workplace } from './place';

const PAGE = 50;

/** Puts the verified tiles together: the picture as a file, and how it came about. Waits for all checks. */
export async function assemble(place: Workplace, task: Task): Promise<void> {
  const order = task.payload as Order;
  const keep = place.keeper(task);
  const began = performance.now();
  const { width, height } = pictureSize(order);
  const tones = new Uint8Array(width * height);
  const tilesBy: Record<string, number> = {};
  let iterations = 0;
  let tiles = 0;
  for await (const tile of newestTiles(place, task.id)) {
    const area = tile.payload as TilePayload;
    const result = tile.result as TileResult;
    copyTile(tones, width, decodeTones(result.tones, area.width * area.height), area);
    iterations += result.iterations;
    tiles++;
    if (tile.agentId) tilesBy[tile.agentId] = (tilesBy[tile.agentId] ?? 0) + 1;
    await keep();
  }
  if (tiles !== order.columns * order.rows) throw new Fault(`only ${tiles} of ${order.columns * order.rows} tiles are there`);

  const png = await encodePng(width, height, tones, colourTable(paletteById(order.palette)));
  await keep();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', png));
  const [{ attempts, rounds } = { attempts: 0, rounds: 0 }] = await place.store.query(TROUBLE, [task.id]);
  const result: AssemblyResult = {
    png: toBase64(png),
    bytes: png.length,
    sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    width,
    height,
    tiles,
    iterations,
    inside: tones.reduce((sum, tone) => sum + (tone === INSIDE ? 1 : 0), 0) / tones.length,
    failedAttempts: Number(attempts),
    rejected: Number(rounds) - tiles,
    tilesBy,
    ms: Math.round(performance.now() - began),
    elapsedMs: Date.now() - task.createdAt,
  };

  await place.store.transaction(async (tx) => {
    await tx.tasks.complete(task.id, task.leaseToken!, result);
    await place.record(tx, task, 'picture_assembled', { tiles, bytes: result.bytes, sha256: result.sha256 });
  });
}

const TROUBLE = `
  SELECT (SELECT count(*) FROM task_errors JOIN tasks ON tasks.id = task_errors.task_id WHERE parent_task_id = ?1 OR tasks.id = ?1) AS attempts,
         (SELECT count(*) FROM tasks WHERE parent_task_id = ?1 AND task_type = 'tile') AS rounds`;

/** The tasks of a picture's tiles, of each tile only the last round. Rounds of a tile are next to each other by id. */
async function* newestTiles(place: Workplace, run: string): AsyncGenerator<Task> {
  let newest: Task | undefined;
  let after: string | undefined;
  for (;;) {
    const page = await place.store.tasks.list({ where: { parentTaskId: run, taskType: 'tile' }, orderBy: [['id', 'asc']], limit: PAGE, ...(after && { after }) });
    for (const task of page) {
      if (newest && parseTaskId(newest.id)?.tile !== parseTaskId(task.id)?.tile) yield newest;
      newest = task;
    }
    if (page.length < PAGE) break;
    after = page[page.length - 1]!.id;
  }
  if (newest) yield newest;
}

/** Copies a tile's tones to their place in the picture. */
function copyTile(picture: Uint8Array, width: number, tones: Uint8Array, area: TilePayload): void {
  for (let row = 0; row < area.height; row++) {
    picture.set(tones.subarray(row * area.width, (row + 1) * area.width), (area.y + row) * width + area.x);
  }
}
