// Micro-kernels of matmul_f32: a tile of C, R rows x 8 (or 4) columns, held in registers over a run of k.
// Every element is summed over k one product after the other, so the bits do not depend on the tile.

import { atLeast, factor, finish, hasRest } from './epilogue';
import { word } from './split';

/** Rows of a full tile: what fits into the 15 registers that V8 hands out (without FMA the product needs one). */
// @ts-ignore: decorator
@inline export const TILE_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;
/** Columns of a full tile. */
// @ts-ignore: decorator
@inline export const TILE_COLS: i32 = 8;

// @ts-ignore: decorator
@inline export function madd(a: v128, b: v128, sum: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, sum);
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** What becomes of a tile before it is stored (epilogue.ts), or 0; and the bytes of the columns before it. */
let epilogue: usize = 0;
let column: usize = 0;

// How the loops over k are written is what old V8 (Node 20) needs to keep the sums in registers: one k per turn,
// alone in a function that is not inlined (nested loops get unrolled, loads move ahead of all products, sums spill),
// and behind an `if` (it makes the loop's exit a merge point, which undoes that move): 40 instead of 21 GFLOPS. It does not
// bear an epilogue in the registers either (27 instead of 57): only the build that old V8 cannot run has that.

/**
 * One tile, c[r][0..8] (+)= sum of a[k][r] * b[k][0..8] over k in [a, aEnd).
 * aStep and bStep: bytes from one k to the next; ldc: bytes from one row of C to the next.
 */
// @ts-ignore: decorator
@inline function tile8(
  R: i32, a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool,
): void {
  let l0 = f32x4.splat(0), l1 = l0, l2 = l0, l3 = l0, l4 = l0, l5 = l0;
  let r0 = l0, r1 = l0, r2 = l0, r3 = l0, r4 = l0, r5 = l0;
  if (!fresh) {
    let p = c;
    l0 = v128.load(p), r0 = v128.load(p, 16);
    if (R > 1) { p += ldc; l1 = v128.load(p), r1 = v128.load(p, 16); }
    if (R > 2) { p += ldc; l2 = v128.load(p), r2 = v128.load(p, 16); }
    if (R > 3) { p += ldc; l3 = v128.load(p), r3 = v128.load(p, 16); }
    if (R > 4) { p += ldc; l4 = v128.load(p), r4 = v128.load(p, 16); }
    if (R > 5) { p += ldc; l5 = v128.load(p), r5 = v128.load(p, 16); }
  }
  if (a != aEnd) do {
    const bl = v128.load(b), br = v128.load(b, 16);
    let x = v128.load32_splat(a);
    l0 = madd(x, bl, l0), r0 = madd(x, br, r0);
    if (R > 1) { x = v128.load32_splat(a, 4); l1 = madd(x, bl, l1), r1 = madd(x, br, r1); }
    if (R > 2) { x = v128.load32_splat(a, 8); l2 = madd(x, bl, l2), r2 = madd(x, br, r2); }
    if (R > 3) { x = v128.load32_splat(a, 12); l3 = madd(x, bl, l3), r3 = madd(x, br, r3); }
    if (R > 4) { x = v128.load32_splat(a, 16); l4 = madd(x, bl, l4), r4 = madd(x, br, r4); }
    if (R > 5) { x = v128.load32_splat(a, 20); l5 = madd(x, bl, l5), r5 = madd(x, br, r5); }
    a += aStep;
    b += bStep;
  } while (a != aEnd);
  if (ASC_FEATURE_RELAXED_SIMD && epilogue) {
    const e = epilogue, at = column;
    let x = factor(false, e, 0, at), y = factor(false, e, 0, at + 16);
    l0 = f32x4.add(l0, x), r0 = f32x4.add(r0, y);
    if (R > 1) { l1 = f32x4.add(l1, x), r1 = f32x4.add(r1, y); }
    if (R > 2) { l2 = f32x4.add(l2, x), r2 = f32x4.add(r2, y); }
    if (R > 3) { l3 = f32x4.add(l3, x), r3 = f32x4.add(r3, y); }
    if (R > 4) { l4 = f32x4.add(l4, x), r4 = f32x4.add(r4, y); }
    if (R > 5) { l5 = f32x4.add(l5, x), r5 = f32x4.add(r5, y); }
    if (word(e, 6)) {
      x = factor(false, e, 2, at), y = factor(false, e, 2, at + 16);
      l0 = f32x4.mul(l0, x), r0 = f32x4.mul(r0, y);
      if (R > 1) { l1 = f32x4.mul(l1, x), r1 = f32x4.mul(r1, y); }
      if (R > 2) { l2 = f32x4.mul(l2, x), r2 = f32x4.mul(r2, y); }
      if (R > 3) { l3 = f32x4.mul(l3, x), r3 = f32x4.mul(r3, y); }
      if (R > 4) { l4 = f32x4.mul(l4, x), r4 = f32x4.mul(r4, y); }
      if (R > 5) { l5 = f32x4.mul(l5, x), r5 = f32x4.mul(r5, y); }
      x = factor(false, e, 4, at), y = factor(false, e, 4, at + 16);
      l0 = f32x4.add(l0, x), r0 = f32x4.add(r0, y);
      if (R > 1) { l1 = f32x4.add(l1, x), r1 = f32x4.add(r1, y); }
      if (R > 2) { l2 = f32x4.add(l2, x), r2 = f32x4.add(r2, y); }
      if (R > 3) { l3 = f32x4.add(l3, x), r3 = f32x4.add(r3, y); }
      if (R > 4) { l4 = f32x4.add(l4, x), r4 = f32x4.add(r4, y); }
      if (R > 5) { l5 = f32x4.add(l5, x), r5 = f32x4.add(r5, y); }
      x = v128.load32_splat(e, 28), y = v128.load32_splat(e, 32);
      l0 = atLeast(l0, x, y), r0 = atLeast(r0, x, y);
      if (R > 1) { l1 = atLeast(l1, x, y), r1 = atLeast(r1, x, y); }
      if (R > 2) { l2 = atLeast(l2, x, y), r2 = atLeast(r2, x, y); }
      if (R > 3) { l3 = atLeast(l3, x, y), r3 = atLeast(r3, x, y); }
      if (R > 4) { l4 = atLeast(l4, x, y), r4 = atLeast(r4, x, y); }
      if (R > 5) { l5 = atLeast(l5, x, y), r5 = atLeast(r5, x, y); }
    }
  }
  v128.store(c, l0), v128.store(c, r0, 16);
  if (R > 1) { c += ldc; v128.store(c, l1), v128.store(c, r1, 16); }
  if (R > 2) { c += ldc; v128.store(c, l2), v128.store(c, r2, 16); }
  if (R > 3) { c += ldc; v128.store(c, l3), v128.store(c, r3, 16); }
  if (R > 4) { c += ldc; v128.store(c, l4), v128.store(c, r4, 16); }
  if (R > 5) { c += ldc; v128.store(c, l5), v128.store(c, r5, 16); }
}

