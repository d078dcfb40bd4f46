import { MAX_AGENTS } from './flow';
import { DEFAULT_ORDER, REGIONS, type Order } from './picture';

/** What the address asks for: `?region=whole&tiles=4x3&work=light&autostart=1&agents=3&store=NAME&lease=6000&faulty=1`. */
export interface Settings {
  store: string;
  agents: number;
  order: Order;
  autostart: boolean;
  leaseMs: number;
  /** The slot whose first agent computes in half precision, to see what becomes of its tasks. */
  faulty?: number;
}

export function settingsFrom(search: string): Settings {
  const query = new URLSearchParams(search);
  const [columns, rows] = (query.get('tiles') ?? '').split('x').map(Number);
  const sized = within(columns, 1, 64) && within(rows, 1, 64) ? { columns, rows } : {};
  const region = REGIONS.find(({ id }) => id === query.get('region'));
  const faulty = Number(query.get('faulty'));
  return {
    store: query.get('store') || 'swarm',
    agents: numberOf(query.get('agents'), 1, MAX_AGENTS, 4),
    order: { ...DEFAULT_ORDER, ...sized, ...(region && { region: region.id }), work: query.get('work') === 'light' ? 'light' : 'normal' },
    autostart: query.get('autostart') === '1',
    leaseMs: numberOf(query.get('lease'), 500, 600_000, 6000),
    ...(within(faulty, 1, MAX_AGENTS) && { faulty }),
  };
}

function within(value: number | undefined, low: number, high: number): value is number {
  return value !== undefined && Number.isInteger(value) && value >= low && value <= high;
}

function numberOf(text: string | null, low: number, high: number, otherwise: number): number {
  const value = Number(text ?? NaN);
  return within(value, low, high) ? value : otherwise;
}
