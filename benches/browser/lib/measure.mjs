// The order of a whole run: which steps of the page make which figure, and what is set up and torn down around them.
//
// Per size one profile is seeded with every engine. Each run is a fresh page on it; sql.js writes the whole file for every durable
// row, so its writes come last in a run, where they disturb nobody.
import { Browser } from './browser.mjs';

const CALLERS = [8, 64];
const FIRST = 10_000;                  // the size the targets are stated at
const settle = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Fills `figures`, and `facts` about what was measured. */
export async function measure({ server, figures, facts, options, say }) {
  for (const size of options.rows) {
    const browser = await Browser.start(server.url);
    facts.chromium ??= await browser.version();
    try {
      if (options.only.has('W1')) await bulk(browser, figures, options, size, say);
      if (['W2', 'W3', 'W4', 'W5', 'W7', 'X'].some((w) => options.only.has(w))) await onStored(browser, figures, options, size, say, facts);
      facts.swarmstore = (await browser.step('versions')).swarmstore ?? facts.swarmstore;
    } finally {
      await browser.close();
    }
  }
}

async function bulk(browser, figures, { engines, runs }, size, say) {
  for (let run = 0; run < runs; run++) {
    for (const engine of rotated(engines, run)) {
      await browser.reload();
      figures.add('W1', size, engine, await browser.step('bulk', { engine, size, run }));
    }
    say(`W1 ${size}: run ${run + 1} of ${runs}`);
  }
}

async function onStored(browser, figures, options, size, say, facts) {
  const { engines, only, runs } = options;
  for (const engine of engines) {
    await browser.reload();
    const ms = await browser.step('seed', { engine, size });
    say(`seeded ${engine} with ${size} rows in ${Math.round(ms)} ms`);
  }
  for (let run = 0; run < runs; run++) {
    await inPage(browser, figures, options, size, run);
    say(`${size}: run ${run + 1} of ${runs}`);
  }
  if (only.has('W5')) await opening(browser, figures, options, size, say, facts);
}

async function inPage(browser, figures, { engines, only, sqljsWrites }, size, run) {
  const record = (workload, answer) => { for (const [engine, value] of Object.entries(answer)) figures.add(workload, size, engine, value); };
  const writing = engines.filter((engine) => engine !== 'sqljs');
  const reading = engines;
  const ours = engines.includes('swarmstore');

  await browser.reload();
  await browser.step('open', { engines, size });
  if (only.has('W3')) record('W3', await browser.step('points', { engines: reading, run, size, slice: 400 }));
  if (only.has('W4')) record('W4', await browser.step('queue', { engines: reading, run }));
  if (only.has('W2')) record('W2', await browser.step('singles', { engines: writing, run, count: 200 }));
  if (only.has('W7')) record('W7', await browser.step('writers', { engines: writing, run }));
  if (only.has('X') && ours) {
    const { claimComplete, append } = await browser.step('rounds', { run });
    record('claim+complete', { swarmstore: claimComplete });
    record('append', { swarmstore: append });
    for (const [name, ms] of Object.entries(await browser.step('filters', {}))) record(`filter ${name}`, { swarmstore: ms });
    for (const callers of CALLERS) record(`claim+complete ${callers}`, { swarmstore: await browser.step('roundsTogether', { run, callers }) });
  }
  await browser.step('close');

  if (only.has('X') && ours) {
    for (const durability of ['strict', 'relaxed']) {
      await browser.reload();
      const compared = durability === 'strict' ? ['raw', 'swarmstore'] : ['swarmstore'];
      await browser.step('open', { engines: compared, size, options: { durability } });
      record(`add ${durability}`, await browser.step('singles', { engines: compared, run: run + 1000, count: 200, durability }));
      if (durability === 'relaxed') {
        const { claimComplete, append } = await browser.step('rounds', { run });
        record('claim+complete relaxed', { swarmstore: claimComplete });
        record('append relaxed', { swarmstore: append });
      }
      await browser.step('close');
    }
  }
  if (sqljsWrites && engines.includes('sqljs') && (only.has('W2') || only.has('W7'))) {
    await browser.reload();
    await browser.step('open', { engines: ['sqljs'], size });
    if (only.has('W2')) record('W2', await browser.step('singles', { engines: ['sqljs'], run, count: size > FIRST ? 5 : 20, warm: 1 }));
    if (only.has('W7') && run === 0 && size <= FIRST) record('W7', await browser.step('writers', { engines: ['sqljs'], run, bursts: 1 }));
    await browser.step('close');
    await settle(500);
  }
}

async function opening(browser, figures, { engines, runs }, size, say, facts) {
  const from = engines.includes('swarmstore') ? 'swarmstore' : 'sqljs';
  await browser.reload();
  const bytes = await browser.step('storeBytes', { size, from });
  (facts.bytes ??= {})[size] = bytes;
  if (engines.includes('swarmstore')) (facts.layout ??= {})[size] = await browser.step('layout', { size });

  const contenders = ['bytes', ...engines];
  const once = (engine, code = false) => (engine === 'bytes' ? browser.step('readBytes', { size }) : browser.step('openAndRead', { engine, size, code }));
  for (let run = 0; run < runs; run++) {
    await browser.reload();
    for (const engine of contenders) await once(engine);                  // everybody has been open and was closed in this page
    for (const engine of rotated(contenders, run)) figures.add('W5', size, engine, await once(engine));
  }
  say(`W5 ${size}: after closing`);
  for (let run = 0; run < runs; run++) {
    for (const engine of rotated(contenders, run)) {
      await browser.restart();
      figures.add('W5 restart', size, engine, await once(engine));
      if (engine === 'bytes') continue;
      await browser.restart();
      figures.add('W5 restart with code', size, engine, await once(engine, true));
    }
  }
  say(`W5 ${size}: after a browser restart`);
}

function rotated(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
