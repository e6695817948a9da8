// Losses: functions of prediction (batch, ...) and target that give one number, the mean over the batch.
import { sameShape, showShape } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import {
  abs,
  add,
  cast,
  crossEntropyLogits,
  div,
  exp,
  log,
  logSoftmax,
  mean,
  mul,
  neg,
  oneHot,
  relu,
  square,
  sub,
  sum,
} from '../ops/index.js';

/** A loss, with the name that shows in messages. */
export type Loss = ((prediction: Tensor, target: Tensor) => Tensor) & { readonly lossName: string };

const named = (lossName: string, f: (prediction: Tensor, target: Tensor) => Tensor): Loss =>
  Object.assign((prediction: Tensor, target: Tensor) => f(prediction, target), { lossName });

/** Targets as a distribution or vector for each row: class labels (batch) int32 become one-hot rows. */
function targetRows(where: string, prediction: Tensor, target: Tensor): Tensor {
  const rows = prediction.shape;
  if (target.dtype === 'int32' && sameShape(target.shape, rows.slice(0, -1)))
    return oneHot(target, rows.at(-1)!, prediction.dtype);
  if (sameShape(target.shape, rows)) return cast(target, prediction.dtype);
  throw new ShapeError({
    where,
    problem: `prediction is ${showShape(rows)}, target is ${target.dtype} ${showShape(target.shape)}`,
    hint: 'targets are labels (batch) int32, or have the shape of the prediction',
    values: { prediction: rows, target: target.shape },
  });
}

/** Sum over all but the batch axis, mean over the batch. */
const perExample = (values: Tensor): Tensor => div(sum(values), values.shape[0]!);

export interface CrossEntropyOptions {
  /** Part of the target that is spread evenly over all classes (Szegedy et al. 2016). */
  labelSmoothing?: number;
}

/**
 * Cross-entropy of logits (batch, classes) with labels (batch) int32 or distributions (batch, classes):
 * -sum(t log softmax(z)), mean over the batch.
 */
export function crossEntropy({ labelSmoothing = 0 }: CrossEntropyOptions = {}): Loss {
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new OptionError({
      where: 'crossEntropy',
      problem: `labelSmoothing is ${labelSmoothing}`,
      hint: 'from 0, below 1',
    });
  }
  return named('crossEntropy', (logits, target) => {
    const labels =
      target.dtype === 'int32' && target.rank > 0 && sameShape(target.shape, logits.shape.slice(0, -1));
    if (labels && labelSmoothing === 0) return perExample(crossEntropyLogits(logits, target));
    const rows = targetRows('crossEntropy', logits, target);
    const classes = logits.shape.at(-1)!;
    const smooth = labelSmoothing > 0 ? add(mul(rows, 1 - labelSmoothing), labelSmoothing / classes) : rows;
    return neg(perExample(mul(smooth, logSoftmax(logits))));
  });
}

/**
 * Binary cross-entropy of logits with targets in [0, 1], summed over the outputs, mean over the batch: the
 * cross-entropy of sigmoid outputs (Nielsen, "Neural Networks and Deep Learning", chapter 3). Stable: max(z, 0) - z t +
 * log(1 + exp(-|z|)).
 */
export const binaryCrossEntropy = (): Loss =>
  named('binaryCrossEntropy', (logits, target) => {
    const rows = targetRows('binaryCrossEntropy', logits, target);
    return perExample(add(sub(relu(logits), mul(logits, rows)), log(add(1, exp(neg(abs(logits)))))));
  });

/** Half the sum of squared differences over the outputs, mean over the batch. */
export const quadratic = (): Loss =>
  named('quadratic', (prediction, target) =>
    mul(perExample(square(sub(prediction, targetRows('quadratic', prediction, target)))), 0.5),
  );

/** Mean of squared differences over all elements. */
export const meanSquaredError = (): Loss =>
  named('meanSquaredError', (prediction, target) =>
    mean(square(sub(prediction, targetRows('meanSquaredError', prediction, target)))),
  );

/** The right dtype for a loss is float; says so for anything else. */
export function checkLoss(where: string, value: Tensor): Tensor {
  if (value.size === 1 && (value.dtype === 'float32' || value.dtype === 'float64')) return value;
  throw new DTypeError({
    where,
    problem: `the loss gives ${value.dtype} ${showShape(value.shape)}`,
    hint: 'it must be one float: reduce it with sum() or mean()',
  });
}
