// Runs of optimizers and the training of a small network, compared with PyTorch step by step.
import { sizeOf } from '../../src/dtype.js';
import type { Optimizer } from '../../src/optim/index.js';
import * as optim from '../../src/optim/index.js';
import { RandomStream } from '../../src/philox.js';

export const steps = 10;

/** Names are what make.py knows; the settings are in both places because their names differ there. */
export const optimizers: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => optim.sgd({ lr: 0.1 }),
  'sgd momentum': () => optim.sgd({ lr: 0.1, momentum: 0.9 }),
  'sgd nesterov': () => optim.sgd({ lr: 0.1, momentum: 0.8, nesterov: true }),
  'sgd weightDecay': () => optim.sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.05 }),
  adam: () => optim.adam({ lr: 0.05 }),
  'adam betas': () => optim.adam({ lr: 0.05, betas: [0.8, 0.95], eps: 1e-4 }),
  'adam weightDecay': () => optim.adam({ lr: 0.05, weightDecay: 0.1 }),
  adamW: () => optim.adamW({ lr: 0.05, weightDecay: 0.1 }),
  'sgd clipNorm': () => optim.sgd({ lr: 0.1, momentum: 0.9, clipNorm: 1.5 }),
  'sgd clipValue': () => optim.sgd({ lr: 0.1, momentum: 0.9, clipValue: 0.4 }),
  'sgd groups': () =>
    optim.sgd({
      lr: 0.1,
      weightDecay: 0.05,
      groups: [{ parameters: (p) => p.rank === 1, lr: 0.03, weightDecay: 0.2, decayBiases: true }],
    }),
  'sgd l1': () => optim.sgd({ lr: 0.1, l1: 0.05 }),
  'sgd maxNorm': () => optim.sgd({ lr: 0.1, momentum: 0.9, maxNorm: 0.6 }),
  amsGrad: () => optim.amsGrad({ lr: 0.05, betas: [0.8, 0.7] }),
  'adamW amsgrad': () => optim.adamW({ lr: 0.05, betas: [0.8, 0.7], weightDecay: 0.1, amsgrad: true }),
  adagrad: () => optim.adagrad({ lr: 0.1 }),
  'adagrad lrDecay': () =>
    optim.adagrad({ lr: 0.1, lrDecay: 0.1, initialAccumulator: 0.2, weightDecay: 0.05 }),
  rmsProp: () => optim.rmsProp({ lr: 0.01 }),
  'rmsProp centered momentum': () =>
    optim.rmsProp({ lr: 0.01, alpha: 0.9, centered: true, momentum: 0.8, weightDecay: 0.05 }),
  adadelta: () => optim.adadelta({ lr: 0.7, rho: 0.8 }),
  lamb: () => optim.lamb({ lr: 0.02, weightDecay: 0.1 }),
  lion: () => optim.lion({ lr: 0.02, weightDecay: 0.1 }),
};

/** A network of linear layers with an activation between. */
export interface Network {
  readonly sizes: readonly number[];
  readonly activation: 'sigmoid' | 'relu';
  readonly loss: 'crossEntropy' | 'quadratic';
  readonly optimizer: string;
}

export const networks: Readonly<Record<string, Network>> = {
  // One layer and a quadratic loss show the optimizers alone.
  ...Object.fromEntries(
    Object.keys(optimizers).map((optimizer): [string, Network] => [
      optimizer,
      { sizes: [3, 4], activation: 'relu', loss: 'quadratic', optimizer },
    ]),
  ),
  'classifier, sgd': {
    sizes: [6, 8, 5, 3],
    activation: 'sigmoid',
    loss: 'crossEntropy',
    optimizer: 'sgd momentum',
  },
  'classifier, adam': { sizes: [6, 8, 5, 3], activation: 'relu', loss: 'crossEntropy', optimizer: 'adam' },
};

export const batch = 12;

/** First weights (inputs, outputs) and biases, inputs, and targets: labels or vectors. */
export function materials({ sizes, loss }: Network) {
  const random = new RandomStream(16, 0);
  const draw = (n: number, scale: number): number[] =>
    Array.from({ length: n }, () => Math.fround(scale * (2 * random.uniform() - 1)));
  const layers = sizes.slice(1).map((n, i) => ({ weight: draw(sizes[i]! * n, 1), bias: draw(n, 0.5) }));
  const inputs = draw(batch * sizes[0]!, 2);
  const outputs = sizes.at(-1)!;
  const targets =
    loss === 'quadratic'
      ? draw(batch * outputs, 1)
      : Array.from({ length: batch }, () => random.integer(outputs));
  return { layers, inputs, targets };
}

/** Batches (4, 3, 2, channels) that a batch norm sees one after the other, and its momentum. */
export function normBatches() {
  const random = new RandomStream(17, 0);
  const shape = [4, 3, 2, 5];
  const inputs = Array.from({ length: 4 }, (_, i) =>
    Array.from({ length: sizeOf(shape) }, () => Math.fround(random.uniform() * (i + 1) + i)),
  );
  return { shape, inputs, momentum: 0.3 };
}
