import {
  configure,
  data,
  evaluate,
  fit,
  loss,
  lrRangeTest,
  minimise,
  nn,
  optim,
  schedules,
  tensor,
  variable,
} from '../../src/index.js';
import { decisionSurface } from '../../src/inspect/index.js';
import { search, uniform } from '../../src/search/index.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('bad input');

test.before(async () => {
  await configure({ device: 'wasm' });
});

/** Each call is refused with the library's own error, which says this. */
async function refused(cases: readonly (readonly [() => unknown, RegExp])[]): Promise<void> {
  for (const [call, says] of cases) await rejectsWith(call, says);
}

test('CSV: file, line and column', () => {
  const csv = (text: string, options = {}) => data.readCsv({ text }, { name: 'f.csv', ...options });
  const numbers = { columns: { a: 'number' } };
  return refused([
    [() => csv('a,b\n1,2\n3'), /\[f\.csv\] line 3 has 1 fields for 2 columns .*without a value is b/],
    [() => csv('a,b\n1,2\n3,4,5'), /\[f\.csv\] line 3 has 3 fields for 2 columns .*field 3 is in no column/],
    [() => csv('a,b\n1,2\nx,4', numbers), /\[f\.csv\] line 3, column a \(1\): "x" is not a number/],
    [() => csv('a\n1\nInfinity', numbers), /\[f\.csv\] line 3, column a \(1\): "Infinity" is not a number/],
    [
      () => csv('a,b\n1,2\n3,4"5"'),
      /\[f\.csv\] line 3, column b \(2\), character 4: a quote within a field .*: "4\\"5\\""/,
    ],
    [
      () => csv('a,b\n1,"2\n3,4'),
      /\[f\.csv\] line 2, column b \(2\), character 3: a quote that is never closed/,
    ],
    [() => csv('a,b\n1,"2"x'), /\[f\.csv\] line 2, column b \(2\), character 3: a quoted field goes on/],
    [() => csv('a,b\n1,2', { columns: { c: 'number' } }), /\[f\.csv\] line 1: there is no column "c"/],
    [() => csv('a,a\n1,2'), /\[f\.csv\] line 1: column 2 is named a/],
    [
      () => csv('a,b\n1,\n', { columns: { b: 'label' } }),
      /\[f\.csv\] line 2, column b \(2\): the label is missing/,
    ],
    [() => csv(''), /\[f\.csv\] the file is empty/],
    [() => csv('a,b\n'), /\[f\.csv\] there is a header \(line 1\) and no row/],
  ]);
});

const set = (inputs: readonly number[], targets: readonly number[], classes = 2): data.ArrayDataset =>
  new data.ArrayDataset({
    ...{ inputs: Float32Array.from(inputs), inputShape: [2], inputDType: 'float32' },
    ...{ targets: Int32Array.from(targets), targetShape: [], targetDType: 'int32', classes },
  });
const good = () => set([0, 0, 0, 1, 1, 0, 1, 1], [0, 1, 1, 0]);
const real = () =>
  new data.ArrayDataset({
    ...{ inputs: new Float32Array(8), inputShape: [2], inputDType: 'float32' },
    ...{ targets: new Float32Array(12), targetShape: [3], targetDType: 'float32' },
  });

test('labels, lengths, numbers that are none, splits of nothing', () =>
  refused([
    [() => set([0, 0], [5]), /label 5 at index 0 is out of range \(labels are whole numbers from 0 to 1\)/],
    [() => set([0, 0], [-1]), /label -1 at index 0/],
    [() => set([Number.NaN, 0], [1]), /value NaN at index 0 of example 0/],
    [() => set([0, 0, 0, Number.POSITIVE_INFINITY], [1, 0]), /value Infinity at index 1 of example 1/],
    [() => set([], []), /there is no example/],
    [() => set([1, 2, 3, 4], [1]), /1 values for 2 x/],
    [() => data.trainTestSplit(good(), { test: 0 }), /test is 0/],
    [() => data.split(good(), { train: 0.99, validation: 0.01 }), /validation: 0\.01 of 4 examples is none/],
    [() => data.split(good(), { train: 0.5, test: 0.4 }), /the fractions are train: 0\.5, test: 0\.4/],
    [() => good().split(1), /fraction 1 of 4 examples leaves one side empty/],
    [() => data.kFold(good(), { folds: 1 }), /1 folds of 4 examples/],
  ]));

