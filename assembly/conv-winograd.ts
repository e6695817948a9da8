// conv2d_f32 and its gradient for the input where the filter is 3 x 3, without strides and dilation: F(2 x 2, 3 x 3) of
// Winograd's minimal filtering (Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural Networks"): for each tile
// of 2 x 2 outputs 16 products in place of 36, which add up over the channels as 16 matrix products.
//
//   U = G g G^T  of each filter,   V = B^T d B  of each 4 x 4 patch,   M[i] = V[i] U[i] for i of 16,   y = A^T M A
//
// Two kernels: winogradFilter makes U, which all threads share; winograd does the rest, block by block of tiles. The sum
// over channels runs in their order, so the bits depend neither on blocks nor on threads.
import { atLeast, factor, finish, hasRest } from './epilogue';
import { copyFloats, zeroFloats } from './conv-pack';
import { TILE_COLS, TILE_ROWS, tileRow } from './gemm-micro';
import { address, shareOf, word } from './split';

/** Argument block of both kernels, in words. `depth` channels are read and `cols` written in each group. */
const enum At {
  out, source, filter,
  batch, height, width, depth, outHeight, outWidth, cols, groups,
  /** Zeros above and on the left of the source, may be negative. */
  top, left,
  /** Whether this is the gradient: filters are turned by half a turn, their two channel axes swapped. */
  gradient,
  /** Tiles of a block. */
  block,
  /** Address of U; of the threads' own memory, and bytes of it. */
  shared, own, ownBytes,
  /** What becomes of the result: see epilogue.ts. */
  epilogue,
}

/** Floats of U for each group and each of the 16: panels of 8 columns. */
@inline
function panelFloats(depth: i32, cols: i32): i32 {
  return depth * ((cols + TILE_COLS - 1) & -TILE_COLS);
}

/** args: see At. Threads share the channels that are read. */
export function winogradFilter(args: usize, thread: i32, threads: i32): void {
  const depth = word(args, At.depth), cols = word(args, At.cols), groups = word(args, At.groups);
  const end = shareOf(depth * groups, thread + 1, threads);
  for (let at = shareOf(depth * groups, thread, threads); at < end; at++) {
    const group = at / depth, k = at - group * depth;
    for (let j = 0; j < cols; j += 4) transformFilter(args, group, k, j);
  }
}

/** Column vector j..j+4 of a filter element in row k: g[ky][kx]. */
@inline
function filterVector(args: usize, group: i32, k: i32, j: i32, ky: i32, kx: i32): v128 {
  const depth = word(args, At.depth), cols = word(args, At.cols), groups = word(args, At.groups);
  const filter = address(args, At.filter);
  if (!word(args, At.gradient)) {
    return v128.load(filter + (<usize>(((ky * 3 + kx) * depth + k) * cols * groups + group * cols + j) << 2));
  }
  // (3, 3, cols, depth * groups)
  const step = <usize>(depth * groups) << 2;
  const p = filter + (<usize>((((2 - ky) * 3 + 2 - kx) * cols + j) * depth * groups + group * depth + k) << 2);
  let v = v128.load32_zero(p);
  v = v128.load_lane<f32>(p + step, v, 1);
  v = v128.load_lane<f32>(p + 2 * step, v, 2);
  return v128.load_lane<f32>(p + 3 * step, v, 3);
}

function transformFilter(args: usize, group: i32, k: i32, j: i32): void {
  const depth = word(args, At.depth), panel = panelFloats(depth, word(args, At.cols));
  const step = <usize>panel << 2;
  let to = address(args, At.shared) + <usize>group * (step << 4);
  to += (<usize>((j >> 3) * depth + k) << 5) + (<usize>(j & 7) << 2);
  const half = f32x4.splat(0.5);
  // G g, one of its four rows at a time, then that times G^T.
  for (let row = 0; row < 4; row++) {
    const r0 = gRow(args, group, k, j, row, 0), r1 = gRow(args, group, k, j, row, 1), r2 = gRow(args, group, k, j, row, 2);
    const sum = f32x4.add(r0, r2);
    v128.store(to, r0);
    v128.store(to + step, f32x4.mul(half, f32x4.add(sum, r1)));
    v128.store(to + 2 * step, f32x4.mul(half, f32x4.sub(sum, r1)));
    v128.store(to + 3 * step, r2);
    to += 4 * step;
  }
}

/** Element kx of row `row` of G g. */
function gRow(args: usize, group: i32, k: i32, j: i32, row: i32, kx: i32): v128 {
  if (row == 0) return filterVector(args, group, k, j, 0, kx);
  if (row == 3) return filterVector(args, group, k, j, 2, kx);
  const sum = f32x4.add(filterVector(args, group, k, j, 0, kx), filterVector(args, group, k, j, 2, kx));
  const middle = filterVector(args, group, k, j, 1, kx);
  return f32x4.mul(f32x4.splat(0.5), row == 1 ? f32x4.add(sum, middle) : f32x4.sub(sum, middle));
}

// @ts-ignore: decorator
@inline const STAGE: usize = 192;

