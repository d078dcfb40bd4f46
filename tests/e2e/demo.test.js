// The demo as a person uses it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Browser } from './support/browser.js';
import { rows, sqlite, temporaryFolder } from './support/sqlite.js';

const browser = Browser.forThisFile();

/** Of a whole image, on a machine that is busy with other things. */
const LONGEST_RUN = 180_000;

const number = async (page, id) => Number((await page.getByTestId(id).textContent()).replaceAll(',', ''));
const finished = (page) => page.waitForFunction(() => document.querySelector('[data-testid="run-state"]')?.textContent === 'finished', undefined, { timeout: LONGEST_RUN });
const done = (page, least) => page.waitForFunction((least) => Number(document.querySelector('[data-testid="tiles-done"]')?.textContent.replaceAll(',', '')) >= least, least, { timeout: LONGEST_RUN });

/** @param {import('node:test').TestContext} t */
function open(t, query) {
  assert.ok(existsSync(fileURLToPath(new URL('../../www/dist/index.html', import.meta.url))), 'www/dist is not built: `cargo xtask demo` makes it');
  return browser.page(t, { path: `/?${query}` });
}

test('the_demo_finishes_its_image_across_reloads', async (t) => {
  const page = await open(t, 'store=reload&autostart=1&tiles=24x16&work=light&agents=3');
  await done(page, 5);
  const total = await number(page, 'tiles-total');
  assert.equal(total, 384);
  for (let i = 0; i < 2; i += 1) {
    const before = await number(page, 'tiles-done');
    assert.equal(await page.getByTestId('run-state').textContent(), 'running', 'there is something left to do');
    await page.reload();
    // The first number that the new page shows of this run is not smaller.
    await page.waitForFunction((total) => document.querySelector('[data-testid="tiles-total"]')?.textContent === String(total), total);
    assert.ok(await number(page, 'tiles-done') >= before, `it goes on from ${before}`);
  }
  await finished(page);
  assert.deepEqual([await number(page, 'tiles-done'), await number(page, 'tiles-verified')], [total, total]);
  assert.equal(await page.getByTestId('error-banner').count(), 0);
});

test('the_demo_finishes_its_image_after_the_browser_was_killed', async (t) => {
  const query = 'store=killed&autostart=1&tiles=24x16&work=light&agents=3&lease=1000';
  const page = await open(t, query);
  await done(page, 5);
  const before = await number(page, 'tiles-done');
  await browser.kill();
  await browser.launch();
  const again = await open(t, query);
  await done(again, 1);
  assert.ok(await number(again, 'tiles-done') >= before);
  await finished(again);
  assert.equal(await number(again, 'tiles-verified'), 384);
});

test('a_killed_agents_tile_is_claimed_by_another', async (t) => {
  const page = await open(t, 'store=agents&autostart=1&tiles=24x16&work=light&agents=2&lease=1000');
  await done(page, 2);
  await page.getByTestId('kill-agent').first().click();
  await page.getByTestId('add-agent').click();
  await finished(page);
  assert.equal(await number(page, 'tiles-verified'), 384);
});

test('what_the_demo_exports_is_the_database', async (t) => {
  const folder = await temporaryFolder(t);
  const page = await open(t, 'store=export&autostart=1&tiles=4x3&work=light&agents=2');
  await finished(page);
  // A browser that is only connected to, not launched, keeps downloads to itself: the file is caught on its way.
  const file = join(folder, 'demo.sqlite3');
  const size = await page.evaluate(async () => {
    const caught = new Promise((resolve) => {
      const { createObjectURL } = URL;
      URL.createObjectURL = (blob) => {
        resolve(blob);
        return createObjectURL.call(URL, blob);
      };
    });
    document.querySelector('[data-testid="export"]').click();
    const blob = await caught;
    await fetch('/files/demo.sqlite3', { method: 'PUT', body: blob });
    return blob.size;
  });
  await writeFile(file, browser.server.files.get('demo.sqlite3'));
  assert.equal((await readFile(file)).length, size);
  assert.equal(sqlite(file, 'PRAGMA integrity_check'), 'ok');
  const [{ tiles }] = rows(file, "SELECT count(*) AS tiles FROM tasks WHERE status = 'completed'");
  assert.ok(tiles >= 12);
});
