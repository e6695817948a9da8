// A Chromium for the tests of the pages: a fresh context for each page, which counts what it complains of.
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';

export const root = (path: string): string => fileURLToPath(new URL(path, environment.root));
export const shots = root('build/screenshots');

/** As much of puppeteer as is used here. */
export interface Page {
  on(event: string, hear: (what: never) => void): void;
  goto(address: string): Promise<unknown>;
  reload(): Promise<unknown>;
  $(selector: string): Promise<{ uploadFile(...paths: string[]): Promise<void> } | null>;
  click(selector: string): Promise<void>;
  focus(selector: string): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  select(selector: string, value: string): Promise<unknown>;
  waitForFunction(f: string, options?: { timeout: number }): Promise<unknown>;
  evaluate<T>(f: string): Promise<T>;
  evaluateOnNewDocument(f: string): Promise<unknown>;
  addScriptTag(options: { url: string }): Promise<unknown>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  emulateMediaFeatures(features: { name: string; value: string }[]): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
}
interface Context {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}
interface Browser {
  createBrowserContext(): Promise<Context>;
  close(): Promise<void>;
}
export interface Site {
  served: Set<string>;
  address: string;
  stop(): Promise<void>;
}
export interface Opened {
  page: Page;
  complaints: string[];
  close(): Promise<void>;
}

export const { buildSite, serveSite, whyNoSite } = (await import(root('test/pages/site.mjs'))) as {
  buildSite(): Promise<string>;
  serveSite(folder: string, options?: object): Promise<Site>;
  whyNoSite(): string | undefined;
};
const { openChromium } = (await import(root('test/pages/tabs.mjs'))) as {
  openChromium(): Promise<Browser | string>;
};

export const ready = (page: Page): Promise<unknown> =>
  page.waitForFunction('document.documentElement.dataset.ready === "true"', { timeout: 30_000 });
export const text = (page: Page, id: string): Promise<string> =>
  page.evaluate<string>(`document.getElementById(${JSON.stringify(id)}).textContent`);
export const until = (page: Page, condition: string, timeout = 40_000): Promise<unknown> =>
  page.waitForFunction(condition, { timeout });
export const number = (id: string): string => `parseFloat(document.getElementById("${id}").textContent)`;
/** Waits for a part of what the page's status says. */
export async function says(page: Page, part: string): Promise<void> {
  const condition = `document.getElementById("status").textContent.includes(${JSON.stringify(part)})`;
  await until(page, condition, 20_000).catch(async () => {
    throw new Error(`the page does not say "${part}", but "${await text(page, 'status')}"`);
  });
}

/** Chromium and the built site; or why they are not there. */
export class Pages {
  private constructor(
    private readonly browser: Browser,
    readonly site: Site,
  ) {}

  static async start(): Promise<Pages | string> {
    const why = whyNoSite();
    if (why) return why;
    const browser = await openChromium();
    if (typeof browser === 'string') return browser;
    const axe = root('demo/node_modules/axe-core/axe.min.js');
    const site = await serveSite(await buildSite(), { axe });
    await mkdir(shots, { recursive: true });
    return new Pages(browser, site);
  }

  /** Opens a page with nothing kept of others; `first` runs before its own scripts. */
  async open(name: string, { width = 1280, first = '', address = this.site.address } = {}): Promise<Opened> {
    const context = await this.browser.createBrowserContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (m: { type(): string; text(): string }) => {
      if (['error', 'warn', 'warning'].includes(m.type())) complaints.push(m.text());
    });
    page.on('pageerror', (e: Error) => complaints.push(e.message));
    page.on('response', (r: { status(): number; url(): string }) => {
      if (r.status() >= 400) complaints.push(`${r.status()} ${r.url()}`);
    });
    if (first) await page.evaluateOnNewDocument(first);
    await page.setViewport({ width, height: 860 });
    await page.goto(address + name);
    await ready(page);
    return { page, complaints, close: () => context.close() };
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.site.stop();
  }
}

/** Both themes, each at three widths: no sideways scrolling, pictures for people, no serious finding of axe. */
export async function check(page: Page, name: string): Promise<void> {
  await page.addScriptTag({ url: './axe.js' });
  const findings: string[] = [];
  for (const theme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    for (const width of [360, 800, 1400]) {
      await page.setViewport({ width, height: 860 });
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(wide <= width, `${name} is ${wide} wide at ${width}`);
      await page.screenshot({ path: `${shots}/${name}-${width}-${theme}.png`, fullPage: true });
    }
    findings.push(
      ...(await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map((v) => '${theme}: ' + v.id + ' ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join('; ')))`)),
    );
  }
  assert.equal(findings, []);
}
