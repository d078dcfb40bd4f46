import type { Task, Transaction } from 'swarmstore';
import { decodeTones } from '../encode';
import { taskId, tileTasks, type CheckPayload, type CheckResult, type TilePayload, type TileResult } from '../flow';
import { computeRow } from '../mandelbrot';
import { Fault, type Workplace } from './place';
import { jobOf } from './tile';

/** Computes another agent's tile again and compares. A tile that is wrong is computed again, as a new task, and the assembly waits for that too. */
export async function check(place: Workplace, task: Task): Promise<void> {
  const { tile, round, tileTask } = task.payload as CheckPayload;
  const run = task.parentTaskId!;
  const subject = await place.store.tasks.get(tileTask);
  if (!subject) throw new Fault('the tile is not there any more');
  const { tile: _tile, round: _round, ...area } = subject.payload as TilePayload;
  const job = await jobOf(place, run, tile, area);
  const keep = place.keeper(task);
  const began = performance.now();
  const tones = decodeTones((subject.result as TileResult).tones, job.width * job.height);
  const row = new Uint8Array(job.width);
  let differing = 0;
  for (let at = 0; at < job.height; at++) {
    computeRow(job, at, row, place.iterate);
    differing += row.reduce((sum, tone, column) => sum + (tone === tones[at * job.width + column] ? 0 : 1), 0);
    await keep();
  }
  const result: CheckResult = { ok: differing === 0, differing, ms: Math.round(performance.now() - began) };

  await place.store.transaction(async (tx) => {
    if (result.ok) {
      await place.record(tx, task, 'tile_verified', { ms: result.ms });
    } else {
      await tx.tasks.addFlow(tileTasks(run, tile, round + 1, area));
      await waitFor(tx, run, taskId(run, 'check', tile, round + 1));
      await place.record(tx, task, 'tile_rejected', { differing });
    }
    await tx.tasks.complete(task.id, task.leaseToken!, result);
  });
}

async function waitFor(tx: Transaction, run: string, check: string): Promise<void> {
  const picture = await tx.tasks.get(run);
  if (picture) await tx.tasks.update(run, { dependencies: [...picture.dependencies, check] });
}
