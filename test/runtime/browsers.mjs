// Browsers: one instance for all suites, a fresh page for each. What happens in a page comes back by HTTP, so
// that the driver only has to open pages and to notice when one crashes.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { startServer } from './server.mjs';

/** How long a browser or a page may take to come up on a machine that is busy, in milliseconds. */
const startTime = 120_000;

/** What all browsers share. A kind of browser adds launch(), open(url) and close(). */
export class Browser {
  has = { webgpu: true };
  #server;
  #sessions = 0;
  #waiting = new Map();

  constructor(path, env = {}) {
    this.path = path;
    this.env = { ...process.env, ...env };
  }

  version() {
    return execFileSync(this.path, ['--version'], { encoding: 'utf8', stdio: 'pipe' })
      .trim()
      .split('\n')
      .at(-1)
      .trim();
  }

  async start() {
    this.#server = await startServer((session, event) => this.#waiting.get(session)?.(event));
    await this.launch();
  }

  async stop() {
    await this.close().catch(() => {});
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** Runs one job in a page of its own; gives what went wrong with the page itself, or undefined. */
  async run(job, outcome, signal) {
    const session = String(++this.#sessions);
    const query = new URLSearchParams({ session, job: JSON.stringify(job) });
    const ended = new Promise((resolve) => {
      this.#waiting.set(session, (event) => {
        if (event.type === 'killGpu') this.killGpu();
        outcome.event(event);
        if (event.type === 'done') resolve(undefined);
      });
      signal.addEventListener('abort', () => resolve('aborted'));
    });
    try {
      const { crashed, close } = await this.open(`${this.#server.address}/harness.html?${query}`);
      const problem = await Promise.race([ended, crashed]);
      if (!problem) await close();
      return problem;
    } finally {
      this.#waiting.delete(session);
    }
  }
}

/** Chromium and Firefox, by puppeteer. */
class PuppeteerBrowser extends Browser {
  async launch() {
    const { resolve } = createRequire(new URL('../../.runtimes/', import.meta.url));
    const { default: puppeteer } = await import(resolve('puppeteer-core'));
    this.browser = await puppeteer.launch({
      executablePath: this.path,
      env: this.env,
      headless: true,
      timeout: startTime,
      ...this.options(),
    });
  }

  async open(url) {
    const page = await this.browser.newPage();
    const crashed = new Promise((resolve) => {
      page.on('error', (error) => resolve(`the page crashed: ${error.message}`));
      page.on('close', () => resolve('the page was closed'));
      this.browser.on('disconnected', () => resolve('the browser ended'));
    });
    await page.goto(url, { waitUntil: 'domcontentloaded', timeout: startTime });
    return { crashed, close: () => page.close() };
  }

  async close() {
    const child = this.browser?.process();
    const killed = setTimeout(() => child?.kill('SIGKILL'), 5000);
    await this.browser?.close();
    clearTimeout(killed);
  }
}

export class Chromium extends PuppeteerBrowser {
  /** Its GPU process ends and is started anew. */
  async killGpu() {
    const session = await this.browser.target().createCDPSession();
    // There is no answer when the command has its effect.
    session.send('Browser.crashGpuProcess').catch(() => {});
  }

  options() {
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const software = this.env.VK_ICD_FILENAMES ? ['--use-webgpu-adapter=swiftshader'] : [];
    return {
      args: [
        ...asRoot,
        ...software,
        '--enable-unsafe-webgpu',
        '--enable-features=Vulkan',
        // Machines for tests have closed networks, where Chromium's own connections only fail.
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    };
  }
}

export class Firefox extends PuppeteerBrowser {
  options() {
    return {
      browser: 'firefox',
      extraPrefsFirefox: {
        'dom.webgpu.enabled': true,
        'dom.webgpu.workers.enabled': true,
        'gfx.webgpu.ignore-blocklist': true,
      },
    };
  }
}
