// conv2dFilter_f32 where the filter is 3 x 3, without strides and dilation, by Winograd's way (conv-winograd.ts). The
// gradient of U adds up over the tiles, in their order, as 16 matrix products:
//
//   V = B^T d B  of each 4 x 4 patch of x,   D = A dy A^T  of each 2 x 2 tile of dy,   dU[i] = V[i]^T D[i],   dg = G^T dU G
//
// Threads share the columns of dU, that is the filters; each transforms all patches for itself.
import { patchAt, patchLine, patchPixel, transformPatch } from './conv-winograd';
import { TILE_COLS, TILE_ROWS, tileRow } from './gemm-micro';
import { address, shareOf, word } from './split';

/** Argument block, in words. */
const enum At {
  out, x, dy,
  batch, height, width, depth, outHeight, outWidth, cols, groups, top, left,
  /** Tiles of a block. */
  block,
  /** Each thread's own memory: a stage, a patch, V and D of a block, dU. */
  own, ownBytes,
}

// @ts-ignore: decorator
@inline const STAGE: usize = 192;

/** args: see At. */
export function winogradFilterGradient(args: usize, thread: i32, threads: i32): void {
  const depth = word(args, At.depth), all = word(args, At.cols), size = word(args, At.block);
  const tilesAcross = (all + TILE_COLS - 1) / TILE_COLS;
  const j0 = shareOf(tilesAcross, thread, threads) * TILE_COLS;
  const cols = min(all, shareOf(tilesAcross, thread + 1, threads) * TILE_COLS) - j0;
  if (cols <= 0) return;
  const down = (word(args, At.outHeight) + 1) >> 1, across = (word(args, At.outWidth) + 1) >> 1;
  const tiles = word(args, At.batch) * down * across;
  const stage = address(args, At.own) + <usize>thread * address(args, At.ownBytes);
  const patch = stage + STAGE;
  const v = patch + (<usize>(depth << 4) << 2);
  const d = v + (<usize>(size * depth << 4) << 2);
  const u = d + (<usize>(size * cols << 4) << 2);
  for (let group = 0; group < word(args, At.groups); group++) {
    for (let at = 0; at < tiles; at += size) {
      const n = min(size, tiles - at);
      for (let i = 0; i < n; i++) {
        const tile = at + i, image = tile / (down * across), rest = tile - image * (down * across);
        const ty = rest / across, tx = rest - ty * across;
        readPatch(args, group, image, ty, tx, patch, v + (<usize>(i * depth) << 2), <usize>(n * depth) << 2);
        readGradient(args, group, image, 2 * ty, 2 * tx, j0, cols, d + (<usize>(i * cols) << 2), <usize>(n * cols) << 2);
      }
      multiply(v, d, u, n, depth, cols, at == 0, stage);
    }
    const to = address(args, At.out) + (<usize>(group * all + j0) << 2);
    for (let c = 0; c < depth; c++) {
      const row = to + (<usize>(c * all * word(args, At.groups)) << 2);
      writeFilter(args, u + (<usize>(c * cols) << 2), <usize>(depth * cols) << 2, cols, row);
    }
  }
}

/** V of a tile: V[i] goes to `to + i * step`. */
function readPatch(args: usize, group: i32, image: i32, ty: i32, tx: i32, copy: usize, to: usize, step: usize): void {
  const height = word(args, At.height), width = word(args, At.width), depth = word(args, At.depth);
  const apart = <usize>(depth * word(args, At.groups)) << 2;
  const source = address(args, At.x) + (<usize>(group * depth) << 2) + <usize>(image * height * width) * apart;
  const y = 2 * ty - word(args, At.top), x = 2 * tx - word(args, At.left);
  const p = patchAt(source, height, width, apart, y, x, depth, copy);
  transformPatch(true, p, patchPixel, patchLine, depth, to, step, 4);
}

