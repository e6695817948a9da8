// Matrix multiplication C = op(A) op(B), batched: the split over threads, the blocks, the choice of path.
// Sums run over k in an order that only the shapes decide, never the split: the same bits with any threads.
import { finish } from './epilogue';
import { MatmulArgs } from './gemm-args';
import { dotRows } from './gemm-dot';
import { TILE_COLS, TILE_ROWS, tileRow } from './gemm-micro';
import { packStraight, packTransposed } from './gemm-pack';
import { sumOfRows } from './gemm-vector';

/** Block of B that stays in L2 while all rows of C pass: BLOCK_K x BLOCK_N floats. */
// @ts-ignore: decorator
@inline const BLOCK_K: i32 = 384;
// @ts-ignore: decorator
@inline const BLOCK_N: i32 = 256;
/**
 * B is read where it lies, unpacked, when at most so many rows pass; a transposed A when at most so many columns
 * pass or so few k are read. Less where the stride is a multiple of 1 KB: its lines meet in a few sets of L1.
 */
// @ts-ignore: decorator
@inline function readsB(rows: i32, N: i32): bool {
  return rows <= (N & 255 ? 48 : 12);
}
// @ts-ignore: decorator
@inline function readsA(cols: i32, depth: i32, M: i32): bool {
  return cols <= 16 || depth <= 8 || ((M & 255) != 0 && (cols <= 32 || depth <= 64));
}
/** Bytes for a partial tile of C. */
// @ts-ignore: decorator
@inline const STAGE: i32 = 192;

/** What the dot products may transpose: floats. */
// @ts-ignore: decorator
@inline const DOT_COPY: i32 = 65536;

/** Scratch bytes that matmul_f32 needs for each thread. matmul_f64 needs none. */
export function matmulScratchBytes(M: i32, N: i32, K: i32): i32 {
  const k = min(K, BLOCK_K), n = min((N + TILE_COLS - 1) & -TILE_COLS, BLOCK_N);
  const panels = STAGE + ((k * (n + TILE_ROWS)) << 2);
  return dotsWin(M, N, K) ? max(panels, min(min(M, N) * K, DOT_COPY) << 2) : panels;
}

/** Whether C is so thin, and k so long, that dot products win: fewer rows than columns, as B mostly needs no copy. */
// @ts-ignore: decorator
@inline function dotsWin(M: i32, N: i32, K: i32): bool {
  return N > M ? M <= 6 && K >= 16 * M : N <= 12 && K >= 6 * N;
}

/** Whether C is computed by dot products. Only shapes decide, since the order of the sums depends on it. */
// @ts-ignore: decorator
@inline function usesDots(M: i32, N: i32, K: i32, transA: i32, transB: i32): bool {
  // The thick operand must have its k side by side; the thin one can be copied so.
  const wide = N > M, thin = wide ? M : N;
  if (!dotsWin(M, N, K) || !(wide ? transB : !transA)) return false;
  return thin == 1 || (wide ? !transA : transB) || <i64>thin * K <= DOT_COPY;
}

export function matmul_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<MatmulArgs>(args);
  const M = g.M, N = g.N;
  if (M <= 0 || N <= 0) return;
  // Threads share the rows of all batch items, or else, of wide C, the column tiles: then none packs B twice.
  const byColumns = N > M && (N >= 32 * threads || M < 4 * threads);
  const size = byColumns ? N : M, unit = byColumns ? TILE_COLS : 1;
  const units = (size + unit - 1) / unit;
  const all = <i64>units * g.batch;
  let at = <i32>(all * thread / threads);
  const end = <i32>(all * (thread + 1) / threads);
  while (at < end) {
    const item = at / units, from = at - item * units, to = min(units, from + end - at);
    if (byColumns) block(g, item, 0, M, from * unit, min(N, to * unit), thread);
    else block(g, item, from, to, 0, N, thread);
    at += to - from;
  }
}

