// Where competitors run: a process or a page each, which answers one call at a time.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Chromium } from '../../runtime/browsers.mjs';

/** No call takes longer than this, whatever a library does. */
const limit = 10 * 60e3;

/** The answer, or an error when time is up. */
function inTime(answer) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ error: `no answer in ${limit / 60e3} minutes` }), limit);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** Seconds that a process, its threads and its descendants have had of a CPU; Linux only. */
function cpuSeconds(root) {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const parents = new Map(processes.map((id) => [id, parentOf(id)]));
  const belongs = (id) => id !== undefined && (id === String(root) || belongs(parents.get(id)));
  return processes.filter(belongs).reduce((sum, id) => sum + ownSeconds(id), 0);
}

/** What `read` gives, or `other` for a process or thread that has just ended. */
function present(read, other) {
  try {
    return read();
  } catch {
    return other;
  }
}

const parentOf = (id) =>
  present(() => {
    const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  });

function ownSeconds(id) {
  const threads = present(() => readdirSync(`/proc/${id}/task`), []);
  const seconds = (thread) =>
    present(
      () => Number(readFileSync(`/proc/${id}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9,
      0,
    );
  return threads.reduce((sum, thread) => sum + seconds(thread), 0);
}

/** A child process; calls are lines of JSON on its standard input, answers on its standard output. */
export class ProcessAgent {
  #child;
  #lines;
  #ended;

  constructor(path, args, env = {}) {
    const stdio = ['pipe', 'pipe', 'pipe'];
    this.#child = spawn(path, args, { stdio, env: { ...process.env, ...env } });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    let said = '';
    this.#child.stderr.on('data', (text) => {
      said = `${said}${text}`.slice(-2000);
    });
    this.#child.stdin.on('error', () => {}); // the end of the process is reported below
    this.#ended = new Promise((resolve) => {
      const end = (how) => resolve({ error: `the process ended (${how}) ${said.trim().split('\n').at(-1)}` });
      this.#child.on('error', (error) => end(error.message));
      this.#child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  call(command, argument) {
    this.#child.stdin.write(`${JSON.stringify({ command, argument })}\n`);
    const line = this.#lines.next().then(({ value, done }) => (done ? this.#ended : JSON.parse(value)));
    return inTime(Promise.race([line, this.#ended]));
  }

  cpu() {
    return cpuSeconds(this.#child.pid);
  }

  stop() {
    this.#child.kill('SIGKILL');
    return this.#ended;
  }
}

const root = new URL('../../../', import.meta.url);
const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves the built library, the competitors' packages and their bundles to cross-origin isolated pages. */
async function startServer(bundles) {
  const headers = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://127.0.0.1');
    const answer = (status, type, body) =>
      response.writeHead(status, { ...headers, 'Content-Type': type }).end(body);
    const page = /^\/([a-z-]+)\.html$/.exec(pathname)?.[1];
    if (page) {
      const script = `<script type="module" src="/bundles/${page}.js"></script>`;
      return answer(200, 'text/html', `<!doctype html><link rel="icon" href="data:,">${script}`);
    }
    const bundle = /^\/bundles\/([a-z-]+)\.js$/.exec(pathname)?.[1];
    if (bundle) return answer(200, types['.js'], await bundles(bundle));
    const folder = /^\/dist\//.test(pathname) ? root : import.meta.url;
    if (!/^\/(dist|node_modules)\//.test(pathname)) return answer(404, 'text/plain', `no ${pathname}`);
    try {
      const file = await readFile(fileURLToPath(new URL(`.${pathname}`, folder)));
      answer(200, types[extname(pathname)] ?? 'application/octet-stream', file);
    } catch {
      answer(404, 'text/plain', `no ${pathname}`);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
  return { address: `http://127.0.0.1:${server.address().port}`, stop };
}

/** A competitor for pages: everything in one file but this library, which is served as it is built. */
async function bundleOf(name) {
  const library = {
    name: 'library',
    setup: ({ onResolve }) =>
      onResolve({ filter: /\/dist\/index\.js$/ }, ({ path, importer }) =>
        importer.endsWith('everygrad.mjs')
          ? { path: path.replace(/^[./]+/, '/'), external: true }
          : undefined,
      ),
  };
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as peer from './peers/${name}.mjs';
        import { Session } from './session.mjs';
        globalThis.session = new Session(peer);`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    define: { global: 'globalThis' },
    write: false,
    logLevel: 'silent',
    plugins: [library],
  });
  return outputFiles[0].text;
}

/** Chromium with a page for each competitor. */
export class Pages extends Chromium {
  #server;

  options() {
    return { ...super.options(), protocolTimeout: limit + 60e3 };
  }

  async launch() {
    await super.launch();
    this.#server = await startServer(bundleOf);
  }

  async close() {
    await super.close();
    await this.#server.stop();
  }

  /** jax-js takes as many threads as it sees cores. */
  async agent(name, threads) {
    const page = await this.browser.newPage();
    const problems = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.evaluateOnNewDocument((cores) => {
      Object.defineProperty(Navigator.prototype, 'hardwareConcurrency', { value: cores });
    }, threads);
    await page.goto(`${this.#server.address}/${name}.html`, { waitUntil: 'load' });
    const ready = await page.evaluate(() => 'session' in globalThis);
    const call = async (command, argument) => {
      if (!ready) return { error: problems[0] ?? 'the page did not load' };
      await page.bringToFront();
      const answer = page.evaluate((c, a) => globalThis.session.call(c, a), command, argument);
      return inTime(answer.catch((error) => ({ error: error.message })));
    };
    const { pid } = this.browser.process(); // only one page is at work
    return { call, cpu: () => cpuSeconds(pid), stop: () => page.close() };
  }
}
