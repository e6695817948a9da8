// Recurrent networks, a step back in time: the gradient by the state after it is that of its own output plus the product
// of the later step's gradients with the transposed weights, tile by tile; from it those by the gates of the 8 units.
import { loadUpTo, storeUpTo } from './lanes';
import { tanh } from './math';
import { BackArgs, FinishArgs, TILE, tileHeight, UNITS, unitTiles, weightBytes } from './recurrent-args';
import { Cell, gatesOf, keptOf, product, STAGE, toPanel } from './recurrent-tile';
import { shareOf } from './split';

/** Gradients kept of each unit and step: those by the sums that go into the gates; for a GRU the recurrent part too. */
@inline
function partsOf(cell: Cell): i32 {
  return cell >= Cell.gru ? 4 : 1;
}

@inline
function orZero(p: usize, offset: usize, bytes: i32): v128 {
  return p ? loadUpTo(p + offset, bytes) : i64x2.splat(0);
}

/** x * s * (1 - s): the gradient through a sigmoid with value s. */
@inline
function throughSigmoid<T>(x: v128, s: v128): v128 {
  return v128.mul<T>(x, v128.mul<T>(s, v128.sub<T>(v128.splat<T>(1), s)));
}

/** x * (1 - t * t): the gradient through a tanh with value t. */
@inline
function throughTanh<T>(x: v128, t: v128): v128 {
  return v128.mul<T>(x, v128.sub<T>(v128.splat<T>(1), v128.mul<T>(t, t)));
}

/** All units of one row of a tile at `place` bytes; `dh` is what arrives by the product, then the whole. */
@inline
function units<T>(
  cell: Cell, g: BackArgs, dh: usize, carryH: usize, carryC: usize, row: i32, left: usize, bytes: i32, active: bool,
): void {
  const wide = <usize>g.hidden * sizeof<T>();
  let place = <usize>row * wide + left, kept = <usize>(row * keptOf(cell)) * wide + left;
  let out = g.out + <usize>(row * partsOf(cell)) * wide + left;
  carryH += place;
  carryC += place;
  for (; bytes > 0; bytes -= 16) {
    let h = v128.add<T>(v128.load(dh), orZero(g.dHidden, place, bytes));
    if (!g.first) h = v128.add<T>(h, loadUpTo(carryH, bytes));
    let c = i64x2.splat(0);
    if (cell == Cell.lstm) {
      c = orZero(g.dCell, place, bytes);
      if (!g.first) c = v128.add<T>(c, loadUpTo(carryC, bytes));
    }
    if (!active) {
      // The state was held: so is its gradient.
      storeUpTo(carryH, h, bytes);
      if (cell == Cell.lstm) storeUpTo(carryC, c, bytes);
      for (let k = 0; k < partsOf(cell); k++) storeUpTo(out + <usize>k * wide, i64x2.splat(0), bytes);
    } else if (cell == Cell.rnnTanh) {
      storeUpTo(out, throughTanh<T>(h, loadUpTo(g.hAfter + place, bytes)), bytes);
      storeUpTo(carryH, i64x2.splat(0), bytes);
    } else if (cell == Cell.rnnRelu) {
      const on = v128.gt<T>(loadUpTo(g.hAfter + place, bytes), v128.splat<T>(0));
      storeUpTo(out, v128.and(h, on), bytes);
      storeUpTo(carryH, i64x2.splat(0), bytes);
    } else if (cell == Cell.gru) {
      const r = loadUpTo(g.kept + kept, bytes), z = loadUpTo(g.kept + kept + wide, bytes);
      const n = loadUpTo(g.kept + kept + 2 * wide, bytes), p = loadUpTo(g.kept + kept + 3 * wide, bytes);
      const before = loadUpTo(g.hBefore + place, bytes);
      const dn = v128.add<T>(v128.mul<T>(h, v128.sub<T>(v128.splat<T>(1), z)), orZero(g.dKept, kept + 2 * wide, bytes));
      const dz = v128.add<T>(v128.mul<T>(h, v128.sub<T>(before, n)), orZero(g.dKept, kept + wide, bytes));
      const sum = throughTanh<T>(dn, n);
      const dr = v128.add<T>(v128.mul<T>(sum, p), orZero(g.dKept, kept, bytes));
      storeUpTo(out, throughSigmoid<T>(dr, r), bytes);
      storeUpTo(out + wide, throughSigmoid<T>(dz, z), bytes);
      storeUpTo(out + 2 * wide, sum, bytes);
      storeUpTo(out + 3 * wide, v128.add<T>(v128.mul<T>(sum, r), orZero(g.dKept, kept + 3 * wide, bytes)), bytes);
      storeUpTo(carryH, v128.mul<T>(h, z), bytes);
    } else {
      const i = loadUpTo(g.kept + kept, bytes), f = loadUpTo(g.kept + kept + wide, bytes);
      const n = loadUpTo(g.kept + kept + 2 * wide, bytes), o = loadUpTo(g.kept + kept + 3 * wide, bytes);
      const t = tanh<T>(loadUpTo(g.cAfter + place, bytes));
      c = v128.add<T>(c, throughTanh<T>(v128.mul<T>(h, o), t));
      const di = v128.add<T>(v128.mul<T>(c, n), orZero(g.dKept, kept, bytes));
      const df = v128.add<T>(v128.mul<T>(c, loadUpTo(g.cBefore + place, bytes)), orZero(g.dKept, kept + wide, bytes));
      const dn = v128.add<T>(v128.mul<T>(c, i), orZero(g.dKept, kept + 2 * wide, bytes));
      const dO = v128.add<T>(v128.mul<T>(h, t), orZero(g.dKept, kept + 3 * wide, bytes));
      storeUpTo(out, throughSigmoid<T>(di, i), bytes);
      storeUpTo(out + wide, throughSigmoid<T>(df, f), bytes);
      storeUpTo(out + 2 * wide, throughTanh<T>(dn, n), bytes);
      storeUpTo(out + 3 * wide, throughSigmoid<T>(dO, o), bytes);
      storeUpTo(carryH, i64x2.splat(0), bytes);
      storeUpTo(carryC, v128.mul<T>(c, f), bytes);
    }
    dh += 16;
    place += 16;
    kept += 16;
    out += 16;
    carryH += 16;
    carryC += 16;
  }
}

