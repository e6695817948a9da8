// train/...: samples per second of `fit` itself, copying and shuffling of batches included.
import { ArrayDataset } from '../data/dataset.js';
import { digits } from '../data/digits.js';
import { configure, type EngineOptions } from '../engine.js';
import { binaryCrossEntropy, crossEntropy, type Loss } from '../loss/index.js';
import { linear, relu, sequential, sigmoid } from '../nn/layers.js';
import { lenet } from '../nn/models.js';
import type { Module } from '../nn/module.js';
import { lstm } from '../nn/recurrent.js';
import { reshape } from '../nn/shape-layers.js';
import { adam, type Optimizer, sgd } from '../optim/index.js';
import { RandomStream } from '../philox.js';
import { fit } from '../train/fit.js';
import { TrainingPass } from '../train/step.js';
import {
  type Bench,
  backendNames,
  checkError,
  describeEngine,
  freshEngine,
  type Measurement,
  type PlacementCase,
  summary,
} from './rounds.js';

interface Case {
  readonly name: string;
  readonly batchSize: number;
  /** Batches in an epoch; an epoch is a round. */
  readonly batches: number;
  /** Different examples in the batch that is checked: the reference trains on these, the engine on copies of them. */
  readonly distinct: number;
  model(): Module;
  optimizer(): Optimizer;
  /** Cross-entropy with the labels where not said. */
  readonly loss?: Loss;
  /** So many examples; digits where not said. */
  data?(examples: number): ArrayDataset | Promise<ArrayDataset>;
}

const images = async (examples: number): Promise<ArrayDataset> =>
  (await digits({ train: examples, test: 1 })).train;

/** Sequences of 64 steps of 28 values at random, of 10 classes: the time does not depend on what they are. */
function sequences(examples: number): ArrayDataset {
  const random = new RandomStream(1, 0);
  return new ArrayDataset({
    inputs: Float32Array.from({ length: examples * 64 * 28 }, () => random.uniform()),
    targets: Int32Array.from({ length: examples }, (_, i) => i % 10),
    inputShape: [64, 28],
    inputDType: 'float32',
    targetShape: [],
    targetDType: 'int32',
    classes: 10,
    name: 'sequences',
  });
}

const trainingCases: readonly Case[] = [
  {
    name: 'train/mlp100_b10',
    batchSize: 10,
    batches: 500,
    distinct: 10,
    model: () => sequential(linear(784, 100), sigmoid(), linear(100, 10)),
    optimizer: () => sgd({ lr: 0.5 }),
  },
  {
    name: 'train/mlp800_b128',
    batchSize: 128,
    batches: 10,
    distinct: 16,
    model: () => sequential(linear(784, 800), relu(), linear(800, 800), relu(), linear(800, 10)),
    optimizer: () => adam(),
  },
  {
    name: 'train/autoencoder_b128',
    batchSize: 128,
    batches: 10,
    distinct: 16,
    model: () =>
      sequential(
        ...[linear(784, 256), relu(), linear(256, 64), relu()],
        ...[linear(64, 256), relu(), linear(256, 784)], // the loss has the last layer's sigmoid
      ),
    optimizer: () => adam(),
    loss: binaryCrossEntropy(),
    data: async (examples) => autoencoding(await images(examples)),
  },
  {
    name: 'train/lenet_b128',
    batchSize: 128,
    batches: 10,
    distinct: 2,
    model: () => sequential(reshape([28, 28, 1]), lenet()),
    optimizer: () => sgd({ lr: 0.01, momentum: 0.9 }),
  },
  {
    name: 'train/lstm_b32',
    batchSize: 32,
    batches: 10,
    distinct: 2,
    model: () => sequential(lstm(28, 128, { returns: 'last' }), linear(128, 10)),
    optimizer: () => adam(),
    data: sequences,
  },
];

const checkedSteps = 3;
const tolerance = 1e-4;

