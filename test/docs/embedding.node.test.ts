// The code of "Put it into your app" runs, in order, as one program against the built package; its first app is the example
// that the suite pages/embed builds by every bundler.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { environment, readFixture } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('put it into your app');

const read = async (path: string): Promise<string> => new TextDecoder().decode(await readFixture(path));
const page = await read('docs/embedding.md');
const blocks = (kind: string): string[] =>
  [...page.matchAll(/^```(.+)\n([\s\S]*?)^```/gm)].filter(([, k]) => k === kind).map(([, , code]) => code!);

/** Lines that the program must print, from the comments of the page. */
const promised = [
  /^5$/m,
  /^true \[ 1, 10 \]$/m,
  /^FormatError weights \[weights\] the file does not fit the model/m,
  /^\[optimizer\] 'sdg' is not a known optimizer/m,
];

test('its app is the example', async () => {
  assert.equal(blocks('html'), [await read('demo/examples/web/plain/index.html')]);
  assert.equal(blocks('js app.js'), [await read('demo/examples/web/plain/app.js')]);
});

test('its program runs and prints what it says', async () => {
  const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const code = blocks('js');
  assert.ok(code.length >= 5, `only ${code.length} blocks found`);
  const folder = await mkdtemp(join(fileURLToPath(environment.root), 'build', 'embedding-'));
  try {
    const file = join(folder, 'embedding.mjs');
    const library = (part = 'index') => new URL(`dist/${part}.js`, environment.root).href;
    const text = code
      .join('\n')
      .replaceAll(/from 'everygrad(?:\/(\w+))?'/g, (_, part) => `from '${library(part)}'`);
    await writeFile(file, text);
    const run = environment.runtime === 'deno' ? ['run', '-A', file] : [file];
    const env = { ...process.env, EVERYGRAD_CACHE: folder };
    const { stdout } = await promisify(execFile)(process.execPath, run, {
      cwd: folder,
      env,
      timeout: 100_000,
    });
    for (const line of promised) assert.match(stdout, line);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
