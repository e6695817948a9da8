// Mixed precision: as accurate as float32, halves where they should be, no step with an overflow.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import { prepare } from '../../src/compile.js';
import {
  configure,
  data,
  evaluate,
  type FitOptions,
  fit,
  loss,
  mixedPrecision,
  nn,
  OptionError,
  optim,
  read,
  weightsSha256,
} from '../../src/index.js';
import { membersOf } from '../../src/schedule/fuse.js';
import { TrainingPass } from '../../src/train/step.js';
import { environment } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const crossEntropy = loss.crossEntropy();
const mlp = () => nn.sequential(nn.linear(784, 64), nn.relu(), nn.linear(64, 10));
const convolutional = () =>
  nn.sequential(
    nn.reshape([28, 28, 1]),
    nn.conv2d(1, 8, 5, { padding: 2, stride: 2 }),
    nn.relu(),
    nn.conv2d(8, 16, 3, { stride: 2 }),
    nn.batchNorm(16),
    nn.relu(),
    nn.flatten(),
    nn.linear(16 * 6 * 6, 10),
  );

for (const device of environment.devices) {
  const test = suite(`mixed precision on ${device}`);
  /** Software GPUs are slow: they get fewer examples, and so more examples to a point of accuracy. */
  const [train, tested, epochs] = device === 'wasm' ? [4000, 4000, 4] : [1200, 2000, 3];

  test.before(async () => {
    await configure({ device });
  });

  async function accuracy(make: () => ReturnType<typeof mlp>, more: Partial<FitOptions>) {
    const digits = await data.digits({ train, test: tested });
    const model = make();
    const options = { loss: crossEntropy, optimizer: optim.adam({ lr: 0.002 }), batchSize: 40, seed: 5 };
    await fit(model, digits.train, { ...options, epochs, ...more });
    return { accuracy: (await evaluate(model, digits.test)).accuracy, model };
  }

  async function withinTwoTenths(make: () => ReturnType<typeof mlp>): Promise<void> {
    const precision = mixedPrecision();
    const [half, single] = [await accuracy(make, { precision }), await accuracy(make, {})];
    assert.ok(single.accuracy > 0.85, `${single.accuracy}`);
    const points = 100 * (single.accuracy - half.accuracy);
    assert.ok(points <= 0.2, `${half.accuracy} with halves, ${single.accuracy} without`);
    assert.is.not(await weightsSha256(half.model), await weightsSha256(single.model), 'nothing was halved');
    const { scale, skipped } = await precision.report();
    assert.ok(scale >= 1 && skipped < 10, `${scale} ${skipped}`);
  }

  test('a multilayer perceptron: within 0.2 points of float32', () => withinTwoTenths(mlp));

  if (device === 'wasm') {
    test('a convolutional network: within 0.2 points of float32', () => withinTwoTenths(convolutional));
  } else {
    test('a convolutional network: the first steps are nearly those of float32', async () => {
      const digits = await data.digits({ train: 80, test: 1 });
      const losses = [];
      for (const precision of [mixedPrecision(), undefined]) {
        const options = { loss: crossEntropy, optimizer: optim.sgd({ lr: 0.05 }), batchSize: 20, seed: 4 };
        const { epochs } = await fit(convolutional(), digits.train, {
          ...options,
          ...(precision && { precision }),
        });
        losses.push(epochs[0]!.trainLoss);
      }
      assert.ok(Math.abs(losses[0]! - losses[1]!) < 0.005, `${losses}`);
      assert.is.not(losses[0], losses[1]);
    });
  }

  /** A step of training with and without halves: what is computed and kept. */
  async function planOf(precision?: ReturnType<typeof mixedPrecision>) {
    const digits = await data.digits({ train: 40, test: 1 });
    const model = mlp();
    await model.initialize(1);
    const optimizer = optim.sgd({ lr: 0.1 });
    const pass = new TrainingPass(model, crossEntropy, digits.train, optimizer, 1, 1, precision);
    const { plan } = await prepare(...pass.recipe(40));
    return plan;
  }

  test('large products take halves, updates do not', async () => {
    const names = (plan: Awaited<ReturnType<typeof planOf>>) =>
      plan.groups.flatMap((g) => membersOf(g).map((t) => t.source.op.name));
    const count = (list: string[], name: string) => list.filter((n) => n === name).length;
    const [half, single] = [names(await planOf(mixedPrecision())), names(await planOf())];
    // Forward and both gradients, but none of the images.
    assert.is(count(single, 'matmul'), 5);
    assert.is(count(half, 'matmulHalf'), 5);
    assert.is(count(half, 'matmul'), 0);
  });

  test('a step that overflows changes nothing but the scale, and the next ones are right', async () => {
    const digits = await data.digits({ train: 200, test: 1 });
    const model = nn.sequential(nn.linear(784, 64), nn.sigmoid(), nn.linear(64, 10));
    const optimizer = optim.adam();
    await model.initialize(2);
    const before = (await read(model.parameters())).map((v) => v.slice());
    // 2^40 times any gradient is too large for a half, 2^16 times is not.
    const precision = mixedPrecision({ initialScale: 2 ** 40, backoffFactor: 2 ** -8, growthInterval: 3 });
    const options = { loss: crossEntropy, optimizer, precision, batchSize: 40, epochs: 1 };
    const [first] = optimizer.state();
    const seen: boolean[] = [];
    const signal = new AbortController();
    await fit(model, digits.train, {
      ...options,
      pause: () => {
        seen.push(true);
        if (seen.length === 2) signal.abort();
        return null;
      },
      signal: signal.signal,
    });
    assert.equal(await precision.report(), { scale: 2 ** 32, skipped: 1 });
    const after = await read(model.parameters());
    for (const [i, values] of before.entries()) assert.equal([...after[i]!], [...values]);
    assert.ok(first);
    await fit(model, digits.train, { ...options, epochs: 4 });
    const { scale, skipped } = await precision.report();
    assert.ok(skipped >= 2 && skipped < 6, `${skipped} steps skipped`);
    assert.ok(scale < 2 ** 32 && scale > 1, `${scale}`);
    const trained = await read(model.parameters());
    assert.ok(trained.every((v) => v.every(Number.isFinite)));
    assert.ok(trained.some((v, i) => v.some((x, j) => x !== before[i]![j])));
  });

  test('gradients summed over batches', async () => {
    const { accuracy: reached } = await accuracy(mlp, { precision: mixedPrecision(), accumulate: 2 });
    assert.ok(reached > 0.85, `${reached}`);
  });

  test('options that are none', () => {
    for (const options of [
      { initialScale: 0 },
      { growthInterval: 0.5 },
      { growthFactor: 1 },
      { backoffFactor: 1 },
    ])
      assert.throws(
        () => mixedPrecision(options),
        (e: unknown) => e instanceof OptionError,
      );
  });

  test.run();
}
