// matmul_f32 where C is a single row (or column): the rows of a matrix, scaled and added up.
import { madd } from './gemm-micro';

/** Columns whose sums stay in L1 while the rows pass. */
// @ts-ignore: decorator
@inline const STRIP: i32 = 2048;

/** c[0..n] = sum over k of x[k] * rows[k][0..n]; ld: bytes from row to row. */
export function sumOfRows(c: usize, x: usize, rows: usize, ld: usize, n: i32, K: i32): void {
  memory.fill(c, 0, <usize>n << 2);
  for (; n > 0; n -= STRIP) {
    const cols = min(n, STRIP);
    let p = x, row = rows, k = K;
    for (; k >= 4; k -= 4) {
      addFour(c, p, row, ld, cols);
      p += 16;
      row += ld << 2;
    }
    for (; k > 0; k--) {
      addOne(c, p, row, cols);
      p += 4;
      row += ld;
    }
    c += STRIP << 2;
    rows += STRIP << 2;
  }
}

/** c[0..n] += x[0] * row 0, then x[1] * row 1, ..., to x[3]. */
function addFour(c: usize, x: usize, r0: usize, ld: usize, n: i32): void {
  const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x, 4);
  const x2 = v128.load32_splat(x, 8), x3 = v128.load32_splat(x, 12);
  let r1 = r0 + ld, r2 = r1 + ld, r3 = r2 + ld;
  for (; n >= 4; n -= 4) {
    let sum = madd(x0, v128.load(r0), v128.load(c));
    sum = madd(x1, v128.load(r1), sum);
    sum = madd(x2, v128.load(r2), sum);
    v128.store(c, madd(x3, v128.load(r3), sum));
    c += 16; r0 += 16; r1 += 16; r2 += 16; r3 += 16;
  }
  for (; n > 0; n--) {
    let sum = madd(x0, v128.load32_zero(r0), v128.load32_zero(c));
    sum = madd(x1, v128.load32_zero(r1), sum);
    sum = madd(x2, v128.load32_zero(r2), sum);
    v128.store_lane<f32>(c, madd(x3, v128.load32_zero(r3), sum), 0);
    c += 4; r0 += 4; r1 += 4; r2 += 4; r3 += 4;
  }
}

/** c[0..n] += x[0] * row. */
function addOne(c: usize, x: usize, row: usize, n: i32): void {
  const x0 = v128.load32_splat(x);
  for (; n >= 4; n -= 4) {
    v128.store(c, madd(x0, v128.load(row), v128.load(c)));
    c += 16; row += 16;
  }
  for (; n > 0; n--) {
    v128.store_lane<f32>(c, madd(x0, v128.load32_zero(row), v128.load32_zero(c)), 0);
    c += 4; row += 4;
  }
}
