import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import webpack from 'webpack';
import { checkInBrowser, WEB_FILES } from './support/browser-checks.mjs';
import { project } from './support/project.mjs';
import { serve } from './support/static-server.mjs';

test('a webpack project', { timeout: 120_000 }, async (t) => {
  const folder = await project(t, WEB_FILES);
  const output = join(folder, 'dist');
  const compiler = webpack({ mode: 'production', context: folder, entry: './main.js', output: { path: output, filename: 'main.js' }, performance: false });
  const stats = await new Promise((resolve, reject) => compiler.run((error, stats) => (error ? reject(error) : resolve(stats))));
  await new Promise((resolve) => compiler.close(resolve));
  const { errors, warnings, assets } = stats.toJson({ all: false, errors: true, warnings: true, assets: true });
  assert.deepEqual({ errors, warnings }, { errors: [], warnings: [] });
  assert.equal(assets.filter(({ name }) => name.endsWith('.wasm')).length, 1, 'the module is in the output, once');
  await copyFile(join(folder, 'index.html'), join(output, 'index.html'));
  await checkInBrowser(t, await serve(t, output));
});
