// Debian's Chromium on a persistent profile: an automation profile without one writes IndexedDB nowhere.
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const TMPFS = 0x01021994;
const ARGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** The browser from the environment variable CHROME, else the first one on the PATH. */
export function chromePath() {
  if (process.env.CHROME) return process.env.CHROME;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'chrome']) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try { accessSync(join(folder, name), constants.X_OK); return join(folder, name); } catch { /* not here */ }
    }
  }
  throw new Error('no Chromium on the PATH: install the package `chromium`, or name one in CHROME');
}

/** A profile folder and the browser on it, which can be restarted with everything it has stored. */
export class Browser {
  static async start(url) {
    const profile = await mkdtemp(join(tmpdir(), 'swarmstore-bench-'));
    if ((await statfs(profile)).type === TMPFS) console.error(`note: ${tmpdir()} is in memory; set TMPDIR to a disk for honest figures`);
    const browser = new Browser(url, profile);
    await browser.launch();
    return browser;
  }

  constructor(url, profile) { this.url = url; this.profile = profile; }

  async launch() {
    this.context = await chromium.launchPersistentContext(this.profile, { executablePath: chromePath(), headless: true, args: ARGS });
    this.page = this.context.pages()[0] ?? await this.context.newPage();
    this.page.on('console', (message) => { if (message.type() === 'error') console.error(`page: ${message.text()}`); });
    this.page.on('pageerror', (error) => console.error(`page: ${error.stack ?? error}`));
    await this.reload();
  }

  version() { return this.context.browser()?.version() ?? this.page.evaluate(() => navigator.userAgent); }

  /** A fresh page: new engines, new modules, cold code. */
  async reload() {
    await this.page.goto('about:blank');
    await this.page.goto(this.url);
    await this.page.waitForFunction(() => globalThis.bench);
  }

  async restart() {
    await this.context.close();
    await this.launch();
  }

  /** Runs one step of page/main.js. */
  step(name, argument = {}) {
    return this.page.evaluate(([step, value]) => globalThis.bench[step](value), [name, argument]);
  }

  async close() {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
