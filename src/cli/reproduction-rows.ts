// Published results that `everygrad reproduce` trains anew: each row is a network, how it is trained, and what was reported.
import { type data, loss, nn, optim } from '../index.js';

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

const quadratic = { cost: 'quadratic', lr: 3, lambda: 0, init: 'fanIn' } as const;
const crossEntropy = { cost: 'crossEntropy', lr: 0.5, lambda: 0, init: 'fanIn' } as const;
const withL2 = { ...crossEntropy, lambda: 5 } as const;

/** In the order of the table. */
export const rows: readonly Row[] = [
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
