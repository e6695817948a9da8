// Elementwise kernels over blocks: NAME(dst, a, b, c, n) on contiguous elements; dst may be an operand.
import { loadPart, loadUpTo, storePart, storeUpTo } from './lanes';
import { copySign, erf, exp, log, pow, sigmoid, sinCos, tanh } from './math';

export const enum Op {
  neg, abs, sign, square, relu, floor, ceil, sqrt, reciprocal,
  exp, log, tanh, sigmoid, sin, cos, erf,
  add, sub, mul, div, maximum, minimum, pow,
  equal, less, lessEqual,
}

@inline
function apply<T>(op: Op, x: v128, y: v128): v128 {
  if (op == Op.neg) return v128.neg<T>(x);
  if (op == Op.abs) return v128.abs<T>(x);
  if (op == Op.square) return v128.mul<T>(x, x);
  if (op == Op.add) return v128.add<T>(x, y);
  if (op == Op.sub) return v128.sub<T>(x, y);
  if (op == Op.mul) return v128.mul<T>(x, y);
  // On floats max and min hand a NaN on.
  if (op == Op.maximum) return v128.max<T>(x, y);
  if (op == Op.minimum) return v128.min<T>(x, y);
  const zero = v128.splat<T>(0);
  if (isInteger<T>()) {
    if (op == Op.sign) return i32x4.sub(i32x4.lt_s(x, zero), i32x4.gt_s(x, zero));
    return v128.max<T>(x, zero);
  }
  // pmax(x, 0) keeps NaN but also -0, which the addition makes 0.
  if (op == Op.relu) return v128.add<T>(v128.pmax<T>(x, zero), zero);
  if (op == Op.sign) {
    // 0, -0 and NaN stay
    const one = copySign<T>(v128.splat<T>(1), x);
    return v128.bitselect(one, x, v128.gt<T>(v128.abs<T>(x), zero));
  }
  if (op == Op.floor) return v128.floor<T>(x);
  if (op == Op.ceil) return v128.ceil<T>(x);
  if (op == Op.sqrt) return v128.sqrt<T>(x);
  if (op == Op.reciprocal) return v128.div<T>(v128.splat<T>(1), x);
  if (op == Op.div) return v128.div<T>(x, y);
  if (op == Op.exp) return exp<T>(x);
  if (op == Op.log) return log<T>(x);
  if (op == Op.tanh) return tanh<T>(x);
  if (op == Op.sigmoid) return sigmoid<T>(x);
  if (op == Op.sin) return sinCos<T>(x, 0);
  if (op == Op.cos) return sinCos<T>(x, 1);
  if (op == Op.erf) return erf<T>(x);
  return pow<T>(x, y);
}

/** For ops of an instruction or two: four vectors per turn. */
@inline
export function unary<T>(op: Op, dst: usize, a: usize, n: i32): void {
  let rest = n * sizeof<T>();
  for (; rest >= 64; rest -= 64) {
    v128.store(dst, apply<T>(op, v128.load(a), v128.load(a)));
    v128.store(dst, apply<T>(op, v128.load(a, 16), v128.load(a, 16)), 16);
    v128.store(dst, apply<T>(op, v128.load(a, 32), v128.load(a, 32)), 32);
    v128.store(dst, apply<T>(op, v128.load(a, 48), v128.load(a, 48)), 48);
    dst += 64;
    a += 64;
  }
  for (; rest > 0; rest -= 16) {
    const x = loadUpTo(a, rest);
    storeUpTo(dst, apply<T>(op, x, x), rest);
    dst += 16;
    a += 16;
  }
}

/** For ops of many instructions: one copy of them. */
@inline
export function unaryLong<T>(op: Op, dst: usize, a: usize, n: i32): void {
  for (let rest = n * sizeof<T>(); rest > 0; rest -= 16) {
    const x = loadUpTo(a, rest);
    storeUpTo(dst, apply<T>(op, x, x), rest);
    dst += 16;
    a += 16;
  }
}

@inline
export function binary<T>(op: Op, dst: usize, a: usize, b: usize, n: i32): void {
  let rest = n * sizeof<T>();
  for (; rest >= 64; rest -= 64) {
    v128.store(dst, apply<T>(op, v128.load(a), v128.load(b)));
    v128.store(dst, apply<T>(op, v128.load(a, 16), v128.load(b, 16)), 16);
    v128.store(dst, apply<T>(op, v128.load(a, 32), v128.load(b, 32)), 32);
    v128.store(dst, apply<T>(op, v128.load(a, 48), v128.load(b, 48)), 48);
    dst += 64;
    a += 64;
    b += 64;
  }
  binaryLong<T>(op, dst, a, b, rest);
}

