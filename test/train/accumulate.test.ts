// Gradients summed over several batches: the same steps as with batches of that many times the size.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  configure,
  data,
  fit,
  loss,
  memoryStats,
  nn,
  OptionError,
  optim,
  read,
  type Tensor,
} from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

type Options = Partial<Parameters<typeof fit>[2]>;

interface Outcome {
  weights: number[];
  /** beta1 to the power of the steps that were taken. */
  power: number;
  trainLoss: number;
}

async function trained(train: number, adam: boolean, options: Options): Promise<Outcome> {
  const digits = await data.digits({ train, test: 1 });
  const model = nn.sequential(nn.linear(784, 12), nn.tanh(), nn.linear(12, 10));
  const optimizer = adam ? optim.adam({ lr: 0.01 }) : optim.sgd({ lr: 0.2, momentum: 0.9 });
  const { epochs } = await fit(model, digits.train, {
    loss: loss.crossEntropy(),
    optimizer,
    epochs: 2,
    seed: 3,
    ...options,
  });
  const weights = (await read(model.parameters())).flatMap((values) => [...values]);
  const power = adam ? await (optimizer.state()[1] as Tensor).item() : 1;
  model.dispose();
  optimizer.dispose();
  return { weights, power, trainLoss: epochs.at(-1)!.trainLoss };
}

const difference = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

for (const device of environment.devices) {
  const test = suite(`accumulate on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('four batches of ten make the steps of batches of forty, the last ones fewer', async () => {
    // 120: whole steps. 100: two batches are left for the last step. 97: one of them is smaller.
    for (const [train, steps] of [
      [120, 3],
      [100, 3],
      [97, 3],
      [30, 1],
    ] as const) {
      for (const adam of [false, true]) {
        const whole = await trained(train, adam, { batchSize: 40 });
        const parts = await trained(train, adam, { batchSize: 10, accumulate: 4 });
        const other = await trained(train, adam, { batchSize: 10 });
        const label = `${train} examples, ${adam ? 'Adam' : 'SGD'}`;
        assert.ok(
          difference(whole.weights, parts.weights) < 2e-5,
          `${label}: ${difference(whole.weights, parts.weights)}`,
        );
        assert.ok(difference(whole.weights, other.weights) > 1e-3, `${label}: small batches differ`);
        assert.ok(Math.abs(whole.trainLoss - parts.trainLoss) < 1e-5, label);
        if (!adam) continue;
        assert.ok(Math.abs(parts.power - 0.9 ** (2 * steps)) < 1e-5, `${label}: ${parts.power}`);
        assert.is(parts.power, whole.power);
      }
    }
  });

  test('one batch in a step is what it was', async () => {
    const [a, b] = [
      await trained(50, true, { batchSize: 10 }),
      await trained(50, true, { batchSize: 10, accumulate: 1 }),
    ];
    assert.equal(a.weights, b.weights);
  });

  test('stopped on the way, the batches since the last step make one', async () => {
    const stop = new AbortController();
    let batches = 0;
    const digits = await data.digits({ train: 60, test: 1 });
    const counted: data.Dataset = {
      ...digits.train,
      async *batches(options) {
        for await (const batch of digits.train.batches(options)) {
          if (++batches === 4) stop.abort();
          yield batch;
        }
      },
    };
    const model = nn.sequential(nn.linear(784, 10));
    const optimizer = optim.adam();
    const result = await fit(model, counted, {
      loss: loss.crossEntropy(),
      optimizer,
      batchSize: 10,
      accumulate: 2,
      signal: stop.signal,
    });
    assert.is(result.stopped, true);
    // Two batches, then one.
    assert.ok(Math.abs((await (optimizer.state()[1] as Tensor).item()) - 0.9 ** 2) < 1e-6);
    model.dispose();
    optimizer.dispose();
  });

  test('nothing is left behind', async () => {
    await configure({ device, threads: 1 });
    await trained(30, true, { batchSize: 10, accumulate: 2 });
    const counted = async () =>
      Object.values(await memoryStats()).map(({ pieces, bytes }) => ({ pieces, bytes }));
    const before = await counted();
    await trained(50, true, { batchSize: 10, accumulate: 2 });
    assert.equal(await counted(), before);
  });

  test('a number of batches that is none', async () => {
    for (const accumulate of [0, 1.5, -1]) {
      let error: unknown;
      await trained(20, false, { accumulate }).catch((e: unknown) => {
        error = e;
      });
      assert.ok(error instanceof OptionError);
      assert.is(
        (error as Error).message,
        `[fit] accumulate is ${accumulate} (accumulate is a whole number from 1)`,
      );
    }
  });

  test.run();
}
