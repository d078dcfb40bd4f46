import type { Agents, Config, Events, Groups, Tasks } from './operations.js';
import type { Durability, EpochMillis, ErrorCode } from './types.js';

export type * from './operations.js';
export type * from './types.js';

/** Everything that the store refuses or cannot do. What a transaction's own body throws is passed on as it is. */
export class SwarmStoreError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    details?: {
      retryable?: boolean;
      table?: string;
      id?: string;
      field?: string;
      index?: number;
      actual?: number;
      committed?: boolean;
      cause?: unknown;
    },
  );
  readonly name: 'SwarmStoreError';
  readonly code: ErrorCode;
  /** Whether the same call may well succeed later. */
  readonly retryable: boolean;
  /** What led to it, with the name and message that the browser gave. */
  readonly cause?: unknown;
  readonly table?: string;
  /** Of the record. */
  readonly id?: string;
  /** Where in the arguments: a field, an option, or a path like `payload.steps[3].score`. */
  readonly field?: string;
  /** Which row of a "many", or which operation of a batch. */
  readonly index?: number;
  /** The version or sequence that is there, when another one was expected. */
  readonly actual?: number;
  /** The write is committed in memory and visible, but not kept yet: do not repeat it. `flush()` tries again. */
  readonly committed?: boolean;
}

export interface OpenOptions {
  /** Where it is kept: `indexeddb` unless given. There is no silent fallback from one to the other. */
  storage?: 'indexeddb' | 'memory';
  /** What a write's promise waits for: `durable` unless given. */
  durability?: Durability;
  /** Milliseconds between flushes under `relaxed`: 250 unless given. This bounds what a crash can lose. */
  syncInterval?: number;
  /**
   * Refuses every write with `UNSUPPORTED`. A store that is not there is `NOT_FOUND` and not made; one in memory cannot be read
   * only. It is the store's only owner all the same, as any that is open.
   */
  readOnly?: boolean;
  /** Milliseconds after which a transaction is rolled back with `TIMEOUT`: 10 000 unless given, at most 2^31 − 1. */
  transactionTimeout?: number;
  limits?: {
    /** Bytes of one JSON value: 16 MiB unless given. */
    maxJsonBytes?: number;
  };
  /** Told when a flush in the background fails. `health()` knows it as well. */
  onFlushError?: (error: SwarmStoreError) => void;
  /** The time, for tests. The store cannot be used from it. */
  clock?: () => EpochMillis;
  /** Stops the opening, with `ABORTED`. */
  signal?: AbortSignal;
}

/** The services over one open transaction. After its end every call is `CLOSED`. */
export interface Transaction {
  readonly agents: Agents;
  readonly groups: Groups;
  readonly config: Config;
  readonly tasks: Tasks;
  readonly events: Events;
  /** As {@link SwarmStore.query}, seeing what this transaction has written. */
  query(sql: string, params?: (null | number | string | Uint8Array)[]): Promise<Record<string, unknown>[]>;
}

export interface TransactionOptions {
  /** What its promise waits for; the store's own unless given. */
  durability?: Durability;
  /** Milliseconds from its first statement (waiting for other writers does not count); the store's own unless given. */
  timeout?: number;
}

export interface Health {
  healthy: boolean;
  /** Why not, one sentence each. */
  problems: string[];
  schemaVersion: number;
  sizeBytes: number;
  /** Committed in memory and not kept yet. */
  pendingBytes: number;
  /** Since when the oldest of it waits. */
  pendingSince?: EpochMillis;
  lastFlush?: EpochMillis;
  lastFlushError?: string;
  /** How many milliseconds of writes a crash can lose: 0 for `durable` and `strict`; absent for a memory store, which keeps nothing. */
  lossWindowMs?: number;
}

/**
 * A store: agents and their groups, configuration, tasks and events in one SQLite database, kept in IndexedDB or in memory.
 *
 * ```js
 * const store = await SwarmStore.open('demo');
 * await store.agents.add({ id: 'ada', agentType: 'worker' });
 * await store.tasks.add({ taskType: 'greet', payload: { name: 'world' } });
 * const [task] = await store.tasks.claim('ada');
 * await store.tasks.complete(task.id, task.leaseToken, { said: 'hello' });
 * ```
 *
 * A method that fails rejects with a {@link SwarmStoreError}. After `close()` every call is `CLOSED`; after a failure of the
 * engine itself every call is `INTERNAL`, and opening again goes on from what was flushed.
 */
export class SwarmStore implements AsyncDisposable {
  private constructor();

  /**
   * Opens a store, and makes it if it is not there. Loads the wasm module by itself.
   *
   * The name may carry its storage: `memory:NAME` or `indexeddb:NAME`. A store is open for writing once per origin; opening waits
   * up to two seconds for a predecessor to let go.
   *
   * Errors: `INVALID_ARGUMENT` (also for an option that does not exist), `LOCKED`, `CORRUPT` (see {@link SwarmStore.rescue}),
   * `MIGRATION`, `UNAVAILABLE` (no IndexedDB, as in Node: pass `storage: 'memory'`), `UNSUPPORTED` (no Web Locks), `ABORTED`.
   */
  static open(name: string, options?: OpenOptions): Promise<SwarmStore>;

