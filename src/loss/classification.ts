// Losses of classifiers. Those of probabilities take logits, what comes before softmax or sigmoid, as that is stable.
import { showShape } from '../dtype.js';
import { checkOptionNames, ShapeError } from '../errors.js';
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
  max,
  maximum,
  mean,
  mul,
  neg,
  notEqual,
  ones,
  relu,
  square,
  sub,
  sum,
} from '../ops/index.js';
import { tensor } from '../tensor.js';
import {
  areLabels,
  checkOption,
  type Loss,
  labelRows,
  named,
  perElement,
  perExample,
  targetRows,
  weightsFor,
} from './common.js';

/** Options of `nll`. */
export interface NllOptions {
  /** How much each class counts; the mean is then divided by the weights of the labels, as in PyTorch. */
  classWeights?: readonly number[];
  /** Examples with this label are left out. */
  ignoreLabel?: number;
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends NllOptions {
  /** Part of the target that is spread evenly over all classes (Szegedy et al. 2016). */
  labelSmoothing?: number;
}

/** -sum(w t log p) over the classes, mean over the rows that count. */
function negativeLogLikelihood(
  where: string,
  logs: Tensor,
  target: Tensor,
  weights: Tensor | undefined,
  { classWeights, ignoreLabel, labelSmoothing = 0 }: CrossEntropyOptions,
): Tensor {
  const classes = logs.shape.at(-1)!;
  const rows = targetRows(where, logs, target);
  const smooth = labelSmoothing > 0 ? add(mul(rows, 1 - labelSmoothing), labelSmoothing / classes) : rows;
  if (!weights && !classWeights && ignoreLabel === undefined)
    return neg(div(sum(mul(smooth, logs)), logs.size / classes));
  let [weighted, counts] = [smooth, sum(rows, -1)];
  if (classWeights) {
    if (classWeights.length !== classes || !classWeights.every((w) => w >= 0)) {
      throw new ShapeError({
        where,
        problem: `${classWeights.length} class weights for predictions ${showShape(logs.shape)}: ${classWeights}`,
        hint: 'one weight >= 0 for each class',
        values: { classWeights, prediction: logs.shape },
      });
    }
    const each = tensor([...classWeights], { dtype: logs.dtype });
    weighted = mul(smooth, each);
    counts = sum(mul(rows, each), -1);
  }
  // The rows of distributions all count alike.
  if (!areLabels(logs, target)) counts = ones(counts.shape, logs.dtype);
  let mask = weights && weightsFor(where, counts, weights);
  if (ignoreLabel !== undefined && areLabels(logs, target)) {
    const kept = cast(notEqual(target, ignoreLabel), logs.dtype);
    mask = mask ? mul(mask, kept) : kept;
  }
  const values = neg(sum(mul(weighted, logs), -1));
  return mask ? div(sum(mul(values, mask)), sum(mul(counts, mask))) : div(sum(values), sum(counts));
}

/**
 * Cross-entropy of logits (batch, ..., classes) with labels (batch, ...) int32 or distributions (batch, ..., classes):
 * -sum(t log softmax(z)), mean over all rows.
 */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  const { labelSmoothing = 0, classWeights, ignoreLabel } = options;
  checkOptionNames('crossEntropy', options, ['classWeights', 'ignoreLabel', 'labelSmoothing']);
  checkOption(
    'crossEntropy',
    'labelSmoothing',
    labelSmoothing,
    labelSmoothing >= 0 && labelSmoothing < 1,
    'from 0, below 1',
  );
  const plain = labelSmoothing === 0 && !classWeights && ignoreLabel === undefined;
  return named('crossEntropy', (logits, target, weights) => {
    // What is most common has kernels of its own, one for each way.
    if (plain && !weights && target.rank > 0 && areLabels(logits, target))
      return mean(crossEntropyLogits(logits, target));
    return negativeLogLikelihood('crossEntropy', logSoftmax(logits), target, weights, options);
  });
}

/** Negative log-likelihood of log-probabilities, what `nn.logSoftmax` gives: -sum(t log p), mean over all rows. */
export function nll(options: NllOptions = {}): Loss {
  checkOptionNames('nll', options, ['classWeights', 'ignoreLabel']);
  return named('nll', (logs, target, weights) =>
    negativeLogLikelihood('nll', logs, target, weights, options),
  );
}