/** D of the tile at row y, column x: D[i] goes to `to + i * step`; what lies outside of dy is 0. */
function readGradient(
  args: usize, group: i32, image: i32, y: i32, x: i32, j: i32, cols: i32, to: usize, step: usize,
): void {
  const height = word(args, At.outHeight), width = word(args, At.outWidth), all = word(args, At.cols);
  const pixel = <usize>(all * word(args, At.groups)) << 2, line = <usize>width * pixel;
  let p = address(args, At.dy) + (<usize>(group * all + j) << 2) + <usize>((image * height + y) * width + x) * pixel;
  const right = x + 1 < width, below = y + 1 < height, zero = f32x4.splat(0);
  for (let c = 0; c < cols; c += 4) {
    const a = v128.load(p), b = right ? v128.load(p + pixel) : zero;
    const e = below ? v128.load(p + line) : zero, f = right && below ? v128.load(p + line + pixel) : zero;
    gradientRow(to, step, a, b);
    gradientRow(to + 4 * step, step, f32x4.add(a, e), f32x4.add(b, f));
    gradientRow(to + 8 * step, step, f32x4.sub(a, e), f32x4.sub(b, f));
    gradientRow(to + 12 * step, step, f32x4.neg(e), f32x4.neg(f));
    p += 16;
    to += 16;
  }
}
// @ts-ignore: decorator
@inline
function gradientRow(to: usize, step: usize, a: v128, b: v128): void {
  v128.store(to, a);
  v128.store(to + step, f32x4.add(a, b));
  v128.store(to + 2 * step, f32x4.sub(a, b));
  v128.store(to + 3 * step, f32x4.neg(b));
}

/** dU[i] (depth, cols) (+)= V[i]^T D[i], which are (n, depth) and (n, cols). */
function multiply(v: usize, d: usize, u: usize, n: i32, depth: i32, cols: i32, fresh: bool, stage: usize): void {
  const aStep = <usize>depth << 2, bStep = <usize>cols << 2;
  const tail = <usize>(cols & -TILE_COLS) << 2, parts = (depth + TILE_ROWS - 1) / TILE_ROWS;
  for (let i = 0; i < 16; i++) {
    for (let part = 0; part < parts; part++) {
      const c = shareOf(depth, part, parts), rows = shareOf(depth, part + 1, parts) - c;
      const a = v + (<usize>c << 2);
      tileRow(rows, a, aStep, a + <usize>n * aStep, d, bStep, 32, d + tail, bStep, u + <usize>c * bStep, bStep, cols, fresh, stage);
    }
    v += <usize>n * aStep;
    d += <usize>n * bStep;
    u += <usize>depth * bStep;
  }
}

/** G^T dU G of a channel and all columns; dU[i] begins at `u + i * step`. */
function writeFilter(args: usize, u: usize, step: usize, cols: i32, to: usize): void {
  const tap = <usize>(word(args, At.depth) * word(args, At.cols) * word(args, At.groups)) << 2;
  for (let j = 0; j < cols; j += 4) {
    filterRow(0, u, step, to, tap);
    filterRow(1, u, step, to + 3 * tap, tap);
    filterRow(2, u, step, to + 6 * tap, tap);
    u += 16;
    to += 16;
  }
}
// @ts-ignore: decorator
@inline
function filterRow(row: i32, u: usize, step: usize, to: usize, tap: usize): void {
  const h0 = filterElement(row, u, step), h1 = filterElement(row, u + step, step);
  const h2 = filterElement(row, u + 2 * step, step), h3 = filterElement(row, u + 3 * step, step);
  const half = f32x4.splat(0.5), sum = f32x4.mul(half, f32x4.add(h1, h2));
  v128.store(to, f32x4.add(h0, sum));
  v128.store(to + tap, f32x4.mul(half, f32x4.sub(h1, h2)));
  v128.store(to + 2 * tap, f32x4.add(sum, h3));
}
/** An element of G^T dU. */
// @ts-ignore: decorator
@inline
function filterElement(row: i32, u: usize, step: usize): v128 {
  const half = f32x4.splat(0.5), u1 = v128.load(u + 4 * step), u2 = v128.load(u + 8 * step);
  if (row == 1) return f32x4.mul(half, f32x4.sub(u1, u2));
  const sum = f32x4.mul(half, f32x4.add(u1, u2));
  return row == 0 ? f32x4.add(v128.load(u), sum) : f32x4.add(sum, v128.load(u + 12 * step));
}
