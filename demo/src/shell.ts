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

/** Notes go by themselves after so long, in milliseconds; problems stay until they are read and dismissed. */
const noteTime = 8000;
let noteTimer: ReturnType<typeof setTimeout> | undefined;

/** Says something to everybody, screen readers included. */
export function say(text: string, kind: 'note' | 'problem' = 'note'): void {
  const line = byId('status');
  clearTimeout(noteTimer);
  line.dataset.kind = kind;
  line.replaceChildren();
  if (text === '') return;
  const sentence = document.createElement('span');
  sentence.textContent = text;
  const dismiss = document.createElement('button');
  dismiss.type = 'button';
  dismiss.textContent = '×';
  dismiss.setAttribute('aria-label', 'Dismiss');
  dismiss.addEventListener('click', () => line.replaceChildren());
  line.append(sentence, dismiss);
  if (kind === 'note') noteTimer = setTimeout(() => line.replaceChildren(), noteTime);
}

/** Offers bytes or text as a file. */
export function download(
  name: string,
  content: Uint8Array | string,
  type = 'application/octet-stream',
): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content as Uint8Array<ArrayBuffer>], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Takes files from inputs, and those that are dropped anywhere: a browser would leave the page for them. */
export function takeFiles({
  drop,
  inputs,
  take,
}: {
  /** What is marked while files are over the page. */
  drop: HTMLElement;
  inputs: readonly HTMLElement[];
  take: (files: readonly File[]) => Promise<void>;
}): void {
  for (const input of inputs as HTMLInputElement[])
    input.addEventListener('change', () => {
      const files = [...(input.files ?? [])];
      input.value = ''; // the same file again is a change, too
      void take(files);
    });
  for (const type of ['dragover', 'dragleave', 'drop'] as const)
    addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle('over', type === 'dragover');
      if (type === 'drop') void take([...(event.dataTransfer?.files ?? [])]);
    });
}

/** A number with so many digits behind the point, or a dash. */
export const show = (value: number, digits = 3): string =>
  !Number.isFinite(value) ? '–' : Math.abs(value) < 1e5 ? value.toFixed(digits) : value.toExponential(1);
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
