// What steers a training: schedules, early stopping, the range test, penalties and noise.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import { constant } from '../../src/graph.js';
import {
  configure,
  data,
  type EpochReport,
  evaluate,
  fit,
  gradients,
  loss,
  lrRangeTest,
  mul,
  nn,
  optim,
  read,
  schedules,
  sum,
  type Tensor,
  tensor,
  weightsSha256,
} from '../../src/index.js';
import { inference, RandomSource } from '../../src/nn/module.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

/** A line to be learned: 8 examples, so that 4 steps of 2 are an epoch. */
const line = (targets: (x: number) => number = (x) => 2 * x + 1) => {
  const x = Float32Array.from({ length: 8 }, (_, i) => (i - 3.5) / 4);
  return new data.ArrayDataset({
    ...{ inputs: x, inputShape: [1], inputDType: 'float32' },
    ...{ targets: x.map(targets), targetShape: [1], targetDType: 'float32' },
  });
};
const linear = () => nn.sequential(nn.linear(1, 1));
const squared = loss.meanSquaredError;

/** An epoch's report with one number that matters. */
const epochOf = (epoch: number, value: number): EpochReport => ({
  ...{ epoch, trainLoss: value, trainAccuracy: value, validationLoss: value, validationAccuracy: value },
  ...{ samplesPerSecond: 1, seconds: 1 },
});

const general = suite('schedules and patience');

general('halveOnPlateau halves when accuracy stays, and ends at the least', () => {
  const schedule = schedules.halveOnPlateau({ patience: 2, least: 1 / 4 });
  const follow = (): [number, boolean][] => {
    schedule.start?.();
    return [0.5, 0.6, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7].map((value, i) => {
      const goesOn = schedule.afterEpoch!(epochOf(i + 1, value)) !== false;
      return [schedule.factor({ step: 0, epoch: i, epochs: 9, stepsPerEpoch: 1 }), goesOn];
    });
  };
  const wanted = [
    [1, true],
    [1, true],
    [1, true],
    [0.5, true],
    [0.5, true],
    [0.5, true],
    [0.5, true],
    [0.25, false],
  ];
  assert.equal(follow(), wanted);
  assert.equal(follow(), wanted, 'it starts anew');
  assert.throws(() => schedule.afterEpoch!(epochOf(1, Number.NaN)), /no validationAccuracy to watch/);
});

general('warm-up by steps or epochs, then the schedule from its start', () => {
  const then = schedules.step({ every: 1, factor: 0.5 });
  const at = (s: schedules.Schedule, step: number): number =>
    s.factor({ step, epoch: step / 4, epochs: 5, stepsPerEpoch: 4 });
  const bySteps = schedules.warmUp({ steps: 2 }, then);
  assert.equal(
    [0, 1, 2, 5, 6].map((i) => at(bySteps, i)),
    [0, 0.5, 1, 1, 0.5],
  );
  const byEpochs = schedules.warmUp({ epochs: 0.5, from: 0.5 }, then);
  assert.equal(
    [0, 1, 2, 5, 6].map((i) => at(byEpochs, i)),
    [0.5, 0.75, 1, 1, 0.5],
  );
  const alone = schedules.warmUp({ epochs: 1 });
  assert.equal(
    [0, 2, 4, 9].map((i) => at(alone, i)),
    [0, 0.5, 1, 1],
  );
  assert.is(schedules.linearScaling(0.1, 1024), 0.4);
});

general('one cycle by epochs where the length of the data is not known', () => {
  const s = schedules.oneCycle({ peakAt: 0.5, from: 0.5, to: 0.25 });
  const rates = [0, 1, 2, 3].map((epoch) =>
    s.factor({ step: 0, epoch, epochs: 4, stepsPerEpoch: undefined }),
  );
  assert.equal(rates, [0.5, 0.75, 1, 0.625]);
});

general('settings that make no sense are refused', () => {
  assert.throws(() => schedules.step({ every: 0 }), /every is 0 \(a number from 1\)/);
  assert.throws(() => schedules.oneCycle({ peakAt: 1 }), /peakAt is 1/);
  assert.throws(() => schedules.reduceOnPlateau({ monitor: 'loss' as never }), /'loss' cannot be watched/);
  assert.throws(() => nn.gaussianNoise(-1), /std is -1/);
  assert.throws(
    () => nn.activityRegularizer({ sparsity: { target: 1, weight: 1 } }),
    /target of sparsity is 1/,
  );
});

