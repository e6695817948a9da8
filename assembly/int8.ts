// Whole numbers of 8 bits, four in a word, for inference: rows of floats to and from them, and products of such rows.
// A row takes a multiple of 8 bytes, zeros after its last element, so that no loop over k has a rest.
import { loadPart } from './lanes';
import { address, shareOf, word } from './split';

/** The first `bytes` bytes, which may be none, zeros after them. */
@inline
function loadSome(p: usize, bytes: i32): v128 {
  if (bytes >= 16) return v128.load(p);
  return bytes > 0 ? loadPart(p, bytes) : i64x2.splat(0);
}

/** Four f32 times `scale`, rounded to nearest, ties to even; NaN becomes 0. */
@inline
function scaled(x: v128, scale: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, scale)));
}

@inline
function quantizeRows<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 4), bytes = word(args, 5) << 2;
  const end = shareOf(word(args, 3), thread + 1, threads);
  for (let row = shareOf(word(args, 3), thread, threads); row < end; row++) {
    const dst = address(args, 0) + <usize>row * bytes;
    let src = address(args, 1) + <usize>row * cols * sizeof<T>();
    const scale = load<T>(address(args, 2) + <usize>row * sizeof<T>());
    if (sizeof<T>() == 4) {
      const all = f32x4.splat(<f32>scale);
      for (let i = 0, rest = cols << 2; i < bytes; i += 8, rest -= 32) {
        const low = scaled(loadSome(src, rest), all), high = scaled(loadSome(src + 16, rest - 16), all);
        const pair = i16x8.narrow_i32x4_s(low, high);
        v128.store64_lane(dst + i, i8x16.max_s(i8x16.narrow_i16x8_s(pair, pair), i8x16.splat(-127)), 0);
        src += 32;
      }
    } else {
      for (let i = 0; i < bytes; i++) {
        const x = i < cols ? nearest<T>(load<T>(src + <usize>i * sizeof<T>()) * scale) : <T>0;
        store<i8>(dst + i, x == x ? <i8>max<T>(min<T>(x, 127), -127) : 0);
      }
    }
  }
}

/** args: dst (rows, words), x (rows, cols), factor of each row, rows, cols, words. */
export function quantizeRows_f32(args: usize, thread: i32, threads: i32): void { quantizeRows<f32>(args, thread, threads); }
export function quantizeRows_f64(args: usize, thread: i32, threads: i32): void { quantizeRows<f64>(args, thread, threads); }

@inline
function dequantizeRows<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 4), bytes = word(args, 5) << 2;
  const end = shareOf(word(args, 3), thread + 1, threads);
  for (let row = shareOf(word(args, 3), thread, threads); row < end; row++) {
    const dst = address(args, 0) + <usize>row * cols * sizeof<T>();
    const src = address(args, 1) + <usize>row * bytes;
    const scale = load<T>(address(args, 2) + <usize>row * sizeof<T>());
    let i = 0;
    if (sizeof<T>() == 4) {
      const all = f32x4.splat(<f32>scale);
      for (; i + 8 <= cols; i += 8) {
        const q = v128.load8x8_s(src + i), to = dst + (<usize>i << 2);
        v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q)), all));
        v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(q)), all), 16);
      }
    }
    for (; i < cols; i++) store<T>(dst + <usize>i * sizeof<T>(), <T>load<i8>(src + i) * scale);
  }
}

/** args: dst (rows, cols), numbers (rows, words), scale of each row, rows, cols, words. */
export function dequantizeRows_f32(args: usize, thread: i32, threads: i32): void { dequantizeRows<f32>(args, thread, threads); }
export function dequantizeRows_f64(args: usize, thread: i32, threads: i32): void { dequantizeRows<f64>(args, thread, threads); }

/** Bytes of A that stay in L2 while all rows of B pass. */
const BLOCK_A: i32 = 131072;

/** [sum of a, sum of b, sum of c, sum of d] over the lanes of each. */
@inline
function totals(a: v128, b: v128, c: v128, d: v128): v128 {
  const l = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const r = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i32>(l, r, 0, 1, 4, 5), v128.shuffle<i32>(l, r, 2, 3, 6, 7));
}

/** c[0..4] or c[0] = (the totals) * (scale of the row * scale of the column). */
@inline
function storeScaled<T>(S: i32, c: usize, sums: v128, scaleA: usize, scaleB: usize): void {
  const scale = load<T>(scaleA);
  if (sizeof<T>() == 4 && S == 4) {
    const both = f32x4.mul(f32x4.splat(<f32>scale), v128.load(scaleB));
    v128.store(c, f32x4.mul(f32x4.convert_i32x4_s(sums), both));
    return;
  }
  store<T>(c, <T>i32x4.extract_lane(sums, 0) * (scale * load<T>(scaleB)));
  if (S == 4) {
    store<T>(c + sizeof<T>(), <T>i32x4.extract_lane(sums, 1) * (scale * load<T>(scaleB + sizeof<T>())));
    store<T>(c + 2 * sizeof<T>(), <T>i32x4.extract_lane(sums, 2) * (scale * load<T>(scaleB + 2 * sizeof<T>())));
    store<T>(c + 3 * sizeof<T>(), <T>i32x4.extract_lane(sums, 3) * (scale * load<T>(scaleB + 3 * sizeof<T>())));
  }
}

/**
 * R rows of A (1 or 2) by S rows of B (1 or 4) over `bytes` of k; ldc: bytes from row to row of C.
 * One statement for each register, as in gemm-dot.ts: 8 sums and 3 operands fit.
 */
