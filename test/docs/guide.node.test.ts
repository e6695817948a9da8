// The guide's code blocks run, in order, as one program against the built package; what a comment promises is printed.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { environment, readFixture } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('guide');

/** Lines that the program must print, from the comments of the guide. */
const promised = [
  '[ 24, 34 ]',
  '[ 3, 12, 27 ]',
  '[ 6, 12, 18 ]',
  '14 [ 1, 2, 3 ]',
  '[ 6, 0, 0 ]',
  '2 [ 1, 2 ]',
  "[ '1.00', '1.00' ] true",
  '60965224',
  '[ 2, 5, 16 ] [ 4, 2, 8 ]',
  '203560 51408',
  "[ 'age', 'job', 'paid' ] { age: null, job: 'cook', paid: 'no' }",
  '[short.csv] line 3 has 1 fields for 2 columns',
  "[ 'age', 'age missing', 'job=clerk', 'job=cook', 'job missing' ]",
  "[ 'bright', 'dark' ] [ 4, 4, 3 ] 4",
  'gradients are right: true',
  '231 231',
  '[ 784 ] true',
  'log (2,1) (layer 1 (log), forward pass) makes -Infinity at [1,0] out of relu (2,1) in [0, 1]',
  'true [matmul] inner dimensions differ',
];

test('its program runs and prints what it says', async () => {
  const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const text = new TextDecoder().decode(await readFixture('docs/guide.md'));
  const blocks = [...text.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code]) => code!);
  assert.ok(blocks.length >= 8, `only ${blocks.length} blocks found`);
  const root = fileURLToPath(environment.root);
  const folder = await mkdtemp(join(root, 'build', 'guide-'));
  try {
    const file = join(folder, 'guide.mjs');
    const library = (part = 'index') => new URL(`dist/${part}.js`, environment.root).href;
    await writeFile(
      file,
      blocks.join('\n').replaceAll(/from 'everygrad(?:\/(\w+))?'/g, (_, part) => `from '${library(part)}'`),
    );
    const node = environment.runtime === 'deno' ? ['run', '-A', file] : [file];
    const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: folder, timeout: 120_000 });
    const lines = stdout.replaceAll(/\s+/g, ' ').replaceAll('"', "'").replaceAll(', }', ' }'); // as Node prints it
    for (const line of promised) assert.ok(lines.includes(line), `'${line}' is not in:\n${stdout}`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
