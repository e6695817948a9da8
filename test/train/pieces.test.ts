// Every layer, loss, optimizer, schedule and first value that is exported has a case here or among PyTorch's numbers: layers
// against their formula in double precision, and gradients by parameters and input against finite differences.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { configure, loss, nn, OptionError, optim, schedules, type Tensor, tensor } from '../../src/index.js';
import { gradientCheck } from '../../src/inspect/index.js';
import { RandomStream } from '../../src/philox.js';
import { goldenCases } from '../golden/cases.js';
import { made as madeSchedules } from '../golden/schedules.js';
import { optimizers } from '../golden/trajectories.js';
import { referenceErf as erf } from '../helpers/erf.js';
import { suite } from '../helpers/suite.js';

const test = suite('pieces');

test.before(async () => {
  await configure({ device: 'wasm' });
});

interface Piece {
  make(): nn.Module;
  /** Of an example. */
  shape: number[];
  /** Of each element, for layers that are functions of one. */
  formula?: (x: number) => number;
  /** What the gradient check needs: dropout and its like on, whole numbers as inputs. */
  training?: boolean;
  labels?: number;
  /** Gives no number of its own to be right: what it does is tested elsewhere. */
  passes?: true;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));
const unit = (make: () => nn.Module, formula: (x: number) => number): Piece => ({
  make,
  shape: [5],
  formula,
});
const layer = (make: () => nn.Module, ...shape: number[]): Piece => ({ make, shape });
const hardSigmoid = (x: number): number => Math.min(1, Math.max(0, x / 6 + 0.5));
const [alpha, scale] = [1.6732632423543772, 1.0507009873554805]; // Klambauer et al. 2017

