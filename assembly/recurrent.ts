// Recurrent networks, one call a step: the product of the state before with the weights, tile by tile, each followed at
// once by the gates of its 8 units, while it is in the L1 cache. Threads share the tiles.
// Steps beyond a sequence's length hold the state; their gates, and the gradients by them, are zero.
import { loadUpTo, storeUpTo } from './lanes';
import { sigmoid, tanh } from './math';
import { StepArgs, TILE, tileHeight, UNITS, unitTiles, weightBytes } from './recurrent-args';
import { Cell, gatesOf, keptOf, product, STAGE, toPanel } from './recurrent-tile';
import { shareOf } from './split';

export * from './recurrent-back';
export * from './recurrent-pack';

/** A part of the sums that go into the gates, without the recurrent product. */
@inline
function input<T>(x: usize, bias: usize, offset: usize, bytes: i32): v128 {
  return v128.add<T>(loadUpTo(x + offset, bytes), loadUpTo(bias + offset, bytes));
}

/** The units of one row of a tile; `bytes` of them, `wide` from one gate to the next. */
@inline
function units<T>(
  cell: Cell, q: usize, x: usize, bias: usize, kept: usize, h0: usize, h1: usize, c0: usize, c1: usize,
  bytes: i32, wide: usize,
): void {
  const stage = <usize>TILE * sizeof<T>();
  for (; bytes > 0; bytes -= 16) {
    const s0 = v128.add<T>(v128.load(q), input<T>(x, bias, 0, bytes));
    if (cell == Cell.rnnTanh) storeUpTo(h1, tanh<T>(s0), bytes);
    else if (cell == Cell.rnnRelu) {
      const zero = v128.splat<T>(0);
      storeUpTo(h1, v128.add<T>(v128.pmax<T>(s0, zero), zero), bytes);
    } else if (cell == Cell.gru) {
      const r = sigmoid<T>(s0);
      const z = sigmoid<T>(v128.add<T>(v128.load(q + stage), input<T>(x, bias, wide, bytes)));
      const p = v128.add<T>(v128.load(q + 2 * stage), loadUpTo(bias + 3 * wide, bytes));
      const n = tanh<T>(v128.add<T>(input<T>(x, bias, 2 * wide, bytes), v128.mul<T>(r, p)));
      storeUpTo(kept, r, bytes);
      storeUpTo(kept + wide, z, bytes);
      storeUpTo(kept + 2 * wide, n, bytes);
      storeUpTo(kept + 3 * wide, p, bytes);
      storeUpTo(h1, v128.add<T>(n, v128.mul<T>(z, v128.sub<T>(loadUpTo(h0, bytes), n))), bytes);
    } else {
      const i = sigmoid<T>(s0);
      const f = sigmoid<T>(v128.add<T>(v128.load(q + stage), input<T>(x, bias, wide, bytes)));
      const g = tanh<T>(v128.add<T>(v128.load(q + 2 * stage), input<T>(x, bias, 2 * wide, bytes)));
      const o = sigmoid<T>(v128.add<T>(v128.load(q + 3 * stage), input<T>(x, bias, 3 * wide, bytes)));
      const c = v128.add<T>(v128.mul<T>(f, loadUpTo(c0, bytes)), v128.mul<T>(i, g));
      storeUpTo(kept, i, bytes);
      storeUpTo(kept + wide, f, bytes);
      storeUpTo(kept + 2 * wide, g, bytes);
      storeUpTo(kept + 3 * wide, o, bytes);
      storeUpTo(c1, c, bytes);
      storeUpTo(h1, v128.mul<T>(o, tanh<T>(c)), bytes);
      c0 += 16;
      c1 += 16;
    }
    q += 16;
    x += 16;
    bias += 16;
    kept += 16;
    h0 += 16;
    h1 += 16;
  }
}

