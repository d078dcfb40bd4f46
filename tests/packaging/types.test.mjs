import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { node, project } from './support/project.mjs';

const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

const STRICT = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  target: 'es2022',
  lib: ['es2022', 'dom', 'esnext.disposable'],
  types: [],
};

const RESOLUTIONS = [
  { module: 'esnext', moduleResolution: 'bundler' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
];

/**
 * Checks a program of a project.
 *
 * @returns {Promise<string>} the compiler's complaints
 */
async function check(folder, program, options = {}) {
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...STRICT, ...options }, files: [program] }));
  return node(folder, tsc, '--pretty', 'false', '--project', '.').catch((error) => {
    if (!error.stdout) throw error;
    return error.stdout;
  });
}

for (const resolution of RESOLUTIONS) {
  test(`a strict program type-checks (${resolution.moduleResolution})`, { timeout: 120_000 }, async (t) => {
    const folder = await project(t, { 'types.ts': 'types.ts' });
    assert.equal(await check(folder, 'types.ts', resolution), '');
  });
}

test('mistakes do not type-check', { timeout: 120_000 }, async (t) => {
  const folder = await project(t, { 'wrong-types.ts': 'wrong-types.ts' });
  const lines = (await readFile(join(folder, 'wrong-types.ts'), 'utf8')).split('\n');
  const wrong = lines.flatMap((line, index) => (line.endsWith('// wrong') ? [index + 1] : []));
  const complaints = await check(folder, 'wrong-types.ts', RESOLUTIONS[0]);
  const complained = [...complaints.matchAll(/^wrong-types\.ts\((\d+),/gm)].map(([, line]) => Number(line));
  assert.deepEqual([...new Set(complained)].sort((a, b) => a - b), wrong, complaints);
});