@inline
function tile<T>(R: i32, S: i32, a: usize, b: usize, bytes: usize, c: usize, ldc: usize, scaleA: usize, scaleB: usize): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  let a1 = a + bytes, b1 = b + bytes, b2 = b1 + bytes, b3 = b2 + bytes;
  const end = a + bytes;
  if (a != end) do {
    let y = v128.load8x8_s(b);
    const x0 = v128.load8x8_s(a), x1 = R > 1 ? v128.load8x8_s(a1) : x0;
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(x0, y));
    if (R > 1) t0 = i32x4.add(t0, i32x4.dot_i16x8_s(x1, y));
    if (S > 1) {
      y = v128.load8x8_s(b1);
      s1 = i32x4.add(s1, i32x4.dot_i16x8_s(x0, y));
      if (R > 1) t1 = i32x4.add(t1, i32x4.dot_i16x8_s(x1, y));
      y = v128.load8x8_s(b2);
      s2 = i32x4.add(s2, i32x4.dot_i16x8_s(x0, y));
      if (R > 1) t2 = i32x4.add(t2, i32x4.dot_i16x8_s(x1, y));
      y = v128.load8x8_s(b3);
      s3 = i32x4.add(s3, i32x4.dot_i16x8_s(x0, y));
      if (R > 1) t3 = i32x4.add(t3, i32x4.dot_i16x8_s(x1, y));
      b1 += 8; b2 += 8; b3 += 8;
    }
    a += 8;
    if (R > 1) a1 += 8;
    b += 8;
  } while (a != end);
  storeScaled<T>(S, c, totals(s0, s1, s2, s3), scaleA, scaleB);
  if (R > 1) storeScaled<T>(S, c + ldc, totals(t0, t1, t2, t3), scaleA + sizeof<T>(), scaleB);
}

function tile1x1<T>(a: usize, b: usize, bytes: usize, c: usize, ldc: usize, scaleA: usize, scaleB: usize): void {
  tile<T>(1, 1, a, b, bytes, c, ldc, scaleA, scaleB);
}
function tile1x4<T>(a: usize, b: usize, bytes: usize, c: usize, ldc: usize, scaleA: usize, scaleB: usize): void {
  tile<T>(1, 4, a, b, bytes, c, ldc, scaleA, scaleB);
}
function tile2x1<T>(a: usize, b: usize, bytes: usize, c: usize, ldc: usize, scaleA: usize, scaleB: usize): void {
  tile<T>(2, 1, a, b, bytes, c, ldc, scaleA, scaleB);
}
function tile2x4<T>(a: usize, b: usize, bytes: usize, c: usize, ldc: usize, scaleA: usize, scaleB: usize): void {
  tile<T>(2, 4, a, b, bytes, c, ldc, scaleA, scaleB);
}

/** c[i, j] = (row i of A . row j of B) * their scales, for n rows of A and m of B, all of `bytes`. */
@inline
export function productOfRows<T>(
  c: usize, ldc: usize, a: usize, scaleA: usize, n: i32, b: usize, scaleB: usize, m: i32, bytes: usize,
): void {
  for (let j = 0; j < m; ) {
    const wide = m - j >= 4, bj = b + <usize>j * bytes, scaleJ = scaleB + <usize>j * sizeof<T>();
    for (let i = 0; i < n; ) {
      const ai = a + <usize>i * bytes, scaleI = scaleA + <usize>i * sizeof<T>();
      const to = c + <usize>i * ldc + <usize>j * sizeof<T>();
      const two = n - i >= 2;
      if (wide) {
        if (two) tile2x4<T>(ai, bj, bytes, to, ldc, scaleI, scaleJ);
        else tile1x4<T>(ai, bj, bytes, to, ldc, scaleI, scaleJ);
      } else if (two) tile2x1<T>(ai, bj, bytes, to, ldc, scaleI, scaleJ);
      else tile1x1<T>(ai, bj, bytes, to, ldc, scaleI, scaleJ);
      i += two ? 2 : 1;
    }
    j += wide ? 4 : 1;
  }
}

/** Rows i0..i1 and columns j0..j1 of C. */
@inline
function block<T>(args: usize, i0: i32, i1: i32, j0: i32, j1: i32): void {
  const words = word(args, 7), bytes = <usize>words << 2, ldc = <usize>word(args, 6) * sizeof<T>();
  const step = max(2, BLOCK_A / 4 / max(words, 1));
  const b = address(args, 2) + <usize>j0 * bytes, scaleB = address(args, 4) + <usize>j0 * sizeof<T>();
  for (; i0 < i1; i0 += step) {
    const a = address(args, 1) + <usize>i0 * bytes, scaleA = address(args, 3) + <usize>i0 * sizeof<T>();
    const c = address(args, 0) + <usize>i0 * ldc + <usize>j0 * sizeof<T>();
    productOfRows<T>(c, ldc, a, scaleA, min(step, i1 - i0), b, scaleB, j1 - j0, bytes);
  }
}

/** The sums are exact, so their bits depend neither on the tiles nor on the threads. */
@inline
function matmulInt8<T>(args: usize, thread: i32, threads: i32): void {
  const M = word(args, 5), N = word(args, 6);
  if (N > M) {
    const units = (N + 3) / 4;
    block<T>(args, 0, M, shareOf(units, thread, threads) * 4, min(N, shareOf(units, thread + 1, threads) * 4));
  } else block<T>(args, shareOf(M, thread, threads), shareOf(M, thread + 1, threads), 0, N);
}

/** args: C (M, N), A (M, words), B (N, words), scales of A's rows, scales of B's rows, M, N, words. */
export function matmulInt8_f32(args: usize, thread: i32, threads: i32): void { matmulInt8<f32>(args, thread, threads); }
export function matmulInt8_f64(args: usize, thread: i32, threads: i32): void { matmulInt8<f64>(args, thread, threads); }
