import { byId } from './dom';

const KEY = 'swarmstore-demo:theme';

/** The theme follows the system until the visitor chooses one. */
export function mountTheme(): void {
  const root = document.documentElement;
  byId('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // The choice then holds for this page only.
    }
  });
}
