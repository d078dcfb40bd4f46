import type { Agent } from 'swarmstore';
import { nameOfTask, type Queue } from '../flow';
import type { Lease, QueueView, Snapshot } from '../snapshot';
import { slotOf } from '../swarm';
import { badge, isAlive } from './channels';
import { byId, KeyedList, make, setText } from './dom';
import { count, seconds } from './format';

const TITLES: Record<Queue, string> = { plan: 'Plan', tiles: 'Tiles', checks: 'Checks', assembly: 'Assembly' };

const PAUSE_ICON = '<svg viewBox="0 0 12 12" width="11" height="11" aria-hidden="true"><path fill="currentColor" d="M2 1h3v10H2zM7 1h3v10H7z"/></svg>';
const RESUME_ICON = '<svg viewBox="0 0 12 12" width="11" height="11" aria-hidden="true"><path fill="currentColor" d="M2.5 1v10L11 6z"/></svg>';

interface Item {
  lease: Lease;
  agent: Agent | undefined;
  now: number;
  leaseMs: number;
}

/** Tasks by queue and status, and those under lease with the time that is left. */
export function mountQueue(leaseMs: number, setPaused: (queue: Queue, paused: boolean) => void): (snapshot: Snapshot) => void {
  const queues = new KeyedList<QueueView, QueueRow>(byId('queues'), ({ queue }) => queue, (view) => new QueueRow(view, setPaused));
  const list = new KeyedList<Item, LeaseRow>(byId('leases'), ({ lease }) => `${lease.taskId} ${lease.attempt}`, (item) => new LeaseRow(item));

  return (snapshot) => {
    queues.update(snapshot.queues);
    const now = Date.now();
    const agents = new Map(snapshot.agents.map((agent) => [agent.id, agent]));
    const items = snapshot.leases.map((lease) => ({ lease, agent: agents.get(lease.agentId), now, leaseMs }));
    // By slot, the held ones of the dead last, so that the rows of the living keep their places.
    const place = ({ agent }: Item) => (isAlive(agent) ? 0 : 100) + (agent ? slotOf(agent) : 0);
    list.update(items.sort((a, b) => place(a) - place(b)));
    setText(byId('no-leases'), items.length > 0 ? '' : snapshot.run ? 'No task is under lease.' : 'Tasks appear when the swarm starts.');
    setText(byId('queue-note'), note(snapshot, items));
  };
}

function note({ queues }: Snapshot, items: Item[]): string {
  const retrying = queues.reduce((sum, queue) => sum + queue.retrying, 0);
  const held = items.filter(({ agent }) => !isAlive(agent)).length;
  const paused = queues.filter((queue) => queue.paused);
  const notes = [
    paused.length === queues.length && paused.length > 0 ? 'paused' : paused.map(({ queue }) => `${queue} paused`).join(', '),
    held > 0 ? `${held} held by the silent` : '',
    retrying > 0 ? `${count(retrying)} to be tried again` : '',
  ];
  return notes.filter(Boolean).join(' · ');
}

class QueueRow {
  readonly root: HTMLElement;
  readonly #title: string;
  readonly #cells = Array.from({ length: 5 }, () => make('td', { class: 'n' }));
  readonly #button = make('button', { type: 'button', class: 'toggle' });
  #paused = false;

  constructor({ queue }: QueueView, setPaused: (queue: Queue, paused: boolean) => void) {
    this.#title = TITLES[queue];
    this.#button.addEventListener('click', () => setPaused(queue, !this.#paused));
    this.root = make('tr', { 'data-queue': queue }, make('th', { scope: 'row' }, make('span', { text: this.#title })), ...this.#cells, make('td', { class: 'act' }, this.#button));
  }

  update({ paused, waiting, ready, running, completed, failed }: QueueView): void {
    this.#paused = paused;
    this.root.classList.toggle('paused', paused);
    const label = `${paused ? 'Resume' : 'Pause'} the ${this.#title.toLowerCase()} queue`;
    if (this.#button.title !== label) {
      this.#button.title = label;
      this.#button.setAttribute('aria-label', label);
      this.#button.innerHTML = paused ? RESUME_ICON : PAUSE_ICON;
    }
    [waiting, ready, running, completed, failed].forEach((value, at) => {
      setText(this.#cells[at]!, count(value));
      this.#cells[at]!.classList.toggle('zero', value === 0);
    });
    this.#cells[4]!.classList.toggle('bad', failed > 0);
  }
}

class LeaseRow {
  readonly root: HTMLElement;
  readonly #left = make('i');
  readonly #seconds = make('span', { class: 'n' });

  constructor({ lease, agent }: Item) {
    this.root = make('li', { 'data-task': lease.taskId },
      badge(agent ? slotOf(agent) : 0),
      make('span', { class: 'what', text: nameOfTask(lease.taskId) }),
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
