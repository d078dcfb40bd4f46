// A worker that is told what to do, in the words of the test: a function of the store, as text.
import { SwarmStore, SwarmStoreError } from '/pkg/index.js';

async function attempt(body) {
  try {
    return { value: await body() };
  } catch (error) {
    if (!(error instanceof Error)) return { error: { name: typeof error, message: String(error), thrown: error } };
    const { name, message, stack, code, retryable, table, id, field, index, actual, committed } = error;
    return { error: { name, message, stack, code, retryable, table, id, field, index, actual, committed, ours: error instanceof SwarmStoreError } };
  }
}

let store;

async function serve(target, { id, open, port, run, argument }) {
  const answer = await attempt(async () => {
    if (open) store = await SwarmStore.open(...open);
    if (port) store = await SwarmStore.connect(port);
    return run && (await new Function('store', 'argument', 'attempt', `return (${run})(store, argument)`)(store, argument, attempt));
  });
  target.postMessage({ id, answer });
}

if (typeof SharedWorkerGlobalScope !== 'undefined' && globalThis instanceof SharedWorkerGlobalScope) {
  globalThis.onconnect = ({ ports: [target] }) => {
    target.onmessage = ({ data }) => serve(target, data);
  };
} else {
  globalThis.onmessage = ({ data }) => serve(globalThis, data);
}
