// Softmax and log-softmax of rows: args are dst, src, rows, cols. The largest element is subtracted first.
import { Fold, foldLanes, foldRow, loadPadded } from './fold';
import { loadUpTo, storeUpTo } from './lanes';
import { exp, log } from './math';
import { address, shareOf, word } from './split';

/** Sum of exp(x - max) over a row; with `keep`, the terms go to dst. */
@inline
function exponentials<T>(keep: bool, dst: usize, src: usize, bytes: i32, max: v128): T {
  let total = v128.splat<T>(0);
  while (bytes > 0) {
    let sum = v128.splat<T>(0);
    for (let i = 64; i > 0 && bytes > 0; i--) {
      // padded with -inf, whose exp is 0
      const x = bytes >= 16 ? v128.load(src) : loadPadded<T>(Fold.max, src, bytes);
      const e = exp<T>(v128.sub<T>(x, max));
      if (keep) storeUpTo(dst, e, bytes);
      sum = v128.add<T>(sum, e);
      dst += 16;
      src += 16;
      bytes -= 16;
    }
    total = v128.add<T>(total, sum);
  }
  return foldLanes<T>(Fold.sum, total);
}

@inline
function softmax<T>(logarithm: bool, args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 3);
  const bytes = cols * sizeof<T>();
  const end = shareOf(word(args, 2), thread + 1, threads);
  for (let row = shareOf(word(args, 2), thread, threads); row < end; row++) {
    let dst = address(args, 0) + <usize>row * bytes;
    let src = address(args, 1) + <usize>row * bytes;
    const max = v128.splat<T>(foldRow<T>(Fold.max, src, cols));
    const sum = v128.splat<T>(exponentials<T>(!logarithm, dst, src, bytes, max));
    const shift = logarithm ? log<T>(sum) : sum;
    for (let rest = bytes; rest > 0; rest -= 16) {
      if (logarithm) storeUpTo(dst, v128.sub<T>(v128.sub<T>(loadUpTo(src, rest), max), shift), rest);
      else storeUpTo(dst, v128.div<T>(loadUpTo(dst, rest), shift), rest);
      dst += 16;
      src += 16;
    }
  }
}

export function softmax_f32(args: usize, thread: i32, threads: i32): void { softmax<f32>(false, args, thread, threads); }
export function softmax_f64(args: usize, thread: i32, threads: i32): void { softmax<f64>(false, args, thread, threads); }
export function logSoftmax_f32(args: usize, thread: i32, threads: i32): void { softmax<f32>(true, args, thread, threads); }
export function logSoftmax_f64(args: usize, thread: i32, threads: i32): void { softmax<f64>(true, args, thread, threads); }
