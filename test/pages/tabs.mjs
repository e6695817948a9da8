// Pages in the three browsers by one set of calls, as much of each as all of them have. Inputs are the pages' own events.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimes } from '../runtime/runtimes.mjs';

const viewport = { width: 1280, height: 900 };

/** How long is waited for something that a page is to show, in seconds: enough for any machine. */
const patience = 120;

/** A page that answers to expressions. */
class Tab {
  constructor(driver) {
    this.driver = driver;
  }

  /** The value of an expression, which can be sent as JSON. */
  evaluate(expression) {
    return this.driver.evaluate(expression);
  }

  async goto(address) {
    // By way of another page, as an address that differs in its hash alone would load nothing.
    await this.driver.goto('about:blank');
    await this.until('location.href === "about:blank"');
    await this.driver.goto(address);
    await this.until('document.documentElement.dataset.ready === "true"');
  }

  async reload() {
    await this.evaluate('void (document.documentElement.dataset.old = "true", location.reload())');
    const dataset = 'document.documentElement.dataset';
    await this.until(`${dataset}.ready === "true" && !${dataset}.old`);
  }

  /** Waits until it is true; the page may be on its way to another one. */
  async until(condition, seconds = patience) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = await this.evaluate(condition).catch(() => false);
      if (found) return;
      if (Date.now() > end) {
        const said = await this.evaluate('document.getElementById("status")?.textContent').catch(() => '');
        throw new Error(`not within ${seconds} s: ${condition}${said ? `; the page says: ${said}` : ''}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  click(selector) {
    return this.evaluate(`void document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  select(selector, value) {
    const [element, text] = [selector, value].map((v) => JSON.stringify(v));
    return this.evaluate(
      `void ((e) => { e.value = ${text}; e.dispatchEvent(new Event('change')); })(document.querySelector(${element}))`,
    );
  }

  press(selector, key) {
    const [element, text] = [selector, key].map((v) => JSON.stringify(v));
    return this.evaluate(
      `void document.querySelector(${element}).dispatchEvent(new KeyboardEvent('keydown', { key: ${text}, bubbles: true }))`,
    );
  }

  text(id) {
    return this.evaluate(`document.getElementById(${JSON.stringify(id)}).textContent`);
  }

  /** Puts it behind something else, so that its user does not see it any more. */
  async hide() {
    await this.driver.hide();
    await this.until('document.visibilityState === "hidden"');
  }

  /** Makes it so wide, or as nearly as the browser can. */
  async resize(width) {
    await this.driver.resize({ ...viewport, width });
  }

  async shot(path) {
    await writeFile(path, await this.driver.screenshot());
  }
}

/** What a tab is driven by in Chromium and Firefox. */
async function puppeteerDriver({ browser, name }, { quota }) {
  const page = await browser.newPage();
  page.setDefaultTimeout(patience * 1000);
  await page.setViewport(viewport);
  return {
    evaluate: (expression) => page.evaluate(expression),
    async goto(address) {
      if (quota && name === 'chromium' && address.startsWith('http')) {
        const session = await page.createCDPSession();
        await session.send('Storage.overrideQuotaForOrigin', {
          origin: new URL(address).origin,
          quotaSize: quota,
        });
      }
      await page.goto(address, { waitUntil: 'domcontentloaded' });
    },
    screenshot: () => page.screenshot({ fullPage: true }),
    hide: async () => (await browser.newPage()).bringToFront(),
    resize: (size) => page.setViewport(size),
  };
}

/** Fails after a while: WebKit's driver may lose an answer when the page is on its way to another one. */
function inTime(asked) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer of the driver')), 30_000);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

/** And in WebKit. */
async function webkitDriver(browser) {
  await browser.command('POST', '/window/rect', { ...viewport, x: 0, y: 0 }).catch(() => undefined);
  return {
    evaluate: (expression) =>
      inTime(browser.command('POST', '/execute/sync', { script: `return (${expression})`, args: [] })),
    goto: (url) => browser.command('POST', '/url', { url }),
    screenshot: async () => Buffer.from(await browser.command('GET', '/screenshot'), 'base64'),
    hide: () => browser.command('POST', '/window/minimize', {}),
    resize: (size) => browser.command('POST', '/window/rect', size),
  };
}

/** Sets how much a browser lets pages store, in bytes; 0 is nothing at all. Gives what cleans up; WebKit has no such setting. */
async function limitStorage(name, browser, quota) {
  const options = browser.options();
  const set = (more) => {
    browser.options = () => ({ ...options, ...more });
  };
  if (name === 'firefox') {
    const preference =
      quota === 0
        ? { 'network.cookie.cookieBehavior': 2 }
        : { 'dom.quotaManager.temporaryStorage.fixedLimit': quota / 1024 };
    set({ extraPrefsFirefox: { ...options.extraPrefsFirefox, ...preference } });
  } else if (quota === 0) {
    const profile = await mkdtemp(join(tmpdir(), 'everygrad-profile-'));
    await mkdir(join(profile, 'Default'));
    const settings = { profile: { default_content_setting_values: { cookies: 2 } } };
    await writeFile(join(profile, 'Default/Preferences'), JSON.stringify(settings));
    set({ userDataDir: profile });
    return () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  return async () => undefined;
}

/**
 * A tab of `chromium`, `firefox` or `webkit`, and what ends the browser; or why there is none.
 * @param options.quota bytes that a page may store (not in WebKit); 0 forbids it
 */
export async function openTab(name, options = {}) {
  const browser = runtimes[name]();
  if (typeof browser === 'string') return browser;
  const cleanUp = options.quota === undefined ? undefined : await limitStorage(name, browser, options.quota);
  await browser.launch();
  const driver = await (name === 'webkit'
    ? webkitDriver(browser)
    : puppeteerDriver({ browser: browser.browser, name }, options));
  const close = async () => {
    await browser.close();
    await cleanUp?.();
  };
  return { tab: new Tab(driver), close };
}

/** Chromium with no GPU, to be driven by puppeteer itself; or why there is none. */
export async function openChromium() {
  const chromium = runtimes.chromium();
  if (typeof chromium === 'string') return chromium;
  const args = chromium.options().args.filter((arg) => !/webgpu|Vulkan/.test(arg));
  chromium.options = () => ({ args: [...args, '--disable-gpu'] });
  await chromium.launch();
  return chromium.browser;
}
