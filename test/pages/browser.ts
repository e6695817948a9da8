// What the suites of pages use of puppeteer, how they open a page, and the package as an app has it: packed, and unpacked beside an app.
import { fileURLToPath } from 'node:url';
import { environment } from '../helpers/environment.js';

/** How long is waited for something that a page is to show, in milliseconds: enough for any machine. */
export const patience = 120_000;

/** As much of puppeteer as is used here. */
export interface Page {
  on(event: string, hear: (what: never) => void): void;
  setDefaultTimeout(milliseconds: number): void;
  goto(address: string): Promise<unknown>;
  reload(): Promise<unknown>;
  bringToFront(): Promise<void>;
  $(selector: string): Promise<{ uploadFile(...paths: string[]): Promise<void> } | null>;
  click(selector: string): Promise<void>;
  focus(selector: string): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  select(selector: string, value: string): Promise<unknown>;
  waitForFunction(f: string): Promise<unknown>;
  evaluate<T>(f: string): Promise<T>;
  evaluateOnNewDocument(f: string): Promise<unknown>;
  addScriptTag(options: { url: string }): Promise<unknown>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  emulateMediaFeatures(features: { name: string; value: string }[]): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  createCDPSession(): Promise<{ send(method: string, parameters?: object): Promise<unknown> }>;
  tracing: { start(options: { categories: string[] }): Promise<void>; stop(): Promise<Uint8Array> };
  close(): Promise<void>;
}
export interface Context {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}
export interface Browser extends Context {
  createBrowserContext(): Promise<Context>;
}
export interface Site {
  served: Set<string>;
  address: string;
  stop(): Promise<void>;
}
export interface Opened {
  page: Page;
  complaints: string[];
}

export const root = (path: string): string => fileURLToPath(new URL(path, environment.root));

export const { buildSite, serveSite, whyNoSite } = (await import(root('test/pages/site.mjs'))) as {
  buildSite(): Promise<string>;
  serveSite(folder: string, options?: object): Promise<Site>;
  whyNoSite(): string | undefined;
};
/** A page in any of the browsers, by as much as all of them have. */
export interface Tab {
  goto(address: string): Promise<void>;
  reload(): Promise<void>;
  evaluate<T>(expression: string): Promise<T>;
  until(condition: string, seconds?: number): Promise<void>;
  click(selector: string): Promise<void>;
  select(selector: string, value: string): Promise<void>;
  press(selector: string, key: string): Promise<void>;
  text(id: string): Promise<string>;
  hide(): Promise<void>;
  resize(width: number): Promise<void>;
  shot(path: string): Promise<void>;
}
export const { openChromium, openTab } = (await import(root('test/pages/tabs.mjs'))) as {
  openChromium(): Promise<Browser | string>;
  openTab(name: string, options?: { quota?: number }): Promise<{ tab: Tab; close(): Promise<void> } | string>;
};

/** As much of the runner's browsers as is used here. */
export interface Driver {
  launch(): Promise<void>;
  open(url: string): Promise<unknown>;
  close(): Promise<void>;
}
export const { runtimes } = (await import(root('test/runtime/runtimes.mjs'))) as {
  runtimes: Record<'chromium' | 'firefox' | 'webkit', () => Driver | string>;
};
export const browserNames = ['chromium', 'firefox', 'webkit'] as const;

/** Why a browser is not here; undefined if it is. */
export function whyNoBrowser(name: (typeof browserNames)[number]): string | undefined {
  const found = runtimes[name]();
  return typeof found === 'string' ? found : undefined;
}

/** The pages of test/pages/lab with the library beside them, to be served; gives the folder. */
export async function labFolder(): Promise<string> {
  const { cp, mkdtemp, symlink } = await import('node:fs/promises');
  const folder = await mkdtemp(root('build/lab-'));
  await cp(root('test/pages/lab'), folder, { recursive: true });
  await symlink(root('dist'), `${folder}/everygrad`);
  return folder;
}

/** Runs a program; gives what it printed. */
export async function run(args: readonly string[], cwd: string): Promise<string> {
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const options = { cwd, timeout: 600_000, maxBuffer: 2 ** 24 };
  return (await promisify(execFile)(args[0]!, args.slice(1), options)).stdout;
}

/** The package, packed as for npm and unpacked into `folder`/node_modules/everygrad; gives that path. */
export async function unpackInto(folder: string): Promise<string> {
  const { mkdir } = await import('node:fs/promises');
  const packing = ['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [{ filename }] = JSON.parse(await run(packing, root('.'))) as [{ filename: string }];
  const library = `${folder}/node_modules/everygrad`;
  await mkdir(library, { recursive: true });
  await run(['tar', '-xzf', filename, '--strip-components=1', '-C', library], folder);
  return library;
}

/** Opens a page and hears what it complains of; `first` runs before its own scripts. */
export async function open(
  browser: Pick<Context, 'newPage'>,
  address: string,
  { first = '', width = 1280 } = {},
): Promise<Opened> {
  const page = await browser.newPage();
  page.setDefaultTimeout(patience);
  const complaints: string[] = [];
  page.on('console', (m: { type(): string; text(): string }) => {
    if (['error', 'warn', 'warning'].includes(m.type())) complaints.push(m.text());
  });
  page.on('pageerror', (e: Error) => complaints.push(e.message));
  if (first) await page.evaluateOnNewDocument(first);
  await page.setViewport({ width, height: 860 });
  await page.goto(address);
  return { page, complaints };
}
