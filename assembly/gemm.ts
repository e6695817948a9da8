// Matrix multiplication C = op(A) op(B), batched: the split over threads, the blocks, the choice of path.
// Sums run over k in an order that only the shapes decide, never the split: the same bits with any threads.
import { MatmulArgs } from './gemm-args';
import { TILE_COLS, TILE_ROWS, tileRow } from './gemm-micro';
import { packStraight, packTransposed } from './gemm-pack';

export { matmul_f64 } from './gemm-f64';

/** Block of B that stays in L2 while all rows of C pass: BLOCK_K x BLOCK_N floats. */
// @ts-ignore: decorator
@inline const BLOCK_K: i32 = 256;
// @ts-ignore: decorator
@inline const BLOCK_N: i32 = 384;
/** Bytes for a partial tile of C. */
// @ts-ignore: decorator
@inline const STAGE: i32 = 192;

/** Scratch bytes that matmul_f32 needs for each thread. matmul_f64 needs none. */
export function matmulScratchBytes(M: i32, N: i32, K: i32): i32 {
  const k = min(K, BLOCK_K), n = min((N + TILE_COLS - 1) & -TILE_COLS, BLOCK_N);
  return STAGE + ((k * (n + TILE_ROWS)) << 2);
}

export function matmul_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<MatmulArgs>(args);
  const M = g.M, N = g.N;
  if (M <= 0 || N <= 0) return;
  // Threads share the tile rows of all batch items, or, of wide C, the tile columns: then none packs B twice.
  const byColumns = N > M;
  const size = byColumns ? N : M, unit = byColumns ? TILE_COLS : TILE_ROWS;
  const units = (size + unit - 1) / unit;
  const all = <i64>units * g.batch;
  let at = <i32>(all * thread / threads);
  const end = <i32>(all * (thread + 1) / threads);
  while (at < end) {
    const item = at / units, from = at - item * units;
    const to = min(units, from + end - at);
    if (byColumns) block(g, item, 0, M, from * unit, min(N, to * unit), thread);
    else block(g, item, from * unit, min(M, to * unit), 0, N, thread);
    at += to - from;
  }
}

/** Rows i0..i1, columns j0..j1 of one batch item's C. */
function block(g: MatmulArgs, item: i32, i0: i32, i1: i32, j0: i32, j1: i32, thread: i32): void {
  const M = g.M, N = g.N, K = g.K;
  const a = g.a + (<usize>item * g.strideA << 2);
  const b = g.b + (<usize>item * g.strideB << 2);
  const c = g.c + (<usize>item * g.strideC << 2);
  const ldc = <usize>N << 2;
  if (K <= 0) {
    for (let i = i0; i < i1; i++) memory.fill(c + <usize>i * ldc + <usize>(j0 << 2), 0, <usize>(j1 - j0) << 2);
    return;
  }
  const stage = g.scratch + <usize>thread * g.scratchBytes;
  const panelA = stage + STAGE;
  const panelsB = panelA + <usize>(min(K, BLOCK_K) * TILE_ROWS << 2);
  for (let j = j0; j < j1; j += BLOCK_N) {
    const cols = min(BLOCK_N, j1 - j);
    for (let k = 0; k < K; k += BLOCK_K) {
      const depth = min(BLOCK_K, K - k);
      packB(panelsB, b, g.transB, N, K, j, cols, k, depth);
      const bTile = <usize>depth << 5, bTail = panelsB + <usize>(cols / TILE_COLS) * bTile;
      for (let i = i0; i < i1; ) {
        const tiles = (i1 - i + TILE_ROWS - 1) / TILE_ROWS, rows = (i1 - i + tiles - 1) / tiles;
        if (g.transA) packStraight(panelA, a + (<usize>k * M + i << 2), <usize>M << 2, depth, rows, rows);
        else packTransposed(panelA, a + (<usize>i * K + k << 2), <usize>K << 2, depth, rows, rows);
        const aStep = <usize>rows << 2;
        tileRow(
          rows, panelA, aStep, panelA + <usize>depth * aStep, panelsB, 32, bTile, bTail, 32,
          c + <usize>i * ldc + <usize>(j << 2), ldc, cols, k == 0, stage,
        );
        i += rows;
      }
    }
  }
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
