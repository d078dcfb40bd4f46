// A defect of the engine itself. It does not unwind: the store is given up and opened again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, refused, storeName } from './support/browser.js';

const browser = Browser.forThisFile();

/** Has the next call into the module really trap, by giving it an object far outside of its memory. */
function trapOnDemand() {
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (module, imports) => {
    const instance = await instantiate.call(WebAssembly, module, imports);
    if (!(instance instanceof WebAssembly.Instance)) return instance;
    const exports = { ...instance.exports };
    exports.core_call = (pointer, ...rest) => instance.exports.core_call(globalThis.trap ? 0x7fff_fff0 : pointer, ...rest);
    return new Proxy(instance, { get: (target, key) => (key === 'exports' ? exports : Reflect.get(target, key, target)) });
  };
}

test('a_trap_is_internal_for_every_store_and_opening_again_goes_on_from_what_was_flushed', async (t) => {
  const name = storeName();
  // What the dead instance had under way ends with an error in its own callback.
  const page = await browser.page(t, { script: trapOnDemand, mayFail: /previous WASM instance/ });
  const seen = await page.evaluate(async (name) => {
    const store = await SwarmStore.open(name);
    const other = await SwarmStore.open('memory:other');
    await store.tasks.add({ id: 'kept', taskType: 'x', payload: 1 });
    const port = await SwarmStore.connect(store.port());
    const transaction = attempt(() => store.transaction(() => new Promise(() => {})));
    const waiting = attempt(() => store.tasks.add({ id: 'waits', taskType: 'x', payload: 1 }));
    globalThis.trap = true;
    const first = await attempt(() => store.tasks.count());
    globalThis.trap = false;
    const outcomes = {
      first,
      second: await attempt(() => store.tasks.count()),
      other: await attempt(() => other.tasks.count()),
      port: await attempt(() => port.tasks.count()),
      transaction: await transaction,
      waiting: await waiting,
    };
    // The lock is free again: the dead store has let go of everything.
    const again = await SwarmStore.open(name);
    const ids = (await again.tasks.list()).map(({ id }) => id);
    await again.tasks.add({ id: 'after', taskType: 'x', payload: 1 });
    const still = await attempt(() => store.tasks.count());
    await store.close();
    return { outcomes, ids, still, closed: store.closed, integrity: await again.maintain('integrity') };
  }, name);
  for (const outcome of Object.values(seen.outcomes)) refused(outcome, { code: 'INTERNAL', message: /the engine failed/ });
  assert.equal(seen.outcomes.first.error.cause.name, 'RuntimeError', 'the trap is a real one');
  refused(seen.still, { code: 'INTERNAL' });
  assert.deepEqual([seen.ids, seen.closed, seen.integrity], [['kept'], true, ['ok']]);

  await browser.reload(page);
  assert.equal(await page.evaluate(async (name) => (await SwarmStore.open(name)).tasks.count(), name), 2);
});

test('a_store_can_fail_and_be_opened_again_many_times', async (t) => {
  const name = storeName();
  const page = await browser.page(t, { script: trapOnDemand });
  const seen = await page.evaluate(async (name) => {
    // Only the first instance can be made to trap from outside; the others are given up by a panic told by hand.
    const { SwarmStore } = await import('/parts/index.js');
    const { Core } = await import('/parts/swarmstore.js');
    let panicked;
    const { onPanic } = Core;
    Core.onPanic = (hook) => {
      panicked = hook;
      onPanic?.call(Core, hook);
    };
    const counts = [];
    for (let i = 0; i < 5; i += 1) {
      const store = await SwarmStore.open(name);
      counts.push(await store.tasks.count());
      await store.tasks.add({ id: `t${i}`, taskType: 'x', payload: 1 });
      panicked('told by hand');
      counts.push((await attempt(() => store.tasks.count())).error?.code);
    }
    return counts;
  }, name);
  assert.deepEqual(seen, [0, 'INTERNAL', 1, 'INTERNAL', 2, 'INTERNAL', 3, 'INTERNAL', 4, 'INTERNAL']);
});
