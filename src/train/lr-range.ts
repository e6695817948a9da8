// The learning-rate range test: raises the rate step by step and watches the loss (Smith 2017).
import { checkCount, type Dataset } from '../data/spec.js';
import { checkOptionNames, OptionError } from '../errors.js';
import { root } from '../exact.js';
import type { Loss } from '../loss/index.js';
import type { Module } from '../nn/module.js';
import type { Optimizer } from '../optim/index.js';
import { breathe } from '../platform.js';
import { read, tensor } from '../tensor.js';
import { TrainingPass } from './step.js';

/** Options of `lrRangeTest`. */
export interface LrRangeOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** The first and the last learning rate; 1e-6 and 10 where not said. */
  from?: number;
  to?: number;
  /** Steps between them; 100 where not said. */
  steps?: number;
  /** Whether rates grow by the same factor (yes where not said) or the same amount, as in the paper. */
  spacing?: 'geometric' | 'linear';
  /** 32 where not said. */
  batchSize?: number;
  seed?: number;
  /** Weight of the past in the smoothed loss; 0.9 where not said. */
  smoothing?: number;
  /** Ends when the smoothed loss is so many times its best; 4 where not said. */
  stopAt?: number;
  signal?: AbortSignal;
}

/** One step of the range test. */
export interface LrRangePoint {
  lr: number;
  /** Of the batch, before the step. */
  loss: number;
  smoothed: number;
}

/** What `lrRangeTest` gives; `lrRangeChart` of `everygrad/plot` draws it. */
export interface LrRangeResult {
  curve: LrRangePoint[];
  /** The rate at which the smoothed loss falls most steeply: a good one to start with. NaN if it never falls. */
  suggestion: number;
}

const optionNames: readonly (keyof LrRangeOptions)[] = [
  ...(['loss', 'optimizer', 'from', 'to', 'steps', 'spacing', 'batchSize', 'seed'] as const),
  ...(['smoothing', 'stopAt', 'signal'] as const),
];

/**
 * Trains with a learning rate that grows from step to step and gives the loss at each (Smith, "Cyclical learning rates for
 * training neural networks", 2017). Weights, the optimizer's state and its rate are afterwards what they were.
 */
export async function lrRangeTest(
  model: Module,
  data: Dataset,
  options: LrRangeOptions,
): Promise<LrRangeResult> {
  checkOptionNames('lrRangeTest', options, optionNames);
  const { loss, optimizer, from = 1e-6, to = 10, steps = 100, spacing = 'geometric' } = options;
  const { batchSize = 32, seed = 0, smoothing = 0.9, stopAt = 4, signal } = options;
  checkCount('lrRangeTest', 'steps', steps);
  checkCount('lrRangeTest', 'batchSize', batchSize);
  if (!(from > 0 && to > from && Number.isFinite(to))) {
    throw new OptionError({
      where: 'lrRangeTest',
      problem: `the rates go from ${from} to ${to}`,
      hint: 'two numbers above 0, the second larger',
      values: { from, to },
    });
  }
  if (!(smoothing >= 0 && smoothing < 1 && stopAt > 1)) {
    throw new OptionError({
      where: 'lrRangeTest',
      problem: `smoothing is ${smoothing}, stopAt is ${stopAt}`,
      hint: 'smoothing from 0, below 1; stopAt above 1',
      values: { smoothing, stopAt },
    });
  }
  await model.initialize(seed);
  const pass = new TrainingPass(model, loss, data, optimizer, seed);
  const curve: LrRangePoint[] = [];
  const gaps = Math.max(1, steps - 1);
  const growth = root(to / from, gaps);
  // The optimizer has its state once a step was recorded.
  await pass.forSize(Math.min(batchSize, data.length ?? batchSize));
  const variables = [...model.variables(), ...optimizer.state()];
  const before = (await read(variables)).map((v) => v.slice());
  try {
    let [lr, mean, weight, best] = [from, 0, 0, Number.POSITIVE_INFINITY];
    for (let epoch = 1; curve.length < steps; epoch++) {
      const first = curve.length;
      for await (const batch of data.batches({ batchSize, shuffle: true, seed, epoch })) {
        if (curve.length === steps || signal?.aborted) break;
        await optimizer.setLearningRate(lr);
        await pass.reset();
        await pass.run(await pass.forSize(batch.size), batch);
        const { loss: now } = await pass.totals();
        // A mean that starts at 0 is divided by the weight of what it has seen, as in Adam.
        mean = smoothing * mean + (1 - smoothing) * now;
        weight = smoothing * weight + (1 - smoothing);
        const smoothed = mean / weight;
        curve.push({ lr, loss: now, smoothed });
        best = Math.min(best, smoothed);
        if (!(smoothed <= stopAt * best)) return { curve, suggestion: steepest(curve) };
        lr = spacing === 'linear' ? from + ((to - from) * curve.length) / gaps : lr * growth;
      }
      if (signal?.aborted || curve.length === first) break;
      await breathe();
    }
    return { curve, suggestion: steepest(curve) };
  } finally {
    await Promise.all(
      variables.map((v, i) => v.assign(tensor(before[i]!, { shape: v.shape, dtype: v.dtype }))),
    );
    pass.dispose();
  }
}

/** The rate in the middle of the steepest fall. */
function steepest(curve: readonly LrRangePoint[]): number {
  let [found, fall] = [Number.NaN, 0];
  for (let i = 1; i + 1 < curve.length; i++) {
    const here = curve[i - 1]!.smoothed - curve[i + 1]!.smoothed;
    if (here > fall) [found, fall] = [curve[i]!.lr, here];
  }
  return found;
}
