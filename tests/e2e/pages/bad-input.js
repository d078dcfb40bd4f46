// Bad input for every operation: [operation, arguments, what is expected]. They are made in the page, since much of it (cycles,
// functions, lone surrogates) does not survive the way here.

const INVALID = 'INVALID_ARGUMENT';

/** The fixture that the cases refer to. */
export async function prepare(store) {
  await store.agents.addMany([
    { id: 'ada', agentType: 'worker', name: 'Ada' },
    { id: 'paused', agentType: 'worker', status: 'paused' },
    { id: 'gone', agentType: 'worker', status: 'terminated' },
  ]);
  await store.groups.addMany([
    { id: 'readers', name: 'Readers', groupType: 'team' },
    { id: 'writers', name: 'Writers', groupType: 'team' },
  ]);
  await store.groups.join('readers', 'ada', 'lead');
  await store.config.set('limits.tokens', { max: 1000 }, 'ada');
  await store.tasks.addMany([
    { id: 'plain', taskType: 'x', payload: 1, priority: 1 },
    { id: 'later', taskType: 'x', payload: 1, runAt: Date.now() + 1e9, uniqueKey: 'only one' },
    { id: 'child', taskType: 'x', payload: 1, priority: 1, dependencies: ['plain'], parentTaskId: 'plain' },
    { id: 'claimed', taskType: 'x', payload: 1, priority: 9 },
    { id: 'expired', taskType: 'short', payload: 1, priority: 9, backoff: { kind: 'fixed', baseMs: 1e9 } },
    { id: 'finished', taskType: 'x', payload: 1, priority: 8 },
  ]);
  const [claimed] = await store.tasks.claim('ada', { types: ['x'], leaseMs: 3_600_000 });
  const [finished] = await store.tasks.claim('ada', { types: ['x'], leaseMs: 3_600_000 });
  await store.tasks.complete(finished.id, finished.leaseToken);
  const [expired] = await store.tasks.claim('ada', { types: ['short'], leaseMs: 1 });
  while (Date.now() <= expired.leaseExpiresAt) await new Promise((resolve) => setTimeout(resolve, 5));
  await store.events.append({ aggregateType: 'run', aggregateId: '1' }, [{ id: 'e1', eventType: 'started', data: 1 }]);
  await store.events.append({ aggregateType: 'run', aggregateId: '2' }, [{ id: 'e2', eventType: 'started', data: 1 }]);
  return { claimed: claimed.leaseToken, finished: finished.leaseToken, expired: expired.leaseToken };
}

const nested = (depth) => {
  let value = [];
  for (let i = 1; i < depth; i += 1) value = [value];
  return value;
};

/** Whatever no Json field takes. */
function badJson() {
  const cyclic = { list: [] };
  cyclic.list.push(cyclic);
  return [
    NaN,
    Infinity,
    2 ** 53,
    -(2 ** 53),
    1e300,
    1n,
    '\ud800',
    { '\udc00': 1 },
    [undefined],
    () => 1,
    Symbol('s'),
    new Map(),
    new Date(),
    new (class Point {})(),
    new Uint8Array(1),
    cyclic,
    nested(129),
    nested(10_000),
    { deep: [{ er: NaN }] },
  ];
}

