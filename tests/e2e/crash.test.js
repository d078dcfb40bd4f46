// Chromium killed with SIGKILL, again and again, on one profile.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Browser } from './support/browser.js';

const KILLS = Number(process.env.KILLS ?? 20);
/** How long the swarm works after its first acknowledgement, at most. */
const LONGEST_RUN = 600;

const browser = Browser.forThisFile();

/** Everything that was ever acknowledged. */
class Acknowledged {
  tasks = new Set();
  completed = new Map();
  events = new Set();
  together = new Map();
  deleted = new Set();

  /** @param {any} report */
  hear({ tasks = [], completed = [], events = [], together = [], deleted = [] }) {
    tasks.forEach((id) => this.tasks.add(id));
    completed.forEach(([id, result]) => this.completed.set(id, result));
    events.forEach((id) => this.events.add(id));
    together.forEach(([task, event]) => this.together.set(task, event));
    deleted.forEach((id) => this.deleted.add(id));
  }

  /** Whether there are so many of everything. @param {number} count */
  atLeast(count) {
    return Object.values(this).every(({ size }) => size >= count);
  }
}

/** @param {Acknowledged} acknowledged */
function judge(found, acknowledged) {
  assert.deepEqual(found.integrity, ['ok']);
  assert.deepEqual([found.health.healthy, found.health.problems], [true, []]);

  const tasks = new Map(found.tasks.map((task) => [task.id, task]));
  const events = new Set(found.events);
  for (const id of acknowledged.tasks) assert.ok(tasks.has(id), `the acknowledged task ${id} is lost`);
  for (const id of acknowledged.events) assert.ok(events.has(id), `the acknowledged event ${id} is lost`);
  for (const id of acknowledged.deleted) assert.ok(!tasks.has(id), `the deleted task ${id} is back`);
  for (const [id, result] of acknowledged.completed) {
    assert.equal(tasks.get(id)?.status, 'completed', `the completed task ${id}`);
    assert.deepEqual(JSON.parse(tasks.get(id).result), result);
  }

  // Acknowledged or not, what belongs together is there together.
  for (const id of tasks.keys()) {
    if (id.startsWith('tx-')) assert.ok(events.has(id.replace('tx-', 'event-')), `${id} is there without its event`);
  }
  for (const id of events) assert.ok(tasks.has(id.replace('event-', 'tx-')), `${id} is there without its task`);
  const bulks = new Map();
  for (const id of tasks.keys()) {
    const [, bulk, n] = /^bulk-(\d+-\d+)-(\d+)$/.exec(id) ?? [];
    if (bulk) bulks.set(bulk, [...(bulks.get(bulk) ?? []), Number(n)]);
  }
  for (const [bulk, rows] of bulks) {
    assert.deepEqual(rows.sort((a, b) => a - b), rows.map((_, n) => n), `part of bulk ${bulk} is missing`);
  }

  for (const { stream, events: count, last } of found.streams) assert.equal(count, last, `stream ${stream} has a gap`);
  for (const task of tasks.values()) {
    const working = task.status === 'assigned' || task.status === 'running';
    assert.equal(task.lease_token !== null, working, `the lease of ${task.status} ${task.id}`);
    assert.equal(task.lease_expires_at !== null, working, `the lease of ${task.status} ${task.id}`);
    if (working) assert.ok(task.agent_id !== null && task.assigned_at !== null, `${task.status} ${task.id} has nobody`);
    assert.equal(task.completed_at !== null, ['completed', 'failed', 'cancelled'].includes(task.status), `the end of ${task.status} ${task.id}`);
  }
  assert.equal(found.strays[0].n, 0);
}

/** How often Chromium may lose all that the origin has, in 200 kills about once. */
const FORGIVEN = 2;

test(`chromium_killed_at_random_moments_${KILLS}_times_loses_nothing_that_was_acknowledged`, async (t) => {
  let acknowledged = new Acknowledged();
  browser.server.on('report', (report) => acknowledged.hear(report));
  let page;
  let forgiven = 0;
  let witnessed = false;
  /** What is there now has to be all that was acknowledged, unless the browser itself has lost everything. */
  const look = async () => {
    page = await browser.page(t, { path: '/pages/writer.html', mayFail: true });
    const there = await page.evaluate(() => witness());
    if (witnessed && !there) {
      forgiven += 1;
      t.diagnostic('Chromium has lost everything of this origin, also what is not ours');
      assert.ok(forgiven <= FORGIVEN, 'that often it is not Chromium');
      acknowledged = new Acknowledged();
    }
    witnessed = true;
    judge(await page.evaluate(() => examine('killed')), acknowledged);
  };
  for (let run = 0; run < KILLS + forgiven; run += 1) {
    await look();
    const first = new Promise((resolve) => browser.server.once('report', resolve));
    await page.evaluate((run) => work(run), run);
    await first;
    const moment = Math.floor(Math.random() * LONGEST_RUN);
    await new Promise((resolve) => setTimeout(resolve, moment));
    // On a slow machine little is done in that time. The last run goes on until there is enough to judge.
    while (run === KILLS + forgiven - 1 && !acknowledged.atLeast(KILLS)) await new Promise((resolve) => browser.server.once('report', resolve));
    await browser.kill();
    await browser.launch();
  }
  await look();
  const heard = Object.fromEntries(Object.entries(acknowledged).map(([what, ids]) => [what, ids.size]));
  t.diagnostic(`acknowledged in all: ${JSON.stringify(heard)}`);

  // And what others find in the file.
  await page.evaluate(async () => send('killed.sqlite3', await store.exportFile()));
  const folder = await mkdtemp(join(tmpdir(), 'swarmstore-crash-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'killed.sqlite3');
  await writeFile(file, browser.server.files.get('killed.sqlite3'));
  assert.equal(execFileSync('sqlite3', [file, 'PRAGMA integrity_check; PRAGMA foreign_key_check;'], { encoding: 'utf8' }), 'ok\n');
});
