// Maximum pooling of images (N, H, W, C) into (N, OH, OW, C). Arguments of every kernel here, in 32-bit words:
//   0 dst  1 x  2 second (maxPoolGradient: dy, maxPoolPick: v)   3 N  4 H  5 W  6 C  7 OH  8 OW
//   9 KH  10 KW  11 SH  12 SW (stride)  13 PT  14 PL (padding above, at the left)  15 DH  16 DW (dilation)
// x and dst of the gradients have H x W pixels, all else OH x OW. Every window has a pixel, which the caller checks.
import { loadUpTo, storeUpTo } from './lanes';
import { address, shareOf, word } from './split';
import { endInside, firstInside, orNaN, overWindows, Pooled } from './windows';

/** Whether windows are 2x2, side by side and inside: the case that most networks have. */
@inline
function isTwoByTwo(args: usize): bool {
  return (
    word(args, 9) == 2 && word(args, 10) == 2 && word(args, 11) == 2 && word(args, 12) == 2 &&
    word(args, 13) == 0 && word(args, 14) == 0 && word(args, 15) == 1 && word(args, 16) == 1 &&
    2 * word(args, 7) <= word(args, 4) && 2 * word(args, 8) <= word(args, 5)
  );
}

@inline
function maxOf4<T>(a: v128, b: v128, c: v128, d: v128): v128 {
  const lower = v128.pmax<T>(c, d);
  const lost = orNaN<T>(orNaN<T>(v128.ne<T>(b, b), d), lower);
  return v128.or(v128.pmax<T>(v128.pmax<T>(a, b), lower), lost);
}

/** A row of `count` windows of 2x2 pixels of `bytes` bytes, whose upper row starts at p, the lower one at q. */
@inline
function maxRow2<T>(dst: usize, p: usize, q: usize, bytes: usize, count: i32): void {
  if ((bytes & 15) == 0) {
    for (; count > 0; count--) {
      const end = p + bytes;
      while (p < end) {
        v128.store(dst, maxOf4<T>(v128.load(p), v128.load(p + bytes), v128.load(q), v128.load(q + bytes)));
        dst += 16;
        p += 16;
        q += 16;
      }
      p += bytes;
      q += bytes;
    }
    return;
  }
  for (; count > 0; count--) {
    for (let rest = <i32>bytes; rest > 0; rest -= 16) {
      const upper = loadUpTo(p, rest);
      const lower = loadUpTo(q, rest);
      const step = <usize>min(rest, 16);
      storeUpTo(dst, maxOf4<T>(upper, loadUpTo(p + bytes, rest), lower, loadUpTo(q + bytes, rest)), rest);
      dst += step;
      p += step;
      q += step;
    }
    p += bytes;
    q += bytes;
  }
}

/** The 2x2 case: a unit is a row of windows. */
@inline
function maxPool2<T>(args: usize, thread: i32, threads: i32): void {
  const oh = word(args, 7);
  const ow = word(args, 8);
  const pixel = <usize>word(args, 6) * sizeof<T>();
  const row = <usize>word(args, 5) * pixel;
  const units = word(args, 3) * oh;
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const n = unit / oh;
    const p = address(args, 1) + <usize>(n * word(args, 4) + 2 * (unit - n * oh)) * row;
    maxRow2<T>(address(args, 0) + <usize>unit * ow * pixel, p, p + row, pixel, ow);
  }
}

@inline
function maxPool<T>(args: usize, thread: i32, threads: i32): void {
  if (isTwoByTwo(args)) maxPool2<T>(args, thread, threads);
  else overWindows<T>(Pooled.max, args, thread, threads);
}

export function maxPool_f32(args: usize, thread: i32, threads: i32): void { maxPool<f32>(args, thread, threads); }
export function maxPool_f64(args: usize, thread: i32, threads: i32): void { maxPool<f64>(args, thread, threads); }
export function maxPoolPick_f32(args: usize, thread: i32, threads: i32): void { overWindows<f32>(Pooled.pick, args, thread, threads); }
export function maxPoolPick_f64(args: usize, thread: i32, threads: i32): void { overWindows<f64>(Pooled.pick, args, thread, threads); }