/** What is no id. */
const badIds = () => ['', 'x'.repeat(256), 'ü'.repeat(128), 'a\0b', '\ud800', 7, NaN, 2 ** 53, 1n, true, null, undefined, {}, ['a'], () => 'a', Symbol('a')];

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Filters that mean nothing, and the field that is at fault. */
const badFilters = (of) => {
  const [list, object] = of === 'agents' ? ['capabilities', 'metadata'] : ['requiredCapabilities', 'payload'];
  const deep = (depth) => (depth === 0 ? { version: 1 } : { not: deep(depth - 1) });
  return [
    ...[NaN, '1', true, 1.5, null, 2 ** 53, [1], new Date(NaN), new Map()].map((value) => [{ version: value }, 'version']),
    ...[{ gte: 1 }, { $ge: 1 }, { '>=': 1 }, { ge: '1' }, { ge: null }, { ge: {} }, { lt: [1] }, { in: 1 }, { in: ['1'] }, { in: [null] }, { in: {} }, { eq: null }, { ne: 'x' }, { between: 1 }, { between: [1] }, { between: [1, 2, 3] }, { between: [1, '2'] }, { between: [null, 2] }, { like: '1%' }, { contains: 1 }, { isNull: 1 }, { isNull: null }, { eq: { eq: 1 } }, { ge: 1, GE: 1 }].map((condition) => [{ version: condition }, 'version']),
    ...['sleeping', 7, '', { in: ['sleeping'] }, { ne: 'sleeping' }, { like: 7 }, { like: '\\' }, { like: 'a\0' }, { like: 'x'.repeat(5000) }, { eq: '\ud800' }].map((value) => [{ status: value }, 'status']),
    ...['x', [1], [null], { eq: 'x' }, { contains: ['x'] }, { contains: {} }, { contains: 'a\0' }, { contains: 7 }, { contains: true }, { contains: null }, { lt: ['x'] }, { like: '%' }, { in: ['x'] }].map((value) => [{ [list]: value }, list]),
    ...[{ lt: 1 }, { between: [1, 2] }, { like: 'x' }, { colour: 'red' }, { contains: [1] }].map((value) => [{ [object]: value }, object]),
    [{ createdAt: { ge: 'now' } }, 'createdAt'],
    [{ createdAt: { ge: new Date(NaN) } }, 'createdAt'],
    [{ id: { in: Array(100_001).fill('x') } }, 'id'],
    [{ colour: 'red' }, 'colour'],
    [{ created_at: 1 }, 'created_at'],
    [{ '1=1; DROP TABLE tasks; --': 1 }, '1=1; DROP TABLE tasks; --'],
    [JSON.parse('{ "__proto__": 1 }'), '__proto__'],
    [{ constructor: 1 }, 'constructor'],
    [{ and: {} }, 'and'],
    [{ or: 'x' }, 'or'],
    [{ or: [7] }, 'or'],
    [{ not: [] }, 'not'],
    [{ or: [{ not: { and: [{ colour: 'red' }] } }] }, 'colour'],
    [deep(60), 'where'],
    [{ or: Array(501).fill({ version: 1 }) }, 'where'],
  ];
};

const notText = () => [7, NaN, true, {}, [], '\ud800', 1n];
const notObject = () => [7, 'x', true, [], null, () => 1, new Map(), NaN];

/**
 * @param {{ claimed: string, finished: string, expired: string }} tokens
 * @returns {[operation: string, args: unknown[], expected: { code: string | string[], field?: string, index?: number, actual?: number }][]}
 */
