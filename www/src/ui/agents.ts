import type { Agent } from 'swarmstore';
import { MAX_AGENTS } from '../flow';
import type { Lease, Snapshot } from '../snapshot';
import { isFaulty, slotOf } from '../swarm';
import { badge, isCounted, silenceOf } from './channels';
import { byId, KeyedList, make, setText } from './dom';
import { count } from './format';

const GONE_SHOWN = 4;
const STILL = matchMedia('(prefers-reduced-motion: reduce)');

export interface AgentActions {
  /** Whether the agent's worker is running in this page. */
  isHere(agent: Agent): boolean;
  kill(agent: Agent): void;
  add(faulty: boolean): void;
}

interface Item {
  agent: Agent;
  doing: string;
  life: 'alive' | 'silent' | 'gone';
  canBeKilled: boolean;
  tiles: number;
  checks: number;
}

/** The list of agents: those that the store counts on first, then the latest of those that are gone. */
export function mountAgents(actions: AgentActions): (snapshot: Snapshot) => void {
  const addButton = byId<HTMLButtonElement>('add-agent');
  const addFaultyButton = byId<HTMLButtonElement>('add-faulty-agent');
  addButton.addEventListener('click', () => actions.add(false));
  addFaultyButton.addEventListener('click', () => actions.add(true));
  const list = new KeyedList<Item, AgentRow>(byId('agents'), ({ agent }) => agent.id, ({ agent }) => new AgentRow(agent, actions));

  return (snapshot) => {
    const { agents, leases, work } = snapshot;
    const counted = agents.filter(isCounted).sort((a, b) => slotOf(a) - slotOf(b));
    const gone = agents.filter((agent) => !isCounted(agent));
    list.update([...counted, ...gone.slice(0, GONE_SHOWN)].map((agent) => {
      const life = !isCounted(agent) ? 'gone' : silenceOf(agent) === undefined ? 'alive' : 'silent';
      return {
        agent,
        life,
        doing: doing(agent, life, leases.find((lease) => lease.agentId === agent.id), snapshot),
        canBeKilled: actions.isHere(agent),
        tiles: work.get(agent.id)?.tiles ?? 0,
        checks: work.get(agent.id)?.checks ?? 0,
      };
    }));

    setText(byId('agents-note'), counted.length === 0 && gone.length === 0 ? '' : `${counted.length} at work`);
    setText(byId('no-agents'), notice(snapshot, counted));
    addButton.disabled = addFaultyButton.disabled = !snapshot.run || snapshot.run.finished || counted.length >= MAX_AGENTS;
  };
}

function doing(agent: Agent, life: Item['life'], lease: Lease | undefined, { state }: Snapshot): string {
  if (life === 'gone') return 'gone';
  if (life === 'silent') return `silent ${count((silenceOf(agent) ?? 0) / 1000)} s`;
  switch (lease?.kind) {
    case 'plan': return 'plan';
    case 'tile': return `tile ${lease.tile}`;
    case 'check': return `check ${lease.tile}`;
    case 'assembly': return 'assembly';
    default: return state === 'finished' ? 'done' : state === 'paused' ? 'paused' : 'waiting';
  }
}

function notice({ run }: Snapshot, counted: Agent[]): string {
  if (!run) return 'Agents join when the swarm starts.';
  if (run.finished) return '';
  if (counted.length === 0) return 'Nobody is at work. Add an agent to go on.';
  if (counted.every(isFaulty)) return 'Only faulty agents are left. Add a sound one.';
  if (counted.length === 1) return 'One agent computes, but cannot check its own tiles. Add a second one.';
  return '';
}

class AgentRow {
  readonly root: HTMLElement;
  readonly #pulse = make('i', { class: 'pulse', 'aria-hidden': 'true' });
  readonly #doing = make('span');
  readonly #tiles = make('td', { class: 'n' });
  readonly #checks = make('td', { class: 'n' });
  #beat = 0;
  readonly #action = make('td', { class: 'act' });
  readonly #button: HTMLButtonElement;

  constructor(agent: Agent, { kill }: AgentActions) {
    const name = agent.name ?? agent.id;
    this.#button = make('button', { type: 'button', class: 'kill', text: 'Kill', 'aria-label': `Kill ${name}`, 'data-testid': 'kill-agent', 'data-agent': agent.id });
    this.#button.addEventListener('click', () => {
      kill(agent);
      this.#removeButton();
    });
    const who = make('th', { scope: 'row' }, make('span', { text: name }));
    if (isFaulty(agent)) who.append(make('span', { class: 'tag', text: 'faulty' }));
    this.root = make('tr', { 'data-agent': agent.id },
      make('td', { class: 'slot' }, badge(slotOf(agent))),
      who,
      make('td', { class: 'doing' }, this.#pulse, this.#doing),
      this.#tiles,
      this.#checks,
      this.#action);
  }

  update({ agent, doing, life, canBeKilled, tiles, checks }: Item): void {
    this.root.dataset.life = life;
    if (life === 'alive' && this.#beat !== agent.lastHeartbeat) {
      this.#beat = agent.lastHeartbeat;
      this.#pulse.dataset.beat = String(this.#beat);
      if (!STILL.matches) this.#pulse.animate([{ opacity: 1, scale: 1.5 }, { opacity: 0.55, scale: 1 }], { duration: 650, easing: 'ease-out' });
    }
    if (!canBeKilled) this.#removeButton();
    else if (!this.#button.isConnected) this.#action.append(this.#button);
    setText(this.#doing, doing);
    setText(this.#tiles, count(tiles));
    setText(this.#checks, count(checks));
  }

  #removeButton(): void {
    // The focus would fall back to the start of the page.
    if (document.activeElement === this.#button) byId('agents-scroll').focus();
    this.#button.remove();
  }
}
