/**
 * swarmstore in a browser: a page, a worker, or what a bundler makes of it.
 *
 * The wasm module is loaded by the first `open`; importing this file does nothing.
 * @module
 */
import { Engine } from './runtime/engine.js';
import { Store } from './runtime/store.js';

export { SwarmStoreError } from './runtime/error.js';

export class SwarmStore extends Store {
  // Bundling gives it a shorter one.
  static name = 'SwarmStore';
  static engine = new Engine(load);
}

async function load() {
  // Bundlers know this very form and copy the file.
  const response = await fetch(new URL('./swarmstore_bg.wasm', import.meta.url));
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  // A server that does not know the type of .wasm files is common enough to serve.
  return response.headers.get('Content-Type')?.startsWith('application/wasm')
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}