export function cases(tokens) {
  const list = [];
  const bad = (operation, args, expected) => list.push([operation, args, typeof expected === 'string' || Array.isArray(expected) ? { code: expected } : expected]);

  // ---- what all mutable records have in common -------------------------------------------------
  for (const [of, good, required, json, wrong] of [
    ['agents', { agentType: 'worker' }, ['agentType'], ['configuration', 'metadata'], {
      agentType: notText(),
      name: notText(),
      status: ['sleeping', 7, null, ''],
      capabilities: ['x', 7, [1], [null], {}, [['x']]],
      lastHeartbeat: ['now', NaN, 1.5, {}, new Date(NaN), 2 ** 53],
    }],
    ['groups', { name: 'Judges', groupType: 'team' }, ['name', 'groupType'], ['configuration'], {
      name: [...notText(), 'x'.repeat(1025), 'a\0b'],
      groupType: [...notText(), 'a\0b'],
    }],
    ['tasks', { taskType: 'x', payload: 1 }, ['taskType', 'payload'], ['payload'], {
      taskType: notText(),
      queue: notText(),
      priority: [10, -1, 1.5, 'urgent', '5', NaN, null, true, {}],
      parentTaskId: [7, '', 'x'.repeat(256), {}],
      dependencies: ['plain', [7], [null], {}, ['plain', ''], ['x'.repeat(256)]],
      onDependencyFailure: ['explode', 7, null],
      requiredCapabilities: ['x', [7], {}],
      trustOperation: ['anything', 7],
      runAt: ['tomorrow', NaN, 1.5, {}, new Date(NaN), 2 ** 53],
      uniqueKey: notText(),
      onConflict: ['perhaps', 7],
      maxRetries: [-1, 1.5, '3', NaN, 2 ** 53],
      backoff: [7, 'fixed', {}, [], { kind: 'linear', baseMs: 1 }, { kind: 'fixed' }, { kind: 'fixed', baseMs: -1 }, { kind: 'fixed', baseMs: '1' }, { kind: 'fixed', baseMs: NaN }, { kind: 'exponential', baseMs: 1, jitter: 2 }, { kind: 'fixed', baseMs: 1, colour: 'red' }],
    }],
  ]) {
    const known = { agents: 'ada', groups: 'readers', tasks: 'plain' }[of];
    // Rows beside the one that is judged.
    const beside = (id) => (of === 'groups' ? { ...good, id, name: `The ${id}` } : { ...good, id });
    const typed = required.find((field) => snake(field) !== field);
    const rows = [];
    for (const value of [undefined, ...notObject()]) rows.push([value, { code: INVALID }]);
    for (const field of required) {
      const { [field]: _, ...rest } = good;
      rows.push([rest, { code: INVALID, field }], [{ ...good, [field]: undefined }, { code: INVALID, field }]);
    }
    for (const value of badIds()) if (value !== undefined && value !== null) rows.push([{ ...good, id: value }, { code: INVALID, field: 'id' }]);
    for (const [field, values] of Object.entries(wrong)) for (const value of values) rows.push([{ ...good, [field]: value }, { code: INVALID, under: field }]);
    for (const field of json) for (const value of badJson()) rows.push([{ ...good, [field]: value }, { code: INVALID, under: field }]);
    rows.push([{ ...good, colour: 'red' }, { code: INVALID, field: 'colour' }], [{ ...good, [snake(typed)]: 'x' }, { code: INVALID, field: snake(typed) }]);
    for (const field of ['version', 'createdAt', 'updatedAt']) rows.push([{ ...good, [field]: 1 }, { code: INVALID, field }]);
    if (of === 'tasks') {
      for (const field of ['attempt', 'status', 'agentId', 'leaseToken', 'leaseExpiresAt', 'result', 'errors', 'completedAt']) rows.push([{ ...good, [field]: 1 }, { code: INVALID, field }]);
      rows.push(
        [{ ...good, dependencies: ['nobody'] }, { code: INVALID, field: 'dependencies' }],
        [{ ...good, id: 'self', dependencies: ['self'] }, { code: INVALID, field: 'dependencies' }],
        [{ ...good, uniqueKey: 'only one' }, { code: 'CONFLICT' }],
        [{ ...good, parentTaskId: 'nobody' }, { code: [INVALID, 'CONSTRAINT', 'NOT_FOUND'] }],
      );
    } else {
      rows.push([{ ...good, name: of === 'groups' ? 'Readers' : 'Ada' }, { code: 'CONFLICT' }]);
    }

    for (const write of ['add', 'put']) for (const [row, expected] of rows) bad(`${of}.${write}`, [row], expected);
    for (const write of ['addMany', 'putMany']) {
      for (const value of [undefined, 7, 'x', {}, null]) bad(`${of}.${write}`, [value], INVALID);
      for (const [row, expected] of rows) if (row !== undefined) bad(`${of}.${write}`, [[beside('first'), beside('fine'), row]], { ...expected, index: 2 });
      bad(`${of}.${write}`, [[good, undefined]], INVALID);
    }
    if (of === 'tasks') for (const [row, expected] of rows) if (row !== undefined) bad('tasks.addFlow', [[beside('first'), row]], { ...expected, index: 1 });
    bad(`${of}.add`, [{ ...good, id: known }], 'CONFLICT');
    bad(`${of}.addMany`, [[beside('twice'), beside('twice')]], { code: 'CONFLICT', index: 1 });

    for (const id of badIds()) {
      bad(`${of}.get`, [id], INVALID);
      bad(`${of}.delete`, [id], INVALID);
      bad(`${of}.update`, [id, {}], INVALID);
      bad(`${of}.updateMany`, [[{ id: known }, { id }]], { code: INVALID, index: 1 });
      if (id !== undefined) bad(`${of}.deleteMany`, [[known === 'plain' ? 'later' : known, id]], { code: INVALID, index: 1 });
    }
    bad(`${of}.update`, ['nobody', {}], { code: 'NOT_FOUND', id: 'nobody' });
    bad(`${of}.updateMany`, [[{ id: known }, { id: 'nobody' }]], { code: 'NOT_FOUND', index: 1 });
    for (const value of [undefined, ...notObject()]) {
      bad(`${of}.update`, [known, value], INVALID);
      if (value !== undefined) bad(`${of}.updateMany`, [[value]], { code: INVALID, index: 0 });
    }
    for (const value of [7, 'x', {}, null, undefined]) {
      bad(`${of}.updateMany`, [value], INVALID);
      bad(`${of}.deleteMany`, [value], INVALID);
    }
    const patches = [];
    for (const [field, values] of Object.entries(wrong)) {
      if (field === 'onConflict') continue;
      for (const value of values) if (value !== null) patches.push([{ [field]: value }, { code: INVALID, under: field }]);
    }
    for (const field of json) for (const value of badJson()) patches.push([{ [field]: value }, { code: INVALID, under: field }]);
    patches.push([{ [required[0]]: null }, { code: INVALID, field: required[0] }], [{ colour: 'red' }, { code: INVALID, field: 'colour' }]);
    for (const field of ['version', 'createdAt', 'updatedAt']) patches.push([{ [field]: 1 }, { code: INVALID, field }]);
    if (of === 'tasks') {
      for (const field of ['attempt', 'status', 'agentId', 'leaseToken', 'leaseExpiresAt', 'result', 'errors', 'completedAt']) patches.push([{ [field]: 1 }, { code: INVALID, field }]);
      patches.push([{ dependencies: ['child'] }, { code: INVALID, field: 'dependencies' }], [{ parentTaskId: 'child' }, { code: INVALID, field: 'parentTaskId' }], [{ uniqueKey: 'only one' }, { code: 'CONFLICT' }]);
    } else if (of === 'agents') {
      patches.push([{ status: 'sleeping' }, { code: INVALID, field: 'status' }]);
      bad('agents.update', ['paused', { name: 'Ada' }], 'CONFLICT');
      bad('agents.update', ['gone', { status: 'active' }], 'CONFLICT');
    } else {
      bad('groups.update', ['writers', { name: 'Readers' }], 'CONFLICT');
    }
    for (const [patch, expected] of patches) {
      bad(`${of}.update`, [known, patch], expected);
      bad(`${of}.updateMany`, [[{ id: known }, { id: known, ...patch }]], { ...expected, index: 1 });
    }
    for (const ifVersion of ['1', 1.5, NaN, {}, 2 ** 53]) bad(`${of}.update`, [known, {}, { ifVersion }], { code: INVALID, field: 'ifVersion' });
    bad(`${of}.update`, [known, {}, { ifVersion: 99 }], { code: 'CONFLICT', actual: 1 });
    bad(`${of}.update`, [known, {}, { colour: 'red' }], { code: INVALID, field: 'colour' });
    for (const value of [7, 'x', []]) bad(`${of}.update`, [known, {}, value], INVALID);

    for (const [where, field] of badFilters(of)) {
      const expected = field.includes('_') ? { code: INVALID, field } : { code: INVALID, within: field };
      for (const read of ['list', 'count', 'exists', 'toSql']) bad(`${of}.${read}`, [{ where }], expected);
      bad(`${of}.deleteWhere`, [where], expected);
      bad(`${of}.updateWhere`, [where, {}], expected);
      bad(`${of}.deleteWhere`, [{ version: 1, or: [where, { id: 'nobody' }] }], expected);
    }
    const everything = { id: { isNull: false } };
    for (const where of [undefined, ...notObject(), {}, { and: [] }, { status: undefined }]) {
      bad(`${of}.deleteWhere`, [where], { code: INVALID, under: 'filter' });
      bad(`${of}.updateWhere`, [where, {}], { code: INVALID, under: 'filter' });
    }
    for (const [patch, expected] of patches) if (expected.code === INVALID) bad(`${of}.updateWhere`, [{ id: known }, patch], expected);
    for (const patch of [undefined, ...notObject()]) bad(`${of}.updateWhere`, [everything, patch], INVALID);
    bad(`${of}.updateWhere`, [everything, of === 'tasks' ? { uniqueKey: 'one for all' } : { name: 'one for all' }], 'CONFLICT');

    for (const read of ['list', 'count', 'exists', 'toSql']) {
      for (const value of [7, 'x', [], true, NaN]) bad(`${of}.${read}`, [value], INVALID);
      for (const value of notObject()) if (value !== null) bad(`${of}.${read}`, [{ where: value }], { code: INVALID, under: 'where' });
      bad(`${of}.${read}`, [{ where: { colour: 'red' } }], INVALID);
      bad(`${of}.${read}`, [{ where: { id: 7 } }], INVALID);
      bad(`${of}.${read}`, [{ where: { version: 'one' } }], INVALID);
      if (of !== 'groups') bad(`${of}.${read}`, [{ where: { status: 'sleeping' } }], INVALID);
      bad(`${of}.${read}`, [{ where: { createdAt: NaN } }], INVALID);
      bad(`${of}.${read}`, [{ colour: 'red' }], { code: INVALID, field: 'colour' });
    }
    for (const limit of [-1, 1.5, '5', NaN, {}, 2 ** 53]) bad(`${of}.list`, [{ limit }], { code: INVALID, field: 'limit' });
    for (const offset of [-1, 1.5, '5', NaN, {}, 2 ** 53]) bad(`${of}.list`, [{ offset }], { code: INVALID, field: 'offset' });
    bad(`${of}.list`, [{ orderBy: [['colour', 'asc']] }], INVALID);
    for (const orderBy of ['id', [['id', 'up']], [['id']], ['id'], [[7, 'asc']], [['id', 'asc', 'x']], {}]) bad(`${of}.list`, [{ orderBy }], { code: INVALID, under: 'orderBy' });
    for (const after of ['nobody', 7, {}, '']) bad(`${of}.list`, [{ after }], { code: INVALID, field: 'after' });
  }

  // ---- agents, groups, configuration ------------------------------------------------------------
  for (const id of badIds()) {
    bad('agents.heartbeat', [id], INVALID);
    bad('agents.setStatus', [id, 'idle'], INVALID);
    bad('groups.members', [id], { code: INVALID, field: 'groupId' });
    bad('groups.of', [id], { code: INVALID, field: 'agentId' });
    for (const name of ['join', 'leave']) {
      bad(`groups.${name}`, [id, 'ada'], { code: INVALID, field: 'groupId' });
      bad(`groups.${name}`, ['readers', id], { code: INVALID, field: 'agentId' });
    }
  }
  bad('agents.heartbeat', ['nobody'], { code: 'NOT_FOUND', id: 'nobody' });
  bad('agents.heartbeat', ['gone'], { code: 'CONFLICT', id: 'gone' });
  bad('agents.setStatus', ['nobody', 'idle'], { code: 'NOT_FOUND', id: 'nobody' });
  bad('agents.setStatus', ['gone', 'idle'], { code: 'CONFLICT', id: 'gone' });
  for (const status of ['sleeping', '', 7, null, undefined, {}, ['idle'], NaN]) bad('agents.setStatus', ['ada', status], { code: INVALID, field: 'status' });
  for (const name of ['stale', 'sweepStale']) {
    for (const olderThanMs of [-1, 1.5, '1', NaN, null, undefined, {}, [1], true, 1n, 2 ** 53, new Date(NaN)]) bad(`agents.${name}`, [olderThanMs], { code: INVALID, field: 'olderThanMs' });
  }
  bad('groups.join', ['nowhere', 'ada'], { code: 'NOT_FOUND', id: 'nowhere' });
  bad('groups.join', ['readers', 'nobody'], { code: 'NOT_FOUND', id: 'nobody' });
  for (const role of [...notText(), 'a\0b']) bad('groups.join', ['readers', 'ada', role], { code: INVALID, field: 'role' });
  for (const key of [...notText(), '', 'x'.repeat(1025), 'ü'.repeat(513), 'a\0b', null, undefined]) {
    for (const [name, ...rest] of [['get'], ['set', 1], ['delete']]) bad(`config.${name}`, [key, ...rest], { code: INVALID, field: 'key' });
  }
  for (const value of [...badJson(), undefined]) bad('config.set', ['limits.tokens', value], { code: INVALID, under: 'value' });
  for (const by of [...notText(), 'a\0b']) bad('config.set', ['limits.tokens', 1, by], { code: INVALID, field: 'updatedBy' });
  for (const prefix of [...notText(), 'a\0b']) bad('config.all', [prefix], { code: INVALID, field: 'prefix' });

  // ---- the queue -------------------------------------------------------------------------------
  for (const id of badIds()) {
    bad('tasks.claim', [id], INVALID);
    bad('tasks.cancel', [id], INVALID);
    for (const name of ['start', 'complete', 'release']) bad(`tasks.${name}`, [id, tokens.claimed], INVALID);
    bad('tasks.snooze', [id, tokens.claimed, 1000], INVALID);
    if (id !== undefined) bad('tasks.redrive', [['claimed', id]], { code: INVALID, index: 1 });
    bad('tasks.extend', [id, tokens.claimed, 1000], INVALID);
    bad('tasks.fail', [id, tokens.claimed, 'oops'], INVALID);
  }
  bad('tasks.claim', ['nobody'], { code: 'NOT_FOUND', id: 'nobody' });
  bad('tasks.claim', ['paused'], { code: 'CONFLICT', id: 'paused' });
  bad('tasks.claim', ['gone'], 'CONFLICT');
  for (const [field, values] of Object.entries({
    limit: [0, -1, 1.5, 1001, '1', NaN, {}, 2 ** 53],
    leaseMs: [0, -1, 1.5, '1', NaN, {}, 2 ** 53],
    queues: ['default', [7], {}, 7],
    types: ['x', [7], {}, 7],
    colour: ['red'],
  })) {
    for (const value of values) bad('tasks.claim', ['ada', { [field]: value }], { code: INVALID, under: field });
  }
  for (const value of [7, 'x', []]) bad('tasks.claim', ['ada', value], INVALID);
  for (const [name, ...rest] of [['start'], ['extend', 1000], ['complete', { ok: true }], ['fail', 'oops'], ['release'], ['snooze', 1000]]) {
    const operation = `tasks.${name}`;
    bad(operation, ['nobody', tokens.claimed, ...rest], { code: 'NOT_FOUND', id: 'nobody' });
    bad(operation, ['claimed', 'another token', ...rest], { code: 'LEASE_LOST', id: 'claimed' });
    bad(operation, ['claimed', tokens.finished, ...rest], 'LEASE_LOST');
    bad(operation, ['expired', tokens.expired, ...rest], 'LEASE_LOST');
    bad(operation, ['finished', tokens.finished, ...rest], 'LEASE_LOST');
    bad(operation, ['plain', tokens.claimed, ...rest], 'LEASE_LOST');
    for (const token of [7, null, undefined, {}, [], '\ud800', NaN]) bad(operation, ['claimed', token, ...rest], { code: INVALID, field: 'leaseToken' });
  }
  for (const leaseMs of [0, -1, 1.5, '1', NaN, null, undefined, {}, 2 ** 53]) bad('tasks.extend', ['claimed', tokens.claimed, leaseMs], { code: INVALID, field: 'leaseMs' });
  for (const delayMs of [-1, 1.5, '1', NaN, null, undefined, {}, 2 ** 53, Number.MAX_SAFE_INTEGER]) bad('tasks.snooze', ['claimed', tokens.claimed, delayMs], { code: INVALID, field: 'delayMs' });
  for (const result of badJson()) bad('tasks.complete', ['claimed', tokens.claimed, result], { code: INVALID, under: 'result' });
  for (const message of [...notText(), null, undefined]) bad('tasks.fail', ['claimed', tokens.claimed, message], { code: INVALID, field: 'message' });
  for (const options of [7, 'x', [], { retry: 'no' }, { retry: 1 }, { colour: 'red' }, { trust: {} }]) bad('tasks.fail', ['claimed', tokens.claimed, 'oops', options], INVALID);
  bad('tasks.cancel', ['nobody'], 'NOT_FOUND');
  bad('tasks.cancel', ['finished'], 'CONFLICT');
  for (const options of [7, 'x', [], { subtree: 'yes' }, { reason: 7 }, { reason: '\ud800' }, { colour: 'red' }]) bad('tasks.cancel', ['plain', options], INVALID);
  for (const value of [undefined, 7, 'x', {}, null]) {
    bad('tasks.addFlow', [value], INVALID);
    bad('tasks.redrive', [value], INVALID);
  }
  const part = { taskType: 'x', payload: 1 };
  for (const [first, second, third, expected] of [
    [{ id: 'a', dependencies: ['b'] }, { id: 'b', dependencies: ['c'] }, { id: 'c', dependencies: ['b'] }, { code: INVALID, field: 'dependencies' }],
    [{ id: 'a' }, { id: 'b', dependencies: ['b'] }, {}, { code: INVALID, field: 'dependencies', index: 1 }],
    [{ id: 'a', dependencies: ['b'] }, { id: 'b', dependencies: ['nobody'] }, {}, { code: INVALID, field: 'dependencies', index: 1 }],
    [{ id: 'a' }, { id: 'b', dependencies: ['a', 'a'] }, {}, { code: INVALID, field: 'dependencies', index: 1 }],
    [{ id: 'a', parentTaskId: 'c' }, { id: 'b' }, { id: 'c', parentTaskId: 'a' }, { code: INVALID, field: 'parentTaskId' }],
    [{ id: 'a' }, { id: 'b' }, { id: 'a' }, { code: 'CONFLICT', id: 'a', index: 2 }],
    [{ id: 'a' }, { id: 'plain', dependencies: ['a'] }, {}, { code: 'CONFLICT', id: 'plain', index: 1 }],
    [{ id: 'a' }, { id: 'b', uniqueKey: 'k' }, { id: 'c', uniqueKey: 'k' }, { code: 'CONFLICT', id: 'b', index: 2 }],
  ]) {
    bad('tasks.addFlow', [[first, second, third].map((row) => ({ ...part, ...row }))], expected);
  }
  bad('tasks.redrive', [['nobody']], { code: 'NOT_FOUND', id: 'nobody', index: 0 });
  for (const id of ['plain', 'claimed', 'finished']) bad('tasks.redrive', [[id]], { code: 'CONFLICT', id, index: 0 });
  for (const name of [...notText(), 'a\0b', 'x'.repeat(1025)]) for (const call of ['pause', 'resume', 'counts']) bad(`tasks.${call}`, [name], { code: INVALID, field: 'queue' });
  for (const name of [undefined, null]) for (const call of ['pause', 'resume']) bad(`tasks.${call}`, [name], { code: INVALID, field: 'queue' });
  for (const time of ['now', NaN, 1.5, {}, [], true, null, undefined, new Date(NaN), 2 ** 53]) bad('tasks.purge', [time], { code: INVALID, field: 'finishedBefore' });
  for (const value of [7, 'x', [], true, NaN, { colour: 'red' }, { where: { colour: 'red' } }, { where: { status: 'sleeping' } }, { limit: -1 }, { after: 'nobody' }]) bad('tasks.deadLetters', [value], INVALID);

  // ---- events ----------------------------------------------------------------------------------
  const stream = { aggregateType: 'run', aggregateId: '1' };
  const event = { eventType: 'e', data: 1 };
  const badStreams = [undefined, ...notObject(), {}, { aggregateType: 'run' }, { aggregateId: '1' }, { ...stream, colour: 'red' }, { ...stream, aggregateId: 7 }, { ...stream, aggregateType: '\ud800' }, { ...stream, aggregateId: NaN }];
  for (const value of badStreams) {
    bad('events.append', [value, [event]], INVALID);
    bad('events.read', [value], INVALID);
  }
  for (const value of [undefined, null, 7, 'x', {}]) bad('events.append', [stream, value], INVALID);
  const badEvents = [...notObject(), {}, { eventType: 'e' }, { data: 1 }, { ...event, colour: 'red' }, { ...event, position: 1 }, { ...event, sequence: 1 }];
  for (const value of badEvents) bad('events.append', [stream, [event, value]], { code: INVALID, index: 1 });
  for (const [field, values] of Object.entries({
    eventType: notText(),
    agentId: [7, '', 'x'.repeat(256), {}],
    taskId: [7, '', 'a\0b', {}],
    correlationId: notText(),
    causationId: notText(),
    timestamp: ['now', NaN, 1.5, new Date(NaN), {}, 2 ** 53],
    data: badJson(),
    metadata: badJson(),
  })) {
    for (const value of values) bad('events.append', [stream, [event, { ...event, [field]: value }]], { code: INVALID, index: 1, under: field });
  }
  for (const id of badIds()) if (id !== undefined && id !== null) bad('events.append', [stream, [event, { ...event, id }]], { code: INVALID, index: 1, field: 'id' });
  bad('events.append', [stream, [event, { ...event, id: 'e2' }]], { code: 'CONFLICT', index: 1 });
  bad('events.append', [stream, [{ ...event, id: 'twice' }, { ...event, id: 'twice' }]], { code: [INVALID, 'CONFLICT'], index: 1 });
  for (const [expected, actual] of [['none', 1], [0, 1], [7, 1]]) bad('events.append', [stream, [event], { expected }], { code: 'CONFLICT', actual });
  bad('events.append', [{ ...stream, aggregateId: 'new' }, [event], { expected: 'exists' }], { code: 'CONFLICT', actual: 0 });
  for (const expected of ['perhaps', -1, 1.5, NaN, {}, true, 2 ** 53]) bad('events.append', [stream, [event], { expected }], { code: INVALID, field: 'expected' });
  for (const options of [7, 'x', [], { colour: 'red' }]) {
    bad('events.append', [stream, [event], options], INVALID);
    bad('events.read', [stream, options], INVALID);
    bad('events.readAll', [options], INVALID);
  }
  for (const [field, values] of Object.entries({ from: ['1', 1.5, NaN, {}, 2 ** 53], direction: ['up', 7, {}], limit: [-1, 1.5, '1', NaN, {}] })) {
    for (const value of values) bad('events.read', [stream, { [field]: value }], { code: INVALID, field });
  }
  for (const [field, values] of Object.entries({
    after: ['x', 1.5, NaN, {}, 2 ** 53],
    limit: [-1, 1.5, '1', NaN, {}],
    aggregateType: [7, {}, '\ud800'],
    eventType: [7, {}],
    agentId: [7, {}, '', 'x'.repeat(256)],
    taskId: [7, {}, ''],
    correlationId: [7, {}],
    since: ['now', NaN, new Date(NaN), {}],
  })) {
    for (const value of values) bad('events.readAll', [{ [field]: value }], { code: INVALID, field });
  }

  // ---- those without arguments take none, by name ----------------------------------------------
  for (const name of ['tasks.reclaimExpired', 'tasks.queues', 'events.count']) bad(name, [7], INVALID);
  return list;
}

