// conv2d_f32 and its gradient for the input: a matrix product of patches (positions x taps and channels) with the filter
// (taps and channels x columns). Patches are never written as a whole: a block of positions is packed straight into the
// panels that the tiles of gemm-micro.ts read, in the order (row, column of the filter, channel). As rows of the input lie
// one after the other there, positions below each other share them: each pixel is copied kw times, not kh * kw times.
// Every sum runs over rows and columns of the filter, then channels, in an order that the shapes alone decide.
import { ConvArgs } from './conv-args';
import { AXIS, Axis, forwardAxis, phaseAxis } from './conv-axis';
import { finish } from './epilogue';
import { copyFloats, packListed, packPixels, zeroFloats } from './conv-pack';
import { TILE_COLS, TILE_ROWS, tileRow } from './gemm-micro';
import { packStraight, packTransposed } from './gemm-pack';
import { shareOf } from './split';

/** A block of the filter that stays in L2 while all positions pass: BLOCK_K x BLOCK_N floats. */
// @ts-ignore: decorator
@inline const BLOCK_K: i32 = 384;
// @ts-ignore: decorator
@inline const BLOCK_N: i32 = 256;
/** Floats of a block of patches, if more than a tile; and its positions side by side. */
// @ts-ignore: decorator
@inline const BLOCK_A: i32 = 65536;
// @ts-ignore: decorator
@inline const BLOCK_Q: i32 = 48;
/** Taps and channels below which tiles keep to one image. */
// @ts-ignore: decorator
@inline const SHORT: i32 = 64;

/** Positions that a tile takes: `rows` from column `q` (counted through all images) on. */
@unmanaged
class Tile {
  q: i32;
  rows: i32;
  /** Where its panel lies. */
  panel: usize;
  /** Image and column of the first, and whether the last is in another image. */
  image: i32;
  column: i32;
  split: i32;
}

/** What a block of the product needs to know; lies at the start of the scratch memory. */
@unmanaged
class Plan {
  /** The image that is read: its first pixel (with the group's channels), size, bytes from pixel to pixel, channels. */
  source: usize;
  height: i32;
  width: i32;
  pixel: usize;
  depth: i32;
  /** The image that is written, alike; all of its channels of this group are columns of the product. */
  out: usize;
  outHeight: i32;
  outWidth: i32;
  outPixel: usize;
  cols: i32;
  /** The group's part of the filter; bytes from one of its rows to the next, and rows for each tap. */
  filter: usize;
  filterStep: usize;
  filterRows: i32;
  kw: i32;
  transposed: i32;
  batch: i32;
  /** What becomes of the result (epilogue.ts), and the bytes of the columns of the groups before. */
  epilogue: usize;
  before: usize;
  y: Axis;
  x: Axis;
  /** Pixels in a row of a panel: x.taps * depth. */
  line: i32;
  /** Scratch: a partial tile, tiles that lie in two images, a pixel of zeros, addresses, tiles, panels. */
  stage: usize;
  fold: usize;
  zeros: usize;
  list: usize;
  tiles: usize;
  panelsB: usize;
  panelsA: usize;
}

// @ts-ignore: decorator
@inline const PLAN: usize = 256;
// @ts-ignore: decorator
@inline const STAGE: usize = 192;
// @ts-ignore: decorator
@inline const LIST: usize = 32;
// @ts-ignore: decorator
@inline const TILE: usize = 32;

// @ts-ignore: decorator
@inline function alignedFloats(n: i32): usize {
  return <usize>((n + 3) & -4) << 2;
}

/** Scratch bytes for each thread: `depth` channels are read, `cols` written, in each group. */
function patchScratchBytes(depth: i32, cols: i32, taps: i32): i32 {
  const columns = min((cols + TILE_COLS - 1) & -TILE_COLS, BLOCK_N);
  const panelsB = <usize>(taps * depth * columns) << 2;
  const panelsA = <usize>max(BLOCK_A, TILE_ROWS * taps * depth) << 2;
  const fixed = PLAN + 2 * AXIS + STAGE + LIST + <usize>BLOCK_Q * TILE;
  return <i32>(fixed + (<usize>(TILE_ROWS * columns) << 2) + alignedFloats(depth) + panelsB + panelsA + 63) & -64;
}

export function convPatchesScratchBytes(channels: i32, filters: i32, kh: i32, kw: i32, groups: i32): i32 {
  return patchScratchBytes(channels / groups, filters / groups, kh * kw);
}
export function convInputPatchesScratchBytes(channels: i32, filters: i32, kh: i32, kw: i32, groups: i32): i32 {
  return patchScratchBytes(filters / groups, channels / groups, kh * kw);
}

