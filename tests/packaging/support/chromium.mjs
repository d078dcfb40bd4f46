/**
 * Chromium with a profile on disk: without one, IndexedDB keeps nothing.
 */
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function executable() {
  if (process.env.CHROME) return process.env.CHROME;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  throw new Error('there is no Chromium: `cargo xtask setup` installs it, or name it in CHROME');
}

/**
 * A page in a browser of its own, closed after the test. What goes wrong in the page fails the test.
 *
 * @param {import('node:test').TestContext} t
 */
export async function openPage(t) {
  const profile = await mkdtemp(join(tmpdir(), 'swarmstore-profile-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: executable(), headless: true, args: ARGUMENTS });
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // A page without an icon is no problem.
    if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico')) problems.push(message.text());
  });
  t.after(async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    if (problems.length > 0) throw new Error(`the page reported: ${problems.join('; ')}`);
  });
  page.setDefaultTimeout(30_000);
  return page;
}