const pieces: Readonly<Record<string, Piece>> = {
  sigmoid: unit(nn.sigmoid, sigmoid),
  tanh: unit(nn.tanh, Math.tanh),
  relu: unit(nn.relu, (x) => Math.max(0, x)),
  leakyRelu: unit(
    () => nn.leakyRelu(0.1),
    (x) => Math.max(0.1 * x, x),
  ),
  prelu: unit(
    () => nn.prelu(5, 0.3),
    (x) => (x > 0 ? x : 0.3 * x),
  ),
  absolute: unit(nn.absolute, Math.abs),
  softplus: unit(nn.softplus, softplus),
  hardTanh: unit(nn.hardTanh, (x) => Math.min(1, Math.max(-1, x))),
  hardSigmoid: unit(nn.hardSigmoid, hardSigmoid),
  hardSwish: unit(nn.hardSwish, (x) => x * hardSigmoid(x)),
  cosine: unit(nn.cosine, Math.cos),
  identity: unit(nn.identity, (x) => x),
  elu: unit(
    () => nn.elu(1.5),
    (x) => (x > 0 ? x : 1.5 * Math.expm1(x)),
  ),
  selu: unit(nn.selu, (x) => scale * (x > 0 ? x : alpha * Math.expm1(x))),
  gelu: unit(nn.gelu, (x) => (x * (1 + erf(x / Math.SQRT2))) / 2),
  silu: unit(nn.silu, (x) => x * sigmoid(x)),
  mish: unit(nn.mish, (x) => x * Math.tanh(softplus(x))),
  lambda: unit(
    () => nn.lambda('square', (x) => x.square()),
    (x) => x * x,
  ),
  maxout: layer(() => nn.maxout(4, 3, 2), 4),
  rbf: layer(() => nn.rbf(3, 4, { width: 1.5 }), 3),
  lowRankLinear: layer(() => nn.lowRankLinear(6, 5, 2), 6),
  softmax: layer(nn.softmax, 4),
  softmaxWithTemperature: layer(() => nn.softmaxWithTemperature(2.5), 4),
  logSoftmax: layer(nn.logSoftmax, 4),
  linear: layer(() => nn.linear(4, 3), 4),
  conv1d: layer(() => nn.conv1d(2, 3, 3, { stride: 2, padding: 1 }), 7, 2),
  conv2d: layer(() => nn.conv2d(2, 4, 3, { padding: 'same', groups: 2 }), 5, 4, 2),
  convTranspose2d: layer(() => nn.convTranspose2d(2, 3, 3, { stride: 2 }), 3, 4, 2),
  maxPool1d: layer(() => nn.maxPool1d(2), 6, 2),
  maxPool2d: layer(() => nn.maxPool2d(2), 4, 6, 2),
  avgPool1d: layer(() => nn.avgPool1d(2), 6, 2),
  avgPool2d: layer(() => nn.avgPool2d(2), 4, 6, 2),
  lpPool2d: layer(() => nn.lpPool2d(2), 4, 6, 2),
  globalAvgPool: layer(nn.globalAvgPool, 4, 6, 2),
  globalMaxPool: layer(nn.globalMaxPool, 4, 6, 2),
  batchNorm: { make: () => nn.batchNorm(3), shape: [4, 3], training: true },
  instanceNorm: layer(() => nn.instanceNorm(3), 4, 5, 3),
  groupNorm: layer(() => nn.groupNorm(2, 4), 3, 5, 4),
  layerNorm: layer(() => nn.layerNorm([4]), 3, 4),
  rmsNorm: layer(() => nn.rmsNorm([4]), 3, 4),
  localResponseNorm: layer(() => nn.localResponseNorm(3, { alpha: 0.5 }), 3, 3, 5),
  dropout: { make: () => nn.dropout(0.4), shape: [9], training: true },
  dropout2d: { make: () => nn.dropout2d(0.4), shape: [3, 3, 4], training: true },
  gaussianNoise: { make: () => nn.gaussianNoise(0.5), shape: [6], training: true },
  activityRegularizer: {
    make: () =>
      nn.sequential(
        nn.sigmoid(),
        nn.activityRegularizer({ l1: 0.3, l2: 0.2, sparsity: { target: 0.2, weight: 0.5 } }),
      ),
    ...{ shape: [4], training: true },
  },
  embedding: { make: () => nn.embedding(6, 3), shape: [4], labels: 6 },
  rnn: layer(() => nn.rnn(3, 4), 5, 3),
  gru: layer(() => nn.gru(3, 4, { bidirectional: true }), 5, 3),
  lstm: layer(() => nn.lstm(3, 4, { layers: 2, returns: 'last' }), 5, 3),
  rnnCell: layer(() => nn.rnnCell(3, 4), 3),
  gruCell: layer(() => nn.gruCell(3, 4), 3),
  lstmCell: layer(() => nn.lstmCell(3, 4), 3),
  multiHeadAttention: layer(() => nn.multiHeadAttention(4, 2, { causal: true }), 5, 4),
  flatten: layer(nn.flatten, 2, 3),
  reshape: layer(() => nn.reshape([3, -1]), 2, 6),
  pad: layer(() => nn.pad([[1, 2]], { mode: 'reflect' }), 4, 2),
  upsample: layer(() => nn.upsample({ scale: 2, mode: 'bilinear' }), 3, 4, 2),
  sequential: layer(() => nn.sequential(nn.linear(3, 3), nn.tanh()), 3),
  plus: layer(() => nn.plus(nn.linear(3, 2), nn.linear(3, 2)), 3),
  concat: layer(() => nn.concat(nn.linear(3, 2), nn.tanh()), 3),
  skip: layer(() => nn.skip(nn.linear(3, 3), nn.tanh()), 3),
  functional: layer(() => nn.functional({ a: nn.linear(3, 3) }, ({ a }, x) => a(a(x).tanh()).add(x)), 3),
  lenet: layer(() => nn.sequential(nn.reshape([4, 4, 1]), nn.lenet({ inputSize: 4, classes: 2 })), 16),
  alexnet: { make: () => nn.alexnet(), shape: [], passes: true }, // trained in models.test.ts
};

/** Adds a parameter to the input, by which the gradient is that by the input, summed over the batch. */
class Shift extends nn.Module {
  readonly shift: nn.Parameter;

  constructor(shape: number[]) {
    super();
    this.shift = new nn.Parameter(shape, nn.init.zeros, { fanIn: 1, fanOut: 1 }, false);
  }

  forward(x: Tensor): Tensor {
    return x.add(this.shift);
  }
}

const draw = (shape: number[], seed: number, span = 2): Tensor => {
  const random = new RandomStream(seed, 0);
  const n = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: n }, () => span * (2 * random.uniform() - 1)),
    { shape },
  );
};

/** Exports that make a layer. */
const notLayers = ['inference', 'freeze', 'unfreeze'];
const makers = Object.entries(nn)
  .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name) && !notLayers.includes(name))
  .map(([name]) => name);

