// WebKitGTK, the engine of Safari: MiniBrowser on a virtual display. It is driven by the WebDriver protocol,
// of which a handful of requests is all that is needed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { Browser } from './browsers.mjs';

const miniBrowser = () =>
  readdirSync('/usr/lib')
    .filter((folder) => folder.endsWith('-linux-gnu'))
    .map((folder) => `/usr/lib/${folder}/webkit2gtk-4.1/MiniBrowser`)[0];

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class WebKit extends Browser {
  has = { webgpu: false };
  #children = [];
  #driver = '';
  #session = '';

  version() {
    return 'WebKitGTK';
  }

  async launch() {
    const display = await this.#startDisplay();
    const port = await freePort();
    // Safari moves an isolated page into a process that has SharedArrayBuffer; MiniBrowser under automation
    // does not, so that it is switched on for all. A group of its own, so that the browser's processes can be ended with it.
    const env = { ...this.env, DISPLAY: display, JSC_useSharedArrayBuffer: '1' };
    const options = { env, stdio: 'ignore', detached: true };
    this.#children.push(spawn(this.path, [`--port=${port}`], options));
    this.#driver = `http://127.0.0.1:${port}`;
    await this.#untilReady();
    const browserOptions = { binary: miniBrowser(), args: ['--automation'] };
    const alwaysMatch = { pageLoadStrategy: 'none', 'webkitgtk:browserOptions': browserOptions };
    const created = await this.#ask('POST', '/session', { capabilities: { alwaysMatch } });
    this.#session = `/session/${created.sessionId}`;
  }

  /** Xvfb picks a free display itself and writes its number to descriptor 3. */
  async #startDisplay() {
    const args = ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'];
    const server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], detached: true });
    this.#children.push(server);
    const failed = once(server, 'error').then(([error]) => Promise.reject(error));
    const [number] = await Promise.race([once(createInterface({ input: server.stdio[3] }), 'line'), failed]);
    return `:${number}`;
  }

  async #untilReady() {
    for (let tries = 1200; ; tries--) {
      const status = await this.#ask('GET', '/status').catch((error) =>
        tries > 0 ? undefined : Promise.reject(error),
      );
      if (status) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #ask(method, path, body) {
    const response = await fetch(this.#driver + path, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`WebKitWebDriver, ${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }

  /** A request of the WebDriver protocol below the session, as `GET /url`. */
  command(method, path, body) {
    return this.#ask(method, `${this.#session}${path}`, body);
  }

  async open(url) {
    await this.#ask('POST', `${this.#session}/url`, { url });
    let open = true;
    // There is no message when a page crashes: the driver stops answering for it.
    const watch = async () => {
      while (open) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const failure = await this.#ask('GET', `${this.#session}/window`).then(
          () => undefined,
          (error) => error.message,
        );
        if (open && failure) return `the page crashed: ${failure}`;
      }
      return undefined;
    };
    const close = async () => {
      open = false;
    };
    return { crashed: watch(), close };
  }

  async close() {
    for (const child of this.#children.reverse()) {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {} // it has ended by itself
    }
    this.#children = [];
  }
}
