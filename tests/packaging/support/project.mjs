/**
 * Projects of a user: a folder of their own somewhere else, with the packed tarball installed from disk.
 */
import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const pkg = join(here, '../../../pkg');
const programs = join(here, '../programs');

/** What a program is given, and how long it may take. */
const LIMITS = { timeout: 60_000, maxBuffer: 16 << 20 };
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** @type {Promise<string> | undefined} */
let packed;

/** Packs pkg/ as `npm publish` would, once per process; gives the tarball's path. */
export function tarball() {
  packed ??= pack();
  return packed;
}

async function pack() {
  if (!existsSync(join(pkg, 'package.json'))) throw new Error('pkg/ is not there: `cargo xtask build` makes it');
  const folder = await temporaryFolder();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await run(NPM, ['pack', '--loglevel=error', '--pack-destination', folder], { cwd: pkg, ...LIMITS });
  const [name] = await readdir(folder);
  return join(folder, name);
}

// The real path: bundlers compare paths, and a temporary folder may be behind a link.
async function temporaryFolder() {
  return realpath(await mkdtemp(join(tmpdir(), 'swarmstore-packaging-')));
}

/**
 * A project with the package installed, removed after the test.
 *
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} files by path inside the project; a value is the name of a program in programs/, or a text
 *   if it has more than one line
 */
export async function project(t, files) {
  const folder = await temporaryFolder();
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  await writeFile(join(folder, 'package.json'), '{ "name": "a-project", "private": true, "type": "module" }\n');
  await run(NPM, ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', await tarball()], { cwd: folder, ...LIMITS });
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    if (content.includes('\n')) await writeFile(file, content);
    else await cp(join(programs, content), file);
  }
  return folder;
}

/**
 * Runs a program of Node in a project.
 *
 * @returns {Promise<string>} what it printed; rejects with its output if it fails or does not end by itself
 */
export async function node(/** @type {string} */ folder, /** @type {string[]} */ ...args) {
  const { stdout } = await run(process.execPath, args, { cwd: folder, ...LIMITS });
  return stdout.trim();
}