test('every layer has a case', () => {
  assert.equal(makers.sort(), Object.keys(pieces).sort());
});

for (const [name, { make, shape, formula, training = false, labels, passes }] of Object.entries(pieces)) {
  if (passes) continue;
  test(`${name}: gradients${formula ? ' and values' : ''}`, async () => {
    const batch = 3;
    const model = make();
    await model.initialize(4);
    if (formula) {
      const x = draw([batch, ...shape], 1, 4);
      const [given, found] = [await x.data(), await model.forward(x, nn.inference()).data()];
      for (const [i, y] of found.entries()) {
        const wanted = formula(given[i]!);
        assert.ok(Math.abs(y - wanted) <= 2e-6 * Math.max(1, Math.abs(wanted)), `${y} instead of ${wanted}`);
      }
    }
    const random = new RandomStream(9, 0);
    const whole = Float32Array.from({ length: batch * 4 }, () => random.integer(labels ?? 1));
    const inputs = labels ? tensor(whole, { shape: [batch, 4] }) : draw([batch, ...shape], 2);
    const whole2 = labels ? model : nn.sequential(new Shift(shape), model);
    const output = whole2.forward(inputs, nn.inference());
    const targets = draw([...output.shape], 3);
    const options = { training, elements: 8, seed: 5 };
    const checked = await gradientCheck(whole2, loss.meanSquaredError(), { inputs, targets }, options);
    assert.ok(checked.passed, JSON.stringify(checked.worst));
    assert.is(checked.parameters.length, whole2.parameters().length);
    whole2.dispose();
  });
}

/** A layer with every option that it has: one that is left out here does not compile. */
const withAll = <O extends object>(make: (options: O) => unknown, options: Required<O>) => ({
  make: make as (options: object) => unknown,
  options,
});
const linearOptions = { bias: true, weightInit: nn.init.zeros, biasInit: nn.init.zeros };
const convOptions = { ...linearOptions, stride: 1, padding: 0, dilation: 1, groups: 1 };
const windows = { stride: 1, padding: 0, ceilMode: false };
const norms = { eps: 1e-5, affine: true };
const images = { classes: 2, channels: 1, inputSize: 67 };
const recurrent = { layers: 1, bias: true, bidirectional: false, dropout: 0, returns: 'all' } as const;
const sequence = tensor([[[1, 2]]]);

