// conv2dFilter_f32: the gradient for the filter, a matrix product of patches, transposed (taps and channels x positions),
// with dy (positions x filters). A block of positions is packed at a time, dy into panels of 8 filters, x into a panel of
// a few channels at one or two columns of the filter: with stride 1 along the height, rows of the filter read the same
// panel from another row on. Every sum runs over all positions one after the other, whatever the blocks and threads are.
import { ConvArgs } from './conv-args';
import { copyColumn, packChannels, zeroChannels, zeroColumn, zeroFloats } from './conv-pack';
import { TILE_COLS, TILE_ROWS, tileRow } from './gemm-micro';
import { packStraight } from './gemm-pack';
import { shareOf } from './split';

/** Positions of a block, about, and its filters. */
// @ts-ignore: decorator
@inline const BLOCK_K: i32 = 400;
// @ts-ignore: decorator
@inline const BLOCK_N: i32 = 256;
/** Below so many positions in an image its panels are not shared: runs over one image would be too short. */
// @ts-ignore: decorator
@inline const SHORT: i32 = 32;
// @ts-ignore: decorator
@inline const STAGE: i32 = 192;
// @ts-ignore: decorator
@inline const BLOCK: i32 = 64;

/** A block of positions: rows y..y+rows of `images` images, or a part of one row; it lies in the scratch memory. */
@unmanaged
class Block {
  image: i32;
  images: i32;
  y: i32;
  rows: i32;
  x: i32;
  wide: i32;
  /** Whether nothing was summed before. */
  fresh: i32;
  stage: usize;
  panel: usize;
}

/** Rows of the product up to which dy is read where it lies: a copy would be read too seldom. */
// @ts-ignore: decorator
@inline const DIRECT: i32 = 48;

/** Channels below which a tile goes over all taps; it otherwise has those of one row of the filter. */
// @ts-ignore: decorator
@inline const FEW: i32 = 4;

/** Images of a block: several whole ones, or rows of one. */
// @ts-ignore: decorator
@inline function imagesOf(batch: i32, outHeight: i32, outWidth: i32): i32 {
  return min(batch, max(1, BLOCK_K / max(1, outHeight * outWidth)));
}
// @ts-ignore: decorator
@inline function rowsOf(outHeight: i32, outWidth: i32): i32 {
  if (outHeight * outWidth <= BLOCK_K) return outHeight;
  const bands = (outHeight * outWidth + BLOCK_K - 1) / BLOCK_K;
  return (outHeight + bands - 1) / bands;
}

/** Positions of a row in a block; where it is not the whole row, the block has one row. */
// @ts-ignore: decorator
@inline function wideOf(outWidth: i32): i32 {
  const parts = max(1, (outWidth + BLOCK_K - 1) / BLOCK_K);
  return (outWidth + parts - 1) / parts;
}

/** Rows of x that a panel holds for each image. */
// @ts-ignore: decorator
@inline function linesOf(rows: i32, kh: i32, dh: i32, shares: bool): i32 {
  return shares ? rows + (kh - 1) * dh : rows;
}

// @ts-ignore: decorator
@inline function shared(outHeight: i32, outWidth: i32, sh: i32): bool {
  return sh == 1 && outHeight * outWidth >= SHORT;
}

export function convFilterScratchBytes(
  batch: i32, outHeight: i32, outWidth: i32, filters: i32, kh: i32, sh: i32, dh: i32, groups: i32,
): i32 {
  const cols = min((filters / groups + TILE_COLS - 1) & -TILE_COLS, BLOCK_N);
  const images = imagesOf(batch, outHeight, outWidth), rows = rowsOf(outHeight, outWidth);
  const lines = linesOf(rows, kh, dh, shared(outHeight, outWidth, sh));
  const positions = images * wideOf(outWidth) * (rows * cols + lines * TILE_ROWS);
  return (BLOCK + STAGE + (positions << 2) + 63) & -64;
}

