// A CPU profile of the page's thread, taken through the DevTools protocol, and what it says in a few lines.
// Functions of the module have names only if it was built with them (wasm-opt -g, or no wasm-opt at all).

export async function profiled(browser, body, { intervalMicros = 100 } = {}) {
  const session = await browser.context.newCDPSession(browser.page);
  await session.send('Profiler.enable');
  await session.send('Profiler.setSamplingInterval', { interval: intervalMicros });
  await session.send('Profiler.start');
  const result = await body();
  const { profile } = await session.send('Profiler.stop');
  await session.detach();
  return { profile, result };
}

/** Functions by the time spent in themselves, and by the time spent in them and what they called. Shares of the whole. */
export function hottest(profile, count = 30) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const self = new Map();
  profile.samples.forEach((id, i) => self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[i] ?? 0)));
  const whole = [...self.values()].reduce((a, b) => a + b, 0);

  const own = new Map(), under = new Map();
  const walk = (node, path) => {
    const name = label(node.callFrame);
    const time = self.get(node.id) ?? 0;
    own.set(name, (own.get(name) ?? 0) + time);
    let below = time;
    const outermost = !path.has(name);
    const inner = outermost ? new Set(path).add(name) : path;
    for (const child of node.children ?? []) below += walk(nodes.get(child), inner);
    if (outermost) under.set(name, (under.get(name) ?? 0) + below);
    return below;
  };
  walk(profile.nodes[0], new Set());

  const top = (map) => [...map].filter(([name]) => name !== '(root)').sort((a, b) => b[1] - a[1]).slice(0, count).map(([name, time]) => ({ name, micros: time, share: time / whole }));
  return { own: top(own), under: top(under), whole };
}

function label({ functionName, url, lineNumber }) {
  const file = url.slice(url.lastIndexOf('/') + 1);
  const name = functionName || '(anonymous)';
  return !file || url.startsWith('wasm:') || file.endsWith('.wasm') ? name.replace(/::h[0-9a-f]{16}$/, '') : `${name} ${file}:${lineNumber + 1}`;
}
