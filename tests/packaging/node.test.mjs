import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node, project } from './support/project.mjs';

const FILES = { 'round-trip.js': 'round-trip.js', 'node.mjs': 'node.mjs' };

test('Node runs a task in memory, and ends by itself', { timeout: 120_000 }, async (t) => {
  const folder = await project(t, FILES);
  assert.deepEqual(JSON.parse(await node(folder, 'node.mjs')), {
    storage: 'memory',
    completed: { status: 'completed', result: { pixels: 64 } },
    throughPort: 1,
    rolledBack: 1,
    events: ['render.done'],
    closed: 'CLOSED',
    indexeddb: 'UNAVAILABLE',
    version: 'string',
  });
});

test('importing it does nothing: not in Node, and not the browser entry either', { timeout: 120_000 }, async (t) => {
  const folder = await project(t, {});
  const script = "await import('swarmstore'); await import('./node_modules/swarmstore/index.js'); console.log('imported')";
  assert.equal(await node(folder, '--input-type=module', '-e', script), 'imported');
});

// Possible only for modules without a top-level await.
test('CommonJS can require it', { timeout: 120_000 }, async (t) => {
  const folder = await project(t, {});
  const script = "const { SwarmStore } = require('swarmstore'); console.log(typeof SwarmStore.open)";
  assert.equal(await node(folder, '--input-type=commonjs', '--no-warnings', '-e', script), 'function');
});
