import { test } from 'node:test';
import { build, createServer, preview } from 'vite';
import { checkInBrowser, WEB_FILES } from './support/browser-checks.mjs';
import { project } from './support/project.mjs';

// No configuration: what a new project has.
const QUIET = { configFile: false, logLevel: 'warn', clearScreen: false };

test('a Vite project, built', { timeout: 120_000 }, async (t) => {
  const root = await project(t, WEB_FILES);
  await build({ root, ...QUIET });
  const server = await preview({ root, ...QUIET, preview: { host: '127.0.0.1', port: 0 } });
  t.after(() => server.close());
  await checkInBrowser(t, server.resolvedUrls.local[0]);
});

// The optimiser moves a dependency's code into a cache folder, and what the code loads has to be found from there.
test('a Vite project, in development', { timeout: 120_000 }, async (t) => {
  const root = await project(t, WEB_FILES);
  const server = await createServer({ root, ...QUIET, server: { host: '127.0.0.1', port: 0 } });
  await server.listen();
  t.after(() => server.close());
  await checkInBrowser(t, server.resolvedUrls.local[0]);
});
