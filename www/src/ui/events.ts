import type { Agent, Event } from 'swarmstore';
import type { Snapshot } from '../snapshot';
import { slotOf } from '../swarm';
import { badge } from './channels';
import { byId, KeyedList, make, setText } from './dom';
import { count, time } from './format';

interface Item {
  event: Event;
  agents: Map<string, Agent>;
}

/** The tail of all events, newest first. */
export function mountEvents(): (snapshot: Snapshot) => void {
  const list = new KeyedList<Item, EventRow>(byId('events'), ({ event }) => event.id, (item) => new EventRow(item));

  return (snapshot) => {
    const agents = new Map(snapshot.agents.map((agent) => [agent.id, agent]));
    list.update(snapshot.events.map((event) => ({ event, agents })));
    const last = snapshot.events[0];
    setText(byId('events-note'), last ? `${count(last.position)} in the store` : '');
    setText(byId('no-events'), last ? '' : 'Every step of the swarm is appended here.');
  };
}

class EventRow {
  readonly root: HTMLElement;

  constructor({ event, agents }: Item) {
    const agent = event.agentId ? agents.get(event.agentId) : undefined;
    const who = make('td', { class: 'who' });
    if (agent) who.append(badge(slotOf(agent)), make('span', { text: agent.name ?? agent.id }));
    this.root = make('tr', { 'data-type': event.eventType },
      make('td', { class: 'n', text: count(event.position) }),
      make('td', { class: 'time', text: time(event.timestamp) }),
      make('td', { class: 'type', text: event.eventType }),
      make('td', { class: 'stream', text: streamOf(event), title: `${event.aggregateType} ${event.aggregateId}, sequence ${event.sequence}` }),
      who);
  }

  // An event never changes.
  update(): void {}
}

function streamOf(event: Event): string {
  const data = event.data as { tile?: number } | null;
  const name = event.aggregateType === 'tile' && data?.tile !== undefined ? `tile ${data.tile}` : event.aggregateType;
  return `${name} #${event.sequence}`;
}
