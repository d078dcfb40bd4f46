// The command line.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const ALL = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8', 'X'];

export function parse(argv, extra = {}) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      only: { type: 'string' }, runs: { type: 'string', default: '5' }, rows: { type: 'string', default: '1000,10000,100000' },
      json: { type: 'string' }, pkg: { type: 'string', default: join(ROOT, 'pkg') }, engines: { type: 'string' },
      'with-dexie': { type: 'boolean', default: false }, 'no-sqljs-writes': { type: 'boolean', default: false }, ...extra,
    },
  });
  const pkg = resolve(values.pkg);
  const engines = values.engines?.split(',') ?? ['raw', 'sqljs', ...(values['with-dexie'] ? ['dexie'] : []), ...(existsSync(join(pkg, 'index.js')) ? ['swarmstore'] : [])];
  if (!values.engine && !values.engines && !engines.includes('swarmstore')) console.error(`note: no package in ${pkg}; measuring the alternatives only (cargo xtask build makes it)`);
  const only = new Set(values.only?.split(',') ?? ALL);
  for (const id of only) if (!ALL.includes(id)) throw new Error(`--only knows ${ALL.join(', ')}, not ${id}`);
  if (only.has('W6')) only.add('W2');
  return {
    ...values, pkg, engines, only, positionals,
    runs: whole(values.runs, '--runs'), rows: values.rows.split(',').map((n) => whole(n, '--rows')), sqljsWrites: !values['no-sqljs-writes'],
  };
}

function whole(text, name) {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} wants whole numbers above 0, not ${text}`);
  return value;
}
