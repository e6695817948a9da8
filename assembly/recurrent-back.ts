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

/** stage += from for a tile; ld: bytes from row to row of `from`. */
function addRows<T>(stage: usize, from: usize, ld: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) v128.store(stage + at, v128.add<T>(v128.load(stage + at), loadUpTo(from + at, bytes - at)));
    stage += UNITS * sizeof<T>();
    from += ld;
  }
}

/** to = the stage, or zeros where that is 0. */
function storeRows<T>(to: usize, ld: usize, stage: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) storeUpTo(to + at, stage ? v128.load(stage + at) : i64x2.splat(0), bytes - at);
    to += ld;
    if (stage) stage += UNITS * sizeof<T>();
  }
}

function rnnTanhParts<T>(out: usize, h: usize, dh: usize, wide: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) {
      storeUpTo(out + at, throughTanh<T>(v128.load(dh + at), loadUpTo(h + at, bytes - at)), bytes - at);
    }
    out += wide;
    h += wide;
    dh += UNITS * sizeof<T>();
  }
}

function rnnReluParts<T>(out: usize, h: usize, dh: usize, wide: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) {
      const on = v128.gt<T>(loadUpTo(h + at, bytes - at), v128.splat<T>(0));
      storeUpTo(out + at, v128.and(v128.load(dh + at), on), bytes - at);
    }
    out += wide;
    h += wide;
    dh += UNITS * sizeof<T>();
  }
}

/** r, z, n, p lie `wide` bytes apart in kept, and so do the gradients. The part of dh that goes on by z is put into dh. */
function gruParts<T>(out: usize, kept: usize, dKept: usize, h0: usize, dh: usize, wide: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) {
      const rest = bytes - at, k = kept + at, to = out + at;
      const h = v128.load(dh + at), z = loadUpTo(k + wide, rest), n = loadUpTo(k + 2 * wide, rest);
      const dz = v128.add<T>(v128.mul<T>(h, v128.sub<T>(loadUpTo(h0 + at, rest), n)), orZero(dKept, <usize>at + wide, rest));
      storeUpTo(to + wide, throughSigmoid<T>(dz, z), rest);
      const dn = v128.add<T>(v128.mul<T>(h, v128.sub<T>(v128.splat<T>(1), z)), orZero(dKept, <usize>at + 2 * wide, rest));
      v128.store(dh + at, v128.mul<T>(h, z));
      const sum = throughTanh<T>(dn, n);
      storeUpTo(to + 2 * wide, sum, rest);
      const r = loadUpTo(k, rest);
      storeUpTo(to + 3 * wide, v128.add<T>(v128.mul<T>(sum, r), orZero(dKept, <usize>at + 3 * wide, rest)), rest);
      const dr = v128.add<T>(v128.mul<T>(sum, loadUpTo(k + 3 * wide, rest)), orZero(dKept, at, rest));
      storeUpTo(to, throughSigmoid<T>(dr, r), rest);
    }
    out += 4 * wide;
    kept += 4 * wide;
    if (dKept) dKept += 4 * wide;
    h0 += wide;
    dh += UNITS * sizeof<T>();
  }
}

/** i, f, g, o lie `wide` bytes apart in kept, and so do the gradients. What goes on by f is put into dc. */
function lstmParts<T>(
  out: usize, kept: usize, dKept: usize, c0: usize, c1: usize, dh: usize, dc: usize, wide: usize, rows: i32, bytes: i32,
): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) {
      const rest = bytes - at, k = kept + at, to = out + at;
      const t = tanh<T>(loadUpTo(c1 + at, rest)), h = v128.load(dh + at), o = loadUpTo(k + 3 * wide, rest);
      storeUpTo(to + 3 * wide, throughSigmoid<T>(v128.add<T>(v128.mul<T>(h, t), orZero(dKept, <usize>at + 3 * wide, rest)), o), rest);
      const c = v128.add<T>(v128.load(dc + at), throughTanh<T>(v128.mul<T>(h, o), t));
      const i = loadUpTo(k, rest), g = loadUpTo(k + 2 * wide, rest), f = loadUpTo(k + wide, rest);
      storeUpTo(to, throughSigmoid<T>(v128.add<T>(v128.mul<T>(c, g), orZero(dKept, at, rest)), i), rest);
      storeUpTo(to + 2 * wide, throughTanh<T>(v128.add<T>(v128.mul<T>(c, i), orZero(dKept, <usize>at + 2 * wide, rest)), g), rest);
      const df = v128.add<T>(v128.mul<T>(c, loadUpTo(c0 + at, rest)), orZero(dKept, <usize>at + wide, rest));
      storeUpTo(to + wide, throughSigmoid<T>(df, f), rest);
      v128.store(dc + at, v128.mul<T>(c, f));
    }
    out += 4 * wide;
    kept += 4 * wide;
    if (dKept) dKept += 4 * wide;
    c0 += wide;
    c1 += wide;
    dh += UNITS * sizeof<T>();
    dc += UNITS * sizeof<T>();
  }
}

