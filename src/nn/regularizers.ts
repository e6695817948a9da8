// Layers that keep a network from learning its training data by heart: noise, and penalties on what units do.
import { checkOptionNames, OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { abs, add, clamp, div, log, mean, mul, randomNormal, square, sub, sum } from '../ops/index.js';
import { Lambda } from './layers.js';

/** In training adds normal noise of mean 0 and this standard deviation (Sietsma and Dow 1991); on inputs or between layers. */
export function gaussianNoise(std: number): Lambda {
  if (!(std >= 0 && Number.isFinite(std))) {
    throw new OptionError({
      where: 'gaussianNoise',
      problem: `std is ${std}`,
      hint: 'a standard deviation, a number from 0',
      values: { std },
    });
  }
  return new Lambda('gaussianNoise', (x, { training, random }) => {
    if (!training || std === 0) return x;
    return add(x, mul(randomNormal(x.shape, { ...random.next(), dtype: x.dtype }), std));
  });
}

/** Options of `activityRegularizer`. */
export interface ActivityOptions {
  /** Times the sum of the activations' sizes, mean over the batch. */
  l1?: number;
  /** Times the sum of squared activations, mean over the batch. */
  l2?: number;
  /**
   * Sparsity: `weight` times the sum over the units of KL(target || mean activation over the batch), for activations in
   * (0, 1) (Ng, "Sparse autoencoder", 2011).
   */
  sparsity?: { target: number; weight: number };
}

/** Leaves what passes through as it is, and adds a penalty on it to the loss of a training step. */
export function activityRegularizer(options: ActivityOptions): Lambda {
  const { l1 = 0, l2 = 0, sparsity } = options;
  checkOptionNames('activityRegularizer', options, ['l1', 'l2', 'sparsity']);
  checkOptionNames('activityRegularizer: sparsity', sparsity, ['target', 'weight']);
  const { target, weight } = sparsity ?? { target: 0.5, weight: 0 };
  if (!(l1 >= 0 && l2 >= 0 && weight >= 0 && target > 0 && target < 1)) {
    throw new OptionError({
      where: 'activityRegularizer',
      problem: `l1 is ${l1}, l2 is ${l2}, the target of sparsity is ${target}, its weight ${weight}`,
      hint: 'l1, l2 and weight from 0; the target above 0 and below 1',
      values: { l1, l2, target, weight },
    });
  }
  return new Lambda('activityRegularizer', (x, { penalties }) => {
    if (!penalties) return x;
    const perExample = (values: Tensor): Tensor => div(sum(values), x.shape[0]!);
    if (l1 > 0) penalties.push(mul(perExample(abs(x)), l1));
    if (l2 > 0) penalties.push(mul(perExample(square(x)), l2));
    if (sparsity) penalties.push(mul(sparsityPenalty(x, target), sparsity.weight));
    return x;
  });
}

/** Sum over the units of KL(target || mean over the batch): t log(t/m) + (1-t) log((1-t)/(1-m)). */
function sparsityPenalty(x: Tensor, target: number): Tensor {
  // A unit that is always or never on must not give an infinite loss.
  const means = clamp(mean(x, 0), 1e-6, 1 - 1e-6);
  const on = mul(log(div(target, means)), target);
  const off = mul(log(div(1 - target, sub(1, means))), 1 - target);
  return sum(add(on, off));
}