/** Lays out the scratch memory. */
function makePlan(scratch: usize, depth: i32, cols: i32, taps: i32): Plan {
  const p = changetype<Plan>(scratch);
  const columns = min((cols + TILE_COLS - 1) & -TILE_COLS, BLOCK_N);
  let at = scratch + PLAN;
  p.y = changetype<Axis>(at);
  at += AXIS;
  p.x = changetype<Axis>(at);
  at += AXIS;
  p.stage = at;
  at += STAGE;
  p.list = at;
  at += LIST;
  p.tiles = at;
  at += <usize>BLOCK_Q * TILE;
  p.fold = at;
  at += <usize>(TILE_ROWS * columns) << 2;
  p.zeros = at;
  at += alignedFloats(depth);
  p.panelsB = at;
  p.panelsA = at + (<usize>(taps * depth * columns) << 2);
  p.depth = depth;
  p.cols = cols;
  zeroFloats(p.zeros, depth);
  return p;
}

export function convPatches(g: ConvArgs, thread: i32, threads: i32): void {
  const depth = g.channels / g.groups, cols = g.filters / g.groups;
  const p = makePlan(g.scratch + <usize>thread * g.scratchBytes, depth, cols, g.kh * g.kw);
  p.height = g.height, p.width = g.width, p.pixel = <usize>g.channels << 2;
  p.outHeight = g.outHeight, p.outWidth = g.outWidth, p.outPixel = <usize>g.filters << 2;
  p.filterStep = <usize>g.filters << 2, p.filterRows = depth, p.kw = g.kw, p.transposed = 0, p.batch = g.batch, p.epilogue = g.epilogue;
  forwardAxis(p.y, g.outHeight, g.sh, -g.top, g.dh, g.kh);
  forwardAxis(p.x, g.outWidth, g.sw, -g.left, g.dw, g.kw);
  for (let group = 0; group < g.groups; group++) {
    p.source = g.a + (<usize>(group * depth) << 2);
    p.before = <usize>(group * cols) << 2;
    p.out = g.out + p.before;
    p.filter = g.b + (<usize>(group * cols) << 2);
    product(p, thread, threads);
  }
}

/** With strides, input pixels fall into sh * sw phases that different taps reach; each is a product of its own. */
export function convInputPatches(g: ConvArgs, thread: i32, threads: i32): void {
  const depth = g.filters / g.groups, cols = g.channels / g.groups;
  const p = makePlan(g.scratch + <usize>thread * g.scratchBytes, depth, cols, g.kh * g.kw);
  p.height = g.outHeight, p.width = g.outWidth, p.pixel = <usize>g.filters << 2;
  p.outHeight = g.height, p.outWidth = g.width, p.outPixel = <usize>g.channels << 2;
  p.filterStep = <usize>g.filters << 2, p.filterRows = cols, p.kw = g.kw, p.transposed = 1, p.batch = g.batch, p.epilogue = g.epilogue;
  for (let py = 0; py < min(g.sh, g.height); py++) {
    phaseAxis(p.y, py, g.height, g.sh, g.top, g.dh, g.kh);
    for (let px = 0; px < min(g.sw, g.width); px++) {
      phaseAxis(p.x, px, g.width, g.sw, g.left, g.dw, g.kw);
      for (let group = 0; group < g.groups; group++) {
        p.source = g.a + (<usize>(group * depth) << 2);
        p.before = <usize>(group * cols) << 2;
        p.out = g.out + p.before;
        p.filter = g.b + (<usize>(group * depth) << 2);
        product(p, thread, threads);
      }
    }
  }
}

