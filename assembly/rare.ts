// Kernels of ops that few networks use: the same code as their kin's, put into the further module.
import { Op, binaryLong, unaryLong } from './elementwise';
import { Fold } from './fold';
import { scatterAdd } from './gather';
import { argument, reduce } from './reduce';

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
