// Reductions NAME(args): dst, src, outer, reduce, inner; src is (outer, reduce, inner), dst (outer, inner).
import { CHUNK, Fold, fold, foldRow, identity } from './fold';
import { loadPart, storeUpTo } from './lanes';
import { address, shareOf, word } from './split';

/** Four vectors of columns at once over all rows, or one (the last perhaps in part). */
@inline
function foldColumns<T>(op: Fold, dst: usize, src: usize, rows: i32, stride: usize, bytes: i32): void {
  const empty = v128.splat<T>(identity<T>(op));
  if (bytes >= 64) {
    let ta = empty;
    let tb = empty;
    let tc = empty;
    let td = empty;
    while (rows > 0) {
      let a = empty;
      let b = empty;
      let c = empty;
      let d = empty;
      const count = min(rows, CHUNK);
      for (let i = count; i > 0; i--) {
        a = fold<T>(op, a, v128.load(src));
        b = fold<T>(op, b, v128.load(src, 16));
        c = fold<T>(op, c, v128.load(src, 32));
        d = fold<T>(op, d, v128.load(src, 48));
        src += stride;
      }
      rows -= count;
      ta = fold<T>(op, ta, a);
      tb = fold<T>(op, tb, b);
      tc = fold<T>(op, tc, c);
      td = fold<T>(op, td, d);
    }
    v128.store(dst, ta);
    v128.store(dst, tb, 16);
    v128.store(dst, tc, 32);
    v128.store(dst, td, 48);
    return;
  }
  for (; bytes > 0; bytes -= 16) {
    let p = src;
    let total = empty;
    for (let left = rows; left > 0; left -= CHUNK) {
      let a = empty;
      for (let i = min(left, CHUNK); i > 0; i--) {
        a = fold<T>(op, a, bytes >= 16 ? v128.load(p) : loadPart(p, bytes));
        p += stride;
      }
      total = fold<T>(op, total, a);
    }
    storeUpTo(dst, total, bytes);
    dst += 16;
    src += 16;
  }
}

@inline
export function reduce<T>(op: Fold, args: usize, thread: i32, threads: i32): void {
  const dst = address(args, 0);
  const src = address(args, 1);
  const outer = word(args, 2);
  const rows = word(args, 3);
  const inner = word(args, 4);
  if (inner == 1) {
    const end = shareOf(outer, thread + 1, threads);
    for (let i = shareOf(outer, thread, threads); i < end; i++) {
      const row = src + <usize>i * rows * sizeof<T>();
      store<T>(dst + <usize>i * sizeof<T>(), foldRow<T>(op, row, rows));
    }
    return;
  }
  const stride = <usize>inner * sizeof<T>();
  const strips = (<i32>stride + 63) >> 6;
  const end = shareOf(outer * strips, thread + 1, threads);
  for (let i = shareOf(outer * strips, thread, threads); i < end; i++) {
    const o = i / strips;
    const at = <usize>(i - o * strips) << 6;
    foldColumns<T>(op, dst + <usize>o * stride + at, src + <usize>(o * rows) * stride + at, rows, stride, <i32>(stride - at));
  }
}

/** Index of the largest or smallest element, the first of equals; a NaN is more extreme than anything. */
@inline
export function argument<T>(op: Fold, args: usize, thread: i32, threads: i32): void {
  const dst = address(args, 0);
  const outer = word(args, 2);
  const rows = word(args, 3);
  const inner = word(args, 4);
  const end = shareOf(outer * inner, thread + 1, threads);
  for (let i = shareOf(outer * inner, thread, threads); i < end; i++) {
    const o = i / inner;
    let p = address(args, 1) + (<usize>o * rows * inner + (i - o * inner)) * sizeof<T>();
    let best = load<T>(p);
    let index = 0;
    for (let r = 1; r < rows; r++) {
      p += <usize>inner * sizeof<T>();
      const x = load<T>(p);
      const better = op == Fold.max ? !(x <= best) : !(x >= best);
      if (better && best == best) {
        best = x;
        index = r;
      }
    }
    store<i32>(dst + (<usize>i << 2), index);
  }
}

export function sum_f32(args: usize, thread: i32, threads: i32): void { reduce<f32>(Fold.sum, args, thread, threads); }
export function sum_i32(args: usize, thread: i32, threads: i32): void { reduce<i32>(Fold.sum, args, thread, threads); }
export function max_f32(args: usize, thread: i32, threads: i32): void { reduce<f32>(Fold.max, args, thread, threads); }
export function min_f32(args: usize, thread: i32, threads: i32): void { reduce<f32>(Fold.min, args, thread, threads); }
export function argmax_f32(args: usize, thread: i32, threads: i32): void { argument<f32>(Fold.max, args, thread, threads); }
