// The code of docs/placement.md runs, in order, as one program against the built package, and prints what it says.
// @suite devices=wasm runtimes=node24,deno
import * as assert from 'uvu/assert';
import { environment, readFixture } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('placement page');

test('its program runs and prints what it says', async () => {
  const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const text = new TextDecoder().decode(await readFixture('docs/placement.md'));
  const blocks = [...text.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code]) => code!);
  assert.is(blocks.length, 4);
  const promised = [...blocks.join('\n').matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, line]) => line!,
  );
  assert.is(promised.length, 5);
  const folder = await mkdtemp(join(fileURLToPath(environment.root), 'build', 'placement-'));
  try {
    const file = join(folder, 'placement.mjs');
    const library = new URL('dist/index.js', environment.root).href;
    // Node's WebGPU does not end with the program.
    await writeFile(
      file,
      `${blocks.join('\n').replaceAll("'everygrad'", `'${library}'`)}\nprocess.exit();\n`,
    );
    const run = environment.runtime === 'deno' ? ['run', '-A', '--unstable-webgpu', file] : [file];
    const env = { ...process.env, EVERYGRAD_CACHE: folder };
    const { stdout } = await promisify(execFile)(process.execPath, run, { env, timeout: 120_000 });
    const lines = stdout.trimEnd().split('\n');
    let at = 0;
    for (const line of promised) {
      const found = lines.indexOf(line, at);
      assert.ok(found >= 0, `'${line}' does not come next in:\n${stdout}`);
      at = found + 1;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
