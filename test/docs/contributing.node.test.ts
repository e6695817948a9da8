// The files that CONTRIBUTING shows for a new layer, loss and optimizer: they fit the sources, and a network made of them learns.
// @suite devices=wasm timeout=1200
import * as assert from 'uvu/assert';
import { environment, readFixture } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('contributing');

/** Trains with all three, and checks the gradients of layer and loss by finite differences. */
const program = (root: string): string => `
import { configure, data, fit, nn, setAssetsUrl, tensor } from '${root}src/index.js';
import { gradientCheck } from '${root}src/inspect/index.js';
import { highway } from './nn-highway.js';
import { logCosh } from './loss-log-cosh.js';
import { signMomentum } from './optim-sign-momentum.js';

setAssetsUrl('${new URL('dist/', environment.root).href}');
await configure({ device: 'wasm' });
const inputs = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i * i));
const targets = Float32Array.from({ length: 64 }, (_, i) => inputs[2 * i]! * inputs[2 * i + 1]!);
const set = new data.ArrayDataset({
  ...{ inputs, inputShape: [2], inputDType: 'float32', targets, targetShape: [1], targetDType: 'float32' },
});
const model = nn.sequential(nn.linear(2, 8), highway(8), nn.linear(8, 1));
const batch = { inputs: tensor(inputs, { shape: [64, 2] }), targets: tensor(targets, { shape: [64, 1] }) };
const { passed } = await gradientCheck(model, logCosh(), batch);
const optimizer = signMomentum({ lr: 0.005, clipNorm: 10, averageDecay: 0.9 });
const { epochs } = await fit(model, set, { loss: logCosh(), optimizer, batchSize: 16, epochs: 60, seed: 1 });
console.log(JSON.stringify({ passed, first: epochs[0]!.trainLoss, last: epochs.at(-1)!.trainLoss }));
`;

test('its layer, loss and optimizer are whole files that work', async () => {
  if (environment.runtime === 'deno' || environment.runtime === 'bun')
    return skip(
      'contributing',
      'the files are compiled by esbuild, in Node; what they use is tested here too',
    );
  const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const run = (command: string, args: readonly string[], options: { cwd?: string } = {}) =>
    promisify(execFile)(command, args, options).catch((error: Error & { stdout?: string }) => {
      throw new Error(`${error.message}\n${error.stdout ?? ''}`); // tsc says there what is wrong
    });
  const root = fileURLToPath(environment.root);
  const text = new TextDecoder().decode(await readFixture('CONTRIBUTING.md'));
  const files = [...text.matchAll(/^```ts\n\/\/ src\/(\w+)\/([\w-]+)\.ts\n([\s\S]*?)^```/gm)];
  assert.equal(
    files.map(([, folder]) => folder),
    ['nn', 'loss', 'optim'],
  );
  const folder = await mkdtemp(join(root, 'build', 'contributing-'));
  try {
    for (const [, part, name, code] of files) {
      const placed = code!
        .replaceAll("from '../", `from '${root}src/`)
        .replaceAll("from './", `from '${root}src/${part}/`);
      await writeFile(join(folder, `${part}-${name}.ts`), placed);
    }
    await writeFile(join(folder, 'use.ts'), program(root));
    const bundle = [join(root, 'scripts/bundle.mjs'), join(folder, 'use.ts'), join(folder, 'use.mjs')];
    await run(process.execPath, bundle, { cwd: root });
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['.', join(root, 'src/*.d.ts')] }),
    );
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: root });
    const { stdout } = await run(process.execPath, ['use.mjs'], { cwd: folder });
    const { passed, first, last } = JSON.parse(stdout.trim().split('\n').at(-1)!);
    assert.ok(passed, 'the gradient differs from finite differences');
    assert.ok(last < first / 4, `${first}, then ${last}`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