test('fit, evaluate and the range test say what does not fit before they compute', () => {
  const mlp = (outputs = 2) => nn.sequential(nn.linear(2, 4), nn.tanh(), nn.linear(4, outputs));
  const options = () => ({ loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 2 });
  const train =
    (more: object, model: nn.Module = mlp(), on: unknown = good()) =>
    () =>
      fit(model, on as data.Dataset, { ...options(), ...more });
  const range = (more: object) => () => lrRangeTest(mlp(), good(), { ...options(), ...more });
  return refused([
    [
      train({ loss: loss.meanSquaredError() }, mlp(2), real()),
      /prediction is \(2,2\), target is float32 \(2,3\)/,
    ],
    [train({}, mlp(1)), /has 2 classes, the model has 1 outputs/],
    [train({}, nn.linear(3, 2)), /the layer takes 3 values/],
    [train({ loss: loss.crossEntropy }), /\[fit\] loss is missing or none/],
    [train({ optimizer: optim.sgd }), /\[fit\] optimizer is missing or none/],
    [train({ validation: {} }), /\[fit\] validation is missing or none/],
    [train({}, mlp(), [[0, 0]]), /\[fit\] data is missing or none/],
    [train({ batchSize: 0 }), /batchSize is 0 \(batchSize is a whole number from 1\)/],
    [train({ epochs: 1.5 }), /epochs is 1\.5/],
    [train({ accumulate: 0 }), /accumulate is 0/],
    [train({ patience: 0, monitor: 'trainLoss' }), /patience is 0 \(a number from 1\)/],
    [train({ monitor: 'accuracy' }), /'accuracy' cannot be watched \(one of trainLoss/],
    [train({ epoch: 3 }), /unknown option epoch/],
    [train({ schedule: schedules.cosine }), /the factor on the learning rate is/],
    [() => evaluate(mlp(), good(), { batchSize: 0 }), /batchSize is 0/],
    [range({ from: 1, to: 0.1 }), /the rates go from 1 to 0\.1/],
    [range({ smoothing: 2 }), /smoothing is 2, stopAt is 4 \(smoothing from 0, below 1/],
  ]);
});

test('options out of their range: name, value and range', () => {
  const nan = Number.NaN;
  const square = () => minimise.lbfgs((v) => v.square().sum(), [variable(tensor([1]))], { tolerance: -1 });
  return refused([
    [() => optim.sgd({ lr: 0 }), /lr is 0 \(a number > 0\)/],
    [() => optim.sgd({} as never), /lr is undefined/],
    [() => optim.sgd({ lr: 1, momentum: 1 }), /momentum is 1 \(from 0, below 1\)/],
    [
      () => optim.sgd({ lr: 1, momentun: 0.9 } as never),
      /\[optimizer\] unknown option momentun \(the options are lr,/,
    ],
    [() => optim.adam({ beta: 0.9 } as never), /\[optimizer\] unknown option beta/],
    [
      () => optim.sgd({ lr: 1, groups: [{ parameters: [], rate: 1 } as never] }),
      /\[optimizer: groups\] unknown option rate/,
    ],
    [() => loss.crossEntropy({ smoothing: 0.1 } as never), /\[crossEntropy\] unknown option smoothing/],
    [() => loss.huber({ margin: 1 } as never), /\[huber\] unknown option margin \(the options are delta\)/],
    [() => schedules.warmUp({ steps: 3 }, 0.1 as never), /\[schedule\] 0\.1 is no schedule/],
    [() => optim.adam({ betas: [1, 0.9] }), /betas\[0\] is 1/],
    [() => optim.adam({ clipNorm: 0 }), /clipNorm is 0/],
    [() => loss.crossEntropy({ labelSmoothing: 1 }), /labelSmoothing is 1 \(from 0, below 1\)/],
    [() => loss.huber({ delta: 0 }), /delta is 0/],
    [() => loss.hinge({ margin: -1 }), /\[hinge\] margin is -1 \(a number > 0\)/],
    [() => loss.multiClassHinge({ margin: nan }), /\[multiClassHinge\] margin is NaN/],
    [
      () => loss.crossEntropy({ classWeights: [1, -1] })(tensor([[1, 2]]), tensor(Int32Array.of(0))),
      /2 class weights for predictions \(1,2\): 1,-1 \(one weight >= 0 for each class\)/,
    ],
    [() => nn.leakyRelu(nan), /\[leakyRelu\] slope is NaN \(a finite number\)/],
    [() => nn.elu(-1), /\[elu\] alpha is -1 \(a number from 0\)/],
    [() => nn.prelu(2, nan), /\[prelu\] slope is NaN/],
    [() => nn.dropout(1), /p is 1 \(a probability from 0, below 1\)/],
    [() => nn.activityRegularizer({ sparsity: { target: 0.1, weight: -1 } }), /its weight -1/],
    [() => nn.linear(0, 3), /inputs is 0 \(a whole number >= 1\)/],
    [() => nn.init.normal(-1), /\[normal\] std is -1 \(a number from 0\)/],
    [() => nn.init.uniform(2, 1), /\[uniform\] high - low is -1/],
    [() => nn.init.constant(nan), /\[constant\] value is NaN/],
    [() => nn.init.orthogonal(nan), /\[orthogonal\] gain is NaN/],
    [() => nn.init.truncatedNormal(1, { std: 2 } as never), /\[truncatedNormal\] unknown option std/],
    [() => schedules.step({ every: 0 }), /every is 0 \(a number from 1\)/],
    [() => schedules.multiStep({ at: [3, -1] }), /at is -1/],
    [() => schedules.oneCycle({ from: -1 }), /from is -1/],
    [() => schedules.reduceOnPlateau({ factor: 2 }), /factor is 2 \(above 0, below 1\)/],
    [() => schedules.halveOnPlateau({ least: -1 }), /least is -1/],
    [() => schedules.linearScaling(0.1, 0), /batchSize is 0/],
    [() => data.augment(good(), { rotate: nan }), /rotate/],
    [square, /tolerance is -1/],
    [() => decisionSurface(nn.linear(2, 1), { x: [1, 0] }), /x goes from 1 to 0/],
    [() => search({ x: uniform(0, 1) }, () => 1, { trials: 0 }), /trials is 0/],
    [() => uniform(1, 0), /uniform/],
  ]);
});

test.run();
