// Kernels of double precision, which is there to check gradients: the same code as for single precision, put into the
// further module so that nobody else loads it.
import { cast } from './cast';
import { Op, binary, binaryLong, compare, unary, unaryLong } from './elementwise';
import { Fold } from './fold';
import { scatterAdd } from './gather';
import { iota } from './movement';
import { Kind, dropout, random } from './random';
import { argument, reduce } from './reduce';
import { where } from './select';
import { crossEntropy, crossEntropyGradient, softmax } from './softmax';

export function cast_f32_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<f32, f64>(dst, a, n, false); }
export function cast_f64_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<f64, f32>(dst, a, n, false); }
export function cast_f64_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<f64, i32>(dst, a, n, false); }
export function cast_f64_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<f64, u8>(dst, a, n, true); }
export function cast_i32_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<i32, f64>(dst, a, n, false); }
export function cast_bool_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, f64>(dst, a, n, false); }
export function cast_u8_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, f64>(dst, a, n, false); }
export function neg_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.neg, dst, a, n); }
export function abs_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.abs, dst, a, n); }
export function sign_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.sign, dst, a, n); }
export function square_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.square, dst, a, n); }
export function relu_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.relu, dst, a, n); }
export function floor_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.floor, dst, a, n); }
export function ceil_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.ceil, dst, a, n); }
export function sqrt_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.sqrt, dst, a, n); }
export function reciprocal_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f64>(Op.reciprocal, dst, a, n); }
export function exp_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.exp, dst, a, n); }
export function log_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.log, dst, a, n); }
export function tanh_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.tanh, dst, a, n); }
export function sigmoid_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.sigmoid, dst, a, n); }
export function sin_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.sin, dst, a, n); }
export function cos_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.cos, dst, a, n); }
export function erf_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f64>(Op.erf, dst, a, n); }
export function add_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f64>(Op.add, dst, a, b, n); }
export function sub_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f64>(Op.sub, dst, a, b, n); }
export function mul_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f64>(Op.mul, dst, a, b, n); }
export function div_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f64>(Op.div, dst, a, b, n); }
export function maximum_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f64>(Op.maximum, dst, a, b, n); }
export function minimum_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f64>(Op.minimum, dst, a, b, n); }
export function pow_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binaryLong<f64>(Op.pow, dst, a, b, n * sizeof<f64>()); }
export function equal_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<f64>(Op.equal, dst, a, b, n); }
export function less_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<f64>(Op.less, dst, a, b, n); }
export function lessEqual_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<f64>(Op.lessEqual, dst, a, b, n); }
export function scatterAddRows_f64(args: usize, thread: i32, threads: i32): void { scatterAdd<f64>(args, thread, threads); }
export function iota_f64(args: usize, thread: i32, threads: i32): void { iota<f64, f32>(args, thread, threads); }
export function randomUniform_f64(args: usize, thread: i32, threads: i32): void { random<f64>(Kind.uniform, args, thread, threads); }
export function randomNormal_f64(args: usize, thread: i32, threads: i32): void { random<f64>(Kind.normal, args, thread, threads); }
export function sum_f64(args: usize, thread: i32, threads: i32): void { reduce<f64>(Fold.sum, args, thread, threads); }
export function max_f64(args: usize, thread: i32, threads: i32): void { reduce<f64>(Fold.max, args, thread, threads); }
export function min_f64(args: usize, thread: i32, threads: i32): void { reduce<f64>(Fold.min, args, thread, threads); }
export function prod_f64(args: usize, thread: i32, threads: i32): void { reduce<f64>(Fold.prod, args, thread, threads); }
export function argmax_f64(args: usize, thread: i32, threads: i32): void { argument<f64>(Fold.max, args, thread, threads); }
export function argmin_f64(args: usize, thread: i32, threads: i32): void { argument<f64>(Fold.min, args, thread, threads); }
export function where_f64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { where<u64>(dst, a, b, c, n); }
export function softmax_f64(args: usize, thread: i32, threads: i32): void { softmax<f64>(false, args, thread, threads); }
export function logSoftmax_f64(args: usize, thread: i32, threads: i32): void { softmax<f64>(true, args, thread, threads); }
export function crossEntropy_f64(args: usize, thread: i32, threads: i32): void { crossEntropy<f64>(args, thread, threads); }
export function crossEntropyGradient_f64(args: usize, thread: i32, threads: i32): void { crossEntropyGradient<f64>(args, thread, threads); }
export function dropout_f64(args: usize, thread: i32, threads: i32): void { dropout<f64>(args, thread, threads); }
