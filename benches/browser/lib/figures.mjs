// Samples of a benchmark: per workload, size and engine one number for each run.

export class Figures {
  constructor() { this.samples = new Map(); }

  add(workload, size, engine, value) {
    const key = `${workload}|${size}|${engine}`;
    if (!this.samples.has(key)) this.samples.set(key, []);
    this.samples.get(key).push(value);
  }

  /** `{ median, min, max, runs }`, or undefined where nothing was measured. */
  get(workload, size, engine) {
    const values = this.samples.get(`${workload}|${size}|${engine}`);
    return values && summary(values);
  }

  toJSON() {
    return [...this.samples].map(([key, values]) => {
      const [workload, size, engine] = key.split('|');
      return { workload, size: Number(size), engine, ...summary(values), values };
    });
  }
}

function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1), runs: sorted.length };
}
