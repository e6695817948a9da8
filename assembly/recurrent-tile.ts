// What the steps of a recurrent network share: the cells' sizes, and the product of a tile.
import { tileRow } from './gemm-micro';
import { packTransposed } from './gemm-pack';
import { TILE, UNITS } from './recurrent-args';

/** Bytes of a thread's own scratch memory: a tile for each gate. */
// @ts-ignore: decorator
@inline export const STAGE: i32 = 4 * TILE * 8;

export const enum Cell { rnnTanh, rnnRelu, gru, lstm }

/** Parts of the recurrent product, each as wide as the state. */
@inline
export function gatesOf(cell: Cell): i32 {
  return cell == Cell.lstm ? 4 : cell == Cell.gru ? 3 : 1;
}

/** Values kept of each unit and step. */
@inline
export function keptOf(cell: Cell): i32 {
  return cell >= Cell.gru ? 4 : 0;
}

/** stage[r][0..8] = sum over k of a[k][r] * b[k][0..8], one product after the other. */
@inline
export function product<T>(rows: i32, a: usize, K: i32, b: usize, stage: usize): void {
  if (sizeof<T>() == 4) {
    const step = <usize>rows << 2;
    tileRow(rows, a, step, a + <usize>K * step, b, 32, 0, 0, 0, stage, 32, 8, true, 0);
  } else plainProduct(rows, a, K, b, stage);
}

function plainProduct(rows: i32, a: usize, K: i32, b: usize, stage: usize): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < UNITS; j++) {
      let sum: f64 = 0;
      for (let k = 0; k < K; k++) sum += load<f64>(a + <usize>(k * rows + r << 3)) * load<f64>(b + <usize>(k * UNITS + j << 3));
      store<f64>(stage + <usize>(r * UNITS + j << 3), sum);
    }
  }
}

/** A tile of `from`, rows of `width` elements `ld` bytes apart, as columns k, k + 1, ... of a panel: panel[k + j][row]. */
@inline
export function toPanel<T>(panel: usize, k: i32, from: usize, ld: usize, rows: i32, width: i32): void {
  const to = panel + <usize>(k * rows) * sizeof<T>();
  if (sizeof<T>() == 4) packTransposed(to, from, ld, width, rows, rows);
  else {
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < width; j++) {
        store<T>(to + <usize>(j * rows + r) * sizeof<T>(), load<T>(from + <usize>r * ld + <usize>j * sizeof<T>()));
      }
    }
  }
}
