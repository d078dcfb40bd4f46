import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkInBrowser, WEB_FILES } from './support/browser-checks.mjs';
import { project } from './support/project.mjs';
import { serve } from './support/static-server.mjs';

/** A project without a bundler: the browser is told where the package is. */
async function plainProject(/** @type {import('node:test').TestContext} */ t) {
  const folder = await project(t, WEB_FILES);
  for (const name of ['main.js', 'worker.js']) {
    const file = join(folder, name);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace("from 'swarmstore'", "from './node_modules/swarmstore/index.js'"));
  }
  return folder;
}

test('a plain <script type="module">', { timeout: 120_000 }, async (t) => {
  await checkInBrowser(t, await serve(t, await plainProject(t)));
});

// Many a server does: streaming compilation refuses it, and there has to be another way.
test('a server that does not know the type of .wasm files', { timeout: 120_000 }, async (t) => {
  await checkInBrowser(t, await serve(t, await plainProject(t), { '.wasm': 'application/octet-stream' }));
});
