// What losses share: their type, how targets may come, means over a batch with and without weights.
import { sameShape, showShape } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { cast, div, mean, mul, oneHot, reshape, sum } from '../ops/index.js';

/**
 * A loss: a function of prediction (batch, ...) and target that gives one number, with the name that shows in messages.
 * `weights` (batch) or (batch, ...) say how much each example counts; 0 or false (a mask) leaves it out.
 */
export type Loss = ((prediction: Tensor, target: Tensor, weights?: Tensor) => Tensor) & {
  readonly lossName: string;
};

export const named = (
  lossName: string,
  f: (prediction: Tensor, target: Tensor, weights?: Tensor) => Tensor,
): Loss =>
  Object.assign((prediction: Tensor, target: Tensor, weights?: Tensor) => f(prediction, target, weights), {
    lossName,
  });

/** Whether targets are labels: one int32 for each row of predictions. */
export const areLabels = (prediction: Tensor, target: Tensor): boolean =>
  target.dtype === 'int32' && sameShape(target.shape, prediction.shape.slice(0, -1));

/** Targets as a distribution or vector for each row: class labels (batch) int32 become one-hot rows. */
export function targetRows(where: string, prediction: Tensor, target: Tensor): Tensor {
  const rows = prediction.shape;
  if (areLabels(prediction, target)) return oneHot(target, rows.at(-1)!, prediction.dtype);
  if (sameShape(target.shape, rows)) return cast(target, prediction.dtype);
  throw new ShapeError({
    where,
    problem: `prediction is ${showShape(rows)}, target is ${target.dtype} ${showShape(target.shape)}`,
    hint: 'targets are labels (batch) int32, or have the shape of the prediction',
    values: { prediction: rows, target: target.shape },
  });
}

/** Labels, and nothing else. */
export function labelRows(where: string, prediction: Tensor, target: Tensor): Tensor {
  if (areLabels(prediction, target)) return targetRows(where, prediction, target);
  throw new ShapeError({
    where,
    problem: `prediction is ${showShape(prediction.shape)}, target is ${target.dtype} ${showShape(target.shape)}`,
    hint: 'targets are labels int32, one for each row of the prediction',
    values: { prediction: prediction.shape, target: target.shape },
  });
}

/** Weights as numbers that broadcast over `values`, whose first axes are theirs. */
export function weightsFor(where: string, values: Tensor, weights: Tensor): Tensor {
  const lead = values.shape.slice(0, weights.rank);
  if (!sameShape(lead, weights.shape)) {
    throw new ShapeError({
      where,
      problem: `weights are ${showShape(weights.shape)}, the values that they are for are ${showShape(values.shape)}`,
      hint: 'a weight for each example: (batch), or more of the first axes',
      values: { weights: weights.shape, values: values.shape },
    });
  }
  const rest = values.shape.slice(weights.rank).map(() => 1);
  return reshape(cast(weights, values.dtype), [...weights.shape, ...rest]);
}

/** Sum over all but the batch axis, mean over the batch; weighted: divided by the sum of the weights. */
export function perExample(where: string, values: Tensor, weights?: Tensor): Tensor {
  if (!weights) return div(sum(values), values.shape[0]!);
  const w = weightsFor(where, values, weights);
  // Weights of more than the batch axis count by their mean.
  return div(sum(mul(values, w)), div(sum(w), w.size / w.shape[0]!));
}

/** Mean over all elements; weighted: of the elements of what counts. */
export function perElement(where: string, values: Tensor, weights?: Tensor): Tensor {
  if (!weights) return mean(values);
  const w = weightsFor(where, values, weights);
  return div(sum(mul(values, w)), mul(sum(w), values.size / w.size));
}

export function checkOption(where: string, name: string, value: number, right: boolean, rule: string): void {
  if (right) return;
  throw new OptionError({ where, problem: `${name} is ${value}`, hint: rule, values: { [name]: value } });
}

/** The right dtype for a loss is float; says so for anything else. */
export function checkLoss(where: string, value: Tensor): Tensor {
  if (value.size === 1 && (value.dtype === 'float32' || value.dtype === 'float64')) return value;
  throw new DTypeError({
    where,
    problem: `the loss gives ${value.dtype} ${showShape(value.shape)}`,
    hint: 'it must be one float: reduce it with sum() or mean()',
  });
}
