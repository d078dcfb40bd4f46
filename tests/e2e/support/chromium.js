/**
 * Chromium with a profile on disk, as a process of our own: it can be killed, and started again on the same profile.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Several tabs, of which only one is in front: the others are not to be slowed down.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--remote-debugging-port=0',
];
const START_TIMEOUT = 60_000;

export class Chromium {
  #process;
  #browser;

  /** @param {string} profile folder of the profile, made when it is not there */
  static async launch(profile) {
    const process = spawn(executable(), [...ARGUMENTS, `--user-data-dir=${profile}`, 'about:blank'], {
      // A group of its own, so that all its processes can be killed together.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const browser = await chromium.connectOverCDP(await address(process), { timeout: START_TIMEOUT });
      return new Chromium(process, browser);
    } catch (error) {
      kill(process);
      throw error;
    }
  }

  /**
   * @param {import('node:child_process').ChildProcess} process
   * @param {import('playwright-core').Browser} browser
   */
  constructor(process, browser) {
    this.#process = process;
    this.#browser = browser;
  }

  /** @returns {import('playwright-core').BrowserContext} the one that is kept in the profile */
  get context() {
    return this.#browser.contexts()[0];
  }

  /** All its processes at once, with SIGKILL. */
  async kill() {
    const gone = exit(this.#process);
    kill(this.#process);
    await gone;
    await this.#browser.close().catch(() => {});
  }

  async close() {
    const gone = exit(this.#process);
    const session = await this.#browser.newBrowserCDPSession();
    await session.send('Browser.close').catch(() => {});
    const timer = setTimeout(() => kill(this.#process), 5000);
    await gone;
    clearTimeout(timer);
  }
}

export function temporaryProfile() {
  return mkdtemp(join(tmpdir(), 'swarmstore-profile-'));
}

/** @param {string} profile */
export function removeProfile(profile) {
  return rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

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
 * Where the browser listens, as it says itself on its error output.
 * @param {import('node:child_process').ChildProcess} process
 * @returns {Promise<string>}
 */
function address(process) {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`Chromium did not start within ${START_TIMEOUT} ms: ${said}`)), START_TIMEOUT);
    process.once('error', reject);
    process.once('exit', (code) => reject(new Error(`Chromium ended with ${code}: ${said}`)));
    process.stderr?.on('data', (chunk) => {
      if (said.length < 10_000) said += chunk;
      const found = /DevTools listening on (ws:\/\/\S+)/.exec(said);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    });
  });
}

/** @param {import('node:child_process').ChildProcess} process */
function exit(process) {
  if (process.exitCode !== null || process.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => process.once('exit', () => resolve(undefined)));
}

/** @param {import('node:child_process').ChildProcess} child */
function kill(child) {
  try {
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
