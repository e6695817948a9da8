// Random numbers by counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011).
// Args: dst, n, keyLow, keyHigh, stream, stepPointer (address of an i32, or 0 for step 0).
// Elements 4j to 4j+3 come from the counter (j, stream, step, 0).
import { sinCos32 } from './angles';
import { loadUpTo, storeUpTo } from './lanes';
import { log } from './math';
import { address, shareOf, word } from './split';

/** The upper halves of the products of four unsigned words with a constant. */
@inline
function multiplyHigh(x: v128, m: v128): v128 {
  return v128.shuffle<i32>(i64x2.extmul_low_i32x4_u(x, m), i64x2.extmul_high_i32x4_u(x, m), 1, 3, 5, 7);
}

// The four words of four counters, each vector with one word of each.
let w0: v128 = i64x2.splat(0);
let w1: v128 = i64x2.splat(0);
let w2: v128 = i64x2.splat(0);
let w3: v128 = i64x2.splat(0);

/** Counters j to j+3. */
function philox(j: i32, stream: i32, step: i32, keyLow: i32, keyHigh: i32): void {
  const m0 = i32x4.splat(0xd2511f53);
  const m1 = i32x4.splat(0xcd9e8d57);
  let c0 = i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3));
  let c1 = i32x4.splat(stream);
  let c2 = i32x4.splat(step);
  let c3 = i32x4.splat(0);
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(c0, m0);
    const high1 = multiplyHigh(c2, m1);
    const low0 = i32x4.mul(c0, m0);
    const low1 = i32x4.mul(c2, m1);
    c0 = v128.xor(v128.xor(high1, c1), i32x4.splat(keyLow));
    c1 = low1;
    c2 = v128.xor(v128.xor(high0, c3), i32x4.splat(keyHigh));
    c3 = low0;
    keyLow += 0x9e3779b9;
    keyHigh += 0xbb67ae85;
  }
  w0 = c0;
  w1 = c1;
  w2 = c2;
  w3 = c3;
}

/** The upper 24 bits of each word as a number in [0, 1). */
@inline
function toUniform(bits: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(bits, 8)), f32x4.splat(5.9604644775390625e-8));
}

export const enum Kind { bits, uniform, normal }

/** Words to numbers, in place. Box and Muller make two normal numbers of words 0 and 1, and of 2 and 3. */
@inline
function convert(kind: Kind): void {
  if (kind == Kind.bits) return;
  w0 = toUniform(w0);
  w1 = toUniform(w1);
  w2 = toUniform(w2);
  w3 = toUniform(w3);
  if (kind == Kind.uniform) return;
  const one = f32x4.splat(1);
  const turn = f32x4.splat(6.283185307179586);
  const radius0 = f32x4.sqrt(f32x4.mul(f32x4.splat(-2), log<f32>(f32x4.sub(one, w0))));
  const radius2 = f32x4.sqrt(f32x4.mul(f32x4.splat(-2), log<f32>(f32x4.sub(one, w2))));
  const angle1 = f32x4.mul(turn, w1);
  const angle3 = f32x4.mul(turn, w3);
  w0 = f32x4.mul(radius0, sinCos32(angle1, 1));
  w1 = f32x4.mul(radius0, sinCos32(angle1, 0));
  w2 = f32x4.mul(radius2, sinCos32(angle3, 1));
  w3 = f32x4.mul(radius2, sinCos32(angle3, 0));
}

@inline
function put<T>(dst: usize, v: v128, count: i32): void {
  if (count <= 0) return;
  if (sizeof<T>() == 4) storeUpTo(dst, v, count << 2);
  else {
    storeUpTo(dst, f64x2.promote_low_f32x4(v), count << 3);
    if (count > 2) storeUpTo(dst + 16, f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)), (count - 2) << 3);
  }
}