general.run();

for (const device of environment.devices) {
  const test = suite(`the course of training on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('fit sets the rate that the schedule says before each step', async () => {
    const seen: schedules.ScheduleTime[] = [];
    const optimizer = optim.sgd({ lr: 0.2 });
    const schedule = (time: schedules.ScheduleTime): number => {
      seen.push({ ...time });
      return time.epoch < 1 ? 1 : 0;
    };
    const model = linear();
    const shas: string[] = [];
    await fit(model, line(), {
      ...{ loss: squared(), optimizer, schedule, batchSize: 2, epochs: 3 },
      onEpoch: async () => shas.push(await weightsSha256(model)),
    });
    assert.equal(
      seen.slice(0, 6).map(({ epoch }) => epoch),
      [0, 0.25, 0.5, 0.75, 1, 1.25],
    );
    assert.equal(seen.at(-1), { step: 11, epoch: 2.75, epochs: 3, stepsPerEpoch: 4 });
    assert.is(await optimizer.learningRate.item(), 0);
    const one = linear();
    await fit(one, line(), { loss: squared(), optimizer: optim.sgd({ lr: 0.2 }), batchSize: 2 });
    assert.is(await weightsSha256(model), await weightsSha256(one), 'nothing is learned at rate 0');
    await rejectsWith(
      fit(model, line(), { loss: squared(), optimizer, schedule: () => Number.NaN }),
      /factor on the learning rate is NaN at step 0/,
    );
  });

  test('patience ends a training, and the best weights come back', async () => {
    // The validation set contradicts the training set: training makes it worse.
    const validation = line((x) => -2 * x + 1);
    const run = async (more: object) => {
      const model = linear();
      await model.initialize(1);
      await model.parameters()[0]!.assign(tensor([[-1]]));
      const result = await fit(model, line(), {
        ...{ loss: squared(), optimizer: optim.sgd({ lr: 0.02 }), batchSize: 8, epochs: 40, validation },
        ...more,
      });
      return { result, after: await evaluate(model, validation, { loss: squared() }) };
    };
    const whole = await run({});
    assert.is(whole.result.bestEpoch, undefined);
    const losses = whole.result.epochs.map((e) => e.validationLoss);
    const best = losses.indexOf(Math.min(...losses)) + 1;
    assert.ok(best > 1 && best < 30, `the best epoch is ${best}`);
    const { result, after } = await run({ patience: 3, restoreBest: true });
    assert.equal([result.bestEpoch, result.epochs.length, result.stopped], [best, best + 3, true]);
    assert.ok(Math.abs(after.loss - losses[best - 1]!) < 1e-6);
    const grown = await run({ patience: 1, patienceGrowth: 0.5 });
    assert.is(grown.result.epochs.length, best + Math.max(1, Math.ceil(best * 0.5)));
    assert.ok(Math.abs(grown.after.loss - grown.result.epochs.at(-1)!.validationLoss) < 1e-6, 'not restored');
    await rejectsWith(run({ patience: 0 }), /patience is 0/);
    await rejectsWith(run({ monitor: 'validationAccuracy', patience: 3 }), /no validationAccuracy to watch/);
  });

  test('running means come back with the best weights, and after the range test', async () => {
    const validation = line((x) => -2 * x + 1);
    const model = nn.sequential(nn.linear(1, 4), nn.batchNorm(4), nn.linear(4, 1));
    await model.initialize(6);
    const before = await weightsSha256(model);
    const options = { loss: squared(), optimizer: optim.sgd({ lr: 0.05 }), batchSize: 4 };
    await lrRangeTest(model, line(), { ...options, steps: 5 });
    assert.is(await weightsSha256(model), before);
    const { epochs, bestEpoch } = await fit(model, line(), {
      ...options,
      ...{ epochs: 30, validation, restoreBest: true },
    });
    assert.ok(bestEpoch! < 30, `the best epoch is ${bestEpoch}`);
    const after = await evaluate(model, validation, { loss: squared() });
    assert.ok(Math.abs(after.loss - epochs[bestEpoch! - 1]!.validationLoss) < 1e-6);
  });

  test('a schedule may end the training', async () => {
    const schedule: schedules.Schedule = { factor: () => 1, afterEpoch: ({ epoch }) => epoch < 2 };
    const options = { loss: squared(), optimizer: optim.sgd({ lr: 0.1 }), epochs: 9, schedule };
    const { epochs, stopped } = await fit(linear(), line(), options);
    assert.equal([epochs.length, stopped], [2, true]);
  });

  test('the range test finds where the loss falls and where it explodes, and leaves no trace', async () => {
    const model = linear();
    await model.initialize(3);
    const optimizer = optim.sgd({ lr: 0.1, momentum: 0.5 });
    const before = await weightsSha256(model);
    const options = {
      loss: squared(),
      optimizer,
      batchSize: 4,
      steps: 60,
      from: 1e-3,
      to: 100,
      smoothing: 0.5,
    };
    const { curve, suggestion } = await lrRangeTest(model, line(), options);
    assert.ok(curve.length < 60, 'it stops when the loss explodes');
    assert.ok(suggestion > 2e-3 && suggestion < 3, `${suggestion}`);
    assert.ok(Math.abs(curve[1]!.lr / curve[0]!.lr - curve[9]!.lr / curve[8]!.lr) < 1e-9);
    assert.is(await weightsSha256(model), before);
    const states = await read(optimizer.state());
    assert.equal(
      states.map((s) => Array.from(s)),
      [[Math.fround(0.1)], [0], [0]],
    );
    const straight = await lrRangeTest(model, line(), {
      ...options,
      spacing: 'linear',
      from: 1,
      to: 2,
      steps: 3,
      stopAt: 1e9,
    });
    assert.equal(
      straight.curve.map(({ lr }) => lr),
      [1, 1.5, 2],
    );
    await rejectsWith(
      lrRangeTest(model, line(), { ...options, to: 1e-4 }),
      /the rates go from 0.001 to 0.0001/,
    );
  });

  test('an activity regularizer adds to the loss of a training step, and to no other', async () => {
    const x = tensor([
      [0.2, 0.9],
      [0.6, 0.3],
    ]);
    const penalties: Tensor[] = [];
    const random = new RandomSource(0, constant(0, 'int32'));
    const layer = nn.activityRegularizer({ l1: 0.5, l2: 0.25, sparsity: { target: 0.1, weight: 2 } });
    assert.is(layer.forward(x, { training: true, random, penalties }), x);
    assert.is(layer.forward(x, inference()), x);
    const kl = (t: number, m: number): number => t * Math.log(t / m) + (1 - t) * Math.log((1 - t) / (1 - m));
    const wanted = [0.5, 0.25 * ((0.04 + 0.81 + 0.36 + 0.09) / 2), 2 * (kl(0.1, 0.4) + kl(0.1, 0.6))];
    const [dx] = gradients(penalties[2]!, [x]);
    for (const [i, p] of penalties.entries())
      assert.ok(Math.abs((await p.item()) - wanted[i]!) < 1e-5, `penalty ${i}: ${await p.item()}`);
    assert.is(penalties.length, 3);
    const slope = 2 * (-0.1 / 0.4 + 0.9 / 0.6) * 0.5;
    assert.ok(Math.abs((await dx!.data())[0]! - slope) < 1e-4);
    // A penalty large enough that nothing else counts switches the units off.
    const model = nn.sequential(
      nn.linear(1, 4),
      nn.sigmoid(),
      nn.activityRegularizer({ l1: 100 }),
      nn.linear(4, 1),
    );
    await fit(model, line(), {
      loss: squared(),
      optimizer: optim.adam({ lr: 0.1 }),
      epochs: 60,
      batchSize: 8,
    });
    const [hidden] = await read([
      sum(nn.sequential(...model.layers.slice(0, 2)).forward(tensor([[0]]), inference())),
    ]);
    assert.ok(hidden![0]! < 0.2, `still on: ${hidden![0]}`);
  });

  test('input noise has the given deviation, is new in each step, and is off when a model is used', async () => {
    const x = tensor(new Float32Array(4000), { shape: [40, 100] });
    const at = (step: number) => ({ training: true, random: new RandomSource(4, constant(step, 'int32')) });
    const [a, b, c] = await read([
      nn.gaussianNoise(0.5).forward(x, at(1)),
      nn.gaussianNoise(0.5).forward(x, at(2)),
      mul(nn.gaussianNoise(0.5).forward(x, inference()), 1),
    ]);
    const variance = Array.from(a!).reduce((n, v) => n + v * v, 0) / 4000;
    assert.ok(Math.abs(variance - 0.25) < 0.03, `${variance}`);
    assert.ok(a!.some((v, i) => v !== b![i]));
    assert.ok(c!.every((v) => v === 0));
  });

  test.run();
}
