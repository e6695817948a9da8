// conv2dFilter_f32: the gradient for the filter, a matrix product of patches, transposed (taps and channels x positions),
// with dy (positions x filters). A block of positions is packed at a time, dy into panels of 8 filters, x into panels of a
// few channels, one for each column of the filter: with stride 1 along the height, rows of the filter read the same panel
// from another row on. Every sum runs over all positions one after the other, whatever the blocks and threads are.
import { ConvArgs } from './conv-args';
import { copyColumn, packChannels, zeroColumn, zeroFloats } from './conv-pack';
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

/** Channels below which a tile goes over the taps, too. */
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
  batch: i32, outHeight: i32, outWidth: i32, filters: i32, kh: i32, kw: i32, sh: i32, dh: i32, groups: i32,
): i32 {
  const cols = min((filters / groups + TILE_COLS - 1) & -TILE_COLS, BLOCK_N);
  const images = imagesOf(batch, outHeight, outWidth), rows = rowsOf(outHeight, outWidth);
  const lines = linesOf(rows, kh, dh, shared(outHeight, outWidth, sh));
  const positions = images * outWidth * (rows * cols + kw * lines * TILE_ROWS);
  return (STAGE + (positions << 2) + 63) & -64;
}

export function convFilter(g: ConvArgs, thread: i32, threads: i32): void {
  if (g.batch * g.outHeight * g.outWidth == 0) return zeroAll(g, thread, threads);
  const depth = g.channels / g.groups, count = g.filters / g.groups;
  const few = depth < FEW, inTile = few ? g.kh * g.kw * depth : depth;
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
  const stage = g.scratch + <usize>thread * g.scratchBytes, panelsB = stage + STAGE;
  const images = imagesOf(g.batch, g.outHeight, g.outWidth), high = rowsOf(g.outHeight, g.outWidth);
  const parts = (count + BLOCK_N - 1) / BLOCK_N;
  const blockN = ((count + parts - 1) / parts + TILE_COLS - 1) & -TILE_COLS;
  const panelA = panelsB + (<usize>(images * high * g.outWidth * min((count + TILE_COLS - 1) & -TILE_COLS, BLOCK_N)) << 2);
  for (let image = 0; image < g.batch; image += images) {
    const n = min(images, g.batch - image);
    for (let y = 0; y < g.outHeight; y += high) {
      const rows = min(high, g.outHeight - y), K = n * rows * g.outWidth;
      const place = (image * g.outHeight + y) * g.outWidth;
      const fresh = image == 0 && y == 0;
      for (let group = from / tiles; group * tiles < to; group++) {
        for (let j = j0; j < j1; j += blockN) {
          const cols = min(blockN, j1 - j), first = group * count + j;
          packFilters(panelsB, g.b + (<usize>(place * g.filters + first) << 2), <usize>g.filters << 2, K, cols);
          const firstTile = max(0, from - group * tiles), end = min(tiles, to - group * tiles);
          for (let tile = firstTile; tile < end; tile++) {
            const m = shareOf(inTile, tile, tiles), height = shareOf(inTile, tile + 1, tiles) - m;
            const out = g.out + (<usize>first << 2);
            if (few) tapTile(g, image, n, y, rows, group * depth, m, height, panelA, panelsB, cols, K, out, fresh, stage);
            else channelTile(g, image, n, y, rows, group * depth, m, height, panelA, panelsB, cols, K, out, fresh, stage);
          }
        }
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

/** `cols` filters of K positions of dy as panels of 8. */
function packFilters(to: usize, from: usize, step: usize, K: i32, cols: i32): void {
  for (let t = 0; t < cols; t += TILE_COLS) {
    packStraight(to, from, step, K, min(TILE_COLS, cols - t), TILE_COLS);
    to += <usize>K << 5;
    from += <usize>TILE_COLS << 2;
  }
}

/** All taps of `height` channels from c0 + m on. */
function channelTile(
  g: ConvArgs, image: i32, n: i32, y: i32, rows: i32, c0: i32, m: i32, height: i32, panel: usize, b: usize, cols: i32,
  K: i32, out: usize, fresh: bool, stage: usize,
): void {
  const shares = shared(g.outHeight, g.outWidth, g.sh);
  const lines = linesOf(rows, g.kh, g.dh, shares), line = g.outWidth * height;
  const column = <usize>(n * lines * line) << 2;
  const bTile = <usize>K << 5, bTail = b + <usize>(cols >> 3) * bTile;
  const ldc = <usize>g.filters << 2, depth = g.channels / g.groups, aStep = <usize>height << 2;
  const x = g.a + (<usize>(c0 + m) << 2);
  // Positions that are summed in one go: those of an image where panels are shared.
  const runs = shares ? n : 1, run = K / runs;
  if (shares) packX(g, panel, height, x, image, n, y - g.top, 1, lines);
  for (let ky = 0; ky < g.kh; ky++) {
    if (!shares) packX(g, panel, height, x, image, n, y * g.sh - g.top + ky * g.dh, g.sh, lines);
    const at = panel + (shares ? <usize>(ky * g.dh * line) << 2 : 0);
    for (let kx = 0; kx < g.kw; kx++) {
      const c = out + <usize>((ky * g.kw + kx) * depth + m) * ldc;
      let a = at + <usize>kx * column, p = b, tail = bTail;
      for (let r = 0; r < runs; r++) {
        tileRow(height, a, aStep, a + <usize>run * aStep, p, 32, bTile, tail, 32, c, ldc, cols, fresh && r == 0, stage);
        a += <usize>(lines * line) << 2;
        p += <usize>run << 5;
        tail += <usize>run << 5;
      }
    }
  }
}

/** Panels [column of the filter][image][row][position along it][channel] of rows sy, sy + step, ... of x. */
function packX(
  g: ConvArgs, to: usize, height: i32, x: usize, image: i32, n: i32, sy: i32, step: i32, lines: i32,
): void {
  const pixel = <usize>g.channels << 2, row = <usize>g.width * pixel, apart = <usize>g.sw * pixel;
  const line = g.outWidth * height;
  for (let kx = 0; kx < g.kw; kx++) {
    const left = kx * g.dw - g.left;
    // Positions whose pixel is inside: low..high.
    const low = min(g.outWidth, left >= 0 ? 0 : (g.sw - 1 - left) / g.sw);
    const high = max(low, left >= g.width ? 0 : min(g.outWidth, (g.width - 1 - left) / g.sw + 1));
    for (let i = image; i < image + n; i++) {
      let source = sy;
      for (let l = 0; l < lines; l++) {
        if (<u32>source < <u32>g.height) {
          const from = x + <usize>(i * g.height + source) * row + <usize>(low * g.sw + left) * pixel;
          if (low > 0) zeroFloats(to, low * height);
          packChannels(to + (<usize>(low * height) << 2), height, from, apart, high - low);
          if (high < g.outWidth) zeroFloats(to + (<usize>(high * height) << 2), (g.outWidth - high) * height);
        } else {
          zeroFloats(to, line);
        }
        to += <usize>line << 2;
        source += step;
      }
    }
  }
}

/** `height` rows of the product from m on, counted through taps and channels. */
function tapTile(
  g: ConvArgs, image: i32, n: i32, y: i32, rows: i32, c0: i32, m: i32, height: i32, panel: usize, b: usize, cols: i32,
  K: i32, out: usize, fresh: bool, stage: usize,
): void {
  const depth = g.channels / g.groups, step = <usize>height << 2;
  for (let i = 0; i < height; i++) {
    const tap = (m + i) / depth, c = c0 + m + i - tap * depth, ky = tap / g.kw, kx = tap - ky * g.kw;
    packColumn(g, panel + (<usize>i << 2), step, g.a + (<usize>c << 2), image, n, y * g.sh - g.top + ky * g.dh, kx, rows);
  }
  const bTile = <usize>K << 5, ldc = <usize>g.filters << 2;
  tileRow(
    height, panel, step, panel + <usize>K * step, b, 32, bTile, b + <usize>(cols >> 3) * bTile, 32,
    out + <usize>m * ldc, ldc, cols, fresh, stage,
  );
}

/** One channel at one tap, for all positions: to[position * step]. */
function packColumn(
  g: ConvArgs, to: usize, step: usize, x: usize, image: i32, n: i32, sy: i32, kx: i32, rows: i32,
): void {
  const pixel = <usize>g.channels << 2, left = kx * g.dw - g.left;
  const low = min(g.outWidth, left >= 0 ? 0 : (g.sw - 1 - left) / g.sw);
  const high = max(low, left >= g.width ? 0 : min(g.outWidth, (g.width - 1 - left) / g.sw + 1));
  for (let i = image; i < image + n; i++) {
    let source = sy;
    for (let l = 0; l < rows; l++) {
      if (<u32>source < <u32>g.height) {
        const from = x + <usize>((i * g.height + source) * g.width + low * g.sw + left) * pixel;
        zeroColumn(to, step, low);
        copyColumn(to + <usize>low * step, step, from, <usize>g.sw * pixel, high - low);
        zeroColumn(to + <usize>high * step, step, g.outWidth - high);
      } else {
        zeroColumn(to, step, g.outWidth);
      }
      to += <usize>g.outWidth * step;
      source += g.sh;
    }
  }
}