/** Rows i0..i1, columns j0..j1 of one batch item's C. */
function block(g: MatmulArgs, item: i32, i0: i32, i1: i32, j0: i32, j1: i32, thread: i32): void {
  const M = g.M, N = g.N, K = g.K;
  const a = g.a + (<usize>item * g.strideA << 2);
  const b = g.b + (<usize>item * g.strideB << 2);
  const c = g.c + (<usize>item * g.strideC << 2);
  const ldc = <usize>N << 2, left = <usize>j0 << 2;
  const at = c + <usize>i0 * ldc + left;
  const scratch = g.scratch + <usize>thread * g.scratchBytes;
  if (K <= 0) {
    for (let i = i0; i < i1; i++) memory.fill(c + <usize>i * ldc + left, 0, <usize>(j1 - j0) << 2);
  } else if (usesDots(M, N, K, g.transA, g.transB)) {
    const ld = <usize>K << 2;
    const rowsA = rowsOverK(scratch, a, M, K, !g.transA) + <usize>i0 * ld;
    const rowsB = rowsOverK(scratch, b, N, K, g.transB != 0) + <usize>j0 * ld;
    if (N > M) dotRows(rowsB, j1 - j0, rowsA, i1 - i0, K, at, 4, ldc);
    else dotRows(rowsA, i1 - i0, rowsB, j1 - j0, K, at, ldc, 4);
  } else if (M == 1 && !g.transB) {
    sumOfRows(at, a, b + left, ldc, j1 - j0, K);
  } else if (N == 1 && g.transA) {
    sumOfRows(at, b, a + (<usize>i0 << 2), <usize>M << 2, i1 - i0, K);
  } else {
    return tiles(g, a, b, c, i0, i1, j0, j1, scratch);
  }
  if (g.epilogue) finish(g.epilogue, at, ldc, i1 - i0, left, j1 - j0, false);
}

/** The same by tiles, from packed panels. */
function tiles(g: MatmulArgs, a: usize, b: usize, c: usize, i0: i32, i1: i32, j0: i32, j1: i32, scratch: usize): void {
  const M = g.M, N = g.N, K = g.K, ldc = <usize>N << 2;
  const panelA = scratch + STAGE;
  const panelsB = panelA + <usize>(min(K, BLOCK_K) * TILE_ROWS << 2);
  for (let j = j0; j < j1; j += BLOCK_N) {
    const cols = min(BLOCK_N, j1 - j), full = cols & -TILE_COLS, tail = cols - full;
    const left = <usize>j << 2;
    for (let k = 0; k < K; k += BLOCK_K) {
      const depth = min(BLOCK_K, K - k);
      const directB = !g.transB && readsB(i1 - i0, N);
      const directA = g.transA && readsA(cols, depth, M);
      let first = b + (<usize>k * N + j << 2), bStep = ldc, bTile: usize = 32;
      let bTail = first + <usize>(full << 2), bTailStep = bStep;
      if (!directB) {
        first = panelsB, bStep = 32, bTile = <usize>depth << 5;
        packB(panelsB, b, g.transB, N, K, j, full, k, depth);
      }
      if (tail && !(directB && tail == 4)) {
        bTail = panelsB + <usize>full * (<usize>depth << 2), bTailStep = 32;
        packB(bTail, b, g.transB, N, K, j + full, tail, k, depth);
      }
      for (let i = i0; i < i1; ) {
        const tiles = (i1 - i + TILE_ROWS - 1) / TILE_ROWS, rows = (i1 - i + tiles - 1) / tiles;
        let aFirst = panelA, aStep = <usize>rows << 2;
        if (directA) aFirst = a + (<usize>k * M + i << 2), aStep = <usize>M << 2;
        else if (g.transA) packStraight(panelA, a + (<usize>k * M + i << 2), <usize>M << 2, depth, rows, rows);
        else packTransposed(panelA, a + (<usize>i * K + k << 2), <usize>K << 2, depth, rows, rows);
        tileRow(
          rows, aFirst, aStep, aFirst + <usize>depth * aStep, first, bStep, bTile, bTail, bTailStep,
          c + <usize>i * ldc + left, ldc, cols, k == 0, scratch, k + depth == K ? g.epilogue : 0, left,
        );
        i += rows;
      }
    }
  }
}

/** A thin operand as rows with their k side by side: as it lies, or else transposed into `scratch`. */
function rowsOverK(scratch: usize, from: usize, rows: i32, K: i32, already: bool): usize {
  if (already || rows == 1) return from;
  packTransposed(scratch, from, <usize>rows << 2, rows, K, K);
  return scratch;
}

/** Columns j..j+cols of op(B), rows k..k+depth, as panels of 8 columns. */
function packB(to: usize, b: usize, transB: i32, N: i32, K: i32, j: i32, cols: i32, k: i32, depth: i32): void {
  for (let t = 0; t < cols; t += TILE_COLS) {
    const width = min(TILE_COLS, cols - t);
    if (transB) packTransposed(to, b + (<usize>(j + t) * K + k << 2), <usize>K << 2, depth, width, TILE_COLS);
    else packStraight(to, b + (<usize>k * N + j + t << 2), <usize>N << 2, depth, width, TILE_COLS);
    to += <usize>depth << 5;
  }
}
