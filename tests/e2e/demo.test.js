// The demo as a person uses it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Browser } from './support/browser.js';
import { rows, sqlite, temporaryFolder } from './support/sqlite.js';

const browser = Browser.forThisFile();

/** Of a whole picture, on a machine that is busy with other things. */
const LONGEST_RUN = 180_000;

const number = async (page, id) => Number((await page.getByTestId(id).textContent()).replaceAll(',', ''));
const state = (page) => page.getByTestId('run-state').textContent();
const digest = (page) => page.getByTestId('digest').textContent();

/** Waits until a number that the page shows is at least so large. */
const atLeast = (page, id, least) => page.waitForFunction(
  ({ id, least }) => Number(document.querySelector(`[data-testid="${id}"]`)?.textContent.replaceAll(',', '')) >= least,
  { id, least },
  { timeout: LONGEST_RUN },
);
const isState = (page, expected) => page.waitForFunction(
  (expected) => document.querySelector('[data-testid="run-state"]')?.textContent === expected,
  expected,
  { timeout: LONGEST_RUN },
);
const done = (page, least) => atLeast(page, 'tiles-done', least);
const finished = (page) => isState(page, 'finished');

/** Waits until nothing is under lease, and then until each agent has given three more signs of life. */
async function idleForAWhile(page) {
  await page.waitForFunction(() => document.querySelectorAll('#leases > li').length === 0);
  await page.evaluate(async () => {
    const beats = () => [...document.querySelectorAll('[data-life="alive"] .pulse')].map(({ dataset }) => dataset.beat);
    for (let times = 0; times < 3; times += 1) {
      const before = beats();
      while (beats().length === 0 || beats().some((beat) => before.includes(beat))) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
}

/** @param {import('node:test').TestContext} t */
function open(t, query) {
  assert.ok(existsSync(fileURLToPath(new URL('../../www/dist/index.html', import.meta.url))), 'www/dist is not built: `cargo xtask demo` makes it');
  return browser.page(t, { path: `/?${query}` });
}

/**
 * What a click has the page save. A browser that is only connected to, not launched, keeps downloads to itself: the file is
 * caught on its way.
 */
async function saved(page, id) {
  const size = await page.evaluate(async (id) => {
    const caught = new Promise((resolve) => {
      const { createObjectURL } = URL;
      URL.createObjectURL = (blob) => {
        URL.createObjectURL = createObjectURL;
        resolve(blob);
        return createObjectURL.call(URL, blob);
      };
    });
    document.querySelector(`[data-testid="${id}"]`).click();
    const blob = await caught;
    await fetch('/files/saved', { method: 'PUT', body: blob });
    return blob.size;
  }, id);
  const file = browser.server.files.get('saved');
  assert.equal(file.length, size);
  return file;
}

/** The database that the page exports, as a file. */
async function exported(t, page) {
  const file = join(await temporaryFolder(t), 'demo.sqlite3');
  await writeFile(file, await saved(page, 'export'));
  return file;
}

test('the_demo_finishes_its_picture_across_reloads', async (t) => {
  const page = await open(t, 'store=reload&autostart=1&tiles=24x16&work=light&agents=3');
  await done(page, 5);
  const total = await number(page, 'tiles-total');
  assert.equal(total, 384);
  for (let i = 0; i < 2; i += 1) {
    const before = await number(page, 'tiles-done');
    assert.equal(await state(page), 'running', 'there is something left to do');
    await page.reload();
    // The first number that the new page shows of this run is not smaller.
    await page.waitForFunction((total) => document.querySelector('[data-testid="tiles-total"]')?.textContent === String(total), total);
    assert.ok(await number(page, 'tiles-done') >= before, `it goes on from ${before}`);
  }
  await finished(page);
  assert.deepEqual([await number(page, 'tiles-done'), await number(page, 'tiles-verified')], [total, total]);
  assert.equal(await page.getByTestId('error-banner').count(), 0);

  // What was assembled is there for the next page as well.
  const picture = await digest(page);
  await page.reload();
  await finished(page);
  assert.equal(await digest(page), picture);
});

test('the_demo_finishes_its_picture_after_the_browser_was_killed', async (t) => {
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

test('an_agent_that_has_gone_silent_loses_its_task_long_before_the_lease_ends', async (t) => {
  // Tiles that take a while, so that whoever is killed is at work on one.
  const page = await open(t, 'store=silent&autostart=1&agents=2&lease=600000');
  await done(page, 1);
  const takenOver = page.locator('#events [data-type="taken_over"]');
  for (let kills = 1; (await takenOver.count()) === 0; kills += 1) {
    assert.ok(kills <= 5, 'somebody was at work');
    await page.getByTestId('kill-agent').first().click();
    await page.locator('#events [data-type="agent_lost"]').nth(kills - 1).waitFor();
    await page.getByTestId('add-agent').click();
    // The agent that is left takes tasks that are waiting before new ones: its next one at the latest is that.
    await takenOver.first().waitFor({ timeout: 10_000 }).catch(() => {});
  }
});

test('no_tile_is_begun_before_the_plan_and_the_assembly_comes_last', async (t) => {
  const page = await open(t, 'store=flow&autostart=1&tiles=6x4&work=light&agents=3');
  await finished(page);
  const file = await exported(t, page);

  const edges = rows(file, `
    SELECT waiting.task_type AS waiting, needed.task_type AS needed, count(*) AS edges
      FROM task_dependencies
      JOIN tasks AS waiting ON waiting.id = task_id
      JOIN tasks AS needed ON needed.id = depends_on
     GROUP BY 1, 2 ORDER BY 1`);
  assert.deepEqual(edges, [
    { waiting: 'assembly', needed: 'check', edges: 24 },
    { waiting: 'check', needed: 'tile', edges: 24 },
    { waiting: 'tile', needed: 'plan', edges: 24 },
  ]);
  const early = rows(file, `
    SELECT waiting.id FROM task_dependencies
      JOIN tasks AS waiting ON waiting.id = task_id
      JOIN tasks AS needed ON needed.id = depends_on
     WHERE needed.status <> 'completed' OR waiting.assigned_at IS NULL OR waiting.assigned_at < needed.completed_at`);
  assert.deepEqual(early, [], 'nothing was claimed before what it waits for was completed');
  const own = rows(file, "SELECT tile.id FROM task_dependencies JOIN tasks AS tile ON tile.id = depends_on JOIN tasks AS chk ON chk.id = task_id WHERE chk.task_type = 'check' AND chk.agent_id = tile.agent_id");
  assert.deepEqual(own, [], 'nobody checked a tile of their own');

  // Milliseconds may be the same; positions are not.
  const steps = rows(file, "SELECT event_type FROM events WHERE event_type NOT LIKE 'agent_%' ORDER BY position").map(({ event_type: type }) => type);
  assert.deepEqual(steps.slice(0, 2), ['picture_ordered', 'picture_planned']);
  assert.equal(steps.indexOf('picture_assembled'), steps.length - 1);
  assert.deepEqual(['tile_computed', 'tile_verified'].map((type) => steps.filter((step) => step === type).length), [24, 24]);
});

test('what_the_demo_assembles_is_the_picture', async (t) => {
  const page = await open(t, 'store=picture&autostart=1&tiles=6x4&work=light&agents=3');
  await page.getByRole('button', { name: 'Pause the assembly queue' }).click();
  await atLeast(page, 'tiles-verified', 24);
  await idleForAWhile(page);
  assert.equal(await state(page), 'running');
  // Every tile is on the screen in its colours, each from its own result.
  await page.evaluate(() => {
    const canvas = document.querySelector('#picture');
    globalThis.onScreen = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  });

  await page.getByRole('button', { name: 'Resume the assembly queue' }).click();
  await finished(page);
  const png = await saved(page, 'download-picture');
  assert.deepEqual([png.subarray(1, 4).toString(), png.readUInt32BE(16), png.readUInt32BE(20)], ['PNG', 288, 192]);
  assert.equal(await digest(page), createHash('sha256').update(png).digest('hex'));
  const differing = await page.evaluate(async () => {
    const image = await createImageBitmap(await (await fetch('/files/saved')).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
    context.drawImage(image, 0, 0);
    const inFile = context.getImageData(0, 0, image.width, image.height).data;
    return { bytes: inFile.length, differing: inFile.filter((value, at) => value !== globalThis.onScreen[at]).length };
  });
  assert.deepEqual(differing, { bytes: 288 * 192 * 4, differing: 0 });
});

test('a_paused_queue_stays_paused_across_a_reload_until_it_is_resumed', async (t) => {
  const page = await open(t, 'store=pause&autostart=1&tiles=24x16&work=light&agents=3');
  await done(page, 5);
  await page.getByTestId('pause').click();
  await isState(page, 'paused');
  const figures = async () => [await number(page, 'tiles-done'), await number(page, 'tiles-verified')];
  await idleForAWhile(page);
  const before = await figures();
  assert.ok(before[0] < 384, 'there is something left to do');
  await idleForAWhile(page);
  assert.deepEqual(await figures(), before, 'nothing was finished meanwhile');

  await page.reload();
  await isState(page, 'paused');
  await idleForAWhile(page);
  assert.deepEqual(await figures(), before);

  await page.getByTestId('pause').click();
  await finished(page);
  assert.equal(await number(page, 'tiles-verified'), 384);
});

test('one_queue_is_paused_while_the_others_go_on', async (t) => {
  const page = await open(t, 'store=checks&tiles=12x8&work=light&agents=2');
  await page.getByRole('button', { name: 'Pause the checks queue' }).click();
  await page.getByRole('button', { name: 'Resume the checks queue' }).waitFor();
  await page.getByTestId('start').click();
  await done(page, 96);
  await idleForAWhile(page);
  assert.deepEqual([await number(page, 'tiles-verified'), await state(page)], [0, 'running']);
  await page.getByRole('button', { name: 'Resume the checks queue' }).click();
  await finished(page);
});

test('dead_letters_are_shown_and_the_picture_is_finished_once_they_are_redriven', async (t) => {
  const order = 'autostart=1&tiles=3x2&work=light';
  const undisturbed = await open(t, `store=undisturbed&agents=2&${order}`);
  await finished(undisturbed);

  // The first agent computes all tiles and may not check its own; the only one that may is faulty.
  const page = await open(t, `store=letters&agents=1&${order}`);
  await done(page, 6);
  assert.ok(await page.getByText('None. A task that fails four times ends up here').isVisible());
  await page.getByTestId('add-faulty-agent').click();
  await isState(page, 'stalled');
  assert.equal(await number(page, 'dead-letters'), 6);
  assert.deepEqual([await number(page, 'failed-attempts'), await number(page, 'tiles-done'), await number(page, 'tiles-verified')], [24, 6, 0]);
  const letters = page.getByTestId('dead-letter');
  assert.equal(await letters.count(), 6);
  assert.match(await letters.first().textContent(), /^Check of tile \d+4 attemptsself-test: \d+ of 64 points are off/);

  // They are there for the next page, whose agents are all sound.
  await page.reload();
  await isState(page, 'stalled');
  assert.equal(await letters.count(), 6);
  await page.getByTestId('redrive').first().click();
  await atLeast(page, 'tiles-verified', 1);
  await isState(page, 'stalled');
  assert.deepEqual([await number(page, 'dead-letters'), await number(page, 'tiles-verified')], [5, 1]);

  await page.getByTestId('redrive-all').click();
  await finished(page);
  assert.equal(await letters.count(), 0);
  assert.equal(await number(page, 'tiles-verified'), 6);
  assert.equal(await digest(page), await digest(undisturbed), 'the picture is the one that it would have been');
});

test('a_tile_that_does_not_pass_its_check_is_computed_again_before_the_assembly', async (t) => {
  // Of the whole set, half precision gets some tiles right where the plan has looked, and wrong elsewhere.
  const order = 'region=whole&tiles=4x3&work=light';
  const undisturbed = await open(t, `store=sound&autostart=1&agents=2&${order}`);
  await finished(undisturbed);

  // A sound agent plans, a faulty one alone computes what it can.
  const page = await open(t, `store=rejected&agents=1&${order}`);
  await page.getByRole('button', { name: 'Pause the tiles queue' }).click();
  await page.getByTestId('start').click();
  await page.locator('#events [data-type="picture_planned"]').waitFor();
  await page.getByTestId('kill-agent').click();
  await page.getByTestId('add-faulty-agent').click();
  await page.getByRole('button', { name: 'Resume the tiles queue' }).click();
  await page.waitForFunction(() => {
    const number = (id) => Number(document.querySelector(`[data-testid="${id}"]`).textContent);
    return number('tiles-done') + number('dead-letters') === 12;
  });
  const computed = await number(page, 'tiles-done');
  assert.ok(computed > 0);

  await page.getByTestId('kill-agent').click();
  await page.getByTestId('add-agent').click();
  await page.getByTestId('add-agent').click();
  await page.getByTestId('redrive-all').click();
  await finished(page);
  const rejected = Number(await page.locator('#rejected').textContent());
  assert.ok(rejected > 0 && rejected <= computed, `${rejected} of ${computed} tiles were wrong`);
  assert.match(await page.getByTestId('result').textContent(), new RegExp(`${rejected} tiles? computed twice`));
  assert.equal(await digest(page), await digest(undisturbed), 'nothing wrong is left in the picture');
  const file = await exported(t, page);
  assert.equal(rows(file, "SELECT count(*) AS checks FROM task_dependencies JOIN tasks ON tasks.id = task_id WHERE task_type = 'assembly'")[0].checks, 12 + rejected);
});

test('a_second_tab_is_told_and_the_first_one_goes_on', async (t) => {
  const query = 'store=twice&autostart=1&tiles=12x8&work=light&agents=2';
  const page = await open(t, query);
  await done(page, 1);
  const second = await open(t, query);
  await second.locator('[data-testid="error-banner"][data-code="LOCKED"]').waitFor();
  await finished(page);
  await page.close();
  await second.getByRole('button', { name: 'Try again' }).click();
  await finished(second);
});

test('a_new_picture_calls_the_one_before_off', async (t) => {
  const page = await open(t, 'store=again&autostart=1&tiles=12x8&work=light&agents=2');
  await done(page, 3);
  await page.getByRole('button', { name: 'New picture' }).click();
  await page.getByRole('radio', { name: 'Elephant coast' }).check();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByText('Elephant coast, 12 × 8 tiles').waitFor();
  await finished(page);
  const file = await exported(t, page);
  assert.deepEqual(rows(file, 'SELECT status, count(*) AS tasks FROM tasks GROUP BY 1'), [{ status: 'completed', tasks: 2 + 2 * 96 }], 'nothing is left of the first');
  assert.equal(rows(file, "SELECT count(*) AS orders FROM events WHERE event_type = 'picture_ordered'")[0].orders, 2);
});

test('what_the_demo_exports_is_the_database', async (t) => {
  const page = await open(t, 'store=export&autostart=1&tiles=4x3&work=light&agents=2');
  await finished(page);
  const file = await exported(t, page);
  assert.ok((await readFile(file)).length > 0);
  assert.equal(sqlite(file, 'PRAGMA integrity_check'), 'ok');
  const [{ tiles }] = rows(file, "SELECT count(*) AS tiles FROM tasks WHERE status = 'completed' AND task_type = 'tile'");
  assert.equal(tiles, 12);
});