@inline
function backward<T>(cell: Cell, args: usize, thread: i32, threads: i32): void {
  const g = changetype<BackArgs>(args);
  const batch = g.batch, hidden = g.hidden, gates = gatesOf(cell), parts = partsOf(cell), K = gates * hidden;
  if (batch <= 0) return;
  const height = tileHeight(batch), rowTiles = (batch + height - 1) / height, all = unitTiles(hidden) * rowTiles;
  const panels = <usize>(batch * K) * sizeof<T>(), wide = <usize>hidden * sizeof<T>();
  const first = g.scratch + weightBytes<T>(hidden, gates);
  const read = first + <usize>g.parity * panels, write = first + <usize>(g.parity ^ 1) * panels;
  const carryH = first + 2 * panels, carryC = carryH + <usize>batch * wide;
  const stage = g.stage + thread * STAGE;
  const end = shareOf(all, thread + 1, threads);
  for (let at = shareOf(all, thread, threads); at < end; at++) {
    const tile = at / rowTiles, row0 = (at - tile * rowTiles) * height;
    const rows = min(height, batch - row0), unit0 = tile * UNITS, width = min(UNITS, hidden - unit0);
    const panel = <usize>(row0 * K) * sizeof<T>(), left = <usize>unit0 * sizeof<T>();
    if (g.first) memory.fill(stage, 0, TILE * sizeof<T>());
    else product<T>(rows, read + panel, K, g.scratch + <usize>(unit0 * K) * sizeof<T>(), stage);
    for (let r = 0; r < rows; r++) {
      const row = row0 + r;
      const active = !g.lengths || g.time < load<i32>(g.lengths + (<usize>row << 2));
      units<T>(cell, g, stage + <usize>(r * UNITS) * sizeof<T>(), carryH, carryC, row, left, width * sizeof<T>(), active);
      for (let gate = 0; gate < gates; gate++) {
        // The recurrent part of a GRU's last gate is its last one.
        const part = cell == Cell.gru && gate == 2 ? 3 : gate;
        const to = write + panel + <usize>((gate * hidden + unit0) * rows + r) * sizeof<T>();
        toPanel<T>(to, <usize>rows * sizeof<T>(), g.out + <usize>(row * parts + part) * wide + left, width);
      }
    }
  }
}

