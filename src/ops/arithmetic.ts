// Arithmetic, comparison, selection and the elementary functions, each an entry. They broadcast and fuse.
import { record, type Tensor } from '../graph.js';
import type { Sample } from './define.js';
import {
  anything,
  binary,
  elementwise,
  none,
  numbers,
  type TensorLike,
  together,
  unary,
} from './elementwise.js';

const sample = (...shapes: number[][]): Sample => ({
  inputs: shapes.map((shape) => ({ shape })),
  attributes: none,
});
const ranged = (lo: number, hi: number, ...shapes: number[][]): Sample => ({
  inputs: shapes.map((shape) => ({ shape, range: [lo, hi] })),
  attributes: none,
});
const one = WITH_SAMPLES ? [sample([7]), sample([3, 5]), sample([1025])] : [];
const positive = WITH_SAMPLES ? [ranged(0.1, 4, [7]), ranged(0.1, 4, [3, 5]), ranged(0.1, 4, [1025])] : [];
const two = WITH_SAMPLES
  ? [
      sample([7], [7]),
      sample([3, 5], [5]),
      sample([4, 1, 3], [2, 1]),
      sample([2, 3], []),
      sample([1030], [1030]),
      sample([9, 130], [9, 1]),
    ]
  : [];
const withPositive = WITH_SAMPLES
  ? two.map(({ inputs }) => ({
      inputs: inputs.map(({ shape }) => ({ shape, range: [0.2, 3] as const })),
      attributes: none,
    }))
  : [];

/** -x. */
export const neg = /* @__PURE__ */ unary({
  name: 'neg',
  dtypes: numbers,
  scalar: (a) => -a,
  gradient: ({ dy }) => [neg(dy)],
  expression: '(-a)',
  samples: one,
});

/** |x|; its gradient at 0 is 0. */
export const abs = /* @__PURE__ */ unary({
  name: 'abs',
  dtypes: numbers,
  scalar: (a) => Math.abs(a),
  gradient: ({ inputs: [x], dy }) => [mul(dy, sign(x!))],
  expression: 'abs(a)',
  samples: one,
});

/** -1, 0 or 1. */
export const sign = /* @__PURE__ */ unary({
  name: 'sign',
  dtypes: numbers,
  scalar: (a) => Math.sign(a),
  gradient: null,
  expression: 'sign(a)',
  samples: one,
});

/** e to the x. */
export const exp = /* @__PURE__ */ unary({
  name: 'exp',
  scalar: Math.exp,
  gradient: ({ output, dy }) => [mul(dy, output)],
  expression: 'exp(a)',
  flops: 10,
  samples: one,
});

/** Natural logarithm. */
export const log = /* @__PURE__ */ unary({
  name: 'log',
  scalar: Math.log,
  gradient: ({ inputs: [x], dy }) => [div(dy, x!)],
  expression: 'logarithm(a)',
  flops: 10,
  samples: positive,
});

/** The square root of x. */
export const sqrt = /* @__PURE__ */ unary({
  name: 'sqrt',
  scalar: Math.sqrt,
  gradient: ({ output, dy }) => [div(dy, mul(output, 2))],
  expression: 'sqrt(a)',
  flops: 4,
  samples: positive,
});

/** x x. */
export const square = /* @__PURE__ */ unary({
  name: 'square',
  scalar: (a) => a * a,
  gradient: ({ inputs: [x], dy }) => [mul(dy, mul(x!, 2))],
  dtypes: numbers,
  expression: '(a * a)',
  samples: one,
});

/** 1 / x. */
export const reciprocal = /* @__PURE__ */ unary({
  name: 'reciprocal',
  scalar: (a) => 1 / a,
  gradient: ({ output, dy }) => [neg(mul(dy, square(output)))],
  expression: '(1.0 / a)',
  samples: positive,
});

/** sin(x), x in radians. */
export const sin = /* @__PURE__ */ unary({
  name: 'sin',
  scalar: Math.sin,
  gradient: ({ inputs: [x], dy }) => [mul(dy, cos(x!))],
  expression: 'sin(a)',
  flops: 12,
  samples: one,
});

/** cos(x), x in radians. */
export const cos = /* @__PURE__ */ unary({
  name: 'cos',
  scalar: Math.cos,
  gradient: ({ inputs: [x], dy }) => [neg(mul(dy, sin(x!)))],
  expression: 'cos(a)',
  flops: 12,
  samples: one,
});

