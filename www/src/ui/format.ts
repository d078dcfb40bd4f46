const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const count = (value: number): string => whole.format(value);
export const decimal = (value: number): string => tenth.format(value);
export const time = (epochMs: number): string => clock.format(epochMs);

/** Seconds with one decimal; never below zero. */
export const seconds = (ms: number): string => `${tenth.format(Math.max(0, ms) / 1000)} s`;

export function bytes(value: number): string {
  if (value < 1024) return `${whole.format(value)} B`;
  for (const unit of ['KiB', 'MiB']) {
    value /= 1024;
    if (value < 1024) return `${tenth.format(value)} ${unit}`;
  }
  return `${tenth.format(value / 1024)} GiB`;
}

export function ago(ms: number): string {
  if (ms < 1000) return 'just now';
  if (ms < 60_000) return `${whole.format(ms / 1000)} s ago`;
  if (ms < 3_600_000) return `${whole.format(ms / 60_000)} min ago`;
  return `${whole.format(ms / 3_600_000)} h ago`;
}

/** `1 tile`, `2 tiles`. */
export const plural = (value: number, noun: string): string => `${whole.format(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `1.2 G` for large numbers that matter by their size only. */
export function large(value: number): string {
  for (const unit of ['', ' k', ' M']) {
    if (value < 999.95) return unit === '' ? whole.format(value) : `${tenth.format(value)}${unit}`;
    value /= 1000;
  }
  return `${tenth.format(value)} G`;
}
