// Attention (Vaswani et al. 2017), made of matrix products and softmax. A kernel of its own would gain nothing: with 32
// heads of 128 x 64 numbers, three quarters of the time are the products, which run at the machine's limit, and nearly all
// of the rest the exponentials of softmax.
import { broadcastShapes, isFloat, sameShape, showShape } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { add, lessEqual, logicalAnd, mul, where } from './arithmetic.js';
import { arange } from './gather.js';
import { matmul } from './matmul.js';
import { reshape } from './movement.js';
import { softmax } from './softmax.js';

/** Options of `scaledDotProductAttention`. */
export interface AttentionOptions {
  /** Broadcasts to (..., L, S): bool, true where a query may look at a key; or floats that are added to the scores. */
  mask?: Tensor;
  /** Query i looks at keys 0 to i only. */
  causal?: boolean;
  /** Factor of the scores; 1/sqrt(E) where not said. */
  scale?: number;
}

const op = 'scaledDotProductAttention';

function check(q: Tensor, k: Tensor, v: Tensor): void {
  const fits =
    q.rank >= 2 &&
    k.rank >= 2 &&
    v.rank >= 2 &&
    q.shape.at(-1) === k.shape.at(-1) &&
    k.shape.at(-2) === v.shape.at(-2);
  if (fits) return;
  throw new ShapeError({
    where: op,
    problem: `q is ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}`,
    hint: 'q is (..., L, E), k (..., S, E), v (..., S, D)',
    values: { q: q.shape, k: k.shape, v: v.shape },
  });
}

/** Which keys a query may look at, as bools; null where it is all. */
function allowed(scores: Tensor, { mask, causal = false }: AttentionOptions): Tensor | null {
  const bools = mask?.dtype === 'bool' ? mask : null;
  if (!causal) return bools;
  const [l, s] = scores.shape.slice(-2) as [number, number];
  const before = lessEqual(arange(s), reshape(arange(l), [l, 1]));
  return bools ? logicalAnd(bools, before) : before;
}

function checkMask(scores: Tensor, { mask, scale }: AttentionOptions): void {
  if (scale !== undefined && !Number.isFinite(scale)) {
    throw new OptionError({ where: op, problem: `scale is ${scale}`, hint: 'a number', values: { scale } });
  }
  if (!mask) return;
  if (mask.dtype !== 'bool' && !(isFloat(mask.dtype) && mask.dtype === scores.dtype)) {
    throw new DTypeError({
      where: op,
      problem: `the mask is ${mask.dtype}, the scores are ${scores.dtype}`,
      hint: 'bool, true where a query may look at a key, or floats to add',
    });
  }
  if (!sameShape(broadcastShapes(op, mask.shape, scores.shape), scores.shape)) {
    throw new ShapeError({
      where: op,
      problem: `the mask is ${showShape(mask.shape)}, the scores are ${showShape(scores.shape)}`,
      hint: 'a mask broadcasts to (..., L, S)',
      values: { mask: mask.shape, scores: scores.shape },
    });
  }
}

/** softmax(q kT scale + mask): how much each query takes of each value, (..., L, S). See `scaledDotProductAttention`. */
export function attentionWeights(q: Tensor, k: Tensor, options: AttentionOptions = {}): Tensor {
  check(q, k, k);
  // The queries are scaled, which are fewer than the scores.
  const scale = options.scale ?? 1 / Math.sqrt(q.shape.at(-1)!);
  const scores = matmul(mul(q, scale), k, { transB: true });
  checkMask(scores, options);
  const { mask } = options;
  const added = mask && mask.dtype !== 'bool' ? add(scores, mask) : scores;
  const open = allowed(scores, options);
  return softmax(open ? where(open, added, Number.NEGATIVE_INFINITY) : added);
}

/**
 * softmax(q kT scale + mask) v for q (..., L, E), k (..., S, E), v (..., S, D): (..., L, D). A query that may look at no key
 * gives NaN, as in PyTorch. Errors: ShapeError, DTypeError, OptionError.
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): Tensor {
  check(q, k, v);
  return matmul(attentionWeights(q, k, options), v);
}
