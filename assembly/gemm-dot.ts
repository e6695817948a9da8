// matmul_f32 for operands whose k lie side by side: dot products of rows, vectors along k, nothing packed.
// Each element is four partial sums (k mod 4), added as (0+2)+(1+3): an order that K alone decides.
import { madd } from './gemm-micro';

/** The k that are left when 4 do not fit: n = 1..3 floats, then zeros. */
// @ts-ignore: decorator
@inline function loadRest(p: usize, n: i32): v128 {
  if (n == 1) return v128.load32_zero(p);
  const pair = v128.load64_zero(p);
  return n == 2 ? pair : v128.load_lane<f32>(p, pair, 2, 8);
}

/** c[r * cp + s * cq] = row r of P . row s of Q, for R <= 2 and S <= 4 rows; ld: bytes from row to row in both. */
// @ts-ignore: decorator
@inline function dotTile(R: i32, S: i32, p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  let p1 = p + ld, q1 = q + ld, q2 = q1 + ld, q3 = q2 + ld;
  const whole = <usize>(K >> 2 << 4), end = p + whole, rest = K & 3;
  if (rest) {
    let y = loadRest(q + whole, rest);
    const x0 = loadRest(p + whole, rest), x1 = R > 1 ? loadRest(p1 + whole, rest) : x0;
    s0 = madd(x0, y, s0);
    if (R > 1) t0 = madd(x1, y, t0);
    if (S > 1) { y = loadRest(q1 + whole, rest); s1 = madd(x0, y, s1); if (R > 1) t1 = madd(x1, y, t1); }
    if (S > 2) { y = loadRest(q2 + whole, rest); s2 = madd(x0, y, s2); if (R > 1) t2 = madd(x1, y, t2); }
    if (S > 3) { y = loadRest(q3 + whole, rest); s3 = madd(x0, y, s3); if (R > 1) t3 = madd(x1, y, t3); }
  }
  // As in gemm-micro.ts, the `if` is for old V8; 3 x 3 rows, otherwise best, spill a sum there (19 GFLOPS, not 28).
  if (p != end) do {
    let y = v128.load(q);
    const x0 = v128.load(p), x1 = R > 1 ? v128.load(p1) : x0;
    s0 = madd(x0, y, s0);
    if (R > 1) t0 = madd(x1, y, t0);
    if (S > 1) { y = v128.load(q1); s1 = madd(x0, y, s1); if (R > 1) t1 = madd(x1, y, t1); }
    if (S > 2) { y = v128.load(q2); s2 = madd(x0, y, s2); if (R > 1) t2 = madd(x1, y, t2); }
    if (S > 3) { y = v128.load(q3); s3 = madd(x0, y, s3); if (R > 1) t3 = madd(x1, y, t3); }
    p += 16;
    if (R > 1) p1 += 16;
    q += 16;
    if (S > 1) q1 += 16;
    if (S > 2) q2 += 16;
    if (S > 3) q3 += 16;
  } while (p != end);
  storeTotals(S, c, cq, s0, s1, s2, s3);
  if (R > 1) storeTotals(S, c + cp, cq, t0, t1, t2, t3);
}

/** c[0], c[step], ... = the total of each of S vectors. */
// @ts-ignore: decorator
@inline function storeTotals(S: i32, c: usize, step: usize, s0: v128, s1: v128, s2: v128, s3: v128): void {
  // Halves of two vectors each: s0[0]+s0[2], s1[0]+s1[2], s0[1]+s0[3], s1[1]+s1[3].
  const l = f32x4.add(v128.shuffle<f32>(s0, s1, 0, 4, 1, 5), v128.shuffle<f32>(s0, s1, 2, 6, 3, 7));
  const r = S < 3 ? l : f32x4.add(v128.shuffle<f32>(s2, s3, 0, 4, 1, 5), v128.shuffle<f32>(s2, s3, 2, 6, 3, 7));
  const x = f32x4.add(v128.shuffle<f32>(l, r, 0, 1, 4, 5), v128.shuffle<f32>(l, r, 2, 3, 6, 7));
  v128.store_lane<f32>(c, x, 0);
  if (S > 1) { c += step; v128.store_lane<f32>(c, x, 1); }
  if (S > 2) { c += step; v128.store_lane<f32>(c, x, 2); }
  if (S > 3) { c += step; v128.store_lane<f32>(c, x, 3); }
}

function dot1x1(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(1, 1, p, q, ld, K, c, cp, cq);
}
function dot1x2(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(1, 2, p, q, ld, K, c, cp, cq);
}
function dot1x3(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(1, 3, p, q, ld, K, c, cp, cq);
}
function dot1x4(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(1, 4, p, q, ld, K, c, cp, cq);
}
function dot2x2(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(2, 2, p, q, ld, K, c, cp, cq);
}
function dot2x3(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(2, 3, p, q, ld, K, c, cp, cq);
}
function dot2x4(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  dotTile(2, 4, p, q, ld, K, c, cp, cq);
}

/** One tile of R x S rows, the smaller of them at most 2, the larger at most 4. */
function dotAny(R: i32, S: i32, p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  if (R > S) return dotAny(S, R, q, p, ld, K, c, cq, cp);
  if (R == 2) {
    if (S == 4) dot2x4(p, q, ld, K, c, cp, cq);
    else if (S == 3) dot2x3(p, q, ld, K, c, cp, cq);
    else dot2x2(p, q, ld, K, c, cp, cq);
  } else if (S == 4) dot1x4(p, q, ld, K, c, cp, cq);
  else if (S == 3) dot1x3(p, q, ld, K, c, cp, cq);
  else if (S == 2) dot1x2(p, q, ld, K, c, cp, cq);
  else dot1x1(p, q, ld, K, c, cp, cq);
}

/** c[i * cp + j * cq] = row i of P . row j of Q; the `few` rows of Q stay in cache while the `many` of P pass. */
export function dotRows(p: usize, many: i32, q: usize, few: i32, K: i32, c: usize, cp: usize, cq: usize): void {
  const ld = <usize>K << 2, most = few > 2 ? 2 : 4;
  for (let i = 0; i < many; ) {
    const R = min(most, many - i);
    for (let j = 0; j < few; ) {
      const left = few - j, tiles = (left + 3) / 4, S = (left + tiles - 1) / tiles;
      dotAny(R, S, p, q + <usize>j * ld, ld, K, c + <usize>j * cq, cp, cq);
      j += S;
    }
    p += <usize>R * ld;
    c += <usize>R * cp;
    i += R;
  }
}
