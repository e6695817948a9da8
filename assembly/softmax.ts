// Softmax, log-softmax and cross-entropy of rows. The largest element is subtracted first.
import { Fold, foldLanes, foldRow, loadPadded } from './fold';
import { loadUpTo, storeUpTo } from './lanes';
import { expOfNegative, log } from './math';
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
      const e = expOfNegative<T>(v128.sub<T>(x, max));
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

/** Args: dst, src, rows, cols. */
@inline
export function softmax<T>(logarithm: bool, args: usize, thread: i32, threads: i32): void {
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

/** Args: dst (rows), src (rows, cols), labels (rows), rows, cols: log(sum(exp(row))) - row[label]; NaN for no such label. */
@inline
export function crossEntropy<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 4);
  const bytes = cols * sizeof<T>();
  const end = shareOf(word(args, 3), thread + 1, threads);
  for (let row = shareOf(word(args, 3), thread, threads); row < end; row++) {
    const src = address(args, 1) + <usize>row * bytes;
    const label = load<i32>(address(args, 2) + (<usize>row << 2));
    let loss = <T>NaN;
    if (<u32>label < <u32>cols) {
      const max = foldRow<T>(Fold.max, src, cols);
      const sum = exponentials<T>(false, 0, src, bytes, v128.splat<T>(max));
      const logSum = v128.extract_lane<T>(log<T>(v128.splat<T>(sum)), 0);
      loss = logSum - (load<T>(src + <usize>label * sizeof<T>()) - max);
    }
    store<T>(address(args, 0) + <usize>row * sizeof<T>(), loss);
  }
}

/** Args: dst, src (rows, cols), labels, dy (rows), rows, cols: dst = dy (softmax(row) - 1 at the label). */
@inline
export function crossEntropyGradient<T>(args: usize, thread: i32, threads: i32): void {
  const cols = word(args, 5);
  const bytes = cols * sizeof<T>();
  const end = shareOf(word(args, 4), thread + 1, threads);
  for (let row = shareOf(word(args, 4), thread, threads); row < end; row++) {
    let dst = address(args, 0) + <usize>row * bytes;
    const src = address(args, 1) + <usize>row * bytes;
    const label = load<i32>(address(args, 2) + (<usize>row << 2));
    const there = <u32>label < <u32>cols;
    const dy = there ? load<T>(address(args, 3) + <usize>row * sizeof<T>()) : <T>NaN;
    const max = v128.splat<T>(foldRow<T>(Fold.max, src, cols));
    const scale = v128.splat<T>(dy / exponentials<T>(true, dst, src, bytes, max));
    const at = dst + <usize>label * sizeof<T>();
    for (let rest = bytes; rest > 0; rest -= 16) {
      storeUpTo(dst, v128.mul<T>(loadUpTo(dst, rest), scale), rest);
      dst += 16;
    }
    if (there) store<T>(at, load<T>(at) - dy);
  }
}

export function crossEntropy_f32(args: usize, thread: i32, threads: i32): void { crossEntropy<f32>(args, thread, threads); }
export function crossEntropyGradient_f32(args: usize, thread: i32, threads: i32): void { crossEntropyGradient<f32>(args, thread, threads); }