@inline
function forward<T>(cell: Cell, args: usize, thread: i32, threads: i32): void {
  const g = changetype<StepArgs>(args);
  const batch = g.batch, hidden = g.hidden, gates = gatesOf(cell), kept = keptOf(cell);
  if (batch <= 0) return;
  const height = tileHeight(batch), rowTiles = (batch + height - 1) / height, all = unitTiles(hidden) * rowTiles;
  const state = <usize>(batch * hidden) * sizeof<T>(), wide = <usize>hidden * sizeof<T>();
  const read = g.scratch + weightBytes<T>(hidden, gates) + <usize>g.parity * state;
  const write = g.scratch + weightBytes<T>(hidden, gates) + <usize>(g.parity ^ 1) * state;
  const stage = g.stage + thread * STAGE;
  const end = shareOf(all, thread + 1, threads);
  for (let at = shareOf(all, thread, threads); at < end; at++) {
    const tile = at / rowTiles, row0 = (at - tile * rowTiles) * height;
    const rows = min(height, batch - row0), unit0 = tile * UNITS, width = min(UNITS, hidden - unit0);
    const panel = <usize>row0 * wide;
    for (let gate = 0; gate < gates; gate++) {
      const to = stage + <usize>(gate * TILE) * sizeof<T>();
      if (g.first) memory.fill(to, 0, TILE * sizeof<T>());
      else product<T>(rows, read + panel, hidden, g.scratch + <usize>((tile * gates + gate) * UNITS) * wide, to);
    }
    for (let r = 0; r < rows; r++) {
      const row = row0 + r, left = <usize>unit0 * sizeof<T>(), place = <usize>row * wide + left;
      const bytes = width * sizeof<T>();
      if (g.lengths && g.time >= load<i32>(g.lengths + (<usize>row << 2))) {
        memory.copy(g.hAfter + place, g.hBefore + place, bytes);
        if (cell == Cell.lstm) memory.copy(g.cAfter + place, g.cBefore + place, bytes);
        for (let k = 0; k < kept; k++) memory.fill(g.kept + (<usize>(row * kept + k)) * wide + left, 0, bytes);
      } else {
        units<T>(
          cell, stage + <usize>(r * UNITS) * sizeof<T>(), g.projected + <usize>(row * gates) * wide + left, g.bias + left,
          g.kept + <usize>(row * kept) * wide + left, g.hBefore + place, g.hAfter + place, g.cBefore + place, g.cAfter + place,
          bytes, wide,
        );
      }
      toPanel<T>(write + panel + <usize>(unit0 * rows + r) * sizeof<T>(), <usize>rows * sizeof<T>(), g.hAfter + place, width);
    }
  }
}

/** One for all cells, as double precision is there for checking gradients. */
function forward64(cell: Cell, args: usize, thread: i32, threads: i32): void {
  forward<f64>(cell, args, thread, threads);
}

export function rnnTanhStep_f32(args: usize, thread: i32, threads: i32): void { forward<f32>(Cell.rnnTanh, args, thread, threads); }
export function rnnTanhStep_f64(args: usize, thread: i32, threads: i32): void { forward64(Cell.rnnTanh, args, thread, threads); }
export function rnnReluStep_f32(args: usize, thread: i32, threads: i32): void { forward<f32>(Cell.rnnRelu, args, thread, threads); }
export function rnnReluStep_f64(args: usize, thread: i32, threads: i32): void { forward64(Cell.rnnRelu, args, thread, threads); }
export function gruStep_f32(args: usize, thread: i32, threads: i32): void { forward<f32>(Cell.gru, args, thread, threads); }
export function gruStep_f64(args: usize, thread: i32, threads: i32): void { forward64(Cell.gru, args, thread, threads); }
export function lstmStep_f32(args: usize, thread: i32, threads: i32): void { forward<f32>(Cell.lstm, args, thread, threads); }
export function lstmStep_f64(args: usize, thread: i32, threads: i32): void { forward64(Cell.lstm, args, thread, threads); }
