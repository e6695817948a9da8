// Elements by index along an axis, both ways; every column has indices of its own.
// Args: dst, src, indices (i32), outer, size, inner, count.
import { address, shareOf, word } from './split';

/** dst (outer, count, inner) = src (outer, size, inner) at [o, indices[o, j, i], i]; `missing` where there is none. */
@inline
function takeAlong<T>(missing: T, args: usize, thread: i32, threads: i32): void {
  const src = address(args, 1);
  const size = word(args, 4);
  const inner = word(args, 5);
  const count = word(args, 6);
  const total = word(args, 3) * count * inner;
  let at = shareOf(total, thread, threads);
  const end = shareOf(total, thread + 1, threads);
  if (at >= end) return;
  let row = at / inner;
  let i = at - row * inner;
  let o = row / count;
  let j = row - o * count;
  for (; at < end; at++) {
    const index = load<i32>(address(args, 2) + (<usize>at << 2));
    const there = <u32>index < <u32>size;
    const from = src + <usize>((o * size + index) * inner + i) * sizeof<T>();
    store<T>(address(args, 0) + <usize>at * sizeof<T>(), there ? load<T>(from) : missing);
    if (++i < inner) continue;
    i = 0;
    if (++j < count) continue;
    j = 0;
    o++;
  }
}

export function takeAlong_8(args: usize, thread: i32, threads: i32): void { takeAlong<u8>(0, args, thread, threads); }
export function takeAlong_32(args: usize, thread: i32, threads: i32): void { takeAlong<f32>(NaN, args, thread, threads); }
export function takeAlong_64(args: usize, thread: i32, threads: i32): void { takeAlong<f64>(NaN, args, thread, threads); }

/** dst (outer, size, inner) = 0, then [o, indices[o, j, i], i] += src (outer, count, inner) at [o, j, i], j ascending. */
@inline
function addAlong<T>(args: usize, thread: i32, threads: i32): void {
  const size = word(args, 4);
  const inner = word(args, 5);
  const count = word(args, 6);
  const end = shareOf(word(args, 3) * inner, thread + 1, threads);
  for (let unit = shareOf(word(args, 3) * inner, thread, threads); unit < end; unit++) {
    const o = unit / inner;
    const i = unit - o * inner;
    const stride = <usize>inner * sizeof<T>();
    const dst = address(args, 0) + <usize>(o * size * inner + i) * sizeof<T>();
    let to = dst;
    for (let a = 0; a < size; a++) {
      store<T>(to, <T>0);
      to += stride;
    }
    const first = o * count * inner + i;
    let from = address(args, 1) + <usize>first * sizeof<T>();
    let at = address(args, 2) + (<usize>first << 2);
    for (let j = 0; j < count; j++) {
      const index = load<i32>(at);
      if (<u32>index < <u32>size) {
        const p = dst + <usize>index * stride;
        store<T>(p, load<T>(p) + load<T>(from));
      }
      from += stride;
      at += <usize>inner << 2;
    }
  }
}

export function addAlong_f32(args: usize, thread: i32, threads: i32): void { addAlong<f32>(args, thread, threads); }
export function addAlong_f64(args: usize, thread: i32, threads: i32): void { addAlong<f64>(args, thread, threads); }
export function addAlong_i32(args: usize, thread: i32, threads: i32): void { addAlong<i32>(args, thread, threads); }