/** What reaches the states after a step, into the stage: hidden, then cell. */
@inline
function arrive<T>(
  stage: usize, first: bool, carryH: usize, carryC: usize, dHidden: usize, dCell: usize,
  place: usize, wide: usize, rows: i32, bytes: i32,
): void {
  const cell = stage + TILE * sizeof<T>();
  if (carryH && !first) addRows<T>(stage, carryH + place, wide, rows, bytes);
  if (dHidden) addRows<T>(stage, dHidden + place, wide, rows, bytes);
  if (!carryC) return;
  memory.fill(cell, 0, TILE * sizeof<T>());
  if (!first) addRows<T>(cell, carryC + place, wide, rows, bytes);
  if (dCell) addRows<T>(cell, dCell + place, wide, rows, bytes);
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
  const carries = cell == Cell.gru || g.lengths != 0;
  const end = shareOf(all, thread + 1, threads);
  for (let at = shareOf(all, thread, threads); at < end; at++) {
    const tile = at / rowTiles, row0 = (at - tile * rowTiles) * height;
    const rows = min(height, batch - row0), unit0 = tile * UNITS, width = min(UNITS, hidden - unit0);
    const panel = <usize>(row0 * K) * sizeof<T>(), left = <usize>unit0 * sizeof<T>();
    if (g.first) memory.fill(stage, 0, TILE * sizeof<T>());
    else product<T>(rows, read + panel, K, g.scratch + <usize>(unit0 * K) * sizeof<T>(), stage);
    const bytes = width * <i32>sizeof<T>(), place = <usize>row0 * wide + left;
    const out = g.out + <usize>(row0 * parts) * wide + left, kept = g.kept + <usize>(row0 * keptOf(cell)) * wide + left;
    const dKept = g.dKept ? g.dKept + (kept - g.kept) : 0, dc = stage + TILE * sizeof<T>();
    arrive<T>(
      stage, g.first != 0, carries ? carryH : 0, cell == Cell.lstm ? carryC : 0, g.dHidden, g.dCell, place, wide, rows, bytes,
    );
    const stageRow = UNITS * sizeof<T>();
    if (g.lengths) {
      // Where the state was held, so is its gradient.
      for (let r = 0; r < rows; r++) {
        if (g.time < load<i32>(g.lengths + (<usize>(row0 + r) << 2))) continue;
        const at = place + <usize>r * wide;
        storeRows<T>(carryH + at, wide, stage + r * stageRow, 1, bytes);
        if (cell == Cell.lstm) storeRows<T>(carryC + at, wide, dc + r * stageRow, 1, bytes);
      }
    }
    if (cell == Cell.rnnTanh) rnnTanhParts<T>(out, g.hAfter + place, stage, wide, rows, bytes);
    else if (cell == Cell.rnnRelu) rnnReluParts<T>(out, g.hAfter + place, stage, wide, rows, bytes);
    else if (cell == Cell.gru) gruParts<T>(out, kept, dKept, g.hBefore + place, stage, wide, rows, bytes);
    else lstmParts<T>(out, kept, dKept, g.cBefore + place, g.cAfter + place, stage, dc, wide, rows, bytes);
    if (!g.lengths) {
      if (cell == Cell.gru) storeRows<T>(carryH + place, wide, stage, rows, bytes);
      if (cell == Cell.lstm) storeRows<T>(carryC + place, wide, dc, rows, bytes);
    } else {
      for (let r = 0; r < rows; r++) {
        if (g.time < load<i32>(g.lengths + (<usize>(row0 + r) << 2))) {
          const at = place + <usize>r * wide;
          storeRows<T>(carryH + at, wide, cell == Cell.gru ? stage + r * stageRow : 0, 1, bytes);
          if (cell == Cell.lstm) storeRows<T>(carryC + at, wide, dc + r * stageRow, 1, bytes);
        } else {
          for (let p = 0; p < parts; p++) storeRows<T>(out + <usize>(r * parts + p) * wide, wide, 0, 1, bytes);
        }
      }
    }
    for (let gate = 0; gate < gates; gate++) {
      // The recurrent part of a GRU's last gate is its last one.
      const part = cell == Cell.gru && gate == 2 ? 3 : gate;
      toPanel<T>(write + panel, gate * hidden + unit0, out + <usize>part * wide, <usize>parts * wide, rows, width);
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
    const place = <usize>row0 * wide + <usize>unit0 * sizeof<T>(), bytes = min(UNITS, hidden - unit0) * <i32>sizeof<T>();
    const carries = g.gates == 3 || g.lengths != 0;
    arrive<T>(stage, false, carries ? carryH : 0, g.outCell ? carryC : 0, g.dHidden, g.dCell, place, wide, rows, bytes);
    storeRows<T>(g.outHidden + place, wide, stage, rows, bytes);
    if (g.outCell) storeRows<T>(g.outCell + place, wide, stage + TILE * sizeof<T>(), rows, bytes);
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
