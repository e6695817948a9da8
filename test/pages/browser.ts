// What the suites of pages use of puppeteer, and the package as an app has it: packed, and unpacked beside an app.
import { fileURLToPath } from 'node:url';
import { environment } from '../helpers/environment.js';

/** As much of puppeteer as is used here. */
export interface Page {
  on(event: string, hear: (what: never) => void): void;
  goto(address: string, options?: { waitUntil: string }): Promise<unknown>;
  reload(): Promise<unknown>;
  bringToFront(): Promise<void>;
  setOfflineMode(offline: boolean): Promise<void>;
  waitForFunction(f: string, options?: { timeout: number }): Promise<unknown>;
  evaluate<T>(f: string): Promise<T>;
  createCDPSession(): Promise<{ send(method: string, parameters?: object): Promise<unknown> }>;
  workers(): { close(): Promise<void>; url(): string }[];
  close(): Promise<void>;
}
export interface Browser {
  newPage(): Promise<Page>;
  createBrowserContext(): Promise<{ newPage(): Promise<Page>; close(): Promise<void> }>;
  close(): Promise<void>;
}
export interface Site {
  served: Set<string>;
  address: string;
  stop(): Promise<void>;
}

export const root = (path: string): string => fileURLToPath(new URL(path, environment.root));

export const { serveSite } = (await import(root('test/pages/site.mjs'))) as {
  serveSite(folder: string, options?: object): Promise<Site>;
};
export const { openChromium } = (await import(root('test/pages/tabs.mjs'))) as {
  openChromium(): Promise<Browser | string>;
};

/** Runs a program; gives what it printed. */
export async function run(args: readonly string[], cwd: string): Promise<string> {
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const options = { cwd, timeout: 120_000, maxBuffer: 2 ** 24 };
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

/** Opens a page and hears what it complains of. */
export async function open(
  browser: Pick<Browser, 'newPage'>,
  address: string,
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (m: { type(): string; text(): string }) => {
    if (['error', 'warn', 'warning'].includes(m.type())) complaints.push(m.text());
  });
  page.on('pageerror', (e: Error) => complaints.push(e.message));
  await page.goto(address);
  return { page, complaints };
}
