// What needs no kernel of its own: functions made of ops.
import { type DType, isFloat, normalizeAxis, type Shape, sizeOf } from '../dtype.js';
import { constant, type Tensor } from '../graph.js';
import {
  abs,
  add,
  div,
  equal,
  erf,
  exp,
  less,
  lessEqual,
  log,
  logicalNot,
  maximum,
  minimum,
  mul,
  neg,
  pow as powOp,
  reciprocal,
  relu,
  sigmoid,
  sqrt,
  square,
  sub,
  tanh,
  where,
} from './arithmetic.js';
import { broadcastTo, cast } from './cast.js';
import type { TensorLike } from './elementwise.js';
import { type Axes, max, type ReduceOptions, sum } from './reduce.js';

/** Whether a > b; bool. */
export const greater = (a: TensorLike, b: TensorLike): Tensor => less(b, a);
/** Whether a >= b; bool. */
export const greaterEqual = (a: TensorLike, b: TensorLike): Tensor => lessEqual(b, a);
/** Whether a and b differ; bool. */
export const notEqual = (a: TensorLike, b: TensorLike): Tensor => logicalNot(equal(a, b));

/** A tensor of one value; takes memory only when it must. */
export const full = (shape: Shape, value: number, dtype: DType = 'float32'): Tensor =>
  broadcastTo(constant(value, dtype), shape);
/** 0 in any shape; takes no memory until it is needed. */
export const zeros = (shape: Shape, dtype: DType = 'float32'): Tensor => full(shape, 0, dtype);
/** 1 in any shape; takes no memory until it is needed. */
export const ones = (shape: Shape, dtype: DType = 'float32'): Tensor => full(shape, 1, dtype);

/** x to the power p. Whole, half and negative exponents avoid the logarithm. */
export function pow(x: Tensor, p: TensorLike): Tensor {
  if (typeof p !== 'number') return powOp(x, p);
  if (p === 2) return square(x);
  if (p === 1) return x;
  if (p === 0.5) return sqrt(x);
  if (p === -1) return reciprocal(x);
  if (p === 3) return mul(square(x), x);
  return powOp(x, p);
}

/** How many elements the axes hold together. */
const countOf = (x: Tensor, axes: Axes | undefined): number => {
  const list = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  return sizeOf(list.map((a) => x.shape[normalizeAxis('mean', a, x.rank)]!));
};

/** Arithmetic mean over the axes; whole numbers and bools count as float32. */
export function mean(x: Tensor, axes?: Axes, options?: ReduceOptions): Tensor {
  const values = isFloat(x.dtype) ? x : cast(x, 'float32');
  return div(sum(values, axes, options), countOf(x, axes));
}

/** Variance over the axes, divided by n - correction (1: unbiased, as in PyTorch; 0: of the population). */
export function variance(
  x: Tensor,
  axes?: Axes,
  { correction = 1, ...options }: ReduceOptions & { correction?: number } = {},
): Tensor {
  const centred = sub(x, mean(x, axes, { keepDims: true }));
  return div(sum(square(centred), axes, options), countOf(x, axes) - correction);
}

/** log(sum(exp(x))) over one axis, without overflow. */
export function logSumExp(x: Tensor, axis = -1, { keepDims = false }: ReduceOptions = {}): Tensor {
  const top = max(x, axis, { keepDims: true });
  const total = add(log(sum(exp(sub(x, top)), axis, { keepDims: true })), top);
  return keepDims ? total : sum(total, axis);
}

/** x cut to [low, high]. */
export const clamp = (x: Tensor, low: TensorLike, high: TensorLike): Tensor => minimum(maximum(x, low), high);
/** log(1 + exp(x)), without overflow. */
export const softplus = (x: Tensor): Tensor => add(relu(x), log(add(1, exp(neg(abs(x))))));
/** x above 0, slope x below. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => where(less(0, x), x, mul(x, slope));
/** x above 0, alpha (exp(x) - 1) below. */
export const elu = (x: Tensor, alpha = 1): Tensor =>
  where(less(0, x), x, mul(sub(exp(minimum(x, 0)), 1), alpha));
/** x * sigmoid(x), also called swish. */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
/** x * Phi(x), exact (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor): Tensor => mul(mul(x, 0.5), add(1, erf(mul(x, Math.SQRT1_2))));
/** -1 below -1, 1 above 1, x between. */
export const hardTanh = (x: Tensor): Tensor => clamp(x, -1, 1);
/** x * tanh(softplus(x)) (Misra 2019). */
export const mish = (x: Tensor): Tensor => mul(x, tanh(softplus(x)));
