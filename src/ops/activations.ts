// Activation functions beyond the common ones, made of ops.

import { showShape } from '../dtype.js';
import { ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { add, div, exp, less, minimum, mul, neg, relu, square, sub, where } from './arithmetic.js';
import { clamp } from './compositions.js';
import { matmul } from './matmul.js';
import { reshape } from './movement.js';
import { max, sum } from './reduce.js';
import { softmax } from './softmax.js';

/** x above 0, slopes x below, slopes (channels) along the last axis (He et al. 2015). */
export const prelu = (x: Tensor, slopes: Tensor): Tensor => where(less(0, x), x, mul(x, slopes));

const seluAlpha = 1.6732632423543772;
const seluScale = 1.0507009873554805;

/** 1.0507 x above 0, 1.7581 (exp(x) - 1) below: keeps mean 0 and variance 1 through layers (Klambauer et al. 2017). */
export const selu = (x: Tensor): Tensor =>
  mul(where(less(0, x), x, mul(sub(exp(minimum(x, 0)), 1), seluAlpha)), seluScale);

/** x/6 + 1/2, cut to [0, 1]. */
export const hardSigmoid = (x: Tensor): Tensor => clamp(add(div(x, 6), 0.5), 0, 1);

/** x hardSigmoid(x) (Howard et al. 2019). */
export const hardSwish = (x: Tensor): Tensor => mul(x, hardSigmoid(x));

/** The largest of each `pieces` neighbours: (..., units pieces) becomes (..., units) (Goodfellow et al. 2013). */
export function maxout(x: Tensor, pieces: number): Tensor {
  const last = x.shape.at(-1) ?? 0;
  if (!Number.isInteger(pieces) || pieces < 1 || last % pieces !== 0 || x.rank === 0) {
    throw new ShapeError({
      where: 'maxout',
      problem: `${showShape(x.shape)} does not come in groups of ${pieces}`,
      hint: 'the last axis must be a multiple of the number of pieces, a whole number from 1',
      values: { shape: x.shape, pieces },
    });
  }
  return max(reshape(x, [...x.shape.slice(0, -1), last / pieces, pieces]), -1);
}

/** softmax(x / temperature) along the axis: above 1 more even, below 1 more decided (Hinton, Vinyals and Dean 2015). */
export const softmaxWithTemperature = (x: Tensor, temperature: number, axis = -1): Tensor =>
  softmax(temperature === 1 ? x : div(x, temperature), axis);

/**
 * exp(-|x - c_j|^2 exp(p_j)) for rows x (..., n), columns c (n, units) and logarithms p (units) of 1 / (2 width^2) (Broomhead
 * and Lowe 1988). The distances come from one matrix product: x^2 - 2 x c + c^2.
 */
export function radialBasis(x: Tensor, centers: Tensor, logPrecision: Tensor): Tensor {
  const ofRows = sum(square(x), -1, { keepDims: true });
  const ofCenters = sum(square(centers), 0);
  // Rounding may take a distance of nothing below 0.
  const distances = relu(sub(add(ofRows, ofCenters), mul(matmul(x, centers), 2)));
  return exp(neg(mul(distances, exp(logPrecision))));
}
