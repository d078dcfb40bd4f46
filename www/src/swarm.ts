import type { Agent, SwarmStore, Transaction } from 'swarmstore';
import type { Assignment, Trouble } from './agent.worker';
import { capabilitiesOf, MAX_AGENTS } from './flow';
import type { Settings } from './settings';

/** Names of the human computers of Harvard Observatory, one per slot. */
const NAMES = ['Annie', 'Henrietta', 'Williamina', 'Cecilia', 'Antonia', 'Florence', 'Margaret', 'Evelyn'];

const SWEEP_MS = 1000;
/** An agent that has been silent for so long has its tasks taken away; an agent at work says something every 700 ms. */
export const STALE_MS = 3500;

/** What the page keeps in an agent's metadata. */
export type AgentMetadata = { slot: number; faulty?: boolean };

export function slotOf(agent: Agent): number {
  return (agent.metadata as AgentMetadata | null)?.slot ?? 0;
}

export function isFaulty(agent: Agent): boolean {
  return (agent.metadata as AgentMetadata | null)?.faulty === true;
}

/** The page's side of the swarm: it registers agents, gives each a worker with a port to the store, and kills them. */
export class Swarm {
  readonly #store: SwarmStore;
  readonly #settings: Settings;
  readonly #onTrouble: (trouble: Trouble) => void;
  readonly #workers = new Map<string, { slot: number; worker: Worker }>();
  /** Slots given to agents that are still being registered. */
  readonly #reserved = new Set<number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(store: SwarmStore, settings: Settings, onTrouble: (trouble: Trouble) => void) {
    this.#store = store;
    this.#settings = settings;
    this.#onTrouble = onTrouble;
  }

  get size(): number {
    return this.#workers.size + this.#reserved.size;
  }

  /** Whether this agent's worker is running. */
  has(agentId: string): boolean {
    return this.#workers.has(agentId);
  }

  /** Looks from now on for agents that have gone silent. */
  watch(): void {
    const again = () => {
      if (this.#stopped) return;
      this.#timer = setTimeout(() => void this.sweep(STALE_MS).catch(() => undefined).then(again), SWEEP_MS);
    };
    again();
  }

  /** Marks agents that have been silent for so long as failed, and gives back what they held. Answers how many there were. */
  async sweep(silentMs: number): Promise<number> {
    if ((await this.#store.agents.stale(silentMs)).length === 0) return 0;
    return this.#store.transaction(async (tx) => {
      const { agents, tasks } = await tx.agents.sweepStale(silentMs);
      for (const id of agents) await record(tx, id, 'agent_lost', { agents: agents.length, freed: tasks.length });
      return agents.length;
    });
  }

  /** Adds one agent. Does nothing when all slots are taken. */
  async spawn(faulty = false): Promise<void> {
    const slot = this.#freeSlot();
    if (slot === undefined) return;
    this.#reserved.add(slot);
    try {
      const agent = await this.#register(slot, faulty);
      const worker = new Worker(new URL('./agent.worker.ts', import.meta.url), { type: 'module', name: agent.name ?? agent.id });
      this.#workers.set(agent.id, { slot, worker });
      worker.onmessage = ({ data }: MessageEvent<Trouble>) => this.#onTrouble(data);
      worker.onerror = (event) => this.#crashed(agent.id, event.message);
      const port = this.#store.port();
      const assignment: Assignment = { port, agent: { id: agent.id, slot }, leaseMs: this.#settings.leaseMs, faulty };
      worker.postMessage(assignment, [port]);
    } finally {
      this.#reserved.delete(slot);
    }
  }

  /** Adds agents until there are so many. */
  async fill(count: number): Promise<void> {
    while (this.size < Math.min(count, MAX_AGENTS)) await this.spawn(this.#freeSlot() === this.#settings.faulty);
  }

  /** Terminates an agent's worker on the spot. The store is told nothing: it finds out from the silence. */
  kill(agentId: string): void {
    this.#workers.get(agentId)?.worker.terminate();
    this.#workers.delete(agentId);
  }

  /** Kills all, for when the store itself goes away. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const id of [...this.#workers.keys()]) this.kill(id);
  }

  #crashed(agentId: string, message: string): void {
    if (!this.has(agentId)) return;
    this.kill(agentId);
    this.#onTrouble({ code: 'AGENT', message: message || 'The worker could not be started.' });
  }

  #freeSlot(): number | undefined {
    const taken = new Set([...this.#reserved, ...[...this.#workers.values()].map(({ slot }) => slot)]);
    for (let slot = 1; slot <= MAX_AGENTS; slot++) if (!taken.has(slot)) return slot;
    return undefined;
  }

  #register(slot: number, faulty: boolean): Promise<Agent> {
    return this.#store.transaction(async (tx) => {
      const metadata: AgentMetadata = { slot, ...(faulty && { faulty }) };
      // Names are unique, and the dead keep theirs: the second Annie is "Annie 2".
      const [namesakes] = await tx.query('SELECT count(*) AS count FROM agents WHERE name GLOB ?1', [`${NAMES[slot - 1]}*`]);
      const count = Number(namesakes?.['count']);
      const name = count === 0 ? NAMES[slot - 1]! : `${NAMES[slot - 1]} ${count + 1}`;
      const agent = await tx.agents.add({ name, agentType: 'tile-worker', status: 'active', capabilities: capabilitiesOf(slot), metadata });
      await record(tx, agent.id, 'agent_joined', { name, slot, ...(faulty && { faulty }) });
      return agent;
    });
  }
}

async function record(tx: Transaction, agentId: string, eventType: string, data: Record<string, string | number | boolean>): Promise<void> {
  await tx.events.append({ aggregateType: 'agent', aggregateId: agentId }, [{ eventType, data, agentId }]);
}