/** args: see At. The threads' own memory: a stage, a patch, V and M of a block. */
export function winograd(args: usize, thread: i32, threads: i32): void {
  const down = (word(args, At.outHeight) + 1) >> 1, across = (word(args, At.outWidth) + 1) >> 1;
  const tiles = word(args, At.batch) * down * across, size = word(args, At.block);
  const first = shareOf(tiles, thread, threads), end = shareOf(tiles, thread + 1, threads);
  const depth = word(args, At.depth), cols = word(args, At.cols);
  const scratch = address(args, At.own) + <usize>thread * address(args, At.ownBytes);
  const patch = scratch + STAGE;
  const v = patch + (<usize>(depth << 4) << 2);
  const m = v + (<usize>(size * depth << 4) << 2);
  const filterStep = <usize>panelFloats(depth, cols) << 2;
  for (let group = 0; group < word(args, At.groups); group++) {
    const u = address(args, At.shared) + <usize>group * (filterStep << 4);
    for (let at = first; at < end; at += size) {
      const n = min(size, end - at), parts = (n + TILE_ROWS - 1) / TILE_ROWS;
      for (let part = 0; part < parts; part++) {
        const from = shareOf(n, part, parts), rows = shareOf(n, part + 1, parts) - from;
        for (let r = 0; r < rows; r++) {
          const to = v + (<usize>(from * depth + r) << 2);
          readTile(args, group, at + from + r, down, across, patch, to, <usize>(n * depth) << 2, <usize>rows << 2);
        }
      }
      multiply(v, u, m, n, depth, cols, filterStep, scratch);
      for (let i = 0; i < n; i++) {
        writeTile(args, group, at + i, down, across, m + (<usize>(i * cols) << 2), <usize>(n * cols) << 2);
      }
    }
  }
}

/** M[i] (n, cols) = V[i] U[i] for each of the 16. */
function multiply(v: usize, u: usize, m: usize, n: i32, depth: i32, cols: i32, filterStep: usize, stage: usize): void {
  const parts = (n + TILE_ROWS - 1) / TILE_ROWS, ldc = <usize>cols << 2, bTile = <usize>depth << 5;
  const tail = <usize>(cols >> 3) * bTile;
  for (let i = 0; i < 16; i++) {
    for (let part = 0; part < parts; part++) {
      const from = shareOf(n, part, parts), rows = shareOf(n, part + 1, parts) - from;
      const a = v + (<usize>(from * depth) << 2), step = <usize>rows << 2;
      tileRow(rows, a, step, a + <usize>depth * step, u, 32, bTile, u + tail, 32, m + <usize>from * ldc, ldc, cols, true, stage);
    }
    v += <usize>(n * depth) << 2;
    u += filterStep;
    m += <usize>n * ldc;
  }
}

/** Of the patch that patchAt found: bytes from pixel to pixel and from line to line. */
export let patchPixel: usize = 0;
export let patchLine: usize = 0;

/** The 4 x 4 patch of `depth` channels at row y, column x: where it lies, or a copy with zeros where nothing is. */
export function patchAt(image: usize, height: i32, width: i32, pixel: usize, y: i32, x: i32, depth: i32, copy: usize): usize {
  const line = <usize>width * pixel;
  const p = image + <usize>y * line + <usize>x * pixel;
  if (y >= 0 && x >= 0 && y + 4 <= height && x + 4 <= width) {
    patchPixel = pixel, patchLine = line;
    return p;
  }
  patchPixel = <usize>depth << 2, patchLine = <usize>depth << 4;
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 4; j++) {
      const place = copy + <usize>i * patchLine + <usize>j * patchPixel;
      const inside = <u32>(y + i) < <u32>height && <u32>(x + j) < <u32>width;
      if (inside) copyFloats(place, p + <usize>i * line + <usize>j * pixel, depth);
      else zeroFloats(place, depth);
    }
  }
  return copy;
}

/** V of a tile: element c of V[i] goes to `to + i * step + c * apart`. */
function readTile(
  args: usize, group: i32, tile: i32, down: i32, across: i32, patch: usize, to: usize, step: usize, apart: usize,
): void {
  const height = word(args, At.height), width = word(args, At.width), depth = word(args, At.depth);
  const image = tile / (down * across), rest = tile - image * (down * across);
  const ty = rest / across, tx = rest - ty * across;
  const y = 2 * ty - word(args, At.top), x = 2 * tx - word(args, At.left);
  const apartAll = <usize>(depth * word(args, At.groups)) << 2;
  const source = address(args, At.source) + (<usize>(group * depth) << 2) + <usize>(image * height * width) * apartAll;
  const p = patchAt(source, height, width, apartAll, y, x, depth, patch);
  transformPatch(false, p, patchPixel, patchLine, depth, to, step, apart);
}

/**
 * V = B^T d B of the patch d at `p`: element c of V[i] goes to `to + i * step + c * apart`; with `whole` (and apart 4) vectors
 * are stored as they are.
 */
