import type { Agent } from 'swarmstore';
import { slotOf } from '../swarm';
import { make } from './dom';

/** One colour per slot, as an oscilloscope colours its channels. The style sheet has the same as --ch1 to --ch8. */
export const CHANNELS = ['#89989a', '#ffd24a', '#58cdf5', '#ff7fd0', '#74e08f', '#ffa04d', '#93a6ff', '#ff7468', '#d8d0f5'];

export function channelOf(agent: Agent | undefined): string {
  return CHANNELS[agent ? slotOf(agent) : 0] ?? CHANNELS[0]!;
}

/** The numbered badge of an agent's slot. */
export function badge(slot: number): HTMLElement {
  return make('span', { class: 'badge', 'data-slot': String(slot), text: String(slot) });
}

export function isAlive(agent: Agent | undefined): boolean {
  return agent !== undefined && agent.status !== 'terminated';
}
