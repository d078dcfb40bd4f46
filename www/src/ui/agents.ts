import type { Agent } from 'swarmstore';
import { MAX_AGENTS } from '../plan';
import { slotOf } from '../swarm';
import type { Lease, Snapshot } from '../watch';
import { badge, isAlive } from './channels';
import { byId, KeyedList, make, setText } from './dom';
import { count } from './format';

const GONE_SHOWN = 4;

interface Item {
  agent: Agent;
  doing: string;
  tiles: number;
  checks: number;
}

/** The list of agents: those at work first, then the latest of those that are gone. */
export function mountAgents(kill: (agent: Agent) => void, add: () => void): (snapshot: Snapshot) => void {
  const addButton = byId<HTMLButtonElement>('add-agent');
  addButton.addEventListener('click', add);
  const list = new KeyedList<Item, AgentRow>(byId('agents'), ({ agent }) => agent.id, ({ agent }) => new AgentRow(agent, kill));

  return (snapshot) => {
    const { agents, leases, work } = snapshot;
    const alive = agents.filter(isAlive).sort((a, b) => slotOf(a) - slotOf(b));
    const gone = agents.filter((agent) => !isAlive(agent));
    const shown = [...alive, ...gone.slice(0, GONE_SHOWN)];
    const finished = snapshot.run?.finished === true;
    list.update(shown.map((agent) => ({
      agent,
      doing: doing(agent, leases.find((lease) => lease.agentId === agent.id), finished),
      tiles: work.get(agent.id)?.tiles ?? 0,
      checks: work.get(agent.id)?.checks ?? 0,
    })));

    setText(byId('agents-note'), alive.length === 0 && gone.length === 0 ? '' : `${alive.length} alive${gone.length === 0 ? '' : `, ${gone.length} gone`}`);
    setText(byId('no-agents'), notice(snapshot, alive.length));
    addButton.disabled = !snapshot.run || finished || alive.length >= MAX_AGENTS;
  };
}

function doing(agent: Agent, lease: Lease | undefined, finished: boolean): string {
  const held = lease && `tile ${lease.tile}`;
  if (!isAlive(agent)) return held ? `holds ${held}` : 'gone';
  if (!lease) return finished ? 'done' : 'waiting';
  return lease.kind === 'tile' ? `computing ${held}` : `checking ${held}`;
}

function notice(snapshot: Snapshot, alive: number): string {
  if (!snapshot.run) return 'Agents join when the swarm starts.';
  if (snapshot.run.finished) return '';
  if (alive === 0) return 'Nobody is at work. Add an agent to go on.';
  if (alive === 1) return 'One agent computes, but cannot check its own tiles. Add a second one.';
  return '';
}

class AgentRow {
  readonly root: HTMLElement;
  readonly #doing = make('td', { class: 'doing' });
  readonly #tiles = make('td', { class: 'n' });
  readonly #checks = make('td', { class: 'n' });
  readonly #button: HTMLButtonElement;

  constructor(agent: Agent, kill: (agent: Agent) => void) {
    const name = agent.name ?? agent.id;
    this.#button = make('button', { type: 'button', class: 'kill', text: 'Kill', 'aria-label': `Kill ${name}`, 'data-testid': 'kill-agent', 'data-agent': agent.id });
    this.#button.addEventListener('click', () => kill(agent));
    const action = make('td', { class: 'act' }, this.#button);
    this.root = make('tr', { 'data-agent': agent.id }, make('td', { class: 'slot' }, badge(slotOf(agent))), make('th', { scope: 'row', text: name }), this.#doing, this.#tiles, this.#checks, action);
  }

  update({ agent, doing, tiles, checks }: Item): void {
    const alive = isAlive(agent);
    this.root.classList.toggle('gone', !alive);
    if (!alive && this.#button.isConnected) {
      // The focus would fall back to the start of the page.
      if (document.activeElement === this.#button) byId('add-agent').focus();
      this.#button.remove();
    }
    setText(this.#doing, doing);
    setText(this.#tiles, count(tiles));
    setText(this.#checks, count(checks));
  }
}