export function convFilter(g: ConvArgs, thread: i32, threads: i32): void {
  if (g.batch * g.outHeight * g.outWidth == 0) return zeroAll(g, thread, threads);
  const depth = g.channels / g.groups, count = g.filters / g.groups;
  const few = depth < FEW, inTile = few ? g.kh * g.kw * depth : g.kw * depth;
  const tiles = (inTile + TILE_ROWS - 1) / TILE_ROWS, units = tiles * g.groups;
  const columns = (count + TILE_COLS - 1) / TILE_COLS;
  let from = 0, to = units, j0 = 0, j1 = count;
  if (threads > 1) {
    if (units >= 2 * threads || units >= columns) {
      from = shareOf(units, thread, threads), to = shareOf(units, thread + 1, threads);
    } else {
      j0 = shareOf(columns, thread, threads) * TILE_COLS, j1 = min(count, shareOf(columns, thread + 1, threads) * TILE_COLS);
    }
  }
  if (from >= to || j0 >= j1) return;
  const scratch = g.scratch + <usize>thread * g.scratchBytes, p = changetype<Block>(scratch);
  const images = imagesOf(g.batch, g.outHeight, g.outWidth), high = rowsOf(g.outHeight, g.outWidth), wide = wideOf(g.outWidth);
  const panelsB = scratch + BLOCK + STAGE;
  p.stage = scratch + BLOCK;
  p.panel = panelsB + (<usize>(images * high * wide * min((count + TILE_COLS - 1) & -TILE_COLS, BLOCK_N)) << 2);
  for (p.image = 0; p.image < g.batch; p.image += images) {
    p.images = min(images, g.batch - p.image);
    for (p.y = 0; p.y < g.outHeight; p.y += high) {
      p.rows = min(high, g.outHeight - p.y);
      for (p.x = 0; p.x < g.outWidth; p.x += wide) {
        p.wide = min(wide, g.outWidth - p.x);
        p.fresh = (p.image | p.y | p.x) == 0 ? 1 : 0;
        for (let group = from / tiles; group * tiles < to; group++) {
          const first = max(0, from - group * tiles), end = min(tiles, to - group * tiles);
          groupTiles(g, p, group, j0, j1, first, end, tiles, panelsB);
        }
      }
    }
  }
}

/** Filters j0..j1 of a group, tiles first..end of `tiles`. */
function groupTiles(
  g: ConvArgs, p: Block, group: i32, j0: i32, j1: i32, first: i32, end: i32, tiles: i32, panels: usize,
): void {
  const depth = g.channels / g.groups, count = g.filters / g.groups, c0 = group * depth;
  const few = depth < FEW, inTile = few ? g.kh * g.kw * depth : g.kw * depth;
  const direct = g.kh * g.kw * depth <= DIRECT, ld = <usize>g.filters << 2;
  const K = p.images * p.rows * p.wide, place = (p.image * g.outHeight + p.y) * g.outWidth + p.x;
  const parts = (count + BLOCK_N - 1) / BLOCK_N;
  const blockN = ((count + parts - 1) / parts + TILE_COLS - 1) & -TILE_COLS;
  for (let j = j0; j < j1; j += blockN) {
    const cols = min(blockN, j1 - j), full = cols & -TILE_COLS;
    const dy = g.b + (<usize>(place * g.filters + group * count + j) << 2);
    const b = direct ? dy : panels, bStep = direct ? ld : 32;
    const bTile = direct ? <usize>32 : <usize>K << 5, bTail = panels + (<usize>full * <usize>K << 2);
    for (let t = direct ? full : 0; t < cols; t += TILE_COLS) {
      packStraight(panels + (<usize>t * <usize>K << 2), dy + (<usize>t << 2), ld, K, min(TILE_COLS, cols - t), TILE_COLS);
    }
    const out = g.out + (<usize>(group * count + j) << 2);
    for (let tile = first; tile < end; tile++) {
      const m = shareOf(inTile, tile, tiles), height = shareOf(inTile, tile + 1, tiles) - m;
      if (few) {
        packTaps(g, p, height, c0, m);
        const step = <usize>height << 2, aEnd = p.panel + <usize>K * step;
        tileRow(
          height, p.panel, step, aEnd, b, bStep, bTile, bTail, 32, out + <usize>m * ld, ld, cols, p.fresh != 0, p.stage,
        );
      } else {
        channelTile(g, p, c0, m, height, b, bStep, bTile, bTail, cols, K, out);
      }
    }
  }
}

/** No position, no gradient. */
function zeroAll(g: ConvArgs, thread: i32, threads: i32): void {
  const rows = g.kh * g.kw * (g.channels / g.groups);
  const first = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads);
  zeroFloats(g.out + (<usize>(first * g.filters) << 2), (end - first) * g.filters);
}