const optionsOf: Readonly<Record<string, ReturnType<typeof withAll>>> = {
  linear: withAll((o: nn.LinearOptions) => nn.linear(2, 3, o), linearOptions),
  lowRankLinear: withAll((o: nn.LinearOptions) => nn.lowRankLinear(2, 3, 1, o), linearOptions),
  maxout: withAll((o: nn.LinearOptions) => nn.maxout(2, 3, 2, o), linearOptions),
  rbf: withAll((o: nn.RbfOptions) => nn.rbf(2, 3, o), { centerInit: nn.init.zeros, width: 1 }),
  embedding: withAll((o: nn.EmbeddingOptions) => nn.embedding(2, 3, o), {
    ...{ paddingIndex: 0, weightInit: nn.init.zeros },
  }),
  conv1d: withAll((o: nn.Conv1dLayerOptions) => nn.conv1d(2, 3, 3, o), convOptions),
  conv2d: withAll((o: nn.Conv2dLayerOptions) => nn.conv2d(2, 3, 3, o), convOptions),
  convTranspose2d: withAll((o: nn.ConvTranspose2dLayerOptions) => nn.convTranspose2d(2, 3, 3, o), {
    ...{ ...convOptions, outputPadding: 0 },
  }),
  maxPool1d: withAll((o: NonNullable<Parameters<typeof nn.maxPool1d>[1]>) => nn.maxPool1d(2, o), {
    ...{ ...windows, dilation: 1 },
  }),
  avgPool1d: withAll((o: NonNullable<Parameters<typeof nn.avgPool1d>[1]>) => nn.avgPool1d(2, o), {
    ...{ ...windows, countIncludePad: true },
  }),
  maxPool2d: withAll((o: NonNullable<Parameters<typeof nn.maxPool2d>[1]>) => nn.maxPool2d(2, o), {
    ...{ ...windows, dilation: 1 },
  }),
  avgPool2d: withAll((o: NonNullable<Parameters<typeof nn.avgPool2d>[1]>) => nn.avgPool2d(2, o), {
    ...{ ...windows, countIncludePad: true },
  }),
  lpPool2d: withAll((o: NonNullable<Parameters<typeof nn.lpPool2d>[1]>) => nn.lpPool2d(2, o), windows),
  batchNorm: withAll((o: nn.BatchNormOptions) => nn.batchNorm(3, o), { ...norms, momentum: 0.1 }),
  instanceNorm: withAll((o: nn.NormLayerOptions) => nn.instanceNorm(3, o), norms),
  groupNorm: withAll((o: nn.NormLayerOptions) => nn.groupNorm(2, 4, o), norms),
  layerNorm: withAll((o: nn.NormLayerOptions) => nn.layerNorm(3, o), norms),
  rmsNorm: withAll((o: nn.NormLayerOptions) => nn.rmsNorm(3, o), norms),
  localResponseNorm: withAll(
    (o: NonNullable<Parameters<typeof nn.localResponseNorm>[1]>) => nn.localResponseNorm(5, o),
    { alpha: 1e-4, beta: 0.75, k: 1 },
  ),
  activityRegularizer: withAll(nn.activityRegularizer, {
    ...{ l1: 1, l2: 1, sparsity: { target: 0.1, weight: 1 } },
  }),
  'activityRegularizer: sparsity': withAll(
    (sparsity: { target: number; weight: number }) => nn.activityRegularizer({ sparsity }),
    { target: 0.1, weight: 1 },
  ),
  rnn: withAll((o: nn.RnnOptions) => nn.rnn(2, 3, o), { ...recurrent, nonlinearity: 'tanh' }),
  gru: withAll((o: nn.RecurrentOptions) => nn.gru(2, 3, o), recurrent),
  lstm: withAll((o: nn.RecurrentOptions) => nn.lstm(2, 3, o), recurrent),
  'gru: run': withAll((o: nn.SequenceInput) => nn.gru(2, 3).run(sequence, o), {
    ...{ lengths: [1], state: { h: tensor([[[0, 0, 0]]]) } },
  }),
  rnnCell: withAll((o: NonNullable<Parameters<typeof nn.rnnCell>[2]>) => nn.rnnCell(2, 3, o), {
    ...{ bias: true, nonlinearity: 'relu' },
  }),
  gruCell: withAll((o: { bias?: boolean }) => nn.gruCell(2, 3, o), { bias: true }),
  lstmCell: withAll((o: { bias?: boolean }) => nn.lstmCell(2, 3, o), { bias: true }),
  multiHeadAttention: withAll((o: nn.MultiHeadAttentionOptions) => nn.multiHeadAttention(4, 2, o), {
    ...{ bias: true, dropout: 0, causal: true },
  }),
  'multiHeadAttention: attend': withAll(
    (o: NonNullable<Parameters<nn.MultiHeadAttention['attend']>[4]>) =>
      nn.multiHeadAttention(2, 1).attend(sequence, sequence, sequence, nn.inference(), o),
    { mask: tensor([[true]]), causal: false, scale: 1 },
  ),
  pad: withAll((o: nn.PadOptions) => nn.pad([[1, 1]], o), { mode: 'constant', value: 1 }),
  upsample: withAll(nn.upsample, {
    ...{ scale: 2, size: undefined as never, mode: 'bilinear', alignCorners: true },
  }),
  lenet: withAll(nn.lenet, images),
  alexnet: withAll(nn.alexnet, images),
};
/** What takes numbers, shapes, functions and layers alone. */
const withoutOptions = [
  ...[
    'absolute',
    'concat',
    'cosine',
    'dropout',
    'dropout2d',
    'elu',
    'flatten',
    'functional',
    'gaussianNoise',
  ],
  ...['gelu', 'globalAvgPool', 'globalMaxPool', 'hardSigmoid', 'hardSwish', 'hardTanh', 'identity', 'lambda'],
  ...['leakyRelu', 'logSoftmax', 'mish', 'plus', 'prelu', 'relu', 'reshape', 'selu', 'sequential', 'sigmoid'],
  ...['silu', 'skip', 'softmax', 'softmaxWithTemperature', 'softplus', 'tanh'],
];

