// Half precision (IEEE 754 binary16) as a way to store f32: two elements in a word of 32 bits, the first in its low
// half, zeros after the last. Integer arithmetic throughout, but for one f32 operation each that aligns subnormals.
import { address, shareOf, word } from './split';

/** Elements in a unit of a thread's share. */
const UNIT: i32 = 64;

/** Four halves, one in each lane of 32 bits with its sign extended, as f32. Exact, subnormals too. */
@inline
function widen(h: v128): v128 {
  const top = i32x4.splat(0x0f800000);
  // Sign, exponent and fraction in their places; the exponent, and that of a subnormal, is 112 too small.
  const t = v128.and(i32x4.shl(h, 13), i32x4.splat(0x8fffe000));
  const y = f32x4.mul(t, i32x4.splat((112 + 127) << 23));
  // Infinity and NaN: exponent 31 becomes 255.
  return v128.or(y, v128.and(i32x4.eq(v128.and(t, top), top), i32x4.splat(0x7f800000)));
}

/** Four f32 as halves in lanes of 32 bits, rounded to nearest, ties to even; any NaN becomes 0x7e00. */
@inline
function narrow(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const a = v128.xor(x, sign);
  // Normal: half of the last place is added, less where the result is even already.
  const odd = v128.and(i32x4.shr_u(a, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(a, i32x4.splat((-112 << 23) + 0xfff)), odd), 13);
  // Subnormal: beside 1/2, whose last place is 2^-24, the sum rounds as it should.
  const half = i32x4.splat(126 << 23);
  const small = i32x4.sub(f32x4.add(a, half), half);
  let y = v128.bitselect(small, normal, i32x4.lt_s(a, i32x4.splat(113 << 23)));
  y = v128.bitselect(i32x4.splat(0x7c00), y, i32x4.ge_s(a, i32x4.splat(143 << 23)));
  y = v128.or(y, i32x4.shr_u(sign, 16));
  return v128.bitselect(i32x4.splat(0x7e00), y, i32x4.gt_s(a, i32x4.splat(0x7f800000)));
}

/** f64 to f32 so that a second rounding, to half, does no harm: what is not exact ends in an odd bit. */
@inline
function toOdd(x: f64): f32 {
  const y = <f32>x;
  if (<f64>y == x || x != x || abs(y) == Infinity) return y;
  const bits = reinterpret<i32>(y);
  return reinterpret<f32>((abs(<f64>y) > abs(x) ? bits - 1 : bits) | 1);
}

/** dst[0..n] from halves at src; args are dst, src, n. */
@inline
function fromHalf<T>(args: usize, thread: i32, threads: i32): void {
  const n = word(args, 2), units = (n + UNIT - 1) / UNIT;
  let i = shareOf(units, thread, threads) * UNIT;
  const end = min(n, shareOf(units, thread + 1, threads) * UNIT);
  const dst = address(args, 0), src = address(args, 1);
  if (sizeof<T>() == 4) {
    for (; i + 8 <= end; i += 8) {
      const from = src + (<usize>i << 1), to = dst + (<usize>i << 2);
      v128.store(to, widen(v128.load16x4_s(from)));
      v128.store(to, widen(v128.load16x4_s(from, 8)), 16);
    }
  }
  for (; i < end; i++) {
    const x = f32x4.extract_lane(widen(i32x4.splat(load<i16>(src + (<usize>i << 1)))), 0);
    store<T>(dst + <usize>i * sizeof<T>(), <T>x);
  }
}

/** Halves at dst from src[0..n]; args are dst, src, n. A last word that is half full ends in zeros. */
@inline
function toHalf<T>(args: usize, thread: i32, threads: i32): void {
  const n = word(args, 2), units = (n + UNIT - 1) / UNIT;
  let i = shareOf(units, thread, threads) * UNIT;
  const end = min(n, shareOf(units, thread + 1, threads) * UNIT);
  const dst = address(args, 0), src = address(args, 1);
  if (n & 1 && end == n) store<u16>(dst + (<usize>n << 1), 0);
  if (sizeof<T>() == 4) {
    for (; i + 8 <= end; i += 8) {
      const from = src + (<usize>i << 2);
      v128.store(
        dst + (<usize>i << 1),
        i16x8.narrow_i32x4_u(narrow(v128.load(from)), narrow(v128.load(from, 16))),
      );
    }
  }
  for (; i < end; i++) {
    const from = src + <usize>i * sizeof<T>();
    const x = sizeof<T>() == 4 ? load<f32>(from) : toOdd(load<f64>(from));
    store<u16>(dst + (<usize>i << 1), <u16>i32x4.extract_lane(narrow(f32x4.splat(x)), 0));
  }
}

export function fromHalf_f32(args: usize, thread: i32, threads: i32): void { fromHalf<f32>(args, thread, threads); }
export function fromHalf_f64(args: usize, thread: i32, threads: i32): void { fromHalf<f64>(args, thread, threads); }
export function toHalf_f32(args: usize, thread: i32, threads: i32): void { toHalf<f32>(args, thread, threads); }
export function toHalf_f64(args: usize, thread: i32, threads: i32): void { toHalf<f64>(args, thread, threads); }