/** Runs all cases against `store`, and judges by `owner` (which may be the same) that nothing was written. */
export async function run(store, owner, tokens) {
  const wrong = [];
  const called = new Map();
  const before = await dump(owner);
  for (const [operation, args, expected] of cases(tokens)) {
    const [namespace, method] = operation.split('.');
    const direct = store[namespace][method].length > 0 || args.length === 0;
    called.set(operation, (called.get(operation) ?? 0) + 1);
    if (!direct && !store.batch) continue;
    const outcome = await attempt(() => (direct ? store[namespace][method](...args) : store.batch([[operation, ...args]])));
    const complaint = complain(outcome, expected, direct) ?? (await dump(owner) === before ? undefined : 'something was written');
    if (complaint) wrong.push(`${operation}(${args.map(show).join(', ')}): ${complaint}`);
    if (complaint === 'something was written') break;
  }
  return { wrong, called: [...called] };
}

function complain({ error, value }, { code, under, within, ...rest }, direct) {
  if (!error) return `accepted, and answered ${show(value)}`;
  const said = `${error.code ?? error.name}: ${error.message} ${JSON.stringify({ field: error.field, index: error.index, actual: error.actual })}`;
  if (error.name !== 'SwarmStoreError') return `no SwarmStoreError: ${said}\n${error.stack}`;
  if (![code].flat().includes(error.code)) return `expected ${code}: ${said}`;
  if (error.code === 'INVALID_ARGUMENT' && !error.field) return `no field is named: ${said}`;
  if ((!rest.field && /_/.test(error.field ?? '')) || /argument \d/.test(error.field ?? '')) return `the field is not one that a caller knows: ${said}`;
  if (under && !(error.field === under || /^[.[]/.test(error.field.slice(under.length)) && error.field.startsWith(under))) return `expected a field under ${under}: ${said}`;
  if (within && error.field !== within && !error.field.split(/[.[]/).includes(within)) return `expected a field within ${within}: ${said}`;
  for (const [key, wanted] of Object.entries(rest)) {
    if (key === 'index' && !direct) continue;
    if (error[key] !== wanted) return `expected ${key} ${wanted}: ${said}`;
  }
  return undefined;
}

function show(value) {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 20)}… (${value.length})` : value);
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    const text = JSON.stringify(value, (key, inner) => (typeof inner === 'bigint' || typeof inner === 'symbol' || typeof inner === 'function' || Number.isNaN(inner) ? `<${String(inner)}>` : inner));
    return text.length > 160 ? `${text.slice(0, 160)}…` : text;
  } catch {
    return `<${value.constructor?.name} that cannot be shown>`;
  }
}

Object.assign(globalThis, { badInput: { prepare, run } });