/** Gradients by the first states. */
@inline
function finish<T>(args: usize, thread: i32, threads: i32): void {
  const g = changetype<FinishArgs>(args);
  const batch = g.batch, hidden = g.hidden, K = g.gates * hidden;
  if (batch <= 0) return;
  const height = tileHeight(batch), rowTiles = (batch + height - 1) / height, all = unitTiles(hidden) * rowTiles;
  const panels = <usize>(batch * K) * sizeof<T>(), wide = <usize>hidden * sizeof<T>();
  const first = g.scratch + weightBytes<T>(hidden, g.gates), read = first + <usize>g.parity * panels;
  const carryH = first + 2 * panels, carryC = carryH + <usize>batch * wide;
  const stage = g.stage + thread * STAGE;
  const end = shareOf(all, thread + 1, threads);
  for (let at = shareOf(all, thread, threads); at < end; at++) {
    const tile = at / rowTiles, row0 = (at - tile * rowTiles) * height, unit0 = tile * UNITS;
    const rows = min(height, batch - row0);
    product<T>(rows, read + <usize>(row0 * K) * sizeof<T>(), K, g.scratch + <usize>(unit0 * K) * sizeof<T>(), stage);
    for (let r = 0; r < rows; r++) {
      let place = <usize>(row0 + r) * wide + <usize>unit0 * sizeof<T>(), q = stage + <usize>(r * UNITS) * sizeof<T>();
      for (let bytes = min(UNITS, hidden - unit0) * sizeof<T>(); bytes > 0; bytes -= 16) {
        const h = v128.add<T>(v128.load(q), orZero(g.dHidden, place, bytes));
        storeUpTo(g.outHidden + place, v128.add<T>(h, loadUpTo(carryH + place, bytes)), bytes);
        if (g.outCell) {
          storeUpTo(g.outCell + place, v128.add<T>(orZero(g.dCell, place, bytes), loadUpTo(carryC + place, bytes)), bytes);
        }
        place += 16;
        q += 16;
      }
    }
  }
}

/** One for all cells, as double precision is there for checking gradients. */
function backward64(cell: Cell, args: usize, thread: i32, threads: i32): void {
  backward<f64>(cell, args, thread, threads);
}

export function rnnTanhBack_f32(args: usize, thread: i32, threads: i32): void { backward<f32>(Cell.rnnTanh, args, thread, threads); }
export function rnnTanhBack_f64(args: usize, thread: i32, threads: i32): void { backward64(Cell.rnnTanh, args, thread, threads); }
export function rnnReluBack_f32(args: usize, thread: i32, threads: i32): void { backward<f32>(Cell.rnnRelu, args, thread, threads); }
export function rnnReluBack_f64(args: usize, thread: i32, threads: i32): void { backward64(Cell.rnnRelu, args, thread, threads); }
export function gruBack_f32(args: usize, thread: i32, threads: i32): void { backward<f32>(Cell.gru, args, thread, threads); }
export function gruBack_f64(args: usize, thread: i32, threads: i32): void { backward64(Cell.gru, args, thread, threads); }
export function lstmBack_f32(args: usize, thread: i32, threads: i32): void { backward<f32>(Cell.lstm, args, thread, threads); }
export function lstmBack_f64(args: usize, thread: i32, threads: i32): void { backward64(Cell.lstm, args, thread, threads); }
export function recurrentFinish_f32(args: usize, thread: i32, threads: i32): void { finish<f32>(args, thread, threads); }
export function recurrentFinish_f64(args: usize, thread: i32, threads: i32): void { finish<f64>(args, thread, threads); }
