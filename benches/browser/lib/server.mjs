// The benchmark page, the package and node_modules over loopback, as a production server would send them: cacheable, no
// COOP/COEP headers. Remembers what was loaded of the package, which is what W8 weighs.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { gzipSync } from 'node:zlib';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };

/** @param folders {{ [prefix: string]: string }} URL prefix → folder; the longest prefix that fits wins. */
export async function serve(folders) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const sent = new Map();               // URL path → its bytes

  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const prefix = prefixes.find((p) => path.startsWith(p));
    const file = normalize(join(folders[prefix], path.slice(prefix.length) || 'index.html'));
    try {
      if (!file.startsWith(folders[prefix] + sep)) throw new Error('outside');
      const body = await readFile(file);
      sent.set(path, body);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'cache-control': 'max-age=3600' });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Files under `prefix` that a page has loaded, with their size as sent and gzipped. */
    loaded: (prefix) => [...sent].filter(([path]) => path.startsWith(prefix))
      .map(([path, body]) => ({ path: path.slice(prefix.length), bytes: body.length, gzipped: gzipSync(body, { level: 9 }).length })),
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  };
}
