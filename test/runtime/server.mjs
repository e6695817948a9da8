// The loopback server for the browsers: build/ and test/ under an isolated origin, and a mailbox for reports.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
};

const headers = {
  // Cross-origin isolation: SharedArrayBuffer exists only with these two.
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // The library promises to work without eval.
  'Content-Security-Policy': "script-src 'self' 'wasm-unsafe-eval'",
  'Cache-Control': 'no-store',
};

const page = `<!doctype html><meta charset="utf-8"><title>everygrad</title><link rel="icon" href="data:,">
<script type="module" src="/build/test/harness.js"></script>`;

/** Starts the server; `onReport(session, event)` gets what the pages post. */
export async function startServer(onReport) {
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://127.0.0.1');
    const answer = (status, body, type = 'text/plain') =>
      response.writeHead(status, { ...headers, 'Content-Type': type }).end(body);
    if (request.method === 'POST' && pathname === '/report') {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      onReport(searchParams.get('session'), JSON.parse(Buffer.concat(chunks).toString()));
      return answer(204);
    }
    if (pathname === '/harness.html') return answer(200, page, 'text/html');
    // URL has resolved any `..` by now.
    if (!/^\/(build|test)\//.test(pathname)) return answer(404, `no ${pathname}`);
    try {
      const file = await readFile(fileURLToPath(new URL(`.${pathname}`, root)));
      answer(200, file, types[extname(pathname)] ?? 'application/octet-stream');
    } catch {
      answer(404, `no ${pathname}`);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
  return { address: `http://127.0.0.1:${server.address().port}`, stop };
}