/** The same tile with 4 columns. */
// @ts-ignore: decorator
@inline function tile4(
  R: i32, a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool,
): void {
  let l0 = f32x4.splat(0), l1 = l0, l2 = l0, l3 = l0, l4 = l0, l5 = l0;
  if (!fresh) {
    let p = c;
    l0 = v128.load(p);
    if (R > 1) { p += ldc; l1 = v128.load(p); }
    if (R > 2) { p += ldc; l2 = v128.load(p); }
    if (R > 3) { p += ldc; l3 = v128.load(p); }
    if (R > 4) { p += ldc; l4 = v128.load(p); }
    if (R > 5) { p += ldc; l5 = v128.load(p); }
  }
  if (a != aEnd) do {
    const bl = v128.load(b);
    l0 = madd(v128.load32_splat(a), bl, l0);
    if (R > 1) l1 = madd(v128.load32_splat(a, 4), bl, l1);
    if (R > 2) l2 = madd(v128.load32_splat(a, 8), bl, l2);
    if (R > 3) l3 = madd(v128.load32_splat(a, 12), bl, l3);
    if (R > 4) l4 = madd(v128.load32_splat(a, 16), bl, l4);
    if (R > 5) l5 = madd(v128.load32_splat(a, 20), bl, l5);
    a += aStep;
    b += bStep;
  } while (a != aEnd);
  if (ASC_FEATURE_RELAXED_SIMD && epilogue) {
    const e = epilogue, at = column;
    let x = factor(false, e, 0, at);
    l0 = f32x4.add(l0, x);
    if (R > 1) l1 = f32x4.add(l1, x);
    if (R > 2) l2 = f32x4.add(l2, x);
    if (R > 3) l3 = f32x4.add(l3, x);
    if (R > 4) l4 = f32x4.add(l4, x);
    if (R > 5) l5 = f32x4.add(l5, x);
    if (word(e, 6)) {
      x = factor(false, e, 2, at);
      l0 = f32x4.mul(l0, x);
      if (R > 1) l1 = f32x4.mul(l1, x);
      if (R > 2) l2 = f32x4.mul(l2, x);
      if (R > 3) l3 = f32x4.mul(l3, x);
      if (R > 4) l4 = f32x4.mul(l4, x);
      if (R > 5) l5 = f32x4.mul(l5, x);
      x = factor(false, e, 4, at);
      l0 = f32x4.add(l0, x);
      if (R > 1) l1 = f32x4.add(l1, x);
      if (R > 2) l2 = f32x4.add(l2, x);
      if (R > 3) l3 = f32x4.add(l3, x);
      if (R > 4) l4 = f32x4.add(l4, x);
      if (R > 5) l5 = f32x4.add(l5, x);
      x = v128.load32_splat(e, 28);
      const y = v128.load32_splat(e, 32);
      l0 = atLeast(l0, x, y);
      if (R > 1) l1 = atLeast(l1, x, y);
      if (R > 2) l2 = atLeast(l2, x, y);
      if (R > 3) l3 = atLeast(l3, x, y);
      if (R > 4) l4 = atLeast(l4, x, y);
      if (R > 5) l5 = atLeast(l5, x, y);
    }
  }
  v128.store(c, l0);
  if (R > 1) { c += ldc; v128.store(c, l1); }
  if (R > 2) { c += ldc; v128.store(c, l2); }
  if (R > 3) { c += ldc; v128.store(c, l3); }
  if (R > 4) { c += ldc; v128.store(c, l4); }
  if (R > 5) { c += ldc; v128.store(c, l5); }
}