/** The losses of the first steps on one batch. */
async function firstLosses(
  { model: make, optimizer: choose, loss = crossEntropy() }: Case,
  batch: ArrayDataset,
): Promise<number[]> {
  const [model, optimizer] = [make(), choose()];
  const { epochs } = await fit(model, batch, {
    loss,
    optimizer,
    batchSize: batch.length,
    epochs: checkedSteps,
    seed: 1,
  });
  model.dispose();
  optimizer.dispose();
  return epochs.map(({ trainLoss }) => trainLoss);
}

/** The same examples again and again; the mean over them, and so loss and gradients, stays the same. */
function repeated(data: ArrayDataset, times: number): ArrayDataset {
  const order = Int32Array.from({ length: data.length * times }, (_, i) => i % data.length);
  const { inputs, targets } = data.allocate(order.length);
  data.fillBatch(order, 0, order.length, inputs, targets);
  return new ArrayDataset({ ...data, inputs, targets });
}

/** The images as float32, inputs and targets at once. */
function autoencoding({ inputs, inputShape, scale, name }: ArrayDataset): ArrayDataset {
  const values = Float32Array.from(inputs, (v) => v * scale);
  const dtype = 'float32';
  return new ArrayDataset({
    inputs: values,
    targets: values,
    inputShape,
    inputDType: dtype,
    targetShape: inputShape,
    targetDType: dtype,
    name,
  });
}

const dataOf = async ({ data = images, batchSize, batches }: Case): Promise<ArrayDataset> =>
  data(batchSize * batches);

async function run(bench: Case, options: EngineOptions, seconds: number): Promise<Measurement> {
  const { batchSize, distinct } = bench;
  const train = await dataOf(bench);
  const few = train.take(distinct);
  await configure({ device: 'reference' });
  const expected = await firstLosses(bench, few);
  const engine = describeEngine(await freshEngine(options));
  const found = await firstLosses(bench, repeated(few, batchSize / distinct));
  for (const [i, loss] of expected.entries())
    checkError(bench.name, `the loss of step ${i + 1}`, Math.abs(found[i]! - loss) / loss, tolerance);
  return { ...(await timed(bench, train, seconds)), engine };
}

/** How fast `fit` is on the engine as it is configured. */
async function timed(
  bench: Case,
  train: ArrayDataset,
  seconds: number,
): Promise<Omit<Measurement, 'engine'>> {
  const [model, optimizer] = [bench.model(), bench.optimizer()];
  const rates: number[] = [];
  let total = 0;
  const { ops } = await fit(model, train, {
    loss: bench.loss ?? crossEntropy(),
    optimizer,
    batchSize: bench.batchSize,
    epochs: Number.MAX_SAFE_INTEGER,
    seed: 1,
    onEpoch: ({ epoch, samplesPerSecond, seconds: took }) => {
      if (epoch === 1) return true; // plans, pipelines and the engine's compiler warm up
      rates.push(samplesPerSecond);
      total += took;
      return total < seconds || rates.length < 3;
    },
  });
  model.dispose();
  optimizer.dispose();
  return { backend: backendNames(ops), ...summary(rates, 'samples/s') };
}

export const trainingBenches: readonly Bench[] = trainingCases.map((bench) => ({
  name: bench.name,
  run: (options, seconds) => run(bench, options, seconds),
}));

/** Steps on one batch again and again. */
export const trainingPlacements: readonly PlacementCase[] = trainingCases.map((bench) => ({
  name: bench.name,
  unit: 'samples/s',
  async open() {
    const { batchSize, loss = crossEntropy() } = bench;
    const [model, optimizer] = [bench.model(), bench.optimizer()];
    const train = (await dataOf(bench)).take(batchSize);
    await model.initialize(1);
    const pass = new TrainingPass(model, loss, train, optimizer, 1);
    const prepared = await pass.forSize(batchSize);
    const { inputs, targets } = train.allocate(batchSize);
    const order = Int32Array.from({ length: batchSize }, (_, i) => i);
    train.fillBatch(order, 0, batchSize, inputs, targets);
    return {
      prepared,
      feeds: [inputs, targets],
      amount: batchSize,
      settle: () => pass.totals(),
      dispose() {
        pass.dispose();
        model.dispose();
        optimizer.dispose();
      },
    };
  },
}));