/** dy to the first maximum of each 2x2 window of a row, 0 to its other pixels: `at` is what leads from x to dx. */
@inline
function gradientRow2<T>(p: usize, q: usize, at: usize, dy: usize, bytes: usize, count: i32): void {
  for (; count > 0; count--) {
    let rest = <i32>bytes;
    while (rest > 0) {
      const part = rest < 16;
      const a = part ? loadUpTo(p, rest) : v128.load(p);
      const b = part ? loadUpTo(p + bytes, rest) : v128.load(p + bytes);
      const c = part ? loadUpTo(q, rest) : v128.load(q);
      const d = part ? loadUpTo(q + bytes, rest) : v128.load(q + bytes);
      const g = part ? loadUpTo(dy, rest) : v128.load(dy);
      // The upper and the lower pair first: what holds its place against a later one is the first maximum.
      const a0 = v128.le<T>(b, a);
      const c0 = v128.le<T>(d, c);
      const upper = v128.bitselect(a, b, a0);
      const lower = v128.bitselect(c, d, c0);
      const isUpper = v128.le<T>(lower, upper);
      const above = v128.and(g, isUpper);
      const below = v128.andnot(g, isUpper);
      if (part) {
        storeUpTo(p + at, v128.and(above, a0), rest);
        storeUpTo(p + at + bytes, v128.andnot(above, a0), rest);
        storeUpTo(q + at, v128.and(below, c0), rest);
        storeUpTo(q + at + bytes, v128.andnot(below, c0), rest);
        p += <usize>rest;
        q += <usize>rest;
        dy += <usize>rest;
        break;
      }
      v128.store(p + at, v128.and(above, a0));
      v128.store(p + at + bytes, v128.andnot(above, a0));
      v128.store(q + at, v128.and(below, c0));
      v128.store(q + at + bytes, v128.andnot(below, c0));
      p += 16;
      q += 16;
      dy += 16;
      rest -= 16;
    }
    p += bytes;
    q += bytes;
  }
}

/** The 2x2 case: a unit is a row of windows; pixels that no window has get 0 by the unit beside them. */
@inline
function maxPoolGradient2<T>(args: usize, thread: i32, threads: i32): void {
  const h = word(args, 4);
  const w = word(args, 5);
  const oh = word(args, 7);
  const ow = word(args, 8);
  const pixel = <usize>word(args, 6) * sizeof<T>();
  const row = <usize>w * pixel;
  const at = address(args, 0) - address(args, 1);
  const over = <usize>(w - 2 * ow) * pixel;
  const units = word(args, 3) * oh;
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const n = unit / oh;
    const y = unit - n * oh;
    const p = address(args, 1) + <usize>(n * h + 2 * y) * row;
    gradientRow2<T>(p, p + row, at, address(args, 2) + <usize>unit * ow * pixel, pixel, ow);
    if (over > 0) {
      memory.fill(p + at + row - over, 0, over);
      memory.fill(p + at + 2 * row - over, 0, over);
    }
    if (y == oh - 1 && 2 * oh < h) memory.fill(p + at + 2 * row, 0, <usize>(h - 2 * oh) * row);
  }
}

/** Adds dy of one window to the first maximum, for `rest` (at most 16) bytes of channels; mask lanes are I. */
@inline
function addToMaximum<T, I>(p: usize, at: usize, dy: usize, rest: i32, rows: i32, columns: i32, nextRow: usize, next: usize): void {
  const whole = rest >= 16;
  let best = loadUpTo(p, rest);
  let place = i64x2.splat(0);
  let line = p;
  for (let k = 0; k < rows; k++) {
    let pixel = line;
    for (let l = 0; l < columns; l++) {
      const value = whole ? v128.load(pixel) : loadUpTo(pixel, rest);
      const keep = v128.le<T>(value, best);
      best = v128.bitselect(best, value, keep);
      place = v128.bitselect(place, v128.splat<I>(<I>(k * columns + l)), keep);
      pixel += next;
    }
    line += nextRow;
  }
  const g = loadUpTo(dy, rest);
  line = p + at;
  let index: I = 0;
  for (let k = 0; k < rows; k++) {
    let pixel = line;
    for (let l = 0; l < columns; l++) {
      const part = v128.and(g, v128.eq<I>(place, v128.splat<I>(index)));
      if (whole) v128.store(pixel, v128.add<T>(v128.load(pixel), part));
      else storeUpTo(pixel, v128.add<T>(loadUpTo(pixel, rest), part), rest);
      index++;
      pixel += next;
    }
    line += nextRow;
  }
}

