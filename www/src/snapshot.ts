import type { Agent, Event, Health } from 'swarmstore';
import type { AssemblyResult, Queue, TaskKind } from './flow';
import type { Tile } from './picture';
import type { Run } from './run';

export type TileState = 'pending' | 'computing' | 'computed' | 'checking' | 'verified' | 'failed';

/** A tile as the page shows it, put together from its newest tile task and that one's check. */
export interface TileView {
  /** From 1, in the order in which tiles are computed. */
  number: number;
  area: Tile;
  state: TileState;
  /** Whether there is a result, whatever became of its check. */
  computed: boolean;
  /** Who computed it or is about to; who checked it or is about to. */
  author?: string;
  checker?: string;
  attempt: number;
  round: number;
  /** End of the lease of whoever is at work on it. */
  leaseExpiresAt?: number;
  tones?: Uint8Array;
  ms?: number;
}

/** A task under lease. */
export interface Lease {
  taskId: string;
  kind: TaskKind;
  tile: number;
  agentId: string;
  attempt: number;
  expiresAt: number;
}

/** How many tasks of a queue are where. */
export interface QueueView {
  queue: Queue;
  paused: boolean;
  /** For tasks that they depend on, or for the time of their next attempt. */
  waiting: number;
  /** Of these, how many wait for no more than their time. */
  retrying: number;
  ready: number;
  running: number;
  completed: number;
  failed: number;
}

/** A task that failed for good. */
export interface DeadLetter {
  taskId: string;
  attempts: number;
  /** Why the last attempt failed. */
  message: string;
  failedAt: number;
}

/** What the plan found out about the picture. */
export interface SurveyView {
  /** Points per tile along each axis, and their tones, tile by tile. */
  side: number;
  tones: Uint8Array;
  /** Iterations that the picture will take, about. */
  estimate: number;
}

/** What the assembly made. */
export interface Picture {
  file: Blob;
  result: AssemblyResult;
  by?: string;
}

/** `stalled`: nothing goes on until a dead letter is redriven. */
export type RunState = 'idle' | 'running' | 'paused' | 'stalled' | 'finished';

/** Everything the page shows, as of one poll. */
export interface Snapshot {
  now: number;
  run?: Run;
  state: RunState;
  /** What is going on, in a word. */
  stage: '' | 'planning' | 'computing' | 'assembling';
  tiles: TileView[];
  /** Those that changed since the last snapshot. */
  changed: Set<TileView>;
  survey?: SurveyView;
  picture?: Picture;
  done: number;
  verified: number;
  rejected: number;
  failedAttempts: number;
  iterations: number;
  tilesPerSecond: number;
  queues: QueueView[];
  leases: Lease[];
  /** The latest of them; `QueueView` has how many there are. */
  letters: DeadLetter[];
  agents: Agent[];
  work: Map<string, { tiles: number; checks: number }>;
  /** Newest first. */
  events: Event[];
  health?: Health;
  /** When the health was asked for. */
  healthAt: number;
  storage: { persisted: boolean; usage: number; quota: number };
}