test('every layer takes its options, and refuses one that it does not have', () => {
  const named = Object.keys(optionsOf).filter((name) => !name.includes(':'));
  assert.equal([...named, ...withoutOptions].sort(), [...makers].sort());
  for (const [name, { make, options }] of Object.entries(optionsOf)) {
    make(options);
    let refused: unknown;
    try {
      make({ ...options, strides: 2 });
    } catch (error) {
      refused = error;
    }
    assert.instance(refused, OptionError, name);
    const { where, problem, values } = refused as OptionError;
    assert.equal([where, problem], [name, 'unknown option strides']);
    assert.equal([...(values.known as string[])].sort(), Object.keys(options).sort(), name);
  }
});

/** Whether some name is the given one, alone or with a word behind it. */
const has = (names: readonly string[], name: string): boolean =>
  names.some((known) => known === name || known.startsWith(`${name} `) || known.startsWith(`${name},`));
const functionsOf = (module: object): string[] =>
  Object.entries(module)
    .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name))
    .map(([name]) => name);

test('every loss is compared with PyTorch, or is made of losses (loss.test.ts)', () => {
  const names = goldenCases.map(({ key }) => key);
  const composed = ['checkLoss', 'weightedSum', 'multiTask', 'l1Penalty', 'l2Penalty'];
  const missing = functionsOf(loss).filter((name) => !has(names, name) && !composed.includes(name));
  assert.equal(missing, []);
});

test('every optimizer is followed against PyTorch', () => {
  const helpers = ['clipByGlobalNorm', 'clipByValue', 'globalNorm', 'limitNorm'];
  const missing = functionsOf(optim).filter(
    (name) => !has(Object.keys(optimizers), name) && !helpers.includes(name),
  );
  assert.equal(missing, []);
});

test('every schedule is followed against PyTorch, but the one that it does not have', () => {
  const missing = functionsOf(schedules).filter((name) => !has(Object.keys(madeSchedules), name));
  assert.equal(missing.sort(), ['halveOnPlateau', 'linearScaling', 'scheduleOf']);
});

test('halveOnPlateau: half the rate at each plateau, the end at 1/1024; linear scaling', () => {
  const schedule = schedules.halveOnPlateau({ patience: 2 });
  const time = { step: 0, epoch: 0, epochs: 100, stepsPerEpoch: 1 };
  const factors: number[] = [];
  let goesOn: boolean | void = true;
  for (let epoch = 1; epoch < 100 && goesOn !== false; epoch++) {
    factors.push(schedule.factor(time));
    // Better in the first three epochs, never again.
    const validationAccuracy = Math.min(epoch, 3) / 10;
    goesOn = schedule.afterEpoch!({
      ...{
        epoch,
        validationAccuracy,
        trainLoss: 1,
        trainAccuracy: 0,
        validationLoss: 1,
        samplesPerSecond: 1,
        seconds: 1,
      },
    });
  }
  assert.equal(factors, [1, 1, 1, ...Array.from({ length: 20 }, (_, i) => 2 ** -Math.floor(i / 2))]);
  assert.is(schedules.linearScaling(0.1, 64), 0.025);
});

/** Mean square of first values for 400 inputs and 100 outputs, by the formula of the source. */
const deviations: Readonly<Record<string, [nn.init.Initializer, number]>> = {
  constant: [nn.init.constant(0.1), 0.01],
  zeros: [nn.init.zeros, 0],
  normal: [nn.init.normal(), 1],
  uniform: [nn.init.uniform(-3, 3), 3],
  fanInNormal: [nn.init.fanInNormal, 1 / 400],
  fanInUniform: [nn.init.fanInUniform, 1 / 1200],
  xavierNormal: [nn.init.xavierNormal, 2 / 500],
  xavierUniform: [nn.init.xavierUniform, 2 / 500],
  heNormal: [nn.init.heNormal, 2 / 400],
  heUniform: [nn.init.heUniform, 2 / 400],
  orthogonal: [nn.init.orthogonal(), 1 / 400],
  truncatedNormal: [nn.init.truncatedNormal(), 0.7737],
};

test('first values have the variance of their source', async () => {
  assert.equal([...Object.keys(deviations), 'fromFile'].sort(), functionsOf(nn.init).sort()); // fromFile: init.test.ts
  for (const [name, [initializer, wanted]] of Object.entries(deviations)) {
    const values = initializer([400, 100], { fanIn: 400, fanOut: 100 }, { seed: 3, stream: 1 });
    const found = await values.square().mean().item();
    assert.ok(Math.abs(found - wanted) <= 0.03 * wanted, `${name}: ${found} instead of ${wanted}`);
  }
});

test.run();
