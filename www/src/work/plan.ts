import type { Task } from 'swarmstore';
import { encodeCounts } from '../encode';
import type { PlanResult } from '../flow';
import { frameOf, tilesOf, type Order } from '../picture';
import { knownAnswerTest, pixelsOf, samplesFor, sideFor, Survey } from '../survey';
import { Fault, type Workplace } from './place';

/** Surveys the picture and decides how it is to be computed. All tiles wait for this. */
export async function plan(place: Workplace, task: Task): Promise<void> {
  const order = task.payload as Order;
  const wrong = knownAnswerTest(place.iterate);
  if (wrong) throw new Fault(wrong);
  const keep = place.keeper(task);
  const began = performance.now();
  const tiles = tilesOf(order);
  const survey = new Survey(frameOf(order), tiles, sideFor(order));
  for (let index = 0; index < tiles.length; index++) {
    survey.look(index, place.iterate);
    await keep();
  }
  const result: PlanResult = {
    ...survey.conclude(pixelsOf(order), samplesFor(order)),
    side: survey.side,
    counts: encodeCounts(survey.counts),
    ms: Math.round(performance.now() - began),
  };

  await place.store.transaction(async (tx) => {
    await tx.tasks.complete(task.id, task.leaseToken!, result);
    const { limit, samples, estimate } = result;
    await place.record(tx, task, 'picture_planned', { tiles: tiles.length, limit, samples, estimate });
  });
}
