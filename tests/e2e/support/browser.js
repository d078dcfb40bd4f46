/**
 * One server and one browser for a test file, and pages in it. What goes wrong in a page unasked fails its test.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Chromium, removeProfile, temporaryProfile } from './chromium.js';
import { Server } from './server.js';

const PAGE_TIMEOUT = 60_000;

let names = 0;

/** A store name that no other test uses. */
export function storeName() {
  return `e2e-${(names += 1)}`;
}

export class Browser {
  /** @type {Server} */
  server;
  /** @type {Chromium} */
  #chromium;
  #profile = '';

  /** To be called at the top of a test file. */
  static forThisFile() {
    const browser = new Browser();
    before(() => browser.start());
    after(() => browser.stop());
    return browser;
  }

  async start() {
    assert.ok(
      existsSync(fileURLToPath(new URL('../../../pkg/swarmstore_bg.wasm', import.meta.url))),
      'pkg/ is not built: `cargo xtask build` makes it',
    );
    this.server = await Server.start();
    this.#profile = await temporaryProfile();
    await this.launch();
  }

  async stop() {
    await this.#chromium?.close();
    await this.server?.stop();
    if (this.#profile) await removeProfile(this.#profile);
  }

  /** Starts Chromium on the profile. */
  async launch() {
    this.#chromium = await Chromium.launch(this.#profile);
  }

  /** All its processes at once, as when the power goes out. */
  kill() {
    return this.#chromium.kill();
  }

  get context() {
    return this.#chromium.context;
  }

  get origin() {
    return this.server.origin;
  }

  /**
   * A tab with a page of these tests, in which SwarmStore and the functions of pages/page.js are at hand.
   *
   * @param {import('node:test').TestContext} t
   * @param {{ path?: string, script?: () => void, mayFail?: RegExp | true }} [options] `script` runs before anything of the
   *   page; `mayFail` says which uncaught errors in the page are part of the test
   */
  async page(t, { path = '/pages/page.html', script, mayFail } = {}) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(PAGE_TIMEOUT);
    /** @type {string[]} */
    const problems = [];
    page.on('pageerror', (error) => problems.push(String(error.stack ?? error)));
    t.after(async () => {
      await page.close().catch(() => {});
      if (mayFail === true) return;
      assert.deepEqual(problems.filter((problem) => !mayFail?.test(problem)), [], 'errors in the page');
    });
    if (script) await page.addInitScript(script);
    await this.visit(page, path);
    return page;
  }

  /**
   * @param {import('playwright-core').Page} page
   * @param {string} [path]
   */
  async visit(page, path = '/pages/page.html') {
    await page.goto(this.origin + path);
    await ready(page);
  }

  /** @param {import('playwright-core').Page} page */
  async reload(page) {
    await page.reload();
    await ready(page);
  }
}

/** @param {import('playwright-core').Page} page */
async function ready(page) {
  await page.evaluate(() => /** @type {any} */ (globalThis).ready);
}

/**
 * The outcome of `attempt` in a page: a SwarmStoreError with these properties.
 *
 * @param {any} outcome
 * @param {Record<string, unknown>} expected `code` may be an array of several that are right
 */
export function refused(outcome, expected) {
  assert.ok(outcome.error, `it should have been refused (${JSON.stringify(expected)}), and answered ${JSON.stringify(outcome.value)}`);
  const { error } = outcome;
  assert.equal(error.name, 'SwarmStoreError', `${error.name}: ${error.message}\n${error.stack}`);
  const { code, message, ...rest } = expected;
  const seen = `${error.code}: ${error.message}`;
  if (Array.isArray(code)) assert.ok(code.includes(error.code), seen);
  else if (code) assert.equal(error.code, code, seen);
  if (message instanceof RegExp) assert.match(error.message, message);
  for (const [key, value] of Object.entries(rest)) assert.deepEqual(error[key], value, `${key} of ${seen}`);
  return error;
}