/** `height` rows of the product from m on, counted through columns of the filter and channels; for all its rows. */
function channelTile(
  g: ConvArgs, p: Block, c0: i32, m: i32, height: i32, b: usize, bStep: usize, bTile: usize, bTail: usize, cols: i32,
  K: i32, out: usize,
): void {
  const shares = shared(g.outHeight, g.outWidth, g.sh);
  const lines = linesOf(p.rows, g.kh, g.dh, shares), aStep = <usize>height << 2, line = <usize>p.wide * aStep;
  const ldc = <usize>g.filters << 2, inRow = g.kw * (g.channels / g.groups);
  // Positions that are summed in one go: those of an image where panels are shared.
  const runs = shares ? p.images : 1, run = K / runs;
  if (shares) packX(g, p, height, c0, m, p.y - g.top, 1, lines);
  for (let ky = 0; ky < g.kh; ky++) {
    if (!shares) packX(g, p, height, c0, m, p.y * g.sh - g.top + ky * g.dh, g.sh, lines);
    const c = out + <usize>(ky * inRow + m) * ldc;
    let a = p.panel + (shares ? <usize>(ky * g.dh) * line : 0), q = b, tail = bTail;
    for (let r = 0; r < runs; r++) {
      const fresh = p.fresh != 0 && r == 0;
      tileRow(height, a, aStep, a + <usize>run * aStep, q, bStep, bTile, tail, 32, c, ldc, cols, fresh, p.stage);
      a += <usize>lines * line;
      q += <usize>run * bStep;
      tail += <usize>run << 5;
    }
  }
}

/** The panel [image][row][position along it][height] of rows sy, sy + step, ... of x. */
function packX(g: ConvArgs, p: Block, height: i32, c0: i32, m: i32, sy: i32, step: i32, lines: i32): void {
  const depth = g.channels / g.groups, aStep = <usize>height << 2, line = <usize>p.wide * aStep;
  const pixel = <usize>g.channels << 2, row = <usize>g.width * pixel, apart = <usize>g.sw * pixel;
  for (let done = 0; done < height; ) {
    const kx = (m + done) / depth, c = m + done - kx * depth, count = min(depth - c, height - done);
    const left = p.x * g.sw + kx * g.dw - g.left, x = g.a + (<usize>(c0 + c) << 2);
    // Positions whose pixel is inside: low..high.
    const low = min(p.wide, left >= 0 ? 0 : (g.sw - 1 - left) / g.sw);
    const high = max(low, left >= g.width ? 0 : min(p.wide, (g.width - 1 - left) / g.sw + 1));
    let to = p.panel + (<usize>done << 2);
    for (let i = p.image; i < p.image + p.images; i++) {
      let source = sy;
      for (let l = 0; l < lines; l++) {
        if (<u32>source < <u32>g.height) {
          const from = x + <usize>(i * g.height + source) * row + <usize>(low * g.sw + left) * pixel;
          zeroChannels(to, aStep, count, low);
          packChannels(to + <usize>low * aStep, aStep, count, from, apart, high - low);
          zeroChannels(to + <usize>high * aStep, aStep, count, p.wide - high);
        } else {
          zeroChannels(to, aStep, count, p.wide);
        }
        to += line;
        source += step;
      }
    }
    done += count;
  }
}

/** The panel [position][height] of rows m, m + 1, ... of the product, counted through taps and channels. */
function packTaps(g: ConvArgs, p: Block, height: i32, c0: i32, m: i32): void {
  const depth = g.channels / g.groups, step = <usize>height << 2;
  for (let i = 0; i < height; i++) {
    const tap = (m + i) / depth, c = c0 + m + i - tap * depth, ky = tap / g.kw, kx = tap - ky * g.kw;
    packColumn(g, p, p.panel + (<usize>i << 2), step, g.a + (<usize>c << 2), ky, kx);
  }
}

/** One channel at one tap, for all positions: to[position * step]. */
function packColumn(g: ConvArgs, p: Block, to: usize, step: usize, x: usize, ky: i32, kx: i32): void {
  const pixel = <usize>g.channels << 2, left = p.x * g.sw + kx * g.dw - g.left;
  const low = min(p.wide, left >= 0 ? 0 : (g.sw - 1 - left) / g.sw);
  const high = max(low, left >= g.width ? 0 : min(p.wide, (g.width - 1 - left) / g.sw + 1));
  for (let i = p.image; i < p.image + p.images; i++) {
    let source = p.y * g.sh - g.top + ky * g.dh;
    for (let l = 0; l < p.rows; l++) {
      if (<u32>source < <u32>g.height) {
        const from = x + <usize>((i * g.height + source) * g.width + low * g.sw + left) * pixel;
        zeroColumn(to, step, low);
        copyColumn(to + <usize>low * step, step, from, <usize>g.sw * pixel, high - low);
        zeroColumn(to + <usize>high * step, step, p.wide - high);
      } else {
        zeroColumn(to, step, p.wide);
      }
      to += <usize>p.wide * step;
      source += g.sh;
    }
  }
}
