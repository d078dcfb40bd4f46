// A program that uses everything there is. It is checked, not run.
import {
  SwarmStore,
  SwarmStoreError,
  type Agent,
  type Condition,
  type ConfigEntry,
  type Durability,
  type EpochMillis,
  type ErrorCode,
  type Event,
  type Group,
  type Health,
  type Json,
  type Membership,
  type NewAgent,
  type NewEvent,
  type NewGroup,
  type NewTask,
  type OpenOptions,
  type Query,
  type Sql,
  type Stream,
  type Task,
  type Time,
  type Transaction,
  type Where,
} from 'swarmstore';

const durability: Durability = 'relaxed';
const options: OpenOptions = {
  storage: 'indexeddb',
  durability,
  syncInterval: 100,
  transactionTimeout: 5_000,
  limits: { maxJsonBytes: 1_000_000 },
  onFlushError: (error: SwarmStoreError) => console.log(error.code, error.committed),
  clock: (): EpochMillis => Date.now(),
  signal: new AbortController().signal,
};

export async function useStore(): Promise<void> {
  const store: SwarmStore = await SwarmStore.open('demo', options);
  const name: string = store.name;
  const closed: boolean = store.closed;
  const storage: 'indexeddb' | 'memory' = store.storage;
  const versions: { swarmstore: string; sqlite: string } = SwarmStore.version();

  const other = await SwarmStore.connect(store.port());
  await other.close();

  const count: number = await store.transaction(
    async (tx: Transaction) => {
      await tx.tasks.add({ taskType: 'render', payload: null });
      await tx.agents.count();
      await tx.events.count();
      const rows: Record<string, unknown>[] = await tx.query('SELECT ?1', [1]);
      return rows.length;
    },
    { durability: 'strict', timeout: 1_000 },
  );
  const results: unknown[] = await store.batch([
    ['tasks.add', { taskType: 'render', payload: null }],
    ['tasks.get', 'an-id'],
  ]);
  await store.flush();

  const file: Blob = await store.exportFile();
  await store.importFile(file);
  const rows: Record<string, unknown>[] = await store.query('SELECT id FROM tasks WHERE priority > ?1', [1]);
  const health: Health = await store.health();
  const healthy: boolean = health.healthy && health.problems.length === 0 && health.pendingBytes === 0;
  const lastFlush: EpochMillis | undefined = health.lastFlush;
  const report: string[] = await store.maintain('integrity');
  const kept: boolean = (await store.persist()) && (await store.persisted());
  const { usage, quota }: { usage: number; quota: number } = await store.estimate();
  await store.close();
  await store[Symbol.asyncDispose]();
  await SwarmStore.destroy('demo');
  const rescued: Blob = await SwarmStore.rescue('demo');

  console.log(name, closed, storage, versions, count, results, rows, healthy, lastFlush, report, kept, usage, quota, rescued);
}

export async function useAgents({ agents }: SwarmStore): Promise<void> {
  const fresh: NewAgent = { agentType: 'renderer', capabilities: ['gpu'], metadata: { room: 1 }, lastHeartbeat: new Date() };
  const agent: Agent = await agents.add(fresh);
  const found: Agent | undefined = await agents.get(agent.id);
  const updated: Agent = await agents.update(agent.id, { status: 'busy', name: null }, { ifVersion: agent.version });
  const put: Agent = await agents.put({ id: agent.id, agentType: 'renderer' });
  const query: Query<Agent> = { where: { status: 'idle' }, orderBy: [['createdAt', 'desc']], limit: 10, offset: 5 };
  const listed: Agent[] = await agents.list(query);
  const count: number = await agents.count({ where: { agentType: 'renderer' } });
  const added: Agent[] = await agents.addMany([fresh]);
  const many: Agent[] = await agents.putMany([{ id: 'a', agentType: 'renderer' }]);
  const changed: Agent[] = await agents.updateMany([{ id: 'a', name: 'Ada' }]);
  const deleted: number = await agents.deleteMany(['a']);
  const gone: boolean = await agents.delete(agent.id);
  const alive: Agent = await agents.heartbeat(agent.id);
  const paused: Agent = await agents.setStatus(agent.id, 'paused');
  const stale: Agent[] = await agents.stale(30_000);
  const swept: { agents: string[]; tasks: string[] } = await agents.sweepStale(30_000);
  console.log(alive, paused, stale, swept);
  console.log(found, updated, put, listed, count, added, many, changed, deleted, gone);
}

