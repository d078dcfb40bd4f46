import type { Task } from 'swarmstore';
import { decodeCounts, encodeTones } from '../encode';
import { checkerOf, planId, taskId, type PlanResult, type TilePayload, type TileResult } from '../flow';
import { computeRow, type Area, type Depth, type Frame, type TileJob } from '../mandelbrot';
import { frameOf, type Order } from '../picture';
import { pointsOf, surveyTest } from '../survey';
import { Fault, type Workplace } from './place';

/** What all tiles of a picture have in common. */
interface Common {
  frame: Frame;
  depth: Depth;
  side: number;
  counts: Uint16Array;
}

/** Of the picture that this agent works on. */
let latest: { run: string; common: Common } | undefined;

async function commonOf(place: Workplace, run: string): Promise<Common> {
  if (latest?.run !== run) latest = { run, common: await readCommon(place, run) };
  return latest.common;
}

async function readCommon(place: Workplace, run: string): Promise<Common> {
  const [plan, picture] = await Promise.all([place.resultOf<PlanResult>(planId(run)), place.store.tasks.get(run)]);
  if (!picture) throw new Fault('the picture is not there any more');
  const order = picture.payload as Order;
  const { limit, samples, tone, side } = plan;
  const counts = decodeCounts(plan.counts, order.columns * order.rows * side * side);
  return { frame: frameOf(order), depth: { limit, samples, tone }, side, counts };
}

/** A tile as the plan wants it. Throws if this agent's arithmetic does not agree with the plan's survey of it. */
export async function jobOf(place: Workplace, run: string, tile: number, { x, y, width, height }: Area): Promise<TileJob> {
  const { frame, depth, side, counts } = await commonOf(place, run);
  const area = { x, y, width, height };
  const wrong = surveyTest(frame, area, side, pointsOf(counts, tile - 1, side), place.iterate);
  if (wrong) throw new Fault(wrong);
  return { ...frame, ...depth, ...area };
}

/** Computes a tile. Its result, who may check it and the event go into the store together, or not at all. */
export async function compute(place: Workplace, task: Task): Promise<void> {
  const { tile, round, ...area } = task.payload as TilePayload;
  const run = task.parentTaskId!;
  const job = await jobOf(place, run, tile, area);
  const keep = place.keeper(task);
  const tones = new Uint8Array(job.width * job.height);
  const began = performance.now();
  let iterations = 0;
  for (let row = 0; row < job.height; row++) {
    iterations += computeRow(job, row, tones.subarray(row * job.width, (row + 1) * job.width), place.iterate);
    await keep();
  }
  const result: TileResult = { tones: encodeTones(tones), iterations, ms: Math.round(performance.now() - began) };

  await place.store.transaction(async (tx) => {
    // Completing the tile lets go of its check, which from then on anybody else may take.
    await tx.tasks.update(taskId(run, 'check', tile, round), { requiredCapabilities: [checkerOf(place.agent.slot)] });
    await tx.tasks.complete(task.id, task.leaseToken!, result);
    await place.record(tx, task, 'tile_computed', { iterations, ms: result.ms });
  });
}
