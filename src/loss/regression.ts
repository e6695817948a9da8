// Losses of predictions that are numbers, not classes.
import { showShape } from '../dtype.js';
import { checkOptionNames, ShapeError } from '../errors.js';
import { abs, add, cast, exp, lessEqual, mul, neg, slice, square, sub, where } from '../ops/index.js';
import { checkOption, type Loss, named, perElement, perExample, targetRows } from './common.js';

/** Half the sum of squared differences over the outputs, mean over the batch. */
export const quadratic = (): Loss =>
  named('quadratic', (prediction, target, weights) => {
    const rows = targetRows('quadratic', prediction, target);
    return mul(perExample('quadratic', square(sub(prediction, rows)), weights), 0.5);
  });

/** Mean of squared differences over all elements. */
export const meanSquaredError = (): Loss =>
  named('meanSquaredError', (prediction, target, weights) => {
    const rows = targetRows('meanSquaredError', prediction, target);
    return perElement('meanSquaredError', square(sub(prediction, rows)), weights);
  });

/** Mean of the sizes of differences over all elements; the gradient where there is no difference is 0. */
export const l1 = (): Loss =>
  named('l1', (prediction, target, weights) =>
    perElement('l1', abs(sub(prediction, targetRows('l1', prediction, target))), weights),
  );

/**
 * Huber's loss (1964): d^2/2 for differences up to delta, delta (|d| - delta/2) beyond, mean over all elements. Outliers
 * pull no harder than delta.
 */
export function huber(options: { delta?: number } = {}): Loss {
  const { delta = 1 } = options;
  checkOptionNames('huber', options, ['delta']);
  checkOption('huber', 'delta', delta, delta > 0, 'a number > 0');
  return named('huber', (prediction, target, weights) => {
    const d = sub(prediction, targetRows('huber', prediction, target));
    const size = abs(d);
    const values = where(lessEqual(size, delta), mul(square(d), 0.5), mul(sub(size, delta / 2), delta));
    return perElement('huber', values, weights);
  });
}

/** log(2 pi) / 2 */
const logRoot2Pi = 0.9189385332046727;

/**
 * Negative log-likelihood of normal distributions (Nix and Weigend 1994). A prediction (batch, 2 n) holds n means and after
 * them the logarithms of n variances; targets are (batch, n): (log v + (t - m)^2 / v) / 2, mean over all elements;
 * `full` adds the constant log(2 pi) / 2.
 */
export function gaussianNll(options: { full?: boolean } = {}): Loss {
  const { full = false } = options;
  checkOptionNames('gaussianNll', options, ['full']);
  return named('gaussianNll', (prediction, target, weights) => {
    const outputs = prediction.shape.at(-1)!;
    const half = [...prediction.shape.slice(0, -1), outputs / 2];
    if (outputs % 2 !== 0 || String(target.shape) !== String(half)) {
      throw new ShapeError({
        where: 'gaussianNll',
        problem: `prediction is ${showShape(prediction.shape)}, target is ${showShape(target.shape)}`,
        hint: 'the prediction has a mean and the logarithm of a variance for each target: (batch, 2 n) for (batch, n)',
        values: { prediction: prediction.shape, target: target.shape },
      });
    }
    const part = (from: number, to: number) =>
      slice(
        prediction,
        prediction.shape.map((_, i) => (i === prediction.rank - 1 ? from : 0)),
        prediction.shape.map((n, i) => (i === prediction.rank - 1 ? to : n)),
      );
    const [means, logs] = [part(0, outputs / 2), part(outputs / 2, outputs)];
    const squares = mul(square(sub(cast(target, prediction.dtype), means)), exp(neg(logs)));
    const values = mul(add(logs, squares), 0.5);
    return perElement('gaussianNll', full ? add(values, logRoot2Pi) : values, weights);
  });
}
