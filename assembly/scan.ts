// Running sums. cumsum args: dst, src, outer, n, inner, reverse, exclusive; both are (outer, n, inner), sums go along n.
// Sums of f32 are kept in f64: the order is one element after the other, and errors would grow with n.
import { loadUpTo, storeUpTo } from './lanes';
import { address, shareOf, word } from './split';

/** One column. */
@inline
function column<T, S>(dst: usize, src: usize, n: i32, step: isize, exclusive: bool): void {
  let sum: S = 0;
  for (let j = 0; j < n; j++) {
    const next = <S>(sum + <S>load<T>(src));
    store<T>(dst, <T>(exclusive ? sum : next));
    sum = next;
    dst += step;
    src += step;
  }
}

/** The columns of a vector, or of a part of one. */
@inline
function columns<T>(dst: usize, src: usize, n: i32, step: isize, bytes: i32, exclusive: bool): void {
  let low = i64x2.splat(0);
  let high = low;
  for (let j = 0; j < n; j++) {
    const x = loadUpTo(src, bytes);
    let nextLow: v128;
    let nextHigh = high;
    if (isFloat<T>() && sizeof<T>() == 4) {
      nextLow = f64x2.add(low, f64x2.promote_low_f32x4(x));
      nextHigh = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)));
    } else nextLow = v128.add<T>(low, x);
    storeUpTo(dst, exclusive ? narrowed<T>(low, high) : narrowed<T>(nextLow, nextHigh), bytes);
    low = nextLow;
    high = nextHigh;
    dst += step;
    src += step;
  }
}

@inline
function narrowed<T>(low: v128, high: v128): v128 {
  if (!isFloat<T>() || sizeof<T>() == 8) return low;
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

@inline
function cumsum<T, S>(args: usize, thread: i32, threads: i32): void {
  const n = word(args, 3);
  const inner = word(args, 4);
  const reverse = word(args, 5) != 0;
  const exclusive = word(args, 6) != 0;
  const stride = <isize>inner * sizeof<T>();
  const step = reverse ? -stride : stride;
  const strips = (<i32>stride + 15) >> 4;
  const end = shareOf(word(args, 2) * strips, thread + 1, threads);
  for (let unit = shareOf(word(args, 2) * strips, thread, threads); unit < end; unit++) {
    const o = unit / strips;
    const within = (unit - o * strips) << 4;
    const first = <isize>(o * n + (reverse ? n - 1 : 0)) * stride + within;
    const dst = address(args, 0) + first;
    const src = address(args, 1) + first;
    if (inner == 1) column<T, S>(dst, src, n, step, exclusive);
    else columns<T>(dst, src, n, step, <i32>stride - within, exclusive);
  }
}

export function cumsum_f32(args: usize, thread: i32, threads: i32): void { cumsum<f32, f64>(args, thread, threads); }
export function cumsum_f64(args: usize, thread: i32, threads: i32): void { cumsum<f64, f64>(args, thread, threads); }
export function cumsum_i32(args: usize, thread: i32, threads: i32): void { cumsum<i32, i32>(args, thread, threads); }
