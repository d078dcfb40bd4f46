import { nameOfTask } from '../flow';
import type { DeadLetter, Snapshot } from '../snapshot';
import { byId, KeyedList, make, setText } from './dom';
import { count, plural, time } from './format';

/** Tasks that failed for good, and buttons that give them another life. */
export function mountLetters(redrive: (ids: string[]) => void): (snapshot: Snapshot) => void {
  const all = byId<HTMLButtonElement>('redrive-all');
  const list = new KeyedList<DeadLetter, LetterRow>(byId('letters'), ({ taskId, failedAt }) => `${taskId} ${failedAt}`, (letter) => new LetterRow(letter, redrive));
  let shown: string[] = [];
  all.addEventListener('click', () => redrive(shown));

  return ({ letters, queues }) => {
    const total = queues.reduce((sum, { failed }) => sum + failed, 0);
    shown = letters.map(({ taskId }) => taskId);
    list.update(letters);
    all.disabled = letters.length === 0;
    setText(all, total > letters.length ? `Redrive these ${count(letters.length)}` : 'Redrive all');
    setText(byId('letters-note'), total === 0 ? '' : count(total));
    byId('no-letters').hidden = letters.length > 0;
  };
}

class LetterRow {
  readonly root: HTMLElement;

  constructor({ taskId, attempts, message, failedAt }: DeadLetter, redrive: (ids: string[]) => void) {
    const name = nameOfTask(taskId);
    const button = make('button', { type: 'button', class: 'small', text: 'Redrive', 'aria-label': `Redrive ${name}`, 'data-testid': 'redrive' });
    button.addEventListener('click', () => {
      button.disabled = true;
      byId('letters-scroll').focus();
      redrive([taskId]);
    });
    this.root = make('li', { 'data-task': taskId, 'data-testid': 'dead-letter' },
      make('p', { class: 'what' }, make('strong', { text: name }), make('span', { text: plural(attempts, 'attempt'), title: `The last one failed at ${time(failedAt)}` })),
      make('p', { class: 'why', text: message, title: message }),
      button);
  }

  // A dead letter stays as it is until it is redriven.
  update(): void {}
}