@inline
export function random<T>(kind: Kind, args: usize, thread: i32, threads: i32): void {
  const n = word(args, 1);
  const at = address(args, 5);
  const step = at ? load<i32>(at) : 0;
  const blocks = <i32>((<u32>n + 15) >> 4);
  const end = shareOf(blocks, thread + 1, threads);
  for (let i = shareOf(blocks, thread, threads); i < end; i++) {
    philox(i << 2, word(args, 4), step, word(args, 2), word(args, 3));
    convert(kind);
    // rows are words, columns counters: transposed, a row is what one counter gives
    const a = v128.shuffle<i32>(w0, w1, 0, 4, 1, 5);
    const b = v128.shuffle<i32>(w2, w3, 0, 4, 1, 5);
    const c = v128.shuffle<i32>(w0, w1, 2, 6, 3, 7);
    const d = v128.shuffle<i32>(w2, w3, 2, 6, 3, 7);
    const dst = address(args, 0) + ((<usize>i << 4) * sizeof<T>());
    const left = n - (i << 4);
    put<T>(dst, v128.shuffle<i64>(a, b, 0, 2), left);
    put<T>(dst + 4 * sizeof<T>(), v128.shuffle<i64>(a, b, 1, 3), left - 4);
    put<T>(dst + 8 * sizeof<T>(), v128.shuffle<i64>(c, d, 0, 2), left - 8);
    put<T>(dst + 12 * sizeof<T>(), v128.shuffle<i64>(c, d, 1, 3), left - 12);
  }
}

export function randomUniform_f32(args: usize, thread: i32, threads: i32): void { random<f32>(Kind.uniform, args, thread, threads); }
export function randomNormal_f32(args: usize, thread: i32, threads: i32): void { random<f32>(Kind.normal, args, thread, threads); }

/** The elements of x whose word is below the threshold, times the scale; zeros for the others. */
@inline
function keep<T>(dst: usize, src: usize, words: v128, threshold: v128, scale: v128, count: i32): void {
  const kept = i32x4.lt_s(i32x4.shr_u(words, 8), threshold);
  if (sizeof<T>() == 4) {
    if (count > 0) storeUpTo(dst, v128.and(f32x4.mul(loadUpTo(src, count << 2), scale), kept), count << 2);
    return;
  }
  if (count > 0) {
    const low = i64x2.extend_low_i32x4_s(kept);
    storeUpTo(dst, v128.and(f64x2.mul(loadUpTo(src, count << 3), scale), low), count << 3);
  }
  if (count > 2) {
    const high = i64x2.extend_high_i32x4_s(kept);
    const rest = (count - 2) << 3;
    storeUpTo(dst + 16, v128.and(f64x2.mul(loadUpTo(src + 16, rest), scale), high), rest);
  }
}

/**
 * Args: dst, n, key (two words), stream, address of the step, src, threshold, scale: src times the scale where the upper
 * 24 bits of an element's word are below the threshold, else 0. The words are those of the kernels above.
 */
@inline
export function dropout<T>(args: usize, thread: i32, threads: i32): void {
  const n = word(args, 1);
  const step = load<i32>(address(args, 5));
  const threshold = i32x4.splat(word(args, 7));
  const scale = sizeof<T>() == 4 ? f32x4.splat(load<f32>(args, 32)) : f64x2.splat(load<f64>(args, 32));
  const blocks = <i32>((<u32>n + 15) >> 4);
  const end = shareOf(blocks, thread + 1, threads);
  for (let i = shareOf(blocks, thread, threads); i < end; i++) {
    philox(i << 2, word(args, 4), step, word(args, 2), word(args, 3));
    const a = v128.shuffle<i32>(w0, w1, 0, 4, 1, 5);
    const b = v128.shuffle<i32>(w2, w3, 0, 4, 1, 5);
    const c = v128.shuffle<i32>(w0, w1, 2, 6, 3, 7);
    const d = v128.shuffle<i32>(w2, w3, 2, 6, 3, 7);
    const at = (<usize>i << 4) * sizeof<T>();
    const dst = address(args, 0) + at;
    const src = address(args, 6) + at;
    const left = n - (i << 4);
    const quarter = 4 * sizeof<T>();
    keep<T>(dst, src, v128.shuffle<i64>(a, b, 0, 2), threshold, scale, left);
    keep<T>(dst + quarter, src + quarter, v128.shuffle<i64>(a, b, 1, 3), threshold, scale, left - 4);
    keep<T>(dst + 2 * quarter, src + 2 * quarter, v128.shuffle<i64>(c, d, 0, 2), threshold, scale, left - 8);
    keep<T>(dst + 3 * quarter, src + 3 * quarter, v128.shuffle<i64>(c, d, 1, 3), threshold, scale, left - 12);
  }
}

export function dropout_f32(args: usize, thread: i32, threads: i32): void { dropout<f32>(args, thread, threads); }
