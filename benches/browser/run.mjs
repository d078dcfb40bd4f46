// The browser benchmark: node run.mjs [--only W2,W3] [--runs 5] [--rows 1000,10000,100000] [--json file] [--with-dexie]
//                                     [--engines raw,swarmstore] [--pkg folder] [--no-sqljs-writes]
// README.md says what each figure means.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Figures } from './lib/figures.mjs';
import { measure } from './lib/measure.mjs';
import { parse } from './lib/options.mjs';
import { report } from './lib/report.mjs';
import { serve } from './lib/server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const options = parse(process.argv.slice(2));
const server = await serve({ '/': join(here, 'page'), '/modules/': join(here, 'node_modules'), '/pkg/': options.pkg });
const figures = new Figures();
const began = Date.now();
const say = (text) => console.error(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${text}`);

const facts = {};

try {
  await measure({ server, figures, facts, options, say });
} catch (error) {
  console.error(error);
  console.error('stopped early; this is what was measured until then');
  process.exitCode = 1;
} finally {
  const loaded = server.loaded('/pkg/');
  console.log(report({ figures, facts, loaded, options }));
  if (options.json) await writeFile(options.json, `${JSON.stringify({ facts, loaded, figures }, null, 1)}\n`);
  await server.close();
}
