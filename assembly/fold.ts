// What reductions and softmax are made of: the four operations, their identities, a row into one number.
// Sums go in two levels of CHUNK, which keeps the rounding errors of long sums small.
import { loadPart } from './lanes';

export const enum Fold { sum, max, min, prod }

/** Vectors of a chunk of the first level. */
export const CHUNK: i32 = 128;

@inline
export function identity<T>(op: Fold): T {
  if (op == Fold.sum) return <T>0;
  if (op == Fold.prod) return <T>1;
  if (isFloat<T>()) return op == Fold.max ? <T>-Infinity : <T>Infinity;
  return <T>(op == Fold.max ? i32.MIN_VALUE : i32.MAX_VALUE);
}

@inline
export function fold<T>(op: Fold, x: v128, y: v128): v128 {
  if (op == Fold.sum) return v128.add<T>(x, y);
  if (op == Fold.prod) return v128.mul<T>(x, y);
  return op == Fold.max ? v128.max<T>(x, y) : v128.min<T>(x, y);
}

/** All lanes of a vector into one, which is lane 0 of the result. */
@inline
export function foldLanes<T>(op: Fold, v: v128): T {
  v = fold<T>(op, v, v128.shuffle<i64>(v, v, 1, 0));
  if (sizeof<T>() == 4) v = fold<T>(op, v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return v128.extract_lane<T>(v, 0);
}

/** The rest of a row, `bytes` of it, filled up with the identity. */
@inline
export function loadPadded<T>(op: Fold, p: usize, bytes: i32): v128 {
  let v = loadPart(p, bytes);
  if (op == Fold.sum) return v;
  const pad = v128.splat<T>(identity<T>(op));
  if (sizeof<T>() == 8) return v128.shuffle<i64>(v, pad, 0, 2);
  v = v128.shuffle<i32>(v, pad, 0, 1, 2, 4);
  if (bytes < 12) v = v128.shuffle<i32>(v, pad, 0, 1, 4, 4);
  return bytes < 8 ? v128.shuffle<i32>(v, pad, 0, 4, 4, 4) : v;
}

/** n contiguous elements into one: four accumulators of a vector, chunk by chunk. */
@inline
export function foldRow<T>(op: Fold, p: usize, n: i32): T {
  const empty = v128.splat<T>(identity<T>(op));
  let rest = n * sizeof<T>();
  let total = empty;
  while (rest >= 64) {
    let a = empty;
    let b = empty;
    let c = empty;
    let d = empty;
    for (let i = min(CHUNK / 4, rest >> 6); i > 0; i--) {
      a = fold<T>(op, a, v128.load(p));
      b = fold<T>(op, b, v128.load(p, 16));
      c = fold<T>(op, c, v128.load(p, 32));
      d = fold<T>(op, d, v128.load(p, 48));
      p += 64;
      rest -= 64;
    }
    total = fold<T>(op, total, fold<T>(op, fold<T>(op, a, b), fold<T>(op, c, d)));
  }
  for (; rest >= 16; rest -= 16) {
    total = fold<T>(op, total, v128.load(p));
    p += 16;
  }
  if (rest > 0) total = fold<T>(op, total, loadPadded<T>(op, p, rest));
  return foldLanes<T>(op, total);
}