/** This thread's share of one product: a range of columns, of positions along the rows, or of rows. */
function product(p: Plan, thread: i32, threads: i32): void {
  const across = p.batch * p.x.count, down = p.y.count, cols = p.cols;
  let q0 = 0, q1 = across, y0 = 0, y1 = down, j0 = 0, j1 = cols;
  if (threads > 1) {
    const tiles = (cols + TILE_COLS - 1) / TILE_COLS;
    if (tiles >= 2 * threads && across * down < 2 * cols) {
      j0 = shareOf(tiles, thread, threads) * TILE_COLS, j1 = min(cols, shareOf(tiles, thread + 1, threads) * TILE_COLS);
    } else if (across >= 2 * TILE_ROWS * threads) {
      q0 = shareOf(across, thread, threads), q1 = shareOf(across, thread + 1, threads);
    } else {
      y0 = shareOf(down, thread, threads), y1 = shareOf(down, thread + 1, threads);
    }
  }
  if (q0 >= q1 || y0 >= y1 || j0 >= j1) return;
  p.line = p.x.taps * p.depth;
  const lines = p.y.taps, K = lines * p.line, stride = p.y.stride;
  // Rows of the source that a band of output rows reads lie in its panels side by side, unless taps skip rows.
  const shares = p.y.apart == 1;
  let wide = min(BLOCK_Q, q1 - q0), high = 1;
  for (; ; wide = max(wide >> 1, TILE_ROWS)) {
    const room = BLOCK_A / max(1, wide * p.line);
    high = shares ? max(1, min(y1 - y0, (room - lines) / stride + 1)) : 1;
    // Bands of a few rows copy their edges too often: rather fewer positions side by side.
    if (wide <= TILE_ROWS || (room >= lines && (!shares || wide <= 2 * TILE_ROWS || high >= min(y1 - y0, 2 * lines)))) break;
  }
  const widths = (cols + BLOCK_N - 1) / BLOCK_N;
  const blockN = ((cols + widths - 1) / widths + TILE_COLS - 1) & -TILE_COLS;
  for (let j = j0; j < j1; j += blockN) {
    const n = min(blockN, j1 - j);
    packFilter(p, j, n, K);
    for (let y = y0; y < y1; y += high) {
      const rows = min(high, y1 - y);
      for (let q = q0; q < q1; ) {
        const left = q1 - q, blocks = (left + wide - 1) / wide, width = (left + blocks - 1) / blocks;
        const tiles = layTiles(p, q, q + width, lines + (rows - 1) * stride);
        if (K) for (let t = 0; t < tiles; t++) packTile(p, changetype<Tile>(p.tiles + <usize>t * TILE), y, rows);
        multiply(p, tiles, y, rows, j, n, K);
        q += width;
      }
    }
  }
}

/** Columns j..j+n of the filter as panels of 8 columns, all taps and channels each. */
function packFilter(p: Plan, j: i32, n: i32, K: i32): void {
  const step = p.filterStep;
  for (let t = 0; t < n; t += TILE_COLS) {
    const width = min(TILE_COLS, n - t);
    let to = p.panelsB + <usize>t * (<usize>K << 2);
    if (!p.transposed) {
      packStraight(to, p.filter + (<usize>(j + t) << 2), step, K, width, TILE_COLS);
      continue;
    }
    for (let a = 0; a < p.y.taps; a++) {
      const ky = p.y.tap + a * p.y.tapStep;
      for (let b = 0; b < p.x.taps; b++) {
        const kx = p.x.tap + b * p.x.tapStep;
        const row = (ky * p.kw + kx) * p.filterRows + j + t;
        packTransposed(to, p.filter + <usize>row * step, step, p.depth, width, TILE_COLS);
        to += <usize>p.depth << 5;
      }
    }
  }
}

/** Divides columns q..end into tiles, whole ones as far as it goes; gives their number. */
function layTiles(p: Plan, q: i32, end: i32, lines: i32): i32 {
  const across = p.x.count;
  // A tile in two images is copied when it is done: for short sums that costs more than smaller tiles do.
  const within = p.y.taps * p.line < SHORT && across >= 4 * ((across + TILE_ROWS - 1) / TILE_ROWS);
  let count = 0, panel = p.panelsA;
  while (q < end) {
    const image = q / across, column = q - image * across;
    const left = min(end, within ? q - column + across : end) - q;
    const tiles = (left + TILE_ROWS - 1) / TILE_ROWS, rows = (left + tiles - 1) / tiles;
    const tile = changetype<Tile>(p.tiles + <usize>count * TILE);
    tile.q = q, tile.rows = rows, tile.panel = panel;
    tile.image = image, tile.column = column, tile.split = column + rows > across ? 1 : 0;
    panel += <usize>(lines * p.line * rows) << 2;
    q += rows;
    count++;
  }
  return count;
}

