// A Chromium for the tests of the pages: a fresh context for each page, which counts what it complains of.
import { mkdir } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import {
  type Browser,
  buildSite,
  type Opened,
  open,
  openChromium,
  type Page,
  root,
  type Site,
  serveSite,
  whyNoSite,
} from './browser.js';

export const shots = root('build/screenshots');
export const axe = root('demo/node_modules/axe-core/axe.min.js');

export const ready = (page: Page): Promise<unknown> =>
  page.waitForFunction('document.documentElement.dataset.ready === "true"');
export const text = (page: Page, id: string): Promise<string> =>
  page.evaluate<string>(`document.getElementById(${JSON.stringify(id)}).textContent`);
export const until = (page: Page, condition: string): Promise<unknown> => page.waitForFunction(condition);
export const number = (id: string): string => `parseFloat(document.getElementById("${id}").textContent)`;
/** Waits for a part of what the page's status says. */
export async function says(page: Page, part: string): Promise<void> {
  const condition = `document.getElementById("status").textContent.includes(${JSON.stringify(part)})`;
  await until(page, condition).catch(async () => {
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
    const site = await serveSite(await buildSite(), { axe });
    await mkdir(shots, { recursive: true });
    return new Pages(browser, site);
  }

  /** Opens a page with nothing kept of others; `first` runs before its own scripts. */
  async open(
    name: string,
    { width = 1280, first = '', address = this.site.address } = {},
  ): Promise<Opened & { close(): Promise<void> }> {
    const context = await this.browser.createBrowserContext();
    const opened = await open(context, address + name, { width, first });
    await ready(opened.page);
    return { ...opened, close: () => context.close() };
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.site.stop();
  }
}

/** A promise of what a well-kept checker of accessibility finds serious, a line each; needs axe.js in the page. */
export const seriousFindings = `axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map((v) => v.id + ' ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join('; ')))`;

export const widths = [360, 800, 1400];

/** Both themes, each at three widths: no sideways scrolling, pictures for people, no serious finding of axe. */
export async function check(page: Page, name: string): Promise<void> {
  await page.addScriptTag({ url: './axe.js' });
  const findings: string[] = [];
  for (const theme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    for (const width of widths) {
      await page.setViewport({ width, height: 860 });
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(wide <= width, `${name} is ${wide} wide at ${width}`);
      await page.screenshot({ path: `${shots}/${name}-${width}-${theme}.png`, fullPage: true });
    }
    findings.push(...(await page.evaluate<string[]>(seriousFindings)).map((f) => `${theme}: ${f}`));
  }
  assert.equal(findings, []);
}
