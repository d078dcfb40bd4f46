import type { Agent } from 'swarmstore';
import { slotOf } from '../swarm';
import type { Counts, Lease, Snapshot } from '../watch';
import { badge, isAlive } from './channels';
import { byId, KeyedList, make, setText } from './dom';
import { count, seconds } from './format';

interface Item {
  lease: Lease;
  agent: Agent | undefined;
  now: number;
  leaseMs: number;
}

/** Tasks by status, and those under lease with the time that is left. */
export function mountQueue(leaseMs: number): (snapshot: Snapshot) => void {
  const list = new KeyedList<Item, LeaseRow>(byId('leases'), ({ lease }) => `${lease.taskId} ${lease.attempt}`, (item) => new LeaseRow(item));

  return (snapshot) => {
    showCounts(byId('count-tile'), snapshot.counts.tile);
    showCounts(byId('count-check'), snapshot.counts.check);
    const now = Date.now();
    const agents = new Map(snapshot.agents.map((agent) => [agent.id, agent]));
    const items = snapshot.leases.map((lease) => ({ lease, agent: agents.get(lease.agentId), now, leaseMs }));
    // By slot, the held ones of the dead last, so that the rows of the living keep their places.
    const place = ({ agent }: Item) => (isAlive(agent) ? 0 : 100) + (agent ? slotOf(agent) : 0);
    list.update(items.sort((a, b) => place(a) - place(b)));
    setText(byId('no-leases'), items.length > 0 ? '' : snapshot.run ? 'No task is under lease.' : 'Tasks appear when the swarm starts.');
    const held = items.filter(({ agent }) => !isAlive(agent)).length;
    setText(byId('queue-note'), held === 0 ? '' : `${held} held until the lease ends`);
  };
}

function showCounts(row: HTMLElement, counts: Counts): void {
  const cells = row.querySelectorAll('td');
  [counts.pending, counts.running, counts.completed, counts.failed].forEach((value, at) => {
    setText(cells[at]!, count(value));
    cells[at]!.classList.toggle('zero', value === 0);
  });
}

class LeaseRow {
  readonly root: HTMLElement;
  readonly #left = make('i');
  readonly #seconds = make('span', { class: 'n' });

  constructor({ lease, agent }: Item) {
    const what = lease.kind === 'tile' ? 'Tile' : 'Check of';
    this.root = make('li', { 'data-task': lease.taskId },
      badge(agent ? slotOf(agent) : 0),
      make('span', { class: 'what', text: `${what} ${lease.tile}` }),
      make('span', { class: 'attempt', text: `attempt ${lease.attempt}` }),
      make('span', { class: 'left', 'aria-hidden': 'true' }, this.#left),
      this.#seconds);
    this.root.style.setProperty('--channel', `var(--ch${agent ? slotOf(agent) : 0})`);
    if (lease.attempt > 1) this.root.classList.add('again');
  }

  update({ lease, agent, now, leaseMs }: Item): void {
    const left = Math.max(0, lease.expiresAt - now);
    this.root.classList.toggle('held', !isAlive(agent));
    this.#left.style.scale = `${Math.min(1, left / leaseMs).toFixed(3)} 1`;
    setText(this.#seconds, seconds(left));
  }
}