/** Hyperbolic tangent. GPUs' own may overflow for large arguments; beyond 10 the result is 1 in f32. */
export const tanh = /* @__PURE__ */ unary({
  name: 'tanh',
  scalar: Math.tanh,
  gradient: ({ output, dy }) => [mul(dy, sub(1, square(output)))],
  expression: 'select(tanh(clamp(a, -10.0, 10.0)), a, a != a)',
  flops: 14,
  samples: one,
});

/** 1 / (1 + exp(-x)). */
export const sigmoid = /* @__PURE__ */ unary({
  name: 'sigmoid',
  scalar: (a) => 1 / (1 + Math.exp(-a)),
  gradient: ({ output: y, dy }) => [mul(dy, mul(y, sub(1, y)))],
  expression: '(1.0 / (1.0 + exp(-a)))',
  flops: 12,
  samples: one,
});

/** max(x, 0); the gradient at 0 is 0. */
export const relu = /* @__PURE__ */ unary({
  name: 'relu',
  scalar: (a) => Math.max(a, 0),
  // By the result, which the next layer keeps anyway.
  gradient: ({ output, dy }) => [where(less(0, output), dy, 0)],
  expression: 'select(a, 0.0, a < 0.0)',
  samples: one,
});

/** Error function; the reference is a series near 0 and the continued fraction of erfc beyond. */
export const erf = /* @__PURE__ */ unary({
  name: 'erf',
  scalar: referenceErf,
  gradient: ({ inputs: [x], dy }) => [mul(dy, mul(exp(neg(square(x!))), 1.1283791670955126))],
  expression: 'erf(a)',
  flops: 16,
  samples: one,
});

function referenceErf(x: number): number {
  const z = Math.abs(x);
  if (!(z < 6)) return Number.isNaN(x) ? x : Math.sign(x);
  if (z < 1) {
    // With exp(-x²) taken out all terms have one sign, so that nothing cancels.
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
    }
    return total * Math.exp(-x * x) * 1.1283791670955126;
  }
  let fraction = z;
  for (let n = 200; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (fraction * 1.772453850905516));
}

/** The largest whole number that is not above x; no gradient. */
export const floor = /* @__PURE__ */ unary({
  name: 'floor',
  scalar: Math.floor,
  gradient: null,
  expression: 'floor(a)',
  samples: one,
});

/** The smallest whole number that is not below x; no gradient. */
export const ceil = /* @__PURE__ */ unary({
  name: 'ceil',
  scalar: Math.ceil,
  gradient: null,
  expression: 'ceil(a)',
  samples: one,
});

/** a + b. */
export const add = /* @__PURE__ */ binary({
  name: 'add',
  dtypes: numbers,
  scalar: (a, b) => a + b,
  gradient: ({ dy }) => [dy, dy],
  expression: '(a + b)',
  samples: two,
});

/** a - b. */
export const sub = /* @__PURE__ */ binary({
  name: 'sub',
  dtypes: numbers,
  scalar: (a, b) => a - b,
  gradient: ({ dy }) => [dy, neg(dy)],
  expression: '(a - b)',
  samples: two,
});

/** a b, element by element. */
export const mul = /* @__PURE__ */ binary({
  name: 'mul',
  dtypes: numbers,
  scalar: (a, b, _, { output }) => (output.dtype === 'int32' ? Math.imul(a, b) : a * b),
  gradient: ({ inputs: [a, b], dy }) => [mul(dy, b!), mul(dy, a!)],
  expression: '(a * b)',
  samples: two,
});

/** a / b. */
export const div = /* @__PURE__ */ binary({
  name: 'div',
  scalar: (a, b) => a / b,
  gradient: ({ inputs: [, b], output, dy }) => [div(dy, b!), neg(div(mul(dy, output), b!))],
  expression: '(a / b)',
  flops: 4,
  samples: withPositive,
});

/** a to the power b, for any real exponent; a negative base needs a whole exponent. */
export const pow = /* @__PURE__ */ binary({
  name: 'pow',
  scalar: (a, b) => a ** b,
  gradient: ({ inputs: [a, b], output, dy }) => [
    mul(dy, mul(b!, pow(a!, sub(b!, 1)))),
    mul(dy, where(less(0, a!), mul(output, log(a!)), 0)),
  ],
  expression: 'power(a, b)',
  flops: 24,
  samples: withPositive,
});

