/** Milliseconds since the Unix epoch, UTC. What comes out of the store. */
export type EpochMillis = number;

/** A time as it is accepted: a `Date`, or milliseconds since the Unix epoch. */
export type Time = Date | EpochMillis;

/**
 * What can be kept as JSON and comes back exactly as given (properties that are `undefined` are left out).
 *
 * NaN, infinities, integers beyond ±(2^53 − 1), lone surrogates, `undefined` in arrays, cycles, nesting deeper than 128 and
 * anything that is no plain object (a `Date`, a `Map`, an instance of a class) are refused with `INVALID_ARGUMENT`; the error's
 * `field` says where, as in `payload.steps[3].score`.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/**
 * How durable a write is when its promise resolves.
 *
 * - `relaxed`: committed in memory. It is flushed every `syncInterval`, and when the page is hidden or left.
 * - `durable`: IndexedDB has reported it complete. Writes that wait together share one flush.
 * - `strict`: the same, and the browser has been asked to have it on disk.
 */
export type Durability = 'relaxed' | 'durable' | 'strict';

/** 0 to 9, more is sooner; `low` is 2, `medium` 5, `high` 7, `critical` 9. */
export type Priority = number | 'low' | 'medium' | 'high' | 'critical';

/** Some fields of a record, to be changed. `null` clears an optional field; what is left out stays. */
export type Patch<New> = { [K in keyof New]?: New[K] | null };

/** A field's value as it is compared: a time may be a `Date`. */
type Given<V> = V | (V extends number ? Date : never);

/** What stands for itself in a filter. An object is a condition, so one to be compared with is given as `{ eq: … }`. */
type Direct<V> = V extends readonly unknown[] ? V : V extends object ? never : Given<V>;

type Scalar = null | boolean | number | string;

/** How numbers, times and text are compared: by size, and text by the bytes of its UTF-8. */
interface Ordered<V> {
  /** Smaller. */
  lt?: Given<V>;
  /** Smaller or equal. */
  le?: Given<V>;
  /** Larger. */
  gt?: Given<V>;
  /** Larger or equal. */
  ge?: Given<V>;
  /** Between these two, or equal to one of them. */
  between?: readonly [low: Given<V>, high: Given<V>];
}

/** How text is compared besides. */
interface Textual {
  /**
   * Matches as a whole: `%` is any text, `_` any one character, `\` takes what follows literally. The letters A to Z
   * match a to z, no other letters one another. At most 4,096 bytes.
   */
  like?: string;
}

/** How lists are looked into. */
interface Listed<E> {
  /** Is an array with an element equal to this one. */
  contains?: E;
}

/**
 * What is asked of a field with values `V`; all of it has to hold. `Absent` is `null` for a field that may be absent.
 *
 * A comparison with what is absent is false: it is equal to no value (so `ne` holds) and neither smaller nor larger. Json is
 * compared as its text, so `{ a: 1, b: 2 }` and `{ b: 2, a: 1 }` differ.
 */
export type Condition<V, Absent = never> = {
  /** Equal; `null` means "is absent". */
  eq?: Given<V> | Absent;
  /** Everything but equal. */
  ne?: Given<V> | Absent;
  /** Equal to one of these; at most 100,000. */
  in?: readonly (Given<V> | Absent)[];
  /** Whether it is absent. */
  isNull?: boolean;
} & ([V] extends [string | number] ? Ordered<V> : unknown) &
  ([V] extends [string] ? Textual : unknown) &
  (Scalar extends V ? Listed<Scalar> : V extends readonly (infer E extends Scalar)[] ? Listed<E> : unknown);

/**
 * Which rows are meant: fields with the value that they must have (`null`: "is absent") or what is asked of them. All of it has to
 * hold; `or` and `not` say otherwise. Nested at most 32 deep, of at most 500 parts.
 *
 * ```js
 * { status: 'pending', priority: { ge: 7 }, or: [{ agentId: null }, { not: { queue: { like: 'slow-%' } } }] }
 * ```
 */
export type Where<T> = {
  [K in keyof T]?:
    | Direct<Exclude<T[K], undefined>>
    | ({} extends Pick<T, K> ? null : never)
    | Condition<Exclude<T[K], undefined>, {} extends Pick<T, K> ? null : never>;
} & {
  /** All of these. */
  and?: readonly Where<T>[];
  /** At least one of these. */
  or?: readonly Where<T>[];
  /** Everything but this. */
  not?: Where<T>;
};

/** Which rows, in which order, and which page of them. */
export interface Query<T> {
  /** Only these rows. */
  where?: Where<T>;
  /** Most significant first. The id always breaks ties. Text is compared by bytes, and what is absent comes first. */
  orderBy?: [field: keyof T & string, direction: 'asc' | 'desc'][];
  /** At most so many rows: 100 unless given. */
  limit?: number;
  /** Leave out so many rows at the start. */
  offset?: number;
  /** The id of the last row of the page before, under the same order: cheaper than an offset, and steady while rows are added. */
  after?: string;
}

/** A statement with the values for its places `?1`, `?2` and so on; no value stands in its text. */
export interface Sql {
  sql: string;
  params: (null | number | string)[];
}

/**
 * Why something was not done.
 *
 * - `NOT_FOUND`: what should be changed is not there.
 * - `CONFLICT`: it exists already, another version or sequence was expected, or the state does not allow it.
 * - `CONSTRAINT`: a foreign key or check of the database says no.
 * - `INVALID_ARGUMENT`: bad input; `field` and `index` say where. Nothing was written.
 * - `LEASE_LOST`: the task's lease is not, or no longer, the caller's.
 * - `CLOSED`: the store, the connection or the transaction has ended.
 * - `LOCKED`: the store is open elsewhere, in another tab or worker.
 * - `TIMEOUT`: a transaction took too long and was rolled back.
 * - `QUOTA`: the disk or the origin's quota is full. With `committed`, the write is in memory and visible, but not kept yet.
 * - `PERSISTENCE_LOST`: IndexedDB cannot be written any more, or another writer took over. `committed` as above.
 * - `CORRUPT`: what is kept, or the file given, is not a whole database.
 * - `MIGRATION`: the database does not fit this version of swarmstore.
 * - `BACKUP`: a backup could not be made or used.
 * - `UNSUPPORTED`: not to be had in this environment.
 * - `ABORTED`: the caller's signal was aborted.
 * - `UNAVAILABLE`: the storage, or the wasm module, cannot be reached.
 * - `INTERNAL`: a defect of swarmstore. The store has to be opened again.
 */
export type ErrorCode =
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'CONSTRAINT'
  | 'INVALID_ARGUMENT'
  | 'LEASE_LOST'
  | 'CLOSED'
  | 'LOCKED'
  | 'TIMEOUT'
  | 'QUOTA'
  | 'PERSISTENCE_LOST'
  | 'CORRUPT'
  | 'MIGRATION'
  | 'BACKUP'
  | 'UNSUPPORTED'
  | 'ABORTED'
  | 'UNAVAILABLE'
  | 'INTERNAL';
