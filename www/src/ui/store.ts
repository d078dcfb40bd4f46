import type { SwarmStore } from 'swarmstore';
import type { Snapshot } from '../snapshot';
import { byId, make, setText } from './dom';
import { ago, bytes } from './format';

export interface StoreActions {
  export(): void;
  checkIntegrity(): void;
  reset(): void;
  persist(): void;
}

const ROWS = ['Kept in', 'Durability', 'Database', 'Not yet written', 'Last write', 'Site storage'] as const;

/** How safely the data is kept, and what can be done with it. */
export function mountStore(actions: StoreActions): (snapshot: Snapshot, store: SwarmStore) => void {
  const values = new Map<string, HTMLElement>();
  for (const name of ROWS) {
    const value = make('dd');
    values.set(name, value);
    byId('store').append(make('div', {}, make('dt', { text: name }), value));
  }
  const show = (name: (typeof ROWS)[number], text: string) => setText(values.get(name)!, text);

  const persisted = make('dd');
  const persistedText = make('span');
  const persist = make('button', { type: 'button', class: 'small', text: 'Ask to keep it', hidden: '' });
  persist.addEventListener('click', actions.persist);
  persisted.append(persistedText, persist);
  byId('store').append(make('div', {}, make('dt', { text: 'Eviction' }), persisted));

  byId('export').addEventListener('click', actions.export);
  byId('integrity').addEventListener('click', actions.checkIntegrity);
  byId('reset').addEventListener('click', actions.reset);

  return ({ health, storage, now }, store) => {
    for (const id of ['export', 'integrity', 'reset']) byId<HTMLButtonElement>(id).disabled = false;
    show('Kept in', store.storage === 'memory' ? 'memory only' : `IndexedDB, “${store.name}”`);
    show('Durability', 'durable: a write is answered once it is kept');
    if (health) {
      show('Database', `${bytes(health.sizeBytes)} of SQLite`);
      show('Not yet written', bytes(health.pendingBytes));
      show('Last write', health.lastFlush === undefined ? 'none yet' : ago(now - health.lastFlush));
      setText(byId('store-note'), health.healthy ? 'healthy' : health.problems.join(', '));
      byId('store-note').classList.toggle('bad', !health.healthy);
    }
    show('Site storage', storage.quota === 0 ? 'unknown' : `${bytes(storage.usage)} used of ${bytes(storage.quota)}`);
    setText(persistedText, storage.persisted ? 'the browser keeps it for good' : 'only if space runs short');
    persist.hidden = storage.persisted;
  };
}
