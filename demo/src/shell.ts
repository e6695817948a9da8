// What all pages share: where the library's files are, the theme, one line for what happens.
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import { setAssetsUrl } from 'everygrad/worker';

setAssetsUrl(new URL('everygrad/', document.baseURI));

/** The element of an id; the pages' own HTML has it. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const changed = new Set<() => void>();

/** Calls back when the theme changes, by the button or by the system. */
export const onTheme = (f: () => void): void => void changed.add(f);
const tell = (): void => {
  colours.clear();
  for (const f of changed) f();
};

const dark = matchMedia('(prefers-color-scheme: dark)');
export const isDark = (): boolean => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : dark.matches;
};

/** A colour of the style sheet as it is now. */
export function colour(name: string): string {
  const known = colours.get(name);
  if (known) return known;
  probe.style.color = `var(--${name})`;
  const { color } = getComputedStyle(probe);
  colours.set(name, color);
  return color;
}
const colours = new Map<string, string>();
const probe = document.createElement('span');
probe.hidden = true;
document.body.append(probe);

function setTheme(theme: 'light' | 'dark'): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem('everygrad.theme', theme);
  } catch {
    // It holds for this page, then.
  }
  showTheme();
  tell();
}

const themeButton = byId<HTMLButtonElement>('theme');
const showTheme = (): void => themeButton.setAttribute('aria-pressed', String(isDark()));
themeButton.addEventListener('click', () => setTheme(isDark() ? 'light' : 'dark'));
dark.addEventListener('change', () => {
  showTheme();
  tell();
});
showTheme();

/** Says something to everybody, screen readers included. */
export function say(text: string, kind: 'note' | 'problem' = 'note'): void {
  const line = byId('status');
  line.textContent = text;
  line.dataset.kind = kind;
}

/** A number with so many digits, or a dash. */
export const show = (value: number, digits = 3): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '–';
export const percent = (value: number): string =>
  Number.isFinite(value) ? `${(100 * value).toFixed(1)}%` : '–';

/** To be called when a page has made its parts. */
export const built = (): void => {
  document.documentElement.dataset.built = 'true';
};
/** To be called when a page can be used. */
export const ready = (): void => {
  document.documentElement.dataset.ready = 'true';
};

addEventListener('unhandledrejection', ({ reason }) =>
  say(reason instanceof Error ? reason.message : String(reason), 'problem'),
);
