// Argument blocks of the recurrent kernels, as the host writes them, and how their scratch memory is laid out.
import { TILE_ROWS } from './gemm-micro';

/** Hidden units of a tile. */
// @ts-ignore: decorator
@inline export const UNITS: i32 = 8;
/** Elements of a tile of a product, at most. */
// @ts-ignore: decorator
@inline export const TILE: i32 = 48;

/** Panels of the weights; for a first state, its panels too. */
@unmanaged
export class PackArgs {
  scratch: usize;
  /** (H, gates * H) */
  weights: usize;
  gates: i32;
  batch: i32;
  hidden: i32;
  /** First states (B,H), or 0 for zeros, and where they are copied to; the second only for cells that have one. */
  h0: usize;
  c0: usize;
  hidden0: usize;
  cell0: usize;
}

/** A step forward. Rows are those of its time: (B, n * H). */
@unmanaged
export class StepArgs {
  scratch: usize;
  /** Where the threads' own parts of the scratch memory begin. */
  stage: usize;
  batch: i32;
  hidden: i32;
  time: i32;
  /** Which of the two panels of states is read. */
  parity: i32;
  /** Not 0: the state before is zero. */
  first: i32;
  /** (B) int32, or 0. */
  lengths: usize;
  projected: usize;
  bias: usize;
  /** Gates, and the states before and after. */
  kept: usize;
  hBefore: usize;
  hAfter: usize;
  cBefore: usize;
  cAfter: usize;
}

/** A step backward, or (FinishArgs) what remains for the first states. */
@unmanaged
export class BackArgs {
  scratch: usize;
  stage: usize;
  batch: i32;
  hidden: i32;
  time: i32;
  parity: i32;
  /** Not 0: nothing comes from a later step. */
  first: i32;
  lengths: usize;
  kept: usize;
  hBefore: usize;
  hAfter: usize;
  cBefore: usize;
  cAfter: usize;
  /** Gradients by the gates and the states after, or 0 for zeros. */
  dKept: usize;
  dHidden: usize;
  dCell: usize;
  /** Gradients by the sums that go into the gates. */
  out: usize;
}

@unmanaged
export class FinishArgs {
  scratch: usize;
  stage: usize;
  batch: i32;
  hidden: i32;
  gates: i32;
  parity: i32;
  lengths: usize;
  dHidden: usize;
  dCell: usize;
  outHidden: usize;
  outCell: usize;
}

// Scratch, in elements: panels of the weights, two panels of B rows that take turns, carried gradients (B,H) of the
// hidden and of the cell state; then a stage for each thread.
//   weights: for each tile of units and each gate H x UNITS; backward for each tile (gates * H) x UNITS
//   panels of rows: for each tile of rows K x rows, so that a tile reads what it needs in a row

@inline
export function unitTiles(hidden: i32): i32 {
  return (hidden + UNITS - 1) / UNITS;
}

/** Rows of a tile; all tiles but the last have so many. */
@inline
export function tileHeight(batch: i32): i32 {
  const tiles = (batch + TILE_ROWS - 1) / TILE_ROWS;
  return (batch + tiles - 1) / tiles;
}

@inline
export function weightBytes<T>(hidden: i32, gates: i32): usize {
  return <usize>(unitTiles(hidden) * UNITS) * (gates * hidden) * sizeof<T>();
}
