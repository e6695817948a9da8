// Rows of another number along an axis, and the gradient of that. resample args: dst, src, outer, size, to, inner, linear,
// alignCorners, scratch, its bytes per thread: src (outer, size, inner) gives dst (outer, to, inner). Row j is made of
// rows i0 and i1 = i0 + 1 at j's place, which is a fraction of whole numbers, so that no rounding moves it.
// resampleGradient args are the same with src (outer, to, inner) and dst (outer, size, inner).
import { copyRow } from './lanes';
import { address, shareOf, word } from './split';

/** i0, i1, and the part of i1 for each row, in 16 bytes. */
export function resampleScratchBytes(to: i32): i32 {
  return to << 4;
}

@inline
function fillTaps<T>(taps: usize, size: i32, to: i32, linear: bool, align: bool): void {
  const last = size - 1;
  const den = align ? max(to - 1, 1) : 2 * to;
  for (let j = 0; j < to; j++) {
    let i0: i32;
    let part: T = 0;
    if (!linear) i0 = j * size / to;
    else {
      const num = align ? (to > 1 ? j * last : 0) : max((2 * j + 1) * size - to, 0);
      i0 = num / den;
      part = <T>(num - i0 * den) / <T>den;
    }
    store<i32>(taps, i0);
    store<i32>(taps, min(linear ? i0 + 1 : i0, last), 4);
    store<T>(taps, part, 8);
    taps += 16;
  }
}

/** dst = a p + b q over a row. */
@inline
function mix<T>(dst: usize, p: usize, q: usize, a: T, b: T, bytes: i32): void {
  const end = dst + bytes;
  const va = v128.splat<T>(a);
  const vb = v128.splat<T>(b);
  for (; dst + 16 <= end; dst += 16) {
    v128.store(dst, v128.add<T>(v128.mul<T>(v128.load(p), va), v128.mul<T>(v128.load(q), vb)));
    p += 16;
    q += 16;
  }
  for (; dst < end; dst += sizeof<T>()) {
    store<T>(dst, load<T>(p) * a + load<T>(q) * b);
    p += sizeof<T>();
    q += sizeof<T>();
  }
}

/** dst += a p over a row. */
@inline
function accumulate<T>(dst: usize, p: usize, a: T, bytes: i32): void {
  const end = dst + bytes;
  const va = v128.splat<T>(a);
  for (; dst + 16 <= end; dst += 16) {
    v128.store(dst, v128.add<T>(v128.load(dst), v128.mul<T>(v128.load(p), va)));
    p += 16;
  }
  for (; dst < end; dst += sizeof<T>()) {
    store<T>(dst, load<T>(dst) + load<T>(p) * a);
    p += sizeof<T>();
  }
}

@inline
function resample<T>(args: usize, thread: i32, threads: i32): void {
  const outer = word(args, 2);
  const size = word(args, 3);
  const to = word(args, 4);
  const bytes = word(args, 5) * sizeof<T>();
  const linear = word(args, 6) != 0;
  const taps = address(args, 8) + <usize>thread * address(args, 9);
  fillTaps<T>(taps, size, to, linear, word(args, 7) != 0);
  const end = shareOf(outer * to, thread + 1, threads);
  let row = shareOf(outer * to, thread, threads);
  if (row >= end) return;
  let o = row / to;
  let j = row - o * to;
  let dst = address(args, 0) + <usize>row * bytes;
  for (; row < end; row++) {
    const tap = taps + (<usize>j << 4);
    const src = address(args, 1) + <usize>(o * size) * bytes;
    const p = src + <usize>load<i32>(tap) * bytes;
    if (linear) {
      const part = load<T>(tap, 8);
      mix<T>(dst, p, src + <usize>load<i32>(tap, 4) * bytes, <T>1 - part, part, bytes);
    } else copyRow<T>(dst, p, bytes);
    dst += bytes;
    if (++j < to) continue;
    j = 0;
    o++;
  }
}

@inline
function resampleGradient<T>(args: usize, thread: i32, threads: i32): void {
  const outer = word(args, 2);
  const size = word(args, 3);
  const to = word(args, 4);
  const bytes = word(args, 5) * sizeof<T>();
  const linear = word(args, 6) != 0;
  const taps = address(args, 8) + <usize>thread * address(args, 9);
  fillTaps<T>(taps, size, to, linear, word(args, 7) != 0);
  // A thread owns a range of the outer axis, or where that is short, of the rows of dst.
  const byOuter = outer >= threads;
  const o1 = byOuter ? shareOf(outer, thread + 1, threads) : outer;
  const first = byOuter ? 0 : shareOf(size, thread, threads);
  const owned = (byOuter ? size : shareOf(size, thread + 1, threads)) - first;
  for (let o = byOuter ? shareOf(outer, thread, threads) : 0; o < o1; o++) {
    const dst = address(args, 0) + <usize>(o * size + first) * bytes;
    let src = address(args, 1) + <usize>(o * to) * bytes;
    memory.fill(dst, 0, <usize>owned * bytes);
    for (let j = 0; j < to; j++) {
      const tap = taps + (<usize>j << 4);
      const a = load<i32>(tap) - first;
      const b = load<i32>(tap, 4) - first;
      const part = load<T>(tap, 8);
      if (<u32>a < <u32>owned) accumulate<T>(dst + <usize>a * bytes, src, <T>1 - part, bytes);
      if (linear && <u32>b < <u32>owned) accumulate<T>(dst + <usize>b * bytes, src, part, bytes);
      src += bytes;
    }
  }
}

export function resample_f32(args: usize, thread: i32, threads: i32): void { resample<f32>(args, thread, threads); }
export function resample_f64(args: usize, thread: i32, threads: i32): void { resample<f64>(args, thread, threads); }
export function resampleGradient_f32(args: usize, thread: i32, threads: i32): void { resampleGradient<f32>(args, thread, threads); }
export function resampleGradient_f64(args: usize, thread: i32, threads: i32): void { resampleGradient<f64>(args, thread, threads); }