// @ts-ignore: decorator
@inline
export function transformPatch(
  whole: bool, p: usize, pixel: usize, line: usize, depth: i32, to: usize, step: usize, apart: usize,
): void {
  for (let c = 0; c < depth; c += 4) {
    const p1 = p + line, p2 = p1 + line, p3 = p2 + line;
    patchRow(0, whole, p, p2, pixel, to, step, apart);
    patchRow(1, whole, p1, p2, pixel, to + 4 * step, step, apart);
    patchRow(2, whole, p2, p1, pixel, to + 8 * step, step, apart);
    patchRow(3, whole, p1, p3, pixel, to + 12 * step, step, apart);
    p += 16;
    to += 4 * apart;
  }
}

/** A row of B^T d, which is the sum (row 1) or difference of two rows of d, times B; four channels. */
// @ts-ignore: decorator
@inline
function patchRow(row: i32, whole: bool, p: usize, q: usize, pixel: usize, to: usize, step: usize, apart: usize): void {
  const t0 = patchElement(row, p, q), t1 = patchElement(row, p + pixel, q + pixel);
  const t2 = patchElement(row, p + 2 * pixel, q + 2 * pixel), t3 = patchElement(row, p + 3 * pixel, q + 3 * pixel);
  put(whole, to, apart, f32x4.sub(t0, t2));
  put(whole, to + step, apart, f32x4.add(t1, t2));
  put(whole, to + 2 * step, apart, f32x4.sub(t2, t1));
  put(whole, to + 3 * step, apart, f32x4.sub(t1, t3));
}
// @ts-ignore: decorator
@inline
function patchElement(row: i32, p: usize, q: usize): v128 {
  return row == 1 ? f32x4.add(v128.load(p), v128.load(q)) : f32x4.sub(v128.load(p), v128.load(q));
}
// @ts-ignore: decorator
@inline
function put(whole: bool, to: usize, apart: usize, x: v128): void {
  if (whole) {
    v128.store(to, x);
  } else {
    v128.store_lane<f32>(to, x, 0);
    v128.store_lane<f32>(to + apart, x, 1);
    v128.store_lane<f32>(to + 2 * apart, x, 2);
    v128.store_lane<f32>(to + 3 * apart, x, 3);
  }
}

/** The outputs of a tile, as far as they lie in the image; M[i] of it begins at `m + i * step`. */
function writeTile(args: usize, group: i32, tile: i32, down: i32, across: i32, m: usize, step: usize): void {
  const height = word(args, At.outHeight), width = word(args, At.outWidth), cols = word(args, At.cols);
  const image = tile / (down * across), rest = tile - image * (down * across);
  const ty = rest / across, y = 2 * ty, x = 2 * (rest - ty * across);
  const pixel = <usize>(cols * word(args, At.groups)) << 2, line = <usize>width * pixel;
  let p = address(args, At.out) + (<usize>(group * cols) << 2) + <usize>((image * height + y) * width + x) * pixel;
  const right = x + 1 < width, below = y + 1 < height;
  const e = address(args, At.epilogue), first = p, before = <usize>(group * cols) << 2;
  for (let c = 0; c < cols; c += 4) {
    const at = before + (<usize>c << 2);
    outputRow(0, m, step, p, right ? pixel : 0, e, at);
    if (below) outputRow(1, m, step, p + line, right ? pixel : 0, e, at);
    m += 16;
    p += 16;
  }
  if (!e || !hasRest(e)) return;
  finish(e, first, pixel, right ? 2 : 1, before, cols, true);
  if (below) finish(e, first + line, pixel, right ? 2 : 1, before, cols, true);
}

/** A row of A^T M A, four columns of the product; `pixel` 0: only its first element. */
// @ts-ignore: decorator
@inline
function outputRow(row: i32, m: usize, step: usize, to: usize, pixel: usize, e: usize, at: usize): void {
  const t0 = outputElement(row, m, step), t1 = outputElement(row, m + step, step);
  const t2 = outputElement(row, m + 2 * step, step);
  let left = f32x4.add(f32x4.add(t0, t1), t2), right = left;
  if (pixel) right = f32x4.sub(f32x4.sub(t1, t2), outputElement(row, m + 3 * step, step));
  if (e) {
    let x = factor(false, e, 0, at);
    left = f32x4.add(left, x), right = f32x4.add(right, x);
    if (word(e, 6)) {
      x = factor(false, e, 2, at);
      left = f32x4.mul(left, x), right = f32x4.mul(right, x);
      x = factor(false, e, 4, at);
      left = f32x4.add(left, x), right = f32x4.add(right, x);
      x = v128.load32_splat(e, 28);
      const zero = v128.load32_splat(e, 32);
      left = atLeast(left, x, zero), right = atLeast(right, x, zero);
    }
  }
  v128.store(to, left);
  if (pixel) v128.store(to + pixel, right);
}
// @ts-ignore: decorator
@inline
function outputElement(row: i32, m: usize, step: usize): v128 {
  const m1 = v128.load(m + 4 * step), m2 = v128.load(m + 8 * step);
  if (row == 0) return f32x4.add(f32x4.add(v128.load(m), m1), m2);
  return f32x4.sub(f32x4.sub(m1, m2), v128.load(m + 12 * step));
}
