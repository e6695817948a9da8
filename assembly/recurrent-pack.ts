// What comes before the steps of a recurrent network: the weights in panels, the first states.
import { PackArgs, tileHeight, UNITS, unitTiles, weightBytes } from './recurrent-args';
import { copyRow } from './lanes';
import { shareOf } from './split';

/** panel[k][0..UNITS] = from[k][0..width], the rest zeros. */
function straight<T>(to: usize, from: usize, ld: usize, k: i32, width: i32): void {
  for (; k > 0; k--) {
    if (width == UNITS) {
      for (let i = 0; i < UNITS * <i32>sizeof<T>(); i += 16) v128.store(to + i, v128.load(from + i));
    } else {
      for (let j = 0; j < UNITS; j++) {
        store<T>(to + j * sizeof<T>(), j < width ? load<T>(from + j * sizeof<T>()) : 0);
      }
    }
    to += UNITS * sizeof<T>();
    from += ld;
  }
}

/** panel[k][0..UNITS] = from[0..width][k], the rest zeros. */
function transposed<T>(to: usize, from: usize, k: i32, width: i32): void {
  for (let j = 0; j < UNITS; j++) {
    let p = to + j * sizeof<T>();
    for (let i = k; i > 0; i--) {
      store<T>(p, j < width ? load<T>(from) : 0);
      if (j < width) from += sizeof<T>();
      p += UNITS * sizeof<T>();
    }
  }
}

/** Element (row, k) of the panels of rows, of K elements each. */
@inline
function panelPlace<T>(panels: usize, height: i32, batch: i32, row: i32, K: i32, k: i32): usize {
  const first = row / height * height;
  const rows = min(height, batch - first);
  return panels + (<usize>first * K + <usize>k * rows + (row - first)) * sizeof<T>();
}

/** A first state, or zeros, where the steps look for it. */
function firstState<T>(to: usize, from: usize, n: i32): void {
  if (from) copyRow<T>(to, from, <usize>n * sizeof<T>());
  else memory.fill(to, 0, <usize>n * sizeof<T>());
}

function packForward<T>(args: usize, thread: i32, threads: i32): void {
  const g = changetype<PackArgs>(args);
  const batch = g.batch, hidden = g.hidden, gates = g.gates;
  const tiles = unitTiles(hidden) * gates, ld = <usize>(gates * hidden) * sizeof<T>();
  const end = shareOf(tiles, thread + 1, threads);
  for (let i = shareOf(tiles, thread, threads); i < end; i++) {
    const tile = i / gates, gate = i - tile * gates;
    const from = g.weights + (gate * hidden + tile * UNITS) * sizeof<T>();
    straight<T>(g.scratch + <usize>(i * hidden) * (UNITS * sizeof<T>()), from, ld, hidden, min(UNITS, hidden - tile * UNITS));
  }
  const from = shareOf(batch, thread, threads), to = shareOf(batch, thread + 1, threads);
  const at = <usize>(from * hidden) * sizeof<T>(), n = (to - from) * hidden;
  if (n <= 0) return;
  firstState<T>(g.hidden0 + at, g.h0 ? g.h0 + at : 0, n);
  if (g.cell0) firstState<T>(g.cell0 + at, g.c0 ? g.c0 + at : 0, n);
  if (!g.h0) return;
  const panels = g.scratch + weightBytes<T>(hidden, gates), height = tileHeight(batch);
  for (let row = from; row < to; row++) {
    for (let j = 0; j < hidden; j++) {
      store<T>(panelPlace<T>(panels, height, batch, row, hidden, j), load<T>(g.h0 + <usize>(row * hidden + j) * sizeof<T>()));
    }
  }
}

function packBackward<T>(args: usize, thread: i32, threads: i32): void {
  const g = changetype<PackArgs>(args);
  const hidden = g.hidden, K = g.gates * hidden, tiles = unitTiles(hidden);
  const end = shareOf(tiles, thread + 1, threads);
  for (let i = shareOf(tiles, thread, threads); i < end; i++) {
    const at = <usize>(i * UNITS * K) * sizeof<T>();
    transposed<T>(g.scratch + at, g.weights + at, K, min(UNITS, hidden - i * UNITS));
  }
}

export function recurrentPack_f32(args: usize, thread: i32, threads: i32): void { packForward<f32>(args, thread, threads); }
export function recurrentPack_f64(args: usize, thread: i32, threads: i32): void { packForward<f64>(args, thread, threads); }
export function recurrentPackBack_f32(args: usize, thread: i32, threads: i32): void { packBackward<f32>(args, thread, threads); }
export function recurrentPackBack_f64(args: usize, thread: i32, threads: i32): void { packBackward<f64>(args, thread, threads); }
