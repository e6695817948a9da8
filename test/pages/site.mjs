// The built pages on a server of their own, below a path, with or without cross-origin isolation and WebGPU.
import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const demo = `${root}demo/`;

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const watch = 'watch.js';
/** What is put before the training worker's script: WebGPU is blocked, or gives no GPU, or never answers. */
const gpuOf = (value) => `Object.defineProperty(navigator, 'gpu', { value: ${value} });\n`;
const adapter = '{ features: new Set(), limits: {}, info: {}, requestDevice: () => new Promise(() => {}) }';
const troubles = {
  blocked: gpuOf('undefined'),
  refused: gpuOf("{ requestAdapter: () => Promise.reject(new Error('no')) }"),
  silent: gpuOf('{ requestAdapter: () => new Promise(() => {}) }'),
  'without device': gpuOf(`{ requestAdapter: async () => (${adapter}) }`),
};

/**
 * Serves a folder below `/some/path/`; gives its address, and notes in `served` what was asked for.
 * @param options.watched puts watch.js before the scripts of the pages
 * @param options.gpu what is wrong with WebGPU in the training worker: one of `troubles`
 * @param options.headers sent with each file
 * @param options.axe path of the accessibility checker, served as axe.js
 */
export async function serveSite(folder, { isolated = true, watched = false, gpu, axe, headers = {} } = {}) {
  const base = '/some/path/';
  const served = new Set();
  const others = { 'axe.js': axe, [watch]: watched ? `${root}test/pages/${watch}` : undefined };
  const contentOf = async (name) => {
    const bytes = await readFile(others[name] ?? join(folder, name));
    if (watched && name.endsWith('.html'))
      return bytes.toString().replace(/<head>|(?=<meta)/, `$&<script src="./${watch}"></script>`);
    return gpu && name.endsWith('worker-thread.js') ? troubles[gpu] + bytes : bytes;
  };
  const server = createServer(async ({ url }, response) => {
    const { pathname } = new URL(url, 'http://127.0.0.1');
    const name = pathname === base ? 'index.html' : pathname.slice(base.length);
    const answer = (status, body, type) =>
      response
        .writeHead(status, { ...(isolated ? isolation : {}), ...headers, 'Content-Type': type })
        .end(body);
    if (!pathname.startsWith(base)) return answer(404, `no ${pathname}`, 'text/plain');
    try {
      served.add(name);
      answer(200, await contentOf(name), types[extname(name)] ?? 'application/octet-stream');
    } catch {
      answer(404, `no ${pathname}`, 'text/plain');
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    served,
    address: `http://127.0.0.1:${server.address().port}${base}`,
    stop: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

/** When the newest of these files was written. */
async function newest(...folders) {
  const times = await Promise.all(
    folders.map(async (folder) => {
      const files = await readdir(folder, { recursive: true });
      return Math.max(...files.map((file) => statSync(join(folder, file)).mtimeMs));
    }),
  );
  return Math.max(...times);
}

/** Builds the pages, unless what is in demo/dist is newer than all that it is made of. Gives the folder. */
export async function buildSite() {
  const { built, sources } = {
    built: `${demo}dist/index.html`,
    sources: ['src', 'public'].map((f) => demo + f),
  };
  const pages = ['index', 'digits', 'inside', 'bench'].map((name) => statSync(`${demo}${name}.html`).mtimeMs);
  const changed = Math.max(await newest(`${root}dist`, ...sources), ...pages);
  if (!existsSync(built) || statSync(built).mtimeMs < changed) {
    const { build } = await import(`${demo}node_modules/vite/dist/node/index.js`);
    await build({ configFile: `${demo}vite.config.ts`, logLevel: 'error' });
  }
  return `${demo}dist`;
}

/** Why the pages cannot be built here; undefined if they can. */
export const whyNoSite = () =>
  existsSync(`${demo}node_modules/vite`)
    ? undefined
    : 'the packages of demo/ are not installed (npm run runtimes)';