/** A tile's panel for output rows y..y+rows: [row of the source][tap along x][channel][position]. */
function packTile(p: Plan, tile: Tile, y: i32, rows: i32): void {
  const ay = p.y, ax = p.x, depth = p.depth, n = tile.rows;
  const lines = ay.taps + (rows - 1) * ay.stride;
  const bytes = <usize>(p.line * n) << 2, tap = <usize>(depth * n) << 2;
  const image = <usize>(p.height * p.width) * p.pixel, row = <usize>p.width * p.pixel;
  let to = tile.panel;
  const apart = <usize>ax.stride * p.pixel, reach = (n - 1) * ax.stride;
  for (let i = 0; i < lines; i++) {
    const sy = y * ay.stride + ay.base + i * ay.apart;
    if (<u32>sy >= <u32>p.height) {
      zeroFloats(to, p.line * n);
      to += bytes;
      continue;
    }
    const from = p.source + <usize>tile.image * image + <usize>sy * row;
    let sx = tile.column * ax.stride + ax.base;
    for (let t = 0; t < ax.taps; t++) {
      if (!tile.split && sx >= 0 && sx + reach < p.width) {
        packPixels(to, n, from + <usize>sx * p.pixel, apart, depth);
      } else if (depth == 1 && !tile.split) {
        for (let r = 0, x = sx; r < n; r++, x += ax.stride) {
          store<f32>(to + (<usize>r << 2), <u32>x < <u32>p.width ? load<f32>(from + <usize>x * p.pixel) : 0);
        }
      } else {
        let column = tile.column, x = sx, base = from;
        for (let r = 0; r < n; r++) {
          store<u32>(p.list + (<usize>r << 2), <u32>x < <u32>p.width ? base + <usize>x * p.pixel : p.zeros);
          x += ax.stride;
          if (++column == ax.count) column = 0, base += image, x = ax.base + t * ax.apart;
        }
        packListed(to, n, p.list, depth);
      }
      to += tap;
      sx += ax.apart;
    }
  }
}

/** Output rows y..y+rows of the tiles, columns j..j+n. */
function multiply(p: Plan, tiles: i32, y: i32, rows: i32, j: i32, n: i32, K: i32): void {
  const blocks = max(1, (K + BLOCK_K - 1) / BLOCK_K), depth = (K + blocks - 1) / blocks;
  const full = n & -TILE_COLS, bTile = <usize>K << 5;
  for (let block = 0, k = 0; block < blocks; block++, k += depth) {
    const b = p.panelsB + (<usize>k << 5), bTail = b + <usize>(full >> 3) * bTile;
    const deep = min(depth, K - k), e = block + 1 == blocks ? p.epilogue : 0;
    const left = p.before + (<usize>j << 2), step = <usize>p.x.step * p.outPixel;
    for (let r = 0; r < rows; r++) {
      const line = p.y.first + (y + r) * p.y.step;
      for (let t = 0; t < tiles; t++) {
        const tile = changetype<Tile>(p.tiles + <usize>t * TILE);
        const aStep = <usize>tile.rows << 2;
        const a = tile.panel + <usize>(r * p.y.stride * p.line + k) * aStep;
        const place = (tile.image * p.outHeight + line) * p.outWidth + p.x.first + tile.column * p.x.step;
        const c = p.out + <usize>place * p.outPixel + (<usize>j << 2);
        if (tile.split) {
          folded(p, tile, a, aStep, a + <usize>deep * aStep, b, bTile, bTail, c, n, k == 0, e, left);
        } else {
          tileRow(
            tile.rows, a, aStep, a + <usize>deep * aStep, b, 32, bTile, bTail, 32,
            c, step, n, k == 0, p.stage, e, left,
          );
        }
      }
    }
  }
}

/** A tile whose positions lie in several images: computed beside, its rows copied to where they belong. */
function folded(
  p: Plan, tile: Tile, a: usize, aStep: usize, aEnd: usize, b: usize, bTile: usize, bTail: usize, c: usize, n: i32,
  fresh: bool, e: usize, left: usize,
): void {
  const ld = alignedFloats(n);
  if (!fresh) copyFold(p, tile, c, n, ld, true, 0, 0);
  tileRow(tile.rows, a, aStep, aEnd, b, 32, bTile, bTail, 32, p.fold, ld, n, fresh, p.stage);
  copyFold(p, tile, c, n, ld, false, e, left);
}

function copyFold(p: Plan, tile: Tile, c: usize, n: i32, ld: usize, into: bool, e: usize, left: usize): void {
  const step = <usize>p.x.step * p.outPixel;
  const jump = <usize>(p.outHeight * p.outWidth) * p.outPixel - <usize>(p.x.count - 1) * step;
  let column = tile.column, fold = p.fold;
  for (let r = 0; r < tile.rows; r++) {
    if (into) copyFloats(fold, c, n);
    else copyFloats(c, fold, n);
    if (e) finish(e, c, 0, 1, left, n, false);
    fold += ld;
    if (++column == p.x.count) column = 0, c += jump;
    else c += step;
  }
}
