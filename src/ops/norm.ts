// Normalisation by channel (batch, instance and group norm) or with given statistics; the last axis holds the channels.
import { type DType, type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { add, mul, neg, reciprocal, sqrt, square, sub } from './arithmetic.js';
import { broadcastTo } from './cast.js';
import { columnAffine, columnAffinePair } from './columns.js';
import { mean as meanOver, zeros } from './compositions.js';
import { moments, pairSums, rowOfPair } from './moments.js';
import { reshape } from './movement.js';
import { withGradient } from './with-gradient.js';

/** Options of the normalisations: (features) each. */
export interface NormOptions {
  /** Multiplies the normalised values, one number for each channel. */
  scale?: Tensor | null;
  /** Is added to them. */
  shift?: Tensor | null;
  /** Added to the variance; 1e-5 where not said. */
  eps?: number;
}

/** What was normalised, and with what: mean and variance (of the population) of each channel. */
export interface Normalized {
  readonly output: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

const defaultEps = 1e-5;

export function checkEps(where: string, eps: number): void {
  if (eps >= 0 && Number.isFinite(eps)) return;
  throw new OptionError({
    where,
    problem: `eps is ${eps}`,
    hint: 'a number >= 0, such as 1e-5',
    values: { eps },
  });
}

/** There must be one number for each channel. */
function checkChannels(
  where: string,
  x: Tensor,
  given: NormOptions & { readonly mean?: Tensor; readonly variance?: Tensor },
): void {
  const channels = x.shape.at(-1);
  for (const name of ['mean', 'variance', 'scale', 'shift'] as const) {
    const t = given[name];
    if (!t || (t.rank === 1 && t.shape[0] === channels)) continue;
    throw new ShapeError({
      where,
      problem: `${name} is ${showShape(t.shape)}, the input ${showShape(x.shape)} has ${channels} channels`,
      hint: 'one number for each element of the last axis',
      values: { [name]: t.shape, input: x.shape },
    });
  }
}

const inverseDeviation = (variance: Tensor, eps: number): Tensor => reciprocal(sqrt(add(variance, eps)));

/** A tensor of `shape` with the values of one number for each channel. */
const spreadOut = (t: Tensor | null, shape: Shape, dtype: DType): Tensor => {
  if (!t) return zeros(shape, dtype);
  return sameShape(t.shape, shape) ? t : broadcastTo(t, shape);
};

/**
 * (x - mean) / sqrt(variance + eps) * scale + shift with given statistics for each channel: what batch norm does when a
 * model is used.
 */
export function normalize(x: Tensor, mean: Tensor, variance: Tensor, options: NormOptions = {}): Tensor {
  const { scale, shift = null, eps = defaultEps } = options;
  checkEps('normalize', eps);
  checkChannels('normalize', x, { mean, variance, ...options });
  const factor = inverseDeviation(variance, eps);
  const scaled = scale ? mul(scale, factor) : factor;
  const moved = mul(mean, scaled);
  return add(mul(x, scaled), shift ? sub(shift, moved) : neg(moved));
}

/**
 * Normalises over the axes from `start` to before the last, and over groups of neighbouring channels. Three passes over
 * memory: one for the statistics, one that reads and writes. The gradient takes two more that read (dy, x) and one that
 * reads both and writes: left to the ops, it would write and read products of the whole size in between.
 */
function normalizeOwn(
  where: string,
  x: Tensor,
  start: number,
  groups: number,
  options: NormOptions,
): Normalized {
  const { scale = null, shift = null, eps = defaultEps } = options;
  checkEps(where, eps);
  checkChannels(where, x, options);
  const axes = { start, end: x.rank - 1 };
  const channels = x.shape.at(-1)!;
  const rows = sizeOf(x.shape.slice(axes.start, axes.end));
  /** Of one number for each column: (outer axes, channels). */
  const own = [...x.shape.slice(0, start), channels];
  /** Means over the channels of each group, in the place of each channel. */
  const shared = (t: Tensor): Tensor => {
    if (groups === channels) return t;
    const parts = reshape(t, [...own.slice(0, -1), groups, channels / groups]);
    return reshape(broadcastTo(meanOver(parts, -1, { keepDims: true }), parts.shape), own);
  };
  const rowOf = (pair: Tensor, i: 0 | 1): Tensor => reshape(rowOfPair(pair, i, axes), own);
  const pair = moments(x, axes.start, axes.end);
  const columnMean = rowOf(pair, 0);
  const mean = shared(columnMean);
  const columnVariance = rowOf(pair, 1);
  const variance =
    groups === channels ? columnVariance : shared(add(columnVariance, square(sub(columnMean, mean))));
  const factor = inverseDeviation(variance, eps);
  const scaled = scale ? mul(factor, scale) : factor;
  const value = columnAffine(x, mean, scaled, spreadOut(shift, own, x.dtype), axes.start, axes.end);

  const given = [scale, shift].filter((t) => t !== null);
  const output = withGradient(value, [x, ...given], (dy, [input, ...rest]) => {
    const sums = pairSums(dy, input!, mean, axes.start, axes.end);
    const [ofDy, ofProduct] = [rowOf(sums, 0), rowOf(sums, 1)];
    const meanOf = (t: Tensor): Tensor => mul(shared(scale ? mul(t, rest[0]!) : t), -1 / rows);
    // dx = factor (scale dy - mean(scale dy) - (x - mean) factor^2 mean(scale dy (x - mean)))
    const byMean = mul(meanOf(ofDy), factor);
    const byVariance = mul(meanOf(ofProduct), mul(factor, square(factor)));
    const dx = columnAffinePair(dy, input!, [scaled, mean, byVariance, byMean], axes);
    return [dx, ...(scale ? [mul(ofProduct, factor)] : []), ...(shift ? [ofDy] : [])];
  });
  return { output, mean, variance };
}

function checkRank(where: string, x: Tensor, least: number): void {
  if (x.rank >= least) return;
  throw new ShapeError({
    where,
    problem: `takes at least ${least} axes, got ${showShape(x.shape)}`,
    hint: 'the batch comes first, the channels last',
    values: { shape: x.shape },
  });
}

/**
 * Batch normalisation with the statistics of the batch (Ioffe and Szegedy 2015): over all axes but the last, the channels,
 * (x - mean) / sqrt(variance + eps) * scale + shift. Throws ShapeError where a channel has but one value.
 */
export function batchNorm(x: Tensor, options: NormOptions = {}): Normalized {
  checkRank('batchNorm', x, 2);
  if (sizeOf(x.shape.slice(0, -1)) < 2) {
    throw new ShapeError({
      where: 'batchNorm',
      problem: `${showShape(x.shape)} has ${sizeOf(x.shape.slice(0, -1))} value for each channel, a variance needs 2`,
      hint: 'train with larger batches, or drop the last one',
      values: { shape: x.shape },
    });
  }
  return normalizeOwn('batchNorm', x, 0, x.shape.at(-1)!, options);
}

/** Instance normalisation (Ulyanov et al. 2016): (batch, ..., channels), each channel of each example by itself. */
export function instanceNorm(x: Tensor, options: NormOptions = {}): Tensor {
  checkRank('instanceNorm', x, 3);
  return normalizeOwn('instanceNorm', x, 1, x.shape.at(-1)!, options).output;
}

/**
 * Group normalisation (Wu and He 2018): (batch, ..., channels), in each example over all positions and over each of
 * `groups` runs of neighbouring channels. Throws ShapeError where the groups do not divide the channels.
 */
export function groupNorm(x: Tensor, groups: number, options: NormOptions = {}): Tensor {
  checkRank('groupNorm', x, 2);
  const channels = x.shape.at(-1)!;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new ShapeError({
      where: 'groupNorm',
      problem: `${groups} groups do not divide ${channels} channels of ${showShape(x.shape)}`,
      hint: 'a divisor of the number of channels',
      values: { groups, channels },
    });
  }
  // Where there are no positions, each channel of an example is a row of its own.
  const positioned = x.rank > 2 ? x : reshape(x, [x.shape[0]!, 1, channels]);
  return reshape(normalizeOwn('groupNorm', positioned, 1, groups, options).output, x.shape);
}
