// Windows over images: the walk that all poolings share, and what each makes of a window. Arguments as in pool.ts.
import { loadUpTo, storeUpTo } from './lanes';
import { address, shareOf, word } from './split';

/** What a window gives: its maximum (NaN wins), v where x has its maximum, or its mean. */
export const enum Pooled { max, pick, mean }

/** First element of a window on one axis that is not before the image: `start` may be negative. */
@inline
export function firstInside(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

/** One past the window's last element that is inside: elements at start + k dilation, k below `kernel`. */
@inline
export function endInside(start: i32, size: i32, kernel: i32, dilation: i32): i32 {
  return min(kernel, (size - start + dilation - 1) / dilation);
}

/** Pixels that a window from `start` on counts on one axis: those inside, or with padding those up to its end. */
@inline
export function counted(start: i32, size: i32, kernel: i32, after: i32, padded: bool): i32 {
  return padded ? min(start + kernel, size + after) - start : min(start + kernel, size) - max(start, 0);
}

// V8 makes eight instructions of a maximum that hands NaN on. pmax(a, b) is one, and loses a NaN only if it is b: so all
// that came as b are looked at, and where one was NaN all bits of the result are set, which is a NaN as well.

/** All bits of lanes that are NaN, or'ed to those before. */
@inline
export function orNaN<T>(before: v128, x: v128): v128 {
  return v128.or(before, v128.ne<T>(x, x));
}

// Of the window whose first pixel inside is at p, `rest` bytes of channels; `next` bytes lead to the next pixel, `nextRow` to
// the next row.

@inline
function maxOf<T>(p: usize, rest: i32, rows: i32, columns: i32, nextRow: usize, next: usize): v128 {
  let best = loadUpTo(p, rest);
  let lost = i64x2.splat(0);
  for (let k = rows; k > 0; k--) {
    let at = p;
    if (rest >= 16) {
      if (columns == 3) {
        const x = v128.load(at);
        const y = v128.load(at + next);
        const z = v128.load(at + 2 * next);
        lost = orNaN<T>(orNaN<T>(orNaN<T>(lost, x), y), z);
        best = v128.pmax<T>(v128.pmax<T>(best, x), v128.pmax<T>(y, z));
      } else {
        for (let l = columns; l > 0; l--) {
          const x = v128.load(at);
          lost = orNaN<T>(lost, x);
          best = v128.pmax<T>(best, x);
          at += next;
        }
      }
    } else {
      for (let l = columns; l > 0; l--) {
        best = v128.max<T>(best, loadUpTo(at, rest));
        at += next;
      }
    }
    p += nextRow;
  }
  return v128.or(best, lost);
}

/** v, which lies `other` bytes from x, where x has the first of its largest. */
@inline
function pickOf<T>(p: usize, other: usize, rest: i32, rows: i32, columns: i32, nextRow: usize, next: usize): v128 {
  let best = loadUpTo(p, rest);
  let picked = loadUpTo(p + other, rest);
  for (let k = rows; k > 0; k--) {
    let at = p;
    for (let l = columns; l > 0; l--) {
      const value = loadUpTo(at, rest);
      const keep = v128.le<T>(value, best);
      best = v128.bitselect(best, value, keep);
      picked = v128.bitselect(picked, loadUpTo(at + other, rest), keep);
      at += next;
    }
    p += nextRow;
  }
  return picked;
}

/** Pixels are added in order. */
@inline
function sumOf<T>(p: usize, rest: i32, rows: i32, columns: i32, nextRow: usize, next: usize): v128 {
  let sum = v128.splat<T>(0);
  for (let k = rows; k > 0; k--) {
    let at = p;
    if (rest >= 16) {
      for (let l = columns; l > 0; l--) {
        sum = v128.add<T>(sum, v128.load(at));
        at += next;
      }
    } else {
      for (let l = columns; l > 0; l--) {
        sum = v128.add<T>(sum, loadUpTo(at, rest));
        at += next;
      }
    }
    p += nextRow;
  }
  return sum;
}

/** A unit is a row of windows. */
@inline
export function overWindows<T>(pooled: Pooled, args: usize, thread: i32, threads: i32): void {
  const h = word(args, 4);
  const w = word(args, 5);
  const oh = word(args, 7);
  const ow = word(args, 8);
  const dh = pooled == Pooled.mean ? 1 : word(args, 15);
  const dw = pooled == Pooled.mean ? 1 : word(args, 16);
  const padded = word(args, 19) != 0;
  const pixel = <usize>word(args, 6) * sizeof<T>();
  const row = <usize>w * pixel;
  const nextRow = <usize>dh * row;
  const next = <usize>dw * pixel;
  const other = address(args, 2) - address(args, 1);
  const units = word(args, 3) * oh;
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const n = unit / oh;
    let dst = address(args, 0) + <usize>unit * ow * pixel;
    const top = (unit - n * oh) * word(args, 11) - word(args, 13);
    const k0 = firstInside(top, dh);
    const rows = endInside(top, h, word(args, 9), dh) - k0;
    const first = address(args, 1) + <usize>(n * h + top + k0 * dh) * row;
    const high = pooled == Pooled.mean ? counted(top, h, word(args, 9), word(args, 17), padded) : 0;
    for (let x = 0; x < ow; x++) {
      const left = x * word(args, 12) - word(args, 14);
      const l0 = firstInside(left, dw);
      const columns = endInside(left, w, word(args, 10), dw) - l0;
      let part = v128.splat<T>(0);
      if (pooled == Pooled.mean)
        part = v128.splat<T>(<T>1 / <T>(high * counted(left, w, word(args, 10), word(args, 18), padded)));
      let p = first + <usize>(left + l0 * dw) * pixel;
      for (let rest = <i32>pixel; rest > 0; rest -= 16) {
        let value: v128;
        if (pooled == Pooled.max) value = maxOf<T>(p, rest, rows, columns, nextRow, next);
        else if (pooled == Pooled.pick) value = pickOf<T>(p, other, rest, rows, columns, nextRow, next);
        else value = v128.mul<T>(sumOf<T>(p, rest, rows, columns, nextRow, next), part);
        storeUpTo(dst, value, rest);
        const step = <usize>min(rest, 16);
        dst += step;
        p += step;
      }
    }
  }
}
