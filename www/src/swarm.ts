import type { Agent, SwarmStore, Transaction } from 'swarmstore';
import type { Assignment, Trouble } from './agent.worker';
import { MAX_AGENTS } from './plan';
import type { Settings } from './settings';

/** Names of the human computers of Harvard Observatory, one per slot. */
const NAMES = ['Annie', 'Henrietta', 'Williamina', 'Cecilia', 'Antonia', 'Florence', 'Margaret', 'Evelyn'];

/** What the page keeps in an agent's metadata. */
export type AgentMetadata = { slot: number };

export function slotOf(agent: Agent): number {
  return (agent.metadata as AgentMetadata | null)?.slot ?? 0;
}

/** The page's side of the swarm: it registers agents, gives each a worker with a port to the store, and kills them. */
export class Swarm {
  readonly #store: SwarmStore;
  readonly #settings: Settings;
  readonly #onTrouble: (trouble: Trouble) => void;
  readonly #workers = new Map<string, { slot: number; worker: Worker }>();
  /** Slots given to agents that are still being registered. */
  readonly #reserved = new Set<number>();

  constructor(store: SwarmStore, settings: Settings, onTrouble: (trouble: Trouble) => void) {
    this.#store = store;
    this.#settings = settings;
    this.#onTrouble = onTrouble;
  }

  get size(): number {
    return this.#workers.size + this.#reserved.size;
  }

  has(agentId: string): boolean {
    return this.#workers.has(agentId);
  }

  /** Marks agents whose workers went away with an earlier page. Answers how many there were. */
  async buryTheLost(): Promise<number> {
    const lost = await this.#store.agents.list({ where: { status: 'active' }, limit: 1000 });
    if (lost.length === 0) return 0;
    await this.#store.transaction(async (tx) => {
      for (const agent of lost) await terminate(tx, agent.id, 'agent_lost');
    });
    return lost.length;
  }

  /** Adds one agent. Does nothing when all slots are taken. */
  async spawn(): Promise<void> {
    const slot = this.#freeSlot();
    if (slot === undefined) return;
    this.#reserved.add(slot);
    try {
      const agent = await this.#register(slot);
      const worker = new Worker(new URL('./agent.worker.ts', import.meta.url), { type: 'module', name: agent.name ?? agent.id });
      this.#workers.set(agent.id, { slot, worker });
      worker.onmessage = ({ data }: MessageEvent<Trouble>) => this.#onTrouble(data);
      worker.onerror = (event) => void this.#crashed(agent.id, event.message);
      const port = this.#store.port();
      const assignment: Assignment = { port, agent: { id: agent.id, slot }, leaseMs: this.#settings.leaseMs, faulty: this.#settings.faulty === slot };
      worker.postMessage(assignment, [port]);
    } finally {
      this.#reserved.delete(slot);
    }
  }

  /** Adds agents until there are so many. */
  async fill(count: number): Promise<void> {
    while (this.size < Math.min(count, MAX_AGENTS)) await this.spawn();
  }

  /** Terminates an agent's worker on the spot. What it was doing stays held until its lease ends. */
  async kill(agentId: string): Promise<void> {
    if (!this.#stop(agentId)) return;
    await this.#store.transaction((tx) => terminate(tx, agentId, 'agent_killed'));
  }

  /** Stops all workers without a trace in the store, for when the store itself goes away. */
  stopAll(): void {
    for (const id of [...this.#workers.keys()]) this.#stop(id);
  }

  #stop(agentId: string): boolean {
    this.#workers.get(agentId)?.worker.terminate();
    return this.#workers.delete(agentId);
  }

  async #crashed(agentId: string, message: string): Promise<void> {
    if (!this.#stop(agentId)) return;
    this.#onTrouble({ code: 'AGENT', message: message || 'The worker could not be started.' });
    await this.#store.transaction((tx) => terminate(tx, agentId, 'agent_lost')).catch(() => undefined);
  }

  #freeSlot(): number | undefined {
    const taken = new Set([...this.#reserved, ...[...this.#workers.values()].map(({ slot }) => slot)]);
    for (let slot = 1; slot <= MAX_AGENTS; slot++) if (!taken.has(slot)) return slot;
    return undefined;
  }

  #register(slot: number): Promise<Agent> {
    return this.#store.transaction(async (tx) => {
      const metadata: AgentMetadata = { slot };
      // Names are unique, and the dead keep theirs: the second Annie is "Annie 2".
      const [namesakes] = await tx.query('SELECT count(*) AS count FROM agents WHERE name GLOB ?1', [`${NAMES[slot - 1]}*`]);
      const count = Number(namesakes?.['count']);
      const name = count === 0 ? NAMES[slot - 1]! : `${NAMES[slot - 1]} ${count + 1}`;
      const agent = await tx.agents.add({ name, agentType: 'tile-worker', status: 'active', metadata });
      await tx.events.append({ aggregateType: 'agent', aggregateId: agent.id }, [{ eventType: 'agent_joined', data: { name, slot }, agentId: agent.id }]);
      return agent;
    });
  }
}

async function terminate(tx: Transaction, agentId: string, eventType: 'agent_killed' | 'agent_lost'): Promise<void> {
  const agent = await tx.agents.update(agentId, { status: 'terminated' });
  await tx.events.append({ aggregateType: 'agent', aggregateId: agentId }, [{ eventType, data: { name: agent.name ?? agentId }, agentId }]);
}
