// Where the time of one workload goes: node profile.mjs W3 [--rows 10000] [--ms 3000] [--engine swarmstore] [--out file.cpuprofile] [--pkg folder]
// The file opens in the Performance panel of the DevTools.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Browser } from './lib/browser.mjs';
import { parse } from './lib/options.mjs';
import { hottest, profiled } from './lib/profile.mjs';
import { serve } from './lib/server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const options = parse(process.argv.slice(2), {
  ms: { type: 'string', default: '3000' }, out: { type: 'string' }, engine: { type: 'string', default: 'swarmstore' }, durability: { type: 'string' },
});
const [workload = 'W3'] = options.positionals;
const { engine } = options;
const size = options.rows.length === 1 ? options.rows[0] : 10_000;
const server = await serve({ '/': join(here, 'page'), '/modules/': join(here, 'node_modules'), '/pkg/': options.pkg });
const browser = await Browser.start(server.url);

try {
  await browser.step('seed', { engine, size });
  await browser.reload();
  await browser.step('open', { engines: [engine], size, options: { durability: options.durability } });
  await browser.step('alone', { engine, workload, size, run: 1, ms: 1_000 });          // let the compilers finish
  const began = performance.now();
  const { profile, result } = await profiled(browser, () => browser.step('alone', { engine, workload, size, run: 2, ms: Number(options.ms) }));
  const took = performance.now() - began;
  const { own, under } = hottest(profile);
  console.log(`${workload}, ${engine}, ${size} rows: ${result} operations, about ${((took * 1000) / result).toFixed(1)} µs each while profiled\n`);
  print('In the function itself', own, result);
  print('In the function and what it called', under, result);
  if (options.out) await writeFile(options.out, JSON.stringify(profile));
} finally {
  await browser.close();
  await server.close();
}

function print(title, list, operations) {
  console.log(`${title}\n\n| µs per operation | share | function |\n| ---: | ---: | --- |`);
  for (const { name, micros, share } of list) console.log(`| ${(micros / operations).toFixed(2)} | ${(share * 100).toFixed(1)} % | ${name} |`);
  console.log();
}