export async function useGroupsAndConfig({ groups, config, transaction }: SwarmStore): Promise<void> {
  const fresh: NewGroup = { name: 'Readers', groupType: 'team', configuration: { quorum: 2 } };
  const group: Group = await groups.add(fresh);
  const renamed: Group = await groups.update(group.id, { name: 'Writers', configuration: null });
  const listed: Group[] = await groups.list({ where: { groupType: 'team' } });
  const joined: void = await groups.join(group.id, 'ada', 'lead');
  const members: Membership[] = await groups.members(group.id);
  const role: string | undefined = members[0]?.role;
  const of: Group[] = await groups.of('ada');
  const left: boolean = await groups.leave(group.id, 'ada');
  await config.set('limits.tokens', { max: 1_000 }, 'ada');
  const value: Json | undefined = await config.get('limits.tokens');
  const all: ConfigEntry[] = await config.all('limits.');
  const gone: boolean = await config.delete('limits.tokens');
  await transaction((tx) => tx.config.set('a', 1).then(() => tx.groups.count()));
  console.log(renamed, listed, joined, role, of, left, value, all, gone);
}

export async function useTasks({ tasks }: SwarmStore, agent: Agent, at: Time): Promise<void> {
  const fresh: NewTask = {
    taskType: 'render',
    payload: { tile: [0, 1] },
    queue: 'tiles',
    priority: 'critical',
    dependencies: [],
    runAt: at,
    maxRetries: 2,
    backoff: { kind: 'exponential', baseMs: 100, maxMs: 1_000, jitter: 0.1 },
  };
  const task: Task = await tasks.add(fresh);
  const [claimed]: Task[] = await tasks.claim(agent.id, { limit: 1, queues: ['tiles'], types: ['render'], leaseMs: 1_000 });
  if (claimed?.leaseToken === undefined) return;
  const token: string = claimed.leaseToken;
  const result: Json = { pixels: 64 };
  const started: Task = await tasks.start(task.id, token);
  const extended: Task = await tasks.extend(task.id, token, 1_000);
  const completed: Task = await tasks.complete(task.id, token, result);
  const failed: Task = await tasks.fail(task.id, token, 'out of memory', { retry: true });
  const released: Task = await tasks.release(task.id, token);
  const cancelled: Task[] = await tasks.cancel(task.id, { subtree: true, reason: 'not needed' });
  const reclaimed: Task[] = await tasks.reclaimExpired();
  const updated: Task = await tasks.update(task.id, { priority: 5 });
  const pending: Task[] = await tasks.list({ where: { status: 'pending', parentTaskId: null }, after: task.id });
  const where: Where<Task> = {
    status: { in: ['pending', 'assigned'] },
    priority: { ge: 7, lt: 9 },
    createdAt: { between: [new Date(0), Date.now()] },
    runAt: { le: at },
    queue: { like: 'tile%', ne: 'tiles' },
    uniqueKey: { isNull: false, gt: 'a' },
    agentId: null,
    parentTaskId: { in: [task.id, null] },
    startedAt: { eq: null },
    requiredCapabilities: { contains: 'gpu' },
    dependencies: [],
    errors: { eq: [], ne: task.errors },
    payload: { contains: 1, eq: { tile: [0, 1] } },
    result: [1, 2],
    backoff: { eq: { kind: 'fixed', baseMs: 1 } },
    and: [{ payload: null }, { version: 1 }],
    or: [{ leaseExpiresAt: { lt: Date.now() } }, { not: { completedAt: { isNull: true } } }],
    not: { trustOperation: { in: ['consensus', null] } },
  };
  const some: boolean = await tasks.exists({ where });
  const { sql, params }: Sql = await tasks.toSql({ where, orderBy: [['priority', 'desc']], after: task.id });
  const moved: number = await tasks.updateWhere(where, { queue: 'others', uniqueKey: null });
  const removed: number = await tasks.deleteWhere({ completedAt: { lt: new Date() } });
  const condition: Condition<number> = { ge: 1 };
  console.log(some, sql, params, moved, removed, condition);
  console.log(started, extended, completed, failed, released, cancelled, reclaimed, updated, pending);
}

export async function useEvents({ events }: SwarmStore): Promise<void> {
  const stream: Stream = { aggregateType: 'tile', aggregateId: '0-1' };
  const fresh: NewEvent = { eventType: 'render.done', data: { pixels: 64 }, timestamp: new Date() };
  const appended: Event[] = await events.append(stream, [fresh], { expected: 'none' });
  await events.append(stream, [fresh], { expected: 1 });
  const read: Event[] = await events.read(stream, { from: 1, direction: 'backward', limit: 10 });
  const all: Event[] = await events.readAll({ after: 0, limit: 10, aggregateType: 'tile', since: Date.now() });
  const count: number = await events.count();
  console.log(appended, read, all, count);
}

export function explain(error: unknown): string {
  if (!(error instanceof SwarmStoreError)) return String(error);
  const code: ErrorCode = error.code;
  const where: (string | number | undefined)[] = [error.table, error.id, error.field, error.index, error.actual];
  return `${code} ${where.join(' ')} ${error.retryable ? 'try again' : error.message}`;
}
