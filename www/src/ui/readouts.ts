import type { Snapshot } from '../snapshot';
import { byId, setText } from './dom';
import { count, decimal, large } from './format';

/** The figures under the picture and the bar above them. */
export function mountReadouts(): (snapshot: Snapshot) => void {
  const meter = byId('meter');
  const done = byId('meter-done');
  const verified = byId('meter-verified');

  return (snapshot) => {
    const total = snapshot.tiles.length;
    setText(byId('tiles-done'), count(snapshot.done));
    setText(byId('tiles-total'), count(total));
    setText(byId('tiles-verified'), count(snapshot.verified));
    setText(byId('rejected'), count(snapshot.rejected));
    setText(byId('failed-attempts'), count(snapshot.failedAttempts));
    setText(byId('rate'), decimal(snapshot.tilesPerSecond));
    setText(byId('iterations'), large(snapshot.iterations));
    setText(byId('estimate'), snapshot.survey && snapshot.state !== 'finished' ? `of about ${large(snapshot.survey.estimate)}` : '');
    done.style.scale = `${total && snapshot.done / total} 1`;
    verified.style.scale = `${total && snapshot.verified / total} 1`;
    meter.setAttribute('aria-valuemax', String(Math.max(1, total)));
    meter.setAttribute('aria-valuenow', String(snapshot.verified));
  };
}
