// Pooling and normalisation layers: formulas, running statistics, second derivatives, files, errors.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import { Engine } from '../../src/engine.js';
import type { Tensor } from '../../src/graph.js';
import {
  configure,
  data,
  EverygradError,
  engine,
  evaluate,
  fit,
  gradients,
  hessianVectorProduct,
  loss,
  memoryStats,
  nn,
  optim,
  tensor,
  weightsFromBytes,
  weightsSha256,
  weightsToBytes,
} from '../../src/index.js';
import { type Context, inference } from '../../src/nn/module.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { plan } from '../ops/function.js';

const { devices } = environment;
const training: Context = { ...inference(), training: true };

/** A small network for digits with everything in it that is not trained by gradients. */
const network = () =>
  nn.sequential(
    nn.lambda('image', (x) => ops.reshape(x, [x.shape[0]!, 28, 28, 1])),
    nn.maxPool2d(3, { stride: 2 }),
    nn.batchNorm(1),
    nn.avgPool2d(2),
    nn.flatten(),
    nn.linear(36, 16),
    nn.batchNorm(16),
    nn.relu(),
    nn.linear(16, 10),
  );

const trainSome = async (model: nn.Module, seed = 3) => {
  const digits = await data.digits({ train: 120, test: 60 });
  const optimizer = optim.adam({ lr: 0.01 });
  await fit(model, digits.train, {
    loss: loss.crossEntropy(),
    optimizer,
    batchSize: 20,
    epochs: 2,
    seed,
  });
  optimizer.dispose();
  return digits;
};

const floats = (n: number, seed: number, scale = 1, offset = 0): Float32Array<ArrayBuffer> => {
  const random = new RandomStream(21, seed);
  return Float32Array.from({ length: n }, () => Math.fround(offset + scale * (2 * random.uniform() - 1)));
};

function close(actual: ArrayLike<number>, wanted: ArrayLike<number>, allowed: number, what: string): void {
  assert.is(actual.length, wanted.length, what);
  for (let i = 0; i < wanted.length; i++) {
    if (!(Math.abs(actual[i]! - wanted[i]!) <= allowed))
      assert.unreachable(`${what}: element ${i} is ${actual[i]} instead of ${wanted[i]}`);
  }
}

