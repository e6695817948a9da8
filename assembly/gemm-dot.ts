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

// @ts-ignore: decorator
@inline function total(x: v128): f32 {
  const halves = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(halves, 0) + f32x4.extract_lane(halves, 1);
}

/** c[r * cp + s * cq] = row r of P . row s of Q, for R x S rows; ld: bytes from row to row, in P and in Q. */
// @ts-ignore: decorator
@inline function dotTile(R: i32, S: i32, p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  let s00 = f32x4.splat(0), s01 = s00, s02 = s00, s10 = s00, s11 = s00, s12 = s00, s20 = s00, s21 = s00, s22 = s00;
  let p1 = p + ld, p2 = p1 + ld, q1 = q + ld, q2 = q1 + ld;
  const end = p + <usize>(K >> 2 << 4);
  // As in gemm-micro.ts, the `if` is for old V8.
  if (p != end) do {
    const x0 = v128.load(q), x1 = S > 1 ? v128.load(q1) : x0, x2 = S > 2 ? v128.load(q2) : x0;
    let y = v128.load(p);
    s00 = madd(y, x0, s00);
    if (S > 1) s01 = madd(y, x1, s01);
    if (S > 2) s02 = madd(y, x2, s02);
    if (R > 1) {
      y = v128.load(p1);
      s10 = madd(y, x0, s10);
      if (S > 1) s11 = madd(y, x1, s11);
      if (S > 2) s12 = madd(y, x2, s12);
      p1 += 16;
    }
    if (R > 2) {
      y = v128.load(p2);
      s20 = madd(y, x0, s20);
      if (S > 1) s21 = madd(y, x1, s21);
      if (S > 2) s22 = madd(y, x2, s22);
      p2 += 16;
    }
    p += 16;
    q += 16;
    if (S > 1) q1 += 16;
    if (S > 2) q2 += 16;
  } while (p != end);
  const rest = K & 3;
  if (rest) {
    const x0 = loadRest(q, rest), x1 = S > 1 ? loadRest(q1, rest) : x0, x2 = S > 2 ? loadRest(q2, rest) : x0;
    let y = loadRest(p, rest);
    s00 = madd(y, x0, s00);
    if (S > 1) s01 = madd(y, x1, s01);
    if (S > 2) s02 = madd(y, x2, s02);
    if (R > 1) {
      y = loadRest(p1, rest);
      s10 = madd(y, x0, s10);
      if (S > 1) s11 = madd(y, x1, s11);
      if (S > 2) s12 = madd(y, x2, s12);
    }
    if (R > 2) {
      y = loadRest(p2, rest);
      s20 = madd(y, x0, s20);
      if (S > 1) s21 = madd(y, x1, s21);
      if (S > 2) s22 = madd(y, x2, s22);
    }
  }
  storeTotals(S, c, cq, s00, s01, s02);
  if (R > 1) storeTotals(S, c + cp, cq, s10, s11, s12);
  if (R > 2) storeTotals(S, c + cp + cp, cq, s20, s21, s22);
}

// @ts-ignore: decorator
@inline function storeTotals(S: i32, c: usize, cq: usize, s0: v128, s1: v128, s2: v128): void {
  store<f32>(c, total(s0));
  if (S > 1) store<f32>(c + cq, total(s1));
  if (S > 2) store<f32>(c + cq + cq, total(s2));
}

function dot1x1(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void { dotTile(1, 1, p, q, ld, K, c, cp, cq); }
function dot1x2(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void { dotTile(1, 2, p, q, ld, K, c, cp, cq); }
function dot1x3(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void { dotTile(1, 3, p, q, ld, K, c, cp, cq); }
function dot2x2(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void { dotTile(2, 2, p, q, ld, K, c, cp, cq); }
function dot2x3(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void { dotTile(2, 3, p, q, ld, K, c, cp, cq); }
function dot3x3(p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void { dotTile(3, 3, p, q, ld, K, c, cp, cq); }

function dotAny(R: i32, S: i32, p: usize, q: usize, ld: usize, K: i32, c: usize, cp: usize, cq: usize): void {
  if (R > S) return dotAny(S, R, q, p, ld, K, c, cq, cp);
  if (R == 3) dot3x3(p, q, ld, K, c, cp, cq);
  else if (R == 2) { if (S == 3) dot2x3(p, q, ld, K, c, cp, cq); else dot2x2(p, q, ld, K, c, cp, cq); }
  else if (S == 3) dot1x3(p, q, ld, K, c, cp, cq);
  else if (S == 2) dot1x2(p, q, ld, K, c, cp, cq);
  else dot1x1(p, q, ld, K, c, cp, cq);
}

/** c[i * cp + j * cq] = row i of P . row j of Q; `few` rows of Q stay in cache while `many` of P pass. */
export function dotRows(p: usize, many: i32, q: usize, few: i32, K: i32, c: usize, cp: usize, cq: usize): void {
  const ld = <usize>K << 2;
  for (let i = 0; i < many; ) {
    const R = rowsOf(many - i);
    for (let j = 0; j < few; ) {
      const S = rowsOf(few - j);
      dotAny(R, S, p, q + <usize>j * ld, ld, K, c + <usize>j * cq, cp, cq);
      j += S;
    }
    p += <usize>R * ld;
    c += <usize>R * cp;
    i += R;
  }
}

/** 3 rows at a time, but 2 + 2 rather than 3 + 1. */
// @ts-ignore: decorator
@inline function rowsOf(left: i32): i32 {
  return left == 4 ? 2 : min(left, 3);
}