@inline
export function binaryLong<T>(op: Op, dst: usize, a: usize, b: usize, bytes: i32): void {
  for (let rest = bytes; rest > 0; rest -= 16) {
    storeUpTo(dst, apply<T>(op, loadUpTo(a, rest), loadUpTo(b, rest)), rest);
    dst += 16;
    a += 16;
    b += 16;
  }
}

@inline
function test<T>(op: Op, x: v128, y: v128): v128 {
  if (op == Op.equal) return v128.eq<T>(x, y);
  if (op == Op.less) return v128.lt<T>(x, y);
  return v128.le<T>(x, y);
}

@inline
function testOne<T>(op: Op, x: T, y: T): bool {
  if (op == Op.equal) return x == y;
  if (op == Op.less) return x < y;
  return x <= y;
}

/** Comparisons; 16 results of a byte per turn. */
@inline
export function compare<T>(op: Op, dst: usize, a: usize, b: usize, n: i32): void {
  const end = dst + n;
  const one = i8x16.splat(1);
  while (dst + 16 <= end) {
    let mask: v128;
    if (sizeof<T>() == 1) mask = test<T>(op, v128.load(a), v128.load(b));
    else if (sizeof<T>() == 4) {
      mask = i8x16.narrow_i16x8_s(
        i16x8.narrow_i32x4_s(test<T>(op, v128.load(a), v128.load(b)), test<T>(op, v128.load(a, 16), v128.load(b, 16))),
        i16x8.narrow_i32x4_s(test<T>(op, v128.load(a, 32), v128.load(b, 32)), test<T>(op, v128.load(a, 48), v128.load(b, 48))),
      );
    } else {
      mask = i8x16.narrow_i16x8_s(
        i16x8.narrow_i32x4_s(pairs<T>(op, a, b), pairs<T>(op, a + 32, b + 32)),
        i16x8.narrow_i32x4_s(pairs<T>(op, a + 64, b + 64), pairs<T>(op, a + 96, b + 96)),
      );
    }
    v128.store(dst, v128.and(mask, one));
    dst += 16;
    a += 16 * sizeof<T>();
    b += 16 * sizeof<T>();
  }
  for (; dst < end; dst++) {
    store<bool>(dst, testOne<T>(op, load<T>(a), load<T>(b)));
    a += sizeof<T>();
    b += sizeof<T>();
  }
}

/** Four comparisons of eight bytes as a mask of i32 lanes. */
@inline
function pairs<T>(op: Op, a: usize, b: usize): v128 {
  const low = test<T>(op, v128.load(a), v128.load(b));
  return v128.shuffle<i32>(low, test<T>(op, v128.load(a, 16), v128.load(b, 16)), 0, 2, 4, 6);
}

export function neg_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.neg, dst, a, n); }
export function abs_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.abs, dst, a, n); }
export function sign_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.sign, dst, a, n); }
export function square_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.square, dst, a, n); }
export function relu_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.relu, dst, a, n); }
export function sqrt_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.sqrt, dst, a, n); }
export function reciprocal_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unary<f32>(Op.reciprocal, dst, a, n); }
export function exp_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.exp, dst, a, n); }
export function log_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.log, dst, a, n); }
export function tanh_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.tanh, dst, a, n); }
export function sigmoid_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { unaryLong<f32>(Op.sigmoid, dst, a, n); }
export function add_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f32>(Op.add, dst, a, b, n); }
export function sub_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f32>(Op.sub, dst, a, b, n); }
export function mul_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f32>(Op.mul, dst, a, b, n); }
export function div_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f32>(Op.div, dst, a, b, n); }
export function maximum_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f32>(Op.maximum, dst, a, b, n); }
export function minimum_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<f32>(Op.minimum, dst, a, b, n); }
export function equal_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<f32>(Op.equal, dst, a, b, n); }
export function less_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<f32>(Op.less, dst, a, b, n); }
export function lessEqual_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<f32>(Op.lessEqual, dst, a, b, n); }
export function add_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<i32>(Op.add, dst, a, b, n); }
export function sub_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<i32>(Op.sub, dst, a, b, n); }
export function mul_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { binary<i32>(Op.mul, dst, a, b, n); }
export function equal_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<i32>(Op.equal, dst, a, b, n); }
export function equal_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { compare<u8>(Op.equal, dst, a, b, n); }