/** Where both are equal each side gets half of the gradient. */
const takes = (wins: Tensor, a: Tensor, b: Tensor, dy: Tensor): Tensor =>
  where(wins, dy, where(equal(a, b), mul(dy, 0.5), 0));

/** The larger of a and b; equal ones share the gradient. */
export const maximum = /* @__PURE__ */ binary({
  name: 'maximum',
  dtypes: numbers,
  scalar: (a, b) => Math.max(a, b),
  gradient: ({ inputs: [a, b], dy }) => [takes(less(b!, a!), a!, b!, dy), takes(less(a!, b!), a!, b!, dy)],
  expression: 'select(b, a, a > b || a != a)',
  samples: two,
});

/** The smaller of a and b; equal ones share the gradient. */
export const minimum = /* @__PURE__ */ binary({
  name: 'minimum',
  dtypes: numbers,
  scalar: (a, b) => Math.min(a, b),
  gradient: ({ inputs: [a, b], dy }) => [takes(less(a!, b!), a!, b!, dy), takes(less(b!, a!), a!, b!, dy)],
  expression: 'select(b, a, a < b || a != a)',
  samples: two,
});

/** Whether a = b; bool. */
export const equal = /* @__PURE__ */ binary({
  name: 'equal',
  dtypes: anything,
  output: 'bool',
  scalar: (a, b) => Number(a === b),
  gradient: null,
  expression: '(a == b)',
  samples: WITH_SAMPLES
    ? [
        ...two,
        {
          inputs: [
            { shape: [40], dtype: 'int32' },
            { shape: [40], dtype: 'int32' },
          ],
          attributes: none,
        },
      ]
    : [],
});

/** Whether a < b; bool. */
export const less = /* @__PURE__ */ binary({
  name: 'less',
  dtypes: numbers,
  output: 'bool',
  scalar: (a, b) => Number(a < b),
  gradient: null,
  expression: '(a < b)',
  samples: two,
});

/** Whether a <= b; bool. */
export const lessEqual = /* @__PURE__ */ binary({
  name: 'lessEqual',
  dtypes: numbers,
  output: 'bool',
  scalar: (a, b) => Number(a <= b),
  gradient: null,
  expression: '(a <= b)',
  samples: two,
});

const bools = (...shapes: number[][]): Sample => ({
  inputs: shapes.map((shape) => ({ shape, dtype: 'bool' })),
  attributes: none,
});

/** Whether both a and b; bool. */
export const logicalAnd = /* @__PURE__ */ binary({
  name: 'logicalAnd',
  dtypes: ['bool'],
  scalar: (a, b) => a & b,
  gradient: null,
  expression: '(a && b)',
  samples: WITH_SAMPLES ? [bools([33], [33]), bools([4, 3], [3])] : [],
});

/** Whether a or b; bool. */
export const logicalOr = /* @__PURE__ */ binary({
  name: 'logicalOr',
  dtypes: ['bool'],
  scalar: (a, b) => a | b,
  gradient: null,
  expression: '(a || b)',
  samples: WITH_SAMPLES ? [bools([33], [33]), bools([4, 3], [3])] : [],
});

/** Whether not a; bool. */
export const logicalNot = /* @__PURE__ */ unary({
  name: 'logicalNot',
  dtypes: ['bool'],
  scalar: (a) => 1 - a,
  gradient: null,
  expression: '(!a)',
  samples: WITH_SAMPLES ? [bools([33]), bools([4, 3])] : [],
});

const whereDefinition = /* @__PURE__ */ elementwise(
  {
    name: 'where',
    dtypes: anything,
    scalar: (condition, a, b) => (condition ? a : b),
    gradient: ({ inputs: [condition], dy }) => [null, where(condition!, dy, 0), where(condition!, 0, dy)],
    expression: 'select(c, b, a)',
    samples: WITH_SAMPLES
      ? [
          [[6], [6], [6]],
          [[3, 1], [4], [3, 4]],
          [[1100], [1100], []],
        ].map(([condition, a, b]) => ({
          inputs: [{ shape: condition!, dtype: 'bool' as const }, { shape: a! }, { shape: b! }],
          attributes: none,
        }))
      : [],
  },
  3,
);

/** `a` where the condition (bool) holds, else `b`. */
export const where = /* @__PURE__ */ Object.assign(
  (condition: Tensor, a: TensorLike, b: TensorLike): Tensor =>
    record(whereDefinition, [condition, ...together('where', [a, b])], none),
  { definition: whereDefinition },
);