/**
 * dx = 0, then each window's dy is added to its first maximum, windows in order. A thread has images of its own or,
 * where there are few, vectors of channels: nobody else adds to what it adds to.
 */
@inline
function maxPoolGradient<T, I>(args: usize, thread: i32, threads: i32): void {
  const images = word(args, 3);
  const h = word(args, 4);
  const w = word(args, 5);
  const oh = word(args, 7);
  const ow = word(args, 8);
  const dh = word(args, 15);
  const dw = word(args, 16);
  const pixel = <usize>word(args, 6) * sizeof<T>();
  const row = <usize>w * pixel;
  const at = address(args, 0) - address(args, 1);
  const byImages = images >= threads;
  const parts = byImages ? 1 : (<i32>pixel + 15) >> 4;
  const end = shareOf(images * parts, thread + 1, threads);
  for (let unit = shareOf(images * parts, thread, threads); unit < end; unit++) {
    const n = unit / parts;
    const from = <usize>(unit - n * parts) << 4;
    const bytes = byImages ? <i32>pixel : min(16, <i32>(pixel - from));
    const image = address(args, 1) + <usize>n * h * row + from;
    let clean = 0; // rows of dx that were set to 0, just before they are added to, while they are in the cache
    for (let y = 0; y < oh; y++) {
      const top = y * word(args, 11) - word(args, 13);
      const k0 = firstInside(top, dh);
      const rows = endInside(top, h, word(args, 9), dh) - k0;
      const bottom = top + (k0 + rows - 1) * dh + 1;
      for (; clean < bottom; clean++) clear(image + at + <usize>clean * row, w, pixel, bytes);
      const first = image + <usize>(top + k0 * dh) * row;
      let dy = address(args, 2) + <usize>(n * oh + y) * ow * pixel + from;
      for (let x = 0; x < ow; x++) {
        const left = x * word(args, 12) - word(args, 14);
        const l0 = firstInside(left, dw);
        const columns = endInside(left, w, word(args, 10), dw) - l0;
        let p = first + <usize>(left + l0 * dw) * pixel;
        let g = dy;
        for (let rest = bytes; rest > 0; rest -= 16) {
          addToMaximum<T, I>(p, at, g, rest, rows, columns, <usize>dh * row, <usize>dw * pixel);
          p += 16;
          g += 16;
        }
        dy += pixel;
      }
    }
    for (; clean < h; clean++) clear(image + at + <usize>clean * row, w, pixel, bytes);
  }
}

/** 0 into `bytes` bytes of each of `count` pixels. */
@inline
function clear(p: usize, count: i32, pixel: usize, bytes: i32): void {
  if (<usize>bytes == pixel) {
    memory.fill(p, 0, <usize>count * pixel);
    return;
  }
  for (; count > 0; count--) {
    storeUpTo(p, i64x2.splat(0), bytes); // at most 16 bytes, as only parts of a pixel come here
    p += pixel;
  }
}

export function maxPoolGradient_f32(args: usize, thread: i32, threads: i32): void {
  if (isTwoByTwo(args)) maxPoolGradient2<f32>(args, thread, threads);
  else maxPoolGradient<f32, i32>(args, thread, threads);
}
export function maxPoolGradient_f64(args: usize, thread: i32, threads: i32): void {
  if (isTwoByTwo(args)) maxPoolGradient2<f64>(args, thread, threads);
  else maxPoolGradient<f64, i64>(args, thread, threads);
}
