// Normalisation of rows: (rows, cols) by mean and variance, or by mean square (not centred), of each row.
import { Fold, foldLanes, foldRow } from './fold';
import { loadUpTo, storeUpTo } from './lanes';
import { address, shareOf, word } from './split';

/** Vectors of a chunk of a sum. */
const CHUNK: i32 = 128;

/** `v` with zeros from byte `rest` on, where rest is below 16: what a sum over a row's last part takes. */
@inline
function onlyPart<T>(v: v128, rest: i32): v128 {
  if (rest >= 16) return v;
  if (sizeof<T>() == 8) return v128.shuffle<i64>(v, i64x2.splat(0), 0, 2);
  v = v128.shuffle<i32>(v, i64x2.splat(0), 0, 1, 2, 4);
  if (rest < 12) v = v128.shuffle<i32>(v, i64x2.splat(0), 0, 1, 4, 4);
  return rest < 8 ? v128.shuffle<i32>(v, i64x2.splat(0), 0, 4, 4, 4) : v;
}

/** Sum over a row of y (x - mean); y may be x - mean itself (`square`), then y is not read. */
@inline
function productSum<T>(square: bool, y: usize, x: usize, bytes: i32, mean: v128): T {
  let total = v128.splat<T>(0);
  while (bytes > 0) {
    let sum = v128.splat<T>(0);
    for (let i = CHUNK; i > 0 && bytes > 0; i--) {
      const centred = v128.sub<T>(loadUpTo(x, bytes), mean);
      const term = v128.mul<T>(square ? centred : loadUpTo(y, bytes), centred);
      sum = v128.add<T>(sum, onlyPart<T>(term, bytes));
      x += 16;
      y += 16;
      bytes -= 16;
    }
    total = v128.add<T>(total, sum);
  }
  return foldLanes<T>(Fold.sum, total);
}

/** 1 / sqrt(mean of squared distances from `mean` + eps). */
@inline
function inverseDeviation<T>(x: usize, cols: i32, mean: v128, eps: f64): T {
  const variance = productSum<T>(true, x, x, cols * sizeof<T>(), mean) / <T>cols;
  return <T>1 / sqrt<T>(variance + <T>eps);
}

/** args: dst, x, rows, cols, centred, not used, eps (f64). (x - mean) / sqrt(variance + eps), without centring mean 0. */
@inline
function rowNorm<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 3);
  const bytes = cols * sizeof<T>();
  const eps = load<f64>(args, 24);
  const end = shareOf(word(args, 2), thread + 1, threads);
  for (let row = shareOf(word(args, 2), thread, threads); row < end; row++) {
    let x = address(args, 1) + <usize>row * bytes;
    let dst = address(args, 0) + <usize>row * bytes;
    const mean = v128.splat<T>(word(args, 4) ? foldRow<T>(Fold.sum, x, cols) / <T>cols : 0);
    const factor = v128.splat<T>(inverseDeviation<T>(x, cols, mean, eps));
    for (let rest = bytes; rest > 0; rest -= 16) {
      storeUpTo(dst, v128.mul<T>(v128.sub<T>(loadUpTo(x, rest), mean), factor), rest);
      x += 16;
      dst += 16;
    }
  }
}

export function rowNorm_f32(args: usize, thread: i32, threads: i32): void { rowNorm<f32>(args, thread, threads); }
export function rowNorm_f64(args: usize, thread: i32, threads: i32): void { rowNorm<f64>(args, thread, threads); }

/**
 * args: dst, x, rows, cols, centred, dy, eps (f64). r (dy - mean(dy) - (x - mean) r^2 mean(dy (x - mean))) with
 * r = 1 / sqrt(variance + eps); without centring both means of the first kind are 0.
 */
@inline
function rowNormGradient<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 3);
  const bytes = cols * sizeof<T>();
  const eps = load<f64>(args, 24);
  const centred = word(args, 4) != 0;
  const end = shareOf(word(args, 2), thread + 1, threads);
  for (let row = shareOf(word(args, 2), thread, threads); row < end; row++) {
    let x = address(args, 1) + <usize>row * bytes;
    let dy = address(args, 5) + <usize>row * bytes;
    let dst = address(args, 0) + <usize>row * bytes;
    const mean = v128.splat<T>(centred ? foldRow<T>(Fold.sum, x, cols) / <T>cols : 0);
    const r = inverseDeviation<T>(x, cols, mean, eps);
    const middle = v128.splat<T>(centred ? foldRow<T>(Fold.sum, dy, cols) / <T>cols : 0);
    const slope = v128.splat<T>(r * r * (productSum<T>(false, dy, x, bytes, mean) / <T>cols));
    const factor = v128.splat<T>(r);
    for (let rest = bytes; rest > 0; rest -= 16) {
      const own = v128.mul<T>(v128.sub<T>(loadUpTo(x, rest), mean), slope);
      storeUpTo(dst, v128.mul<T>(v128.sub<T>(v128.sub<T>(loadUpTo(dy, rest), middle), own), factor), rest);
      x += 16;
      dy += 16;
      dst += 16;
    }
  }
}

export function rowNormGradient_f32(args: usize, thread: i32, threads: i32): void { rowNormGradient<f32>(args, thread, threads); }
export function rowNormGradient_f64(args: usize, thread: i32, threads: i32): void { rowNormGradient<f64>(args, thread, threads); }

/** args: dst, x, rows, cols, before, after. dst[c] = x[c - before] + ... + x[c + after] of the row, in this order. */
@inline
function windowSum<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 3);
  const before = word(args, 4);
  const after = word(args, 5);
  const lanes = 16 / sizeof<T>();
  const end = shareOf(word(args, 2), thread + 1, threads);
  for (let row = shareOf(word(args, 2), thread, threads); row < end; row++) {
    const x = address(args, 1) + <usize>row * cols * sizeof<T>();
    const dst = address(args, 0) + <usize>row * cols * sizeof<T>();
    for (let c = 0; c < cols; ) {
      if (c >= before && c + lanes - 1 + after < cols) {
        let p = x + <usize>(c - before) * sizeof<T>();
        let sum = v128.load(p);
        for (let i = before + after; i > 0; i--) {
          p += sizeof<T>();
          sum = v128.add<T>(sum, v128.load(p));
        }
        v128.store(dst + <usize>c * sizeof<T>(), sum);
        c += lanes;
        continue;
      }
      let sum: T = 0;
      const stop = min(c + after, cols - 1);
      for (let j = max(c - before, 0); j <= stop; j++) sum += load<T>(x + <usize>j * sizeof<T>());
      store<T>(dst + <usize>c * sizeof<T>(), sum);
      c++;
    }
  }
}

export function windowSum_f32(args: usize, thread: i32, threads: i32): void { windowSum<f32>(args, thread, threads); }
export function windowSum_f64(args: usize, thread: i32, threads: i32): void { windowSum<f64>(args, thread, threads); }
