import { byId, make } from './dom';

/** What a banner says about an error, by code: what happened and what to do about it. */
const ADVICE: Record<string, [title: string, advice: string]> = {
  LOCKED: ['This swarm is open in another tab', 'One tab at a time may write to a store. Close the other one, or go on there.'],
  CORRUPT: ['The stored database is damaged', 'Nothing was opened or changed. Save what can be rescued as a file, then start afresh.'],
  QUOTA: ['The disk space for this site is used up', 'The work so far is safe in memory. Free some space, then write it again; or export the database now.'],
  PERSISTENCE_LOST: ['The browser lost its connection to IndexedDB', 'The work so far is safe in memory. Write it again; or export the database now.'],
  UNSUPPORTED: ['This page cannot keep data safely here', 'The store needs Web Locks, which browsers offer only on https or localhost.'],
  UNAVAILABLE: ['The store cannot be reached', 'Either this browser keeps no data for the site, as in some private windows, or a part of the page did not load.'],
  MIGRATION: ['The database comes from a newer version', 'Update this page, or delete the database to start afresh.'],
  INTERNAL: ['The store has stopped', 'What was written is safe. Reload the page to go on.'],
  CLOSED: ['The store was closed', 'Reload the page to go on.'],
  TIMEOUT: ['A transaction took too long', 'It was rolled back; the swarm tries again by itself.'],
  AGENT: ['An agent crashed', 'The store gives its task to another. Add an agent to take its place.'],
};

export interface BannerAction {
  label: string;
  run(): void | Promise<void>;
}

/** Shows an error until it is dismissed or solved. A second one of the same code changes nothing. */
export function showBanner(code: string, message: string, actions: BannerAction[], dismissible: boolean): void {
  if (bannerOf(code)) return;
  const [title, advice] = ADVICE[code] ?? ['Something went wrong', message];
  const buttons = actions.map(({ label, run }) => button(label, run));
  if (dismissible) buttons.push(button('Dismiss', () => clearBanner(code)));
  const text = make('p', {}, make('strong', { text: title }), make('span', { text: advice }));
  if (message && advice !== message) text.append(make('small', { text: message }));
  byId('banners').append(make('div', { class: 'banner', 'data-testid': 'error-banner', 'data-code': code }, make('code', { text: code }), text, make('div', { class: 'buttons' }, ...buttons)));
}

export function clearBanner(code: string): void {
  bannerOf(code)?.remove();
}

function bannerOf(code: string): Element | null {
  return byId('banners').querySelector(`[data-code="${CSS.escape(code)}"]`);
}

function button(label: string, run: () => void | Promise<void>): HTMLButtonElement {
  const element = make('button', { type: 'button', text: label });
  element.addEventListener('click', () => void run());
  return element;
}