for (const device of devices) {
  const test = suite(`pooling and normalisation on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('training fits a network with batch norm; evaluation leaves the running statistics alone', async () => {
    const model = network();
    const digits = await trainSome(model);
    const variables = model.namedVariables();
    assert.equal(
      [...variables.keys()],
      ['2.scale', '2.shift', '2.runningMean', '2.runningVariance', '5.weight', '5.bias'].concat([
        '6.scale',
        '6.shift',
        '6.runningMean',
        '6.runningVariance',
        '8.weight',
        '8.bias',
      ]),
    );
    assert.is(model.parameters().length, 8);
    assert.is(model.parameterCount, 2 + 36 * 16 + 16 + 32 + 160 + 10);
    const mean = variables.get('6.runningMean')!;
    const before = await mean.data();
    assert.ok(before.some((v) => v !== 0));
    const hash = await weightsSha256(model);
    const { loss: value } = await evaluate(model, digits.test);
    assert.ok(Number.isFinite(value));
    assert.equal(await mean.data(), before);
    assert.is(await weightsSha256(model), hash);
    model.dispose();
  });

  test('the same seed gives the same bits, buffers included', async () => {
    const hashes: string[] = [];
    for (let i = 0; i < 2; i++) {
      const model = network();
      await trainSome(model);
      hashes.push(await weightsSha256(model));
      model.dispose();
    }
    assert.is(hashes[0], hashes[1]);
  });

  test('files hold the buffers, and dispose frees them', async () => {
    const model = network();
    const digits = await trainSome(model);
    const bytes = await weightsToBytes(model);
    const copy = network();
    await weightsFromBytes(copy, bytes);
    assert.is(await weightsSha256(copy), await weightsSha256(model));
    assert.equal(await evaluate(copy, digits.test), await evaluate(model, digits.test));
    model.dispose();
    copy.dispose();
    (await engine()).clearPlans();
    for (const [name, stats] of Object.entries(await memoryStats())) assert.is(stats.pieces, 0, name);
  });

  test('layers of the last axes and of channels normalise', async () => {
    const x = tensor(floats(2 * 3 * 4 * 6, 5), { shape: [2, 3, 4, 6] });
    for (const [layer, group] of [
      [nn.layerNorm(6), 6],
      [nn.layerNorm([4, 6], { affine: false }), 24],
      [nn.rmsNorm(6), 6],
    ] as const) {
      const y = await layer.forward(x).data();
      for (let at = 0; at < y.length; at += group) {
        const row = [...y.subarray(at, at + group)];
        assert.ok(Math.abs(row.reduce((n, v) => n + v * v, 0) / group - 1) < 1e-3);
        if (!(layer instanceof nn.RmsNorm)) assert.ok(Math.abs(row.reduce((a, b) => a + b, 0)) < 1e-4);
      }
      layer.dispose();
    }
    const channels = nn.sequential(
      nn.instanceNorm(6, { affine: true }),
      nn.groupNorm(3, 6),
      nn.localResponseNorm(5),
    );
    assert.equal(channels.forward(x, training).shape, x.shape);
    assert.ok(channels.parameters().every((p) => !p.decays));
    assert.is(channels.parameterCount, 24);
    channels.dispose();
  });

  test('batch norm is its formula, in training and in use, far from 0 too', async () => {
    for (const offset of [0, 1000]) {
      const [rows, channels] = [50, 7];
      const norm = nn.batchNorm(channels, { momentum: 0.25, eps: 0.01 });
      const values = floats(rows * channels, 1, 2, offset);
      const x = tensor(values, { shape: [5, 2, 5, channels] });
      const means = Array.from({ length: channels }, (_, c) => {
        const own = values.filter((_v, i) => i % channels === c);
        return own.reduce((a, b) => a + b, 0) / rows;
      });
      const variances = means.map((mean, c) => {
        const own = values.filter((_v, i) => i % channels === c);
        return own.reduce((n, v) => n + (v - mean) ** 2, 0) / rows;
      });
      const wanted = Array.from(values, (v, i) => {
        const c = i % channels;
        return (v - means[c]!) / Math.sqrt(variances[c]! + 0.01);
      });
      const step = ops.batchNorm(x, { eps: 0.01 });
      // Of numbers near 1000 the 24 bits leave 6e-5 for the mean.
      close(await step.output.data(), wanted, offset ? 2e-4 : 5e-6, 'output');
      close(await step.variance.data(), variances, 1e-5, 'variance');
      norm.forward(x, training);
      close(
        await norm.runningMean.data(),
        means.map((m) => 0.25 * m),
        offset ? 1e-4 : 1e-6,
        'running mean',
      );
      const unbiased = variances.map((v) => 0.75 + (0.25 * v * rows) / (rows - 1));
      close(await norm.runningVariance.data(), unbiased, 1e-5, 'running variance');
      norm.dispose();
    }
  });

  test.run();
}

if (devices.includes('wasm')) {
  const test = suite('derivatives of normalisation');

  /** Second derivatives of a function of tensors against differences of first ones, in double precision. */
  async function compareSecond(
    what: string,
    shapes: number[][],
    f: (...xs: Tensor[]) => Tensor,
  ): Promise<void> {
    const own = await Engine.create({ device: 'wasm' });
    const specs = [...shapes, ...shapes].map((shape) => ({ shape, dtype: 'float64' as const }));
    const values = specs.map(({ shape }, i) =>
      Float64Array.from(
        floats(
          shape.reduce((n, d) => n * d, 1),
          i,
        ),
      ),
    );
    const first = await plan(own, specs.slice(0, shapes.length), (xs) => gradients(f(...xs), xs));
    const second = await plan(own, specs, (all) =>
      hessianVectorProduct(f, all.slice(0, shapes.length), all.slice(shapes.length)),
    );
    const h = 2 ** -17;
    const at = (step: number) =>
      first(
        values
          .slice(0, shapes.length)
          .map((x, i) => x.map((v, j) => v + step * values[shapes.length + i]![j]!)),
      );
    const [above, below, exact] = [await at(h), await at(-h), await second(values)];
    for (const [i, g] of exact.entries()) {
      const wanted = Array.from(above[i]!, (v, j) => (v - below[i]![j]!) / (2 * h));
      const size = Math.max(1, ...wanted.map(Math.abs));
      assert.ok(
        wanted.some((v) => v !== 0),
        `${what}: nothing to compare`,
      );
      close(g, wanted, 1e-7 * size, `${what}, input ${i}`);
    }
    own.dispose();
  }

  for (const [name, norm] of [
    ['batch norm', (x: Tensor, o: ops.NormOptions) => ops.batchNorm(x, o).output],
    ['instance norm', ops.instanceNorm],
    ['group norm', (x: Tensor, o: ops.NormOptions) => ops.groupNorm(x, 2, o)],
  ] as const) {
    test(`second derivatives of ${name}`, () =>
      compareSecond(name, [[2, 3, 2, 4], [4], [4]], (x, scale, shift) => {
        const y = norm(x!, { scale: scale!, shift: shift! });
        return ops.sum(ops.mul(ops.square(y), ops.add(y, 0.3)));
      }));
  }

  for (const [name, norm] of [
    ['layer norm', (x: Tensor, scale: Tensor) => ops.layerNorm(x, 1, { scale })],
    ['rms norm', (x: Tensor, scale: Tensor) => ops.rmsNorm(x, 1, { scale })],
    ['local response norm', (x: Tensor) => ops.localResponseNorm(x, 3, { alpha: 2 })],
    ['L2 pooling', (x: Tensor) => ops.lpPool2d(x, 2, { stride: 1 })],
  ] as [string, (x: Tensor, scale: Tensor) => Tensor][]) {
    test(`second derivatives of ${name}`, () =>
      compareSecond(name, [[2, 3, 2, 4], [4]], (x, scale) => {
        const y = ops.mul(norm(x!, scale!), scale!);
        return ops.sum(ops.mul(ops.square(y), ops.add(y, 0.3)));
      }));
  }

  test('the gradient of L2 pooling where all is 0 is 0', async () => {
    const x = tensor(new Float32Array(8), { shape: [1, 2, 2, 2] });
    const [dx] = gradients(ops.sum(ops.lpPool2d(x, 2)), [x]);
    assert.equal(await dx!.data(), new Float32Array(8));
  });

  test.run();
}

if (devices.includes('wasm')) {
  const test = suite('bits of normalisation and pooling');

  // The same in every runtime and with any number of threads; not for relaxed SIMD, which may fuse roundings.
  for (const threads of [1, 2, 3]) {
    const name = `weights and running statistics after training, ${threads} threads`;
    if (threads > 1 && typeof SharedArrayBuffer === 'undefined') {
      skip(name, 'no SharedArrayBuffer');
      continue;
    }
    test(name, async () => {
      const own = await configure({ device: 'wasm', build: 'simd', threads });
      await (own.backends.get('wasm') as unknown as { ready(): Promise<void> }).ready();
      const model = network();
      await trainSome(model);
      assert.is(
        await weightsSha256(model),
        'f29c6f27d93a55c78c178632bdcb6040fe3d9a4018712ce449067795c4b55e94',
      );
      model.dispose();
    });
  }

  test.run();
}

const test = suite('errors of pooling and normalisation');
const images = ops.zeros([2, 5, 6, 4]);

for (const [what, f, parts] of [
  [
    'a window that does not fit',
    () => ops.maxPool2d(images, 6),
    ['maxPool', 'height of 5', '6 > 5', 'smaller kernel'],
  ],
  [
    'too much padding',
    () => ops.maxPool2d(images, 3, { padding: 2 }),
    ['maxPool', 'padding 2', 'half of the kernel, 3'],
  ],
  ['a kernel of 0', () => ops.avgPool2d(images, 0), ['avgPool', 'kernel is [0,0]', 'whole numbers >= 1']],
  [
    'a padding of three numbers',
    () => ops.avgPool2d(images, 3, { padding: [1, 1, 1] as never }),
    ['avgPool', '[1,1,1]'],
  ],
  [
    'windows without a pixel',
    () => ops.maxPool2d(images, 2, { padding: 1, dilation: 6 }),
    ['maxPool', 'no pixel'],
  ],
  [
    'images without channels',
    () => ops.maxPool2d(ops.zeros([5, 6, 4]), 2),
    ['maxPool', '(5,6,4)', 'batch, height'],
  ],
  ['a sequence of images', () => ops.maxPool1d(images, 2), ['maxPool1d', '(2,5,6,4)', 'batch, length']],
  [
    'positions that are gone',
    () => ops.globalAvgPool(ops.zeros([3, 4])),
    ['globalAvgPool', '(3,4)', 'before what flattens'],
  ],
  [
    'groups that do not divide',
    () => ops.groupNorm(images, 3),
    ['groupNorm', '3 groups', '4 channels', 'divisor'],
  ],
  [
    'groups that do not divide, in a layer',
    () => nn.groupNorm(3, 4),
    ['groupNorm', '3 groups', '4 channels'],
  ],
  [
    'a wrong number of channels',
    () => nn.batchNorm(8).forward(images, training),
    ['batchNorm', '(2,5,6,4)', '4 != 8'],
  ],
  [
    'a scale that does not fit',
    () => ops.batchNorm(images, { scale: ops.ones([3]) }),
    ['batchNorm', 'scale is (3)', '4 channels'],
  ],
  [
    'one value for each channel',
    () => ops.batchNorm(ops.zeros([1, 4])),
    ['batchNorm', '(1,4)', 'larger batches'],
  ],
  [
    'a layer norm of other sizes',
    () => nn.layerNorm([5, 4]).forward(images),
    ['layerNorm', '(2,5,6,4)', '(5,4)'],
  ],
  ['a layer norm of too many axes', () => ops.layerNorm(images, 5), ['layerNorm', '5 axes', '(2,5,6,4)']],
  [
    'a scale of a layer norm',
    () => ops.layerNorm(images, 2, { scale: ops.ones([4]) }),
    ['layerNorm', 'scale is (4)', '(6,4)'],
  ],
  [
    'a local response over no channels',
    () => nn.localResponseNorm(0).forward(images, training),
    ['localResponseNorm', 'size is 0'],
  ],
  ['a negative eps', () => nn.batchNorm(4, { eps: -1 }), ['batchNorm', 'eps is -1']],
  ['a momentum above 1', () => nn.batchNorm(4, { momentum: 2 }), ['batchNorm', 'momentum is 2']],
] as [string, () => unknown, string[]][]) {
  test(what, () => {
    try {
      f();
    } catch (error) {
      assert.instance(error, EverygradError);
      for (const part of parts) assert.match((error as Error).message, part);
      return;
    }
    assert.unreachable('it is not noticed');
  });
}

test.run();
