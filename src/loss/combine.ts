// Losses made of losses: weighted sums, several tasks on one network, penalties on parameters.
import { showShape } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import type { Parameter } from '../nn/module.js';
import { abs, add, cast, mul, reshape, slice, square, sum } from '../ops/index.js';
import { type Loss, named } from './common.js';

/** Sum of scalars, each times its weight: w1 a + w2 b + ... */
export function weightedSum(values: readonly Tensor[], weights: readonly number[]): Tensor {
  if (values.length !== weights.length || values.length === 0) {
    throw new OptionError({
      where: 'weightedSum',
      problem: `${values.length} values and ${weights.length} weights`,
      hint: 'as many weights as values, at least one',
    });
  }
  return values.map((v, i) => (weights[i] === 1 ? v : mul(v, weights[i]!))).reduce((a, b) => add(a, b));
}

/** One task of several: which columns are its own, and how much it counts. */
export interface Task {
  loss: Loss;
  /** How many of the model's outputs belong to it; tasks follow one another. */
  outputs: number;
  /** How many columns of the targets; `'label'` is one column that holds the number of a class. */
  targets: number | 'label';
  /** 1 where not said. */
  weight?: number;
}

/**
 * Several tasks on one network (Caruana 1997): predictions (batch, all outputs) and targets (batch, all columns) are cut
 * into the tasks' columns, in order, and the tasks' losses added up by their weights.
 */
export const multiTask = (tasks: readonly Task[]): Loss =>
  named('multiTask', (prediction, target, weights) => {
    const width = ({ targets }: Task): number => (targets === 'label' ? 1 : targets);
    const wanted = [
      tasks.reduce((n, t) => n + t.outputs, 0),
      tasks.reduce((n, t) => n + width(t), 0),
    ] as const;
    if (
      prediction.rank !== 2 ||
      target.rank !== 2 ||
      String(wanted) !== `${prediction.shape[1]},${target.shape[1]}`
    ) {
      throw new ShapeError({
        where: 'multiTask',
        problem: `prediction is ${showShape(prediction.shape)}, target ${showShape(target.shape)}`,
        hint: `the tasks need ${wanted[0]} outputs and ${wanted[1]} columns of targets`,
        values: { prediction: prediction.shape, target: target.shape, wanted },
      });
    }
    const columns = (t: Tensor, from: number, n: number): Tensor =>
      slice(t, [0, from], [t.shape[0]!, from + n]);
    let [output, column] = [0, 0];
    const values = tasks.map((task) => {
      const own = columns(target, column, width(task));
      const labels = task.targets === 'label' ? cast(reshape(own, [own.shape[0]!]), 'int32') : own;
      const value = task.loss(columns(prediction, output, task.outputs), labels, weights);
      output += task.outputs;
      column += width(task);
      return value;
    });
    return weightedSum(
      values,
      tasks.map(({ weight = 1 }) => weight),
    );
  });

const penalty = (parameters: readonly Parameter[], strength: number, f: (p: Tensor) => Tensor): Tensor =>
  mul(
    parameters
      .filter((p) => p.decays)
      .map((p) => sum(f(p)))
      .reduce((a, b) => add(a, b)),
    strength,
  );

/** strength times the sum of the weights' sizes, biases left out: a term of a loss. */
export const l1Penalty = (parameters: readonly Parameter[], strength: number): Tensor =>
  penalty(parameters, strength, abs);
/** strength/2 times the sum of squared weights, biases left out: a term of a loss, what `weightDecay` does in `sgd`. */
export const l2Penalty = (parameters: readonly Parameter[], strength: number): Tensor =>
  penalty(parameters, strength / 2, square);
