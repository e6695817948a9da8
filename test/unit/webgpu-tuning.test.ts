// Kernels of products measured on an adapter that is there, as on a GPU in hardware.
// @suite devices=webgpu runtimes=deno
import * as assert from 'uvu/assert';
import type { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { forgetTuned, rivalsOf } from '../../src/backend/webgpu/tuning.js';
import { choose, usable } from '../../src/backend/webgpu/variants.js';
import { compile, configure, tensor } from '../../src/index.js';
import { matmul } from '../../src/ops/index.js';
import { keyOf } from '../../src/ops/shader-calls.js';
import { RandomStream } from '../../src/philox.js';
import { suite } from '../helpers/suite.js';
import { product, VariantRunner } from '../helpers/variants.js';

const test = suite('webgpu tuning');
const [m, k, n] = [256, 260, 256];
const values = (salt: number, count: number): Float32Array => {
  const random = new RandomStream(salt, 0);
  return Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
};

/** The engine's GPU, as if it were none in software. */
async function hardware(tune?: boolean): Promise<WebgpuBackend> {
  forgetTuned();
  const engine = await configure({ device: 'webgpu', ...(tune === undefined ? {} : { tune }) });
  const backend = engine.order[0] as WebgpuBackend;
  backend.variants = 'hardware';
  return backend;
}

test('a plan measures its products, says so, and computes what is right with each of the kernels', async () => {
  const backend = await hardware();
  const [a, b] = [tensor(values(1, m * k), { shape: [m, k] }), tensor(values(2, k * n), { shape: [k, n] })];
  const f = compile((x, y) => x.matmul(y).relu());
  const rows = await f.explain(a, b);
  assert.match(rows[0]!.why, /; kernels measured: \S+ by \S+( double)? [\d.]+ us, /);
  const [first] = Object.entries(backend.tuned);
  assert.match(first![0], /^product /);
  f.dispose();

  const runner = new VariantRunner(backend);
  const sample = product([m, k], [k, n]);
  const specs = sample.inputs.map(({ shape }) => ({ shape, dtype: 'float32' as const }));
  const { attributes } = sample;
  const site = { inputs: specs, output: matmul.definition.infer(specs, attributes), attributes };
  const rivals = rivalsOf(matmul.definition.webgpu.calls(site)![0]!, backend.capabilities, {
    keyOf,
    usable,
    choose,
  });
  assert.ok(rivals.length > 1);
  for (const { name, path } of rivals) {
    backend.tuned = { ...path };
    await runner.check(matmul.definition, sample, name, { chain: true });
  }
});

test('nothing is measured with tune: false, nor on a GPU in software', async () => {
  for (const [tune, kind] of [
    [false, 'hardware'],
    [true, 'software'],
  ] as const) {
    const backend = await hardware(tune);
    backend.variants = kind;
    const f = compile((x, y) => x.matmul(y));
    const [row] = await f.explain(
      tensor(values(1, m * k), { shape: [m, k] }),
      tensor(values(2, k * n), { shape: [k, n] }),
    );
    assert.not.match(row!.why, /measured/);
    assert.equal(backend.tuned, {});
    f.dispose();
  }
});

test.after(async () => {
  await configure({ device: 'wasm' });
});
test.run();
