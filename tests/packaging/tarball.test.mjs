import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { project } from './support/project.mjs';

const AT_THE_ROOT = [
  'LICENSE-APACHE',
  'LICENSE-MIT',
  'README.md',
  'index.d.ts',
  'index.js',
  'node.js',
  'operations.d.ts',
  'package.json',
  'swarmstore_bg.wasm',
  'types.d.ts',
];

test('the tarball holds what a user needs, and nothing else', { timeout: 60_000 }, async (t) => {
  const folder = join(await project(t, {}), 'node_modules/swarmstore');
  assert.deepEqual((await readdir(folder)).sort(), AT_THE_ROOT);
  const { name, version, dependencies = {}, scripts = {} } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const crate = await readFile(new URL('../../Cargo.toml', import.meta.url), 'utf8');
  assert.deepEqual({ name, version }, { name: 'swarmstore', version: /^version = "(.+)"$/m.exec(crate)?.[1] });
  assert.deepEqual({ dependencies, scripts }, { dependencies: {}, scripts: {} });
});
