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

/** After this long without a heartbeat an agent at work has most probably gone. */
const SILENT_MS = 1800;

/** How long ago an agent gave a sign of life, if that is longer than usual. */
export function silenceOf(agent: Agent): number | undefined {
  const silence = Date.now() - agent.lastHeartbeat;
  return silence > SILENT_MS ? silence : undefined;
}

/** Whether the store counts on an agent. */
export function isCounted(agent: Agent | undefined): agent is Agent {
  return agent !== undefined && agent.status !== 'terminated' && agent.status !== 'failed';
}

/** Whether it does, and the agent gives signs of life. */
export function isAlive(agent: Agent | undefined): agent is Agent {
  return isCounted(agent) && silenceOf(agent) === undefined;
}
