// Every example of demo/examples runs from the command line and ends with what it promises.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('examples');

/** What the last line of each must be like. */
const promised: Record<string, RegExp> = {
  '01-linear-regression.mjs':
    /^found (1\.9\d|2\.0\d), -(2\.9\d|3\.0\d), 0\.(4\d|5\d); made with 2, -3, 0\.5$/,
  '02-xor.mjs': /^two layers: 0 1 1 0, 4 of 4 right/,
  '03-digits.mjs': /^loaded again: (9\d\.\d|100\.0)%$/,
  '04-credit-approval.mjs': /^network [89]\d\.\d%, logistic regression 7\d\.\d%, largest class 56\.7%$/,
  '05-lenet.mjs': /^of 1000 new digits it reads 9[89]\d$/,
  '10-inside-a-network.mjs': /^accuracy [89]\d\.\d%, mean F1 0\.[89]\d+$/,
};

const { mkdtemp, readdir, readFile, rm, writeFile } = await import('node:fs/promises');
const { join } = await import('node:path');
const { fileURLToPath } = await import('node:url');
const { execFile } = await import('node:child_process');
const { promisify } = await import('node:util');
const examples = new URL('demo/examples/', environment.root);

test('each has a promise', async () => {
  // Those of web/ have a suite of their own, pages/embed.
  const names = (await readdir(examples)).filter((name) => name !== 'web');
  assert.equal(names.sort(), Object.keys(promised));
});

for (const [name, last] of Object.entries(promised)) {
  test(name, async () => {
    const folder = await mkdtemp(join(fileURLToPath(environment.root), 'build', 'example-'));
    try {
      const library = (part = 'index') => new URL(`dist/${part}.js`, environment.root).href;
      const code = await readFile(new URL(name, examples), 'utf8');
      await writeFile(
        join(folder, name),
        code.replaceAll(/from 'everygrad(?:\/(\w+))?'/g, (_, part) => `from '${library(part)}'`),
      );
      const run = environment.runtime === 'deno' ? ['run', '-A', name] : [name];
      const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: folder, timeout: 120_000 });
      assert.match(stdout.trim().split('\n').at(-1)!, last, stdout);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test.run();
