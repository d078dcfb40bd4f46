// What the build generates from the Rust table of operations, cut down to what these tests need.
import { Namespace } from './runtime/namespace.js';

export const OPERATIONS = [
  ['tasks.add', 'write', 0, ['task']],
  ['tasks.get', 'read', 0, ['id']],
  ['tasks.addMany', 'write', 0, ['tasks']],
  ['tasks.complete', 'write', 4, ['id', 'leaseToken', 'result']],
  ['tasks.list', 'read', 0, ['query']],
  ['tasks.count', 'read', 0, ['query']],
  ['agents.heartbeat', 'write', 0, ['id']],
  // The rows of older builds end after the access.
  ['events.readAll', 'read'],
];

class Tasks extends Namespace {
  add(task) { return this.invoke(0, [task], 0); }
  get(id) { return this.invoke(1, [id], 0); }
  addMany(tasks) { return this.invoke(2, [tasks], 0); }
  complete(id, leaseToken, result) { return this.invoke(3, [id, leaseToken, result], 4); }
  list(query) { return this.invoke(4, [query], 0); }
  count(query) { return this.invoke(5, [query], 0); }
}

class Agents extends Namespace {
  heartbeat(id) { return this.invoke(6, [id], 0); }
}

class Events extends Namespace {
  readAll(options) { return this.invoke(7, [options], 0); }
}

export const NAMESPACES = { agents: Agents, tasks: Tasks, events: Events };
export const JSON_FIELDS = new Set(['payload', 'metadata', 'data', 'result', 'configuration']);
