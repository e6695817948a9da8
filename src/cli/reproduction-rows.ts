// Published results that `everygrad reproduce` trains anew: each row is a network, how it is trained, and what was reported.
import { data, loss, nn, optim, schedules } from '../index.js';

/** One published result. */
export interface Row {
  name: string;
  /** What is trained, in a line. */
  about: string;
  /** Test error in percent, and by how much the mean of some seeds may miss it. */
  published: number;
  grace: number;
  epochs: number;
  batchSize: number;
  /** All that decides the result besides the code, for telling whether a kept result is of the same row. */
  settings: Readonly<Record<string, number | string>>;
  model(): nn.Module;
  loss(): loss.Loss;
  /** `examples` are those of the training set. */
  optimizer(examples: number): optim.Optimizer;
  /** How the learning rate changes; it stays where not said. */
  schedule?(): schedules.Schedule;
  /** What is trained on in place of the training set, such as distorted copies. */
  training?(train: data.ArrayDataset): data.Dataset;
}

interface Lecture {
  name: string;
  about: string;
  published: number;
  hidden: number;
  cost: 'quadratic' | 'crossEntropy';
  /** Standard deviation of a unit's first weights: 1/sqrt(inputs) or 1. */
  init: 'fanIn' | 'standard';
  lr: number;
  lambda: number;
}

/**
 * A network of Nielsen's "Neural Networks and Deep Learning", chapters 1 and 3: one hidden layer, all units sigmoid, batches of
 * 10, 30 epochs; the test error of the epoch with the best validation accuracy. The quadratic cost is half the sum of squares
 * over the ten outputs, cross-entropy the binary one summed over them; L2 adds lambda/2n times the sum of squared weights.
 */
function lecture({ name, about, published, hidden, cost, init, lr, lambda }: Lecture): Row {
  const weightInit = init === 'fanIn' ? nn.init.fanInNormal : nn.init.normal();
  const layer = (inputs: number, outputs: number): nn.Module =>
    nn.linear(inputs, outputs, { weightInit, biasInit: nn.init.normal() });
  return {
    ...{ name, about, published, grace: hidden < 100 ? 0.3 : 0.15, epochs: 30, batchSize: 10 },
    settings: { hidden, cost, init, lr, lambda },
    model() {
      const layers = [layer(784, hidden), nn.sigmoid(), layer(hidden, 10)];
      return nn.sequential(...layers, ...(cost === 'quadratic' ? [nn.sigmoid()] : []));
    },
    loss: cost === 'quadratic' ? loss.quadratic : loss.binaryCrossEntropy,
    optimizer: (examples) => optim.sgd({ lr, weightDecay: lambda / examples }),
  };
}

/** Logits of ten classes from (batch, 784) images. */
const models = {
  mlp: () => nn.sequential(nn.linear(784, 800), nn.relu(), nn.linear(800, 10)),
  normedMlp: () => nn.sequential(nn.linear(784, 800), nn.batchNorm(800), nn.relu(), nn.linear(800, 10)),
  lenet: () => nn.sequential(nn.reshape([28, 28, 1]), nn.lenet()),
};

interface Modern {
  name: string;
  about: string;
  published: number;
  model: keyof typeof models;
  lr: number;
  schedule: 'cosine' | 'oneCycle';
  epochs: number;
  batchSize: number;
  distortions?: data.AugmentOptions;
}

/** Softmax and cross-entropy, momentum 0.9, a falling rate and a little L2; images distorted anew in each epoch. */
function modern({ name, about, published, epochs, batchSize, ...how }: Modern): Row {
  const { model, schedule, lr, distortions } = how;
  const sgd = { lr, momentum: 0.9, weightDecay: 1e-4 };
  return {
    ...{ name, about, published, grace: 0.15, epochs, batchSize },
    settings: {
      ...{ model, schedule, ...sgd },
      ...(distortions && { distortions: JSON.stringify(distortions) }),
    },
    model: models[model],
    loss: () => loss.crossEntropy(),
    optimizer: () => optim.sgd(sgd),
    schedule: () => schedules[schedule](),
    ...(distortions && { training: (train) => data.augment(train, distortions) }),
  };
}

const quadratic = { cost: 'quadratic', lr: 3, lambda: 0, init: 'fanIn' } as const;
const crossEntropy = { cost: 'crossEntropy', lr: 0.5, lambda: 0, init: 'fanIn' } as const;
const withL2 = { ...crossEntropy, lambda: 5 } as const;

const lectures: readonly Row[] = [
  { name: 'mnist-30-quadratic', published: 5.53, hidden: 30, ...quadratic },
  { name: 'mnist-30-crossentropy', published: 4.86, hidden: 30, ...crossEntropy },
  { name: 'mnist-30-l2', published: 4.03, hidden: 30, ...withL2 },
  { name: 'mnist-100-quadratic', published: 3.74, hidden: 100, ...quadratic },
  { name: 'mnist-100-crossentropy', published: 3.0, hidden: 100, ...crossEntropy },
  { name: 'mnist-100-l2', published: 2.56, hidden: 100, ...withL2 },
].map((row) => lecture({ ...row, about: aboutLecture(row) }));

function aboutLecture({ hidden, cost, lambda }: Omit<Lecture, 'about'>): string {
  const how = cost === 'quadratic' ? 'quadratic cost' : 'cross-entropy';
  return `784-${hidden}-10 sigmoid units, ${how}${lambda > 0 ? `, L2 with lambda ${lambda}` : ''}`;
}

/** Degrees, parts and pixels by which images are turned, stretched, sheared and moved, and a field that bends them. */
const affine = { shift: 1, rotate: 10, scale: 0.1, skew: 0.1 };
const elastic = { elastic: { alpha: 25, sigma: 4 } };
const units = '784-800-10 units, ReLU and softmax';
const plain = { model: 'mlp', lr: 0.1, schedule: 'cosine', batchSize: 100 } as const;
const normed = { ...plain, model: 'normedMlp', lr: 0.2 } as const;
const lenet = { model: 'lenet', lr: 0.1, schedule: 'oneCycle', batchSize: 64 } as const;

const modernRows: readonly Modern[] = [
  { name: 'mnist-800-none', published: 1.6, epochs: 12, about: units, ...plain },
  {
    ...{ name: 'mnist-800-affine', published: 1.1, epochs: 25, about: `${units}, affine distortions` },
    ...{ ...normed, distortions: affine },
  },
  {
    ...{ name: 'mnist-800-elastic', published: 0.7, epochs: 40, about: `${units}, elastic distortions` },
    ...{ ...normed, distortions: elastic },
  },
  { name: 'lenet', published: 1, epochs: 3, about: 'LeNet with batch norm', ...lenet },
  {
    ...{
      name: 'lenet-affine',
      published: 0.5,
      epochs: 10,
      about: 'LeNet with batch norm, affine distortions',
    },
    ...{ ...lenet, distortions: affine },
  },
];

/** In the order of the tables. */
export const rows: readonly Row[] = [...lectures, ...modernRows.map(modern)];
