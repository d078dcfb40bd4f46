/**
 * A static server on the loopback address and a free port, so that each test file has an origin of its own. It serves the
 * package as it was built, the pages of these tests and the built demo, keeps files that a page sends, and hears what a page
 * reports.
 */
import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** The parts are what the package was bundled from, for what cannot be reached from outside of it. */
const FOLDERS = { pkg: 'pkg', parts: process.env.SWARMSTORE_PARTS ?? 'target/xtask/parts', pages: 'tests/e2e/pages' };
/** The demo is built to be at the root of its origin. */
const DEMO = 'www/dist';
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

export class Server extends EventEmitter {
  /** What pages sent with PUT, by name. @type {Map<string, Buffer>} */
  files = new Map();
  #http = createServer((request, response) => {
    this.#serve(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });

  static async start() {
    const server = new Server();
    await new Promise((resolve) => server.#http.listen(0, '127.0.0.1', () => resolve(undefined)));
    return server;
  }

  get origin() {
    return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (this.#http.address()).port}`;
  }

  async stop() {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #serve(request, response) {
    const path = decodeURIComponent(new URL(request.url ?? '/', this.origin).pathname);
    const [, folder, ...rest] = path.split('/');
    if (folder === 'report') {
      this.emit('report', JSON.parse((await body(request)).toString()));
      response.writeHead(204).end();
    } else if (folder === 'files') {
      await this.#file(rest.join('/'), request, response);
    } else if (Object.hasOwn(FOLDERS, folder)) {
      await this.#static(FOLDERS[folder], rest.join('/'), response);
    } else {
      await this.#static(DEMO, path.slice(1) || 'index.html', response);
    }
  }

  async #file(name, request, response) {
    if (request.method === 'PUT') {
      this.files.set(name, await body(request));
      response.writeHead(204).end();
    } else if (this.files.has(name)) {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(this.files.get(name));
    } else {
      response.writeHead(404).end();
    }
  }

  async #static(folder, path, response) {
    const base = resolve(root, folder);
    const file = normalize(join(base, path));
    if (!file.startsWith(base + sep)) return response.writeHead(403).end();
    let content;
    try {
      content = await readFile(file);
    } catch {
      return response.writeHead(404).end();
    }
    return response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Cache-Control': 'no-store' }).end(content);
  }
}

/** @param {import('node:http').IncomingMessage} request */
async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
