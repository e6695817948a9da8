// The built pages on a server of their own, below a path, with or without cross-origin isolation; and a browser for them.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { env, getuid, platform } from 'node:process';
import { fileURLToPath } from 'node:url';

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

/** Serves a folder below `/some/path/`; gives its address, and notes in `served` what was asked for. */
export async function serveSite(folder, { isolated = true, axe, headers = {} } = {}) {
  const base = '/some/path/';
  const served = new Set();
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
      answer(
        200,
        await readFile(name === 'axe.js' && axe ? axe : join(folder, name)),
        types[extname(name)] ?? 'application/octet-stream',
      );
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

const root = new URL('../../', import.meta.url);

/** Chromium by puppeteer, or the reason why there is none. */
export async function openChromium(from = root, more = []) {
  const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  const tools = fileURLToPath(new URL('.runtimes/', from));
  if (!path || !existsSync(join(tools, 'node_modules/puppeteer-core'))) {
    return 'Chromium or puppeteer-core is not installed (npm run runtimes)';
  }
  const { default: puppeteer } = await import(createRequire(tools).resolve('puppeteer-core'));
  const software = platform === 'linux' && !existsSync('/dev/dri/renderD128') && !env.VK_ICD_FILENAMES;
  return puppeteer.launch({
    executablePath: path,
    headless: true,
    args: [
      ...(getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(software ? ['--disable-gpu'] : []),
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });
}