/** Copies rows x cols floats, cols < 8. */
function copyTile(to: usize, toStep: usize, from: usize, fromStep: usize, rows: i32, cols: i32): void {
  for (; rows > 0; rows--) {
    for (let j: usize = 0; j < <usize>(cols << 2); j += 4) store<f32>(to + j, load<f32>(from + j));
    to += toStep;
    from += fromStep;
  }
}

function tile1x8(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile8(1, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile2x8(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile8(2, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile3x8(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile8(3, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile4x8(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile8(4, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile5x8(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile8(5, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile6x8(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile8(6, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}

function tile1x4(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile4(1, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile2x4(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile4(2, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile3x4(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile4(3, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile4x4(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile4(4, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile5x4(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile4(5, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}
function tile6x4(a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool): void {
  tile4(6, a, aStep, aEnd, b, bStep, c, ldc, fresh);
}

// @ts-ignore: decorator
@inline function callTile8(
  rows: i32, a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool,
): void {
  switch (rows) {
    case 1: return tile1x8(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 2: return tile2x8(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 3: return tile3x8(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 4: return tile4x8(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 5: return tile5x8(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    default: if (TILE_ROWS > 5) tile6x8(a, aStep, aEnd, b, bStep, c, ldc, fresh);
  }
}

// @ts-ignore: decorator
@inline function callTile4(
  rows: i32, a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, c: usize, ldc: usize, fresh: bool,
): void {
  switch (rows) {
    case 1: return tile1x4(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 2: return tile2x4(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 3: return tile3x4(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 4: return tile4x4(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    case 5: return tile5x4(a, aStep, aEnd, b, bStep, c, ldc, fresh);
    default: if (TILE_ROWS > 5) tile6x4(a, aStep, aEnd, b, bStep, c, ldc, fresh);
  }
}

/**
 * rows (1..TILE_ROWS) of C, all column tiles, over the k in [a, aEnd). Tile t of B lies at b + t * bTile; the last,
 * narrower one at bTail (padded to 4 or 8 columns), and goes through `stage` (6 x 8 floats) unless 4 wide. `e`: what
 * becomes of the result (epilogue.ts), or 0, when these are the last k; `before`: bytes of the columns before.
 */
export function tileRow(
  rows: i32, a: usize, aStep: usize, aEnd: usize, b: usize, bStep: usize, bTile: usize, bTail: usize, bTailStep: usize,
  c: usize, ldc: usize, cols: i32, fresh: bool, stage: usize, e: usize = 0, before: usize = 0,
): void {
  const first = c, wide = cols & 7, done = wide == 4 ? cols : cols - wide;
  epilogue = e, column = before;
  for (; cols >= 8; cols -= 8) {
    callTile8(rows, a, aStep, aEnd, b, bStep, c, ldc, fresh);
    b += bTile;
    c += 32;
    column += 32;
  }
  if (cols == 4) {
    callTile4(rows, a, aStep, aEnd, bTail, bTailStep, c, ldc, fresh);
  } else if (cols > 0) {
    epilogue = 0;
    if (!fresh) copyTile(stage, 32, c, ldc, rows, cols);
    if (cols < 4) callTile4(rows, a, aStep, aEnd, bTail, bTailStep, stage, 32, fresh);
    else callTile8(rows, a, aStep, aEnd, bTail, bTailStep, stage, 32, fresh);
    copyTile(c, ldc, stage, 32, rows, cols);
    if (e) finish(e, c, ldc, rows, column, cols, false);
  }
  const inTiles: bool = ASC_FEATURE_RELAXED_SIMD;
  if (e && done && !(inTiles && !hasRest(e))) finish(e, first, ldc, rows, before, done, inTiles);
}