/** Options of `binaryCrossEntropy`. */
export interface BinaryCrossEntropyOptions {
  /** How much the part t log p counts against the part of what is not there; 1 where not said. */
  positiveWeight?: number;
}

/**
 * Binary cross-entropy of logits with targets in [0, 1], summed over the outputs, mean over the batch: the
 * cross-entropy of sigmoid outputs (Nielsen, "Neural Networks and Deep Learning", chapter 3). Stable: max(z, 0) - z t +
 * log(1 + exp(-|z|)).
 */
export function binaryCrossEntropy(options: BinaryCrossEntropyOptions = {}): Loss {
  const where = 'binaryCrossEntropy';
  const { positiveWeight = 1 } = options;
  checkOptionNames(where, options, ['positiveWeight']);
  checkOption(where, 'positiveWeight', positiveWeight, positiveWeight > 0, 'a number > 0');
  return named(where, (logits, target, weights) => {
    const rows = targetRows(where, logits, target);
    const small = log(add(1, exp(neg(abs(logits)))));
    if (positiveWeight === 1)
      return perExample(where, add(sub(relu(logits), mul(logits, rows)), small), weights);
    // (1 - t) z + (1 + (w - 1) t) log(1 + exp(-z))
    const scale = add(1, mul(rows, positiveWeight - 1));
    const softplus = add(small, relu(neg(logits)));
    return perExample(where, add(mul(sub(1, rows), logits), mul(scale, softplus)), weights);
  });
}

/**
 * The perceptron's loss (Rosenblatt 1958): max(0, -t z) for targets t of -1 and 1 in the shape of the prediction, mean over
 * all elements; for labels the amount by which the largest output beats the right one: max(z) - z_label, mean over the rows.
 */
export const perceptron = (): Loss =>
  named('perceptron', (prediction, target, weights) => {
    const rows = targetRows('perceptron', prediction, target);
    const values = areLabels(prediction, target)
      ? sub(max(prediction, -1), sum(mul(prediction, rows), -1))
      : relu(neg(mul(prediction, rows)));
    return perElement('perceptron', values, weights);
  });

/** Options of `hinge` and `multiClassHinge`. */
export interface HingeOptions {
  /** By how much the right side must win; 1 where not said. */
  margin?: number;
  /** Squares each violation (Tang 2013). */
  squared?: boolean;
}

/**
 * Hinge loss of support vector machines (Cortes and Vapnik 1995): max(0, margin - t z) for targets t of -1 and 1, mean over
 * all elements.
 */
export function hinge(options: HingeOptions = {}): Loss {
  const { margin = 1, squared = false } = options;
  checkOptionNames('hinge', options, ['margin', 'squared']);
  checkOption('hinge', 'margin', margin, margin > 0, 'a number > 0');
  return named('hinge', (prediction, target, weights) => {
    const violation = relu(sub(margin, mul(prediction, targetRows('hinge', prediction, target))));
    return perElement('hinge', squared ? square(violation) : violation, weights);
  });
}

/**
 * Multi-class hinge loss (Weston and Watkins 1999): for each wrong class j, max(0, margin - z_label + z_j), summed and divided
 * by the number of classes, mean over the rows; as in PyTorch's multi_margin_loss.
 */
export function multiClassHinge(options: HingeOptions = {}): Loss {
  const { margin = 1, squared = false } = options;
  checkOptionNames('multiClassHinge', options, ['margin', 'squared']);
  checkOption('multiClassHinge', 'margin', margin, margin > 0, 'a number > 0');
  return named('multiClassHinge', (prediction, target, weights) => {
    const rows = labelRows('multiClassHinge', prediction, target);
    const right = sum(mul(prediction, rows), -1, { keepDims: true });
    const violation = relu(add(sub(prediction, right), margin));
    const values = mul(squared ? square(violation) : violation, sub(1, rows));
    return perElement('multiClassHinge', values, weights);
  });
}

/**
 * Kullback-Leibler divergence of softmax(z) from target distributions: sum(t (log t - log softmax(z))), mean over the batch.
 * Log-probabilities do as well as logits: softmax leaves them as they are.
 */
export const klDivergence = (): Loss =>
  named('klDivergence', (logits, target, weights) => {
    const rows = targetRows('klDivergence', logits, target);
    // 0 log 0 is 0.
    const logs = log(maximum(rows, 1e-37));
    return perExample('klDivergence', mul(rows, sub(logs, logSoftmax(logits))), weights);
  });
