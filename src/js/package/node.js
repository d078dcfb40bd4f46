/**
 * swarmstore in Node, for stores in memory.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { Engine } from './runtime/engine.js';
import { Store } from './runtime/store.js';

export { SwarmStoreError } from './runtime/error.js';

export class SwarmStore extends Store {
  // Bundling gives it a shorter one.
  static name = 'SwarmStore';
  static engine = new Engine(async () => WebAssembly.compile(await readFile(new URL('./swarmstore_bg.wasm', import.meta.url))));
}
