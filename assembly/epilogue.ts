// The end of a product's last pass: bias, batch norm with known statistics, activation and residual. What can be done in
// the registers of a tile is done there, before it is stored; the rest while it is in L1. Every element goes the way
// that the ops one by one would go, to the same bits.
//
// Words of the description, whose address the kernels get (0: nothing to do):
//   0 1   bias: added            address of one number for each column, and -1; or of four equal numbers, and 0
//   2 3   scale: multiplied by   alike
//   4 5   shift: added           alike
//   6     whether there is more than the bias
//   7 8   floats: the least value, then what is added: 0 and 0 for ReLU (which makes -0 0), -infinity and -0 for none
//   9     residual: added        bytes from an element of the result to what is added to it, or 0
//   10 11 as 7 8, after the residual
//   12    table index of a block kernel that the result goes through last, or -1
import { address, word } from './split';

/** One of the factors for columns whose offset in bytes is `at`. */
// @ts-ignore: decorator
@inline
export function factor(one: bool, e: usize, i: i32, at: usize): v128 {
  return read(one, address(e, i) + (at & address(e, i + 1)));
}

/** max(x, least) + zero. */
// @ts-ignore: decorator
@inline
export function atLeast(x: v128, least: v128, zero: v128): v128 {
  return f32x4.add(f32x4.pmax(x, least), zero);
}

// @ts-ignore: decorator
@inline
function read(one: bool, p: usize): v128 {
  return one ? v128.load32_zero(p) : v128.load(p);
}

/** Whether something is left to do when words 0 to 8 are done. */
// @ts-ignore: decorator
@inline
export function hasRest(e: usize): bool {
  return word(e, 9) != 0 || word(e, 12) >= 0;
}

/** `rows` x `cols` of the result at `c`, rows `ldc` bytes apart; `first`: bytes of the columns before; `rest`: words 0 to 8 are done. */
export function finish(e: usize, c: usize, ldc: usize, rows: i32, first: usize, cols: i32, rest: bool): void {
  const end = <usize>cols << 2;
  if (!rest || word(e, 9)) {
    let j: usize = 0;
    for (; j + 16 <= end; j += 16) columns(false, e, c + j, ldc, rows, first + j, rest);
    for (; j < end; j += 4) columns(true, e, c + j, ldc, rows, first + j, rest);
  }
  const kernel = word(e, 12);
  if (kernel < 0) return;
  if (ldc == end) cols *= rows, rows = 1;
  for (; rows > 0; rows--) {
    call_indirect<void>(kernel, c, c, <usize>0, <usize>0, cols);
    c += ldc;
  }
}

/** Four columns, or one. */
// @ts-ignore: decorator
@inline
function columns(one: bool, e: usize, c: usize, ldc: usize, rows: i32, at: usize, rest: bool): void {
  const bias = factor(one, e, 0, at), scale = factor(one, e, 2, at), shift = factor(one, e, 4, at);
  const residual = address(e, 9), more = word(e, 6);
  for (; rows > 0; rows--) {
    let x = read(one, c);
    if (!rest) {
      x = f32x4.add(x, bias);
      if (more) x = atLeast(f32x4.add(f32x4.mul(x, scale), shift), v128.load32_splat(e, 28), v128.load32_splat(e, 32));
    }
    if (residual) {
      x = f32x4.add(x, read(one, c + residual));
      x = atLeast(x, v128.load32_splat(e, 40), v128.load32_splat(e, 44));
    }
    if (one) v128.store_lane<f32>(c, x, 0);
    else v128.store(c, x);
    c += ldc;
  }
}
