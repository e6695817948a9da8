// Kernels of ops that few networks use: the same code as their kin's, put into the further module.
import { Op, binary, binaryLong, compare, unary, unaryLong } from './elementwise';
import { Fold } from './fold';
import { gather, scatterAdd } from './gather';
import { stridedCopy } from './movement';
import { Kind, random } from './random';
import { argument, reduce } from './reduce';
import { softmax } from './softmax';

export function sin_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.sin, dst, a, n); }
export function cos_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.cos, dst, a, n); }
export function erf_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.erf, dst, a, n); }
export function pow_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binaryLong<f32>(Op.pow, dst, a, b, n * sizeof<f32>()); }
export function scatterAddRows_f32(args: usize, thread: i32, threads: i32): void { scatterAdd<f32>(args, thread, threads); }
export function scatterAddRows_i32(args: usize, thread: i32, threads: i32): void { scatterAdd<i32>(args, thread, threads); }
export function prod_f32(args: usize, thread: i32, threads: i32): void { reduce<f32>(Fold.prod, args, thread, threads); }
export function prod_i32(args: usize, thread: i32, threads: i32): void { reduce<i32>(Fold.prod, args, thread, threads); }
export function argmin_f32(args: usize, thread: i32, threads: i32): void { argument<f32>(Fold.min, args, thread, threads); }
export function argmin_i32(args: usize, thread: i32, threads: i32): void { argument<i32>(Fold.min, args, thread, threads); }
export function floor_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.floor, dst, a, n); }
export function ceil_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.ceil, dst, a, n); }
export function neg_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<i32>(Op.neg, dst, a, n); }
export function abs_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<i32>(Op.abs, dst, a, n); }
export function sign_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<i32>(Op.sign, dst, a, n); }
export function square_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<i32>(Op.square, dst, a, n); }
export function relu_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<i32>(Op.relu, dst, a, n); }
export function maximum_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<i32>(Op.maximum, dst, a, b, n); }
export function minimum_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<i32>(Op.minimum, dst, a, b, n); }
export function max_i32(args: usize, thread: i32, threads: i32): void { reduce<i32>(Fold.max, args, thread, threads); }
export function min_i32(args: usize, thread: i32, threads: i32): void { reduce<i32>(Fold.min, args, thread, threads); }
export function argmax_i32(args: usize, thread: i32, threads: i32): void { argument<i32>(Fold.max, args, thread, threads); }
export function randomBits_i32(args: usize, thread: i32, threads: i32): void { random<i32>(Kind.bits, args, thread, threads); }
export function logSoftmax_f32(args: usize, thread: i32, threads: i32): void { softmax<f32>(true, args, thread, threads); }
export function gatherRows_8(args: usize, thread: i32, threads: i32): void { gather<u8>(0, args, thread, threads); }
export function gatherRows_64(args: usize, thread: i32, threads: i32): void { gather<f64>(NaN, args, thread, threads); }
export function less_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<i32>(Op.less, dst, a, b, n); }
export function lessEqual_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<i32>(Op.lessEqual, dst, a, b, n); }
export function stridedCopy_8(args: usize, thread: i32, threads: i32): void { stridedCopy<u8>(args, thread, threads); }
export function stridedCopy_64(args: usize, thread: i32, threads: i32): void { stridedCopy<u64>(args, thread, threads); }