  /**
   * The same store in another realm, as in a worker, through a port from {@link SwarmStore.port}. A port connects once.
   *
   * Errors: `CLOSED` (the store is closed), `UNAVAILABLE` (nobody answers), `INVALID_ARGUMENT`, `UNSUPPORTED` (another version).
   */
  static connect(port: MessagePort): Promise<SwarmStore>;

  /** Deletes a store that is kept in IndexedDB; one that is not there is no error. Errors: `LOCKED` (it is open), `INVALID_ARGUMENT`, `UNAVAILABLE`, `UNSUPPORTED`. */
  static destroy(name: string): Promise<void>;

  /** What there is of a store that does not open (`CORRUPT`), as a SQLite file. Errors: `NOT_FOUND`, `LOCKED`, `INVALID_ARGUMENT`, `UNAVAILABLE`, `UNSUPPORTED`. */
  static rescue(name: string): Promise<Blob>;

  static version(): { swarmstore: string; sqlite: string };

  /** Without its storage prefix. */
  readonly name: string;
  readonly closed: boolean;
  readonly storage: 'indexeddb' | 'memory';

  readonly agents: Agents;
  readonly groups: Groups;
  readonly config: Config;
  readonly tasks: Tasks;
  readonly events: Events;

  /**
   * Runs a body in one transaction: all of it, or nothing.
   *
   * Inside, use `tx` and not the store (a write through the store waits for this transaction and so ends it by its timeout).
   * One transaction runs at a time; others wait their turn. Reads elsewhere go on and see the committed state. A throw rolls back
   * and comes out unchanged. A body that takes longer than `timeout` is rolled back, even if it never settles.
   *
   * Errors: `TIMEOUT`, `INVALID_ARGUMENT`, `CLOSED`, and of the commit `QUOTA` and `PERSISTENCE_LOST` with `committed: true`.
   */
  transaction<T>(body: (tx: Transaction) => T | Promise<T>, options?: TransactionOptions): Promise<T>;

  /**
   * Several operations by name in one call and one transaction: `[['tasks.add', {…}], ['tasks.count']]`. Answers their results.
   *
   * Errors: those of the operations, with `index` naming the one that failed (nothing is written then), and `INVALID_ARGUMENT`
   * for a name that does not exist.
   */
  batch(operations: [name: string, ...args: unknown[]][]): Promise<unknown[]>;

  /** A port to hand to a worker, for {@link SwarmStore.connect}. Each call makes a new one. Throws `CLOSED`. */
  port(): MessagePort;

  /** Resolves when all that is committed is kept. Also tries again what failed before. Errors: `QUOTA`, `PERSISTENCE_LOST`. */
  flush(): Promise<void>;

  /**
   * Waits for open transactions, flushes, and lets go of the store. Of a store from {@link SwarmStore.connect} it closes only this
   * connection. Calling it again answers the same promise.
   *
   * Errors: `QUOTA`, `PERSISTENCE_LOST`. The store then stays open, so that what could not be kept can be exported, flushed, or
   * closed again; unless another writer has taken over, when it is closed all the same (`closed` tells).
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /** The whole database as a SQLite file, which the sqlite3 command line and the native backend open. */
  exportFile(): Promise<Blob>;

  /**
   * Replaces the whole database by that of a SQLite file, at once or not at all.
   *
   * Errors: `CORRUPT` (no database, or a broken one), `MIGRATION` (of a newer version), `INVALID_ARGUMENT` (a database of something
   * else), `QUOTA`.
   */
  importFile(file: Blob): Promise<void>;

  /**
   * Runs SQL that only reads. Parameters are bound to `?1`, `?2` and so on.
   *
   * Errors: `INVALID_ARGUMENT` (also for SQL that would write, or that SQLite does not understand).
   */
  query(sql: string, params?: (null | number | string | Uint8Array)[]): Promise<Record<string, unknown>[]>;

  /** Whether all is well, and what is not kept yet. */
  health(): Promise<Health>;

  /** `integrity` checks the whole database and answers `["ok"]` or what is wrong. Errors: `INVALID_ARGUMENT`. */
  maintain(what: 'integrity'): Promise<string[]>;

  /** Asks the browser not to evict what this origin keeps. Errors: `UNSUPPORTED`. */
  persist(): Promise<boolean>;
  /** Whether it was granted. Errors: `UNSUPPORTED`. */
  persisted(): Promise<boolean>;
  /** Bytes that this origin uses and may use, all its data together. Errors: `UNSUPPORTED`. */
  estimate(): Promise<{ usage: number; quota: number }>;
}
