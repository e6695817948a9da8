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

const enum Squash { relu, tanh, sigmoid }

@inline
function squash<T>(kind: Squash, x: v128): v128 {
  if (kind == Squash.sigmoid) return sigmoid<T>(x);
  if (kind == Squash.tanh) return tanh<T>(x);
  const zero = v128.splat<T>(0);
  // pmax(x, 0) keeps NaN but also -0, which the addition makes 0.
  return v128.add<T>(v128.pmax<T>(x, zero), zero);
}

// Each loop does little, so that its values stay in registers; what it makes for the next one is in the L1 cache.

/** to = squash(q + x + bias) for a tile of rows; ldTo, ldX: bytes from row to row. */
@inline
function gate<T>(kind: Squash, to: usize, ldTo: usize, q: usize, x: usize, ldX: usize, bias: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    if (bytes == UNITS * sizeof<T>()) {
      for (let i = 0; i < UNITS * <i32>sizeof<T>(); i += 16) {
        const sum = v128.add<T>(v128.load(q + i), v128.add<T>(v128.load(x + i), v128.load(bias + i)));
        v128.store(to + i, squash<T>(kind, sum));
      }
    } else {
      for (let i = 0; i < bytes; i += 16) {
        const sum = v128.add<T>(v128.load(q + i), v128.add<T>(loadUpTo(x + i, bytes - i), loadUpTo(bias + i, bytes - i)));
        storeUpTo(to + i, squash<T>(kind, sum), bytes - i);
      }
    }
    to += ldTo;
    q += UNITS * sizeof<T>();
    x += ldX;
  }
}

function sigmoidGate<T>(to: usize, ldTo: usize, q: usize, x: usize, ldX: usize, bias: usize, rows: i32, bytes: i32): void {
  gate<T>(Squash.sigmoid, to, ldTo, q, x, ldX, bias, rows, bytes);
}
function tanhGate<T>(to: usize, ldTo: usize, q: usize, x: usize, ldX: usize, bias: usize, rows: i32, bytes: i32): void {
  gate<T>(Squash.tanh, to, ldTo, q, x, ldX, bias, rows, bytes);
}
function reluGate<T>(to: usize, ldTo: usize, q: usize, x: usize, ldX: usize, bias: usize, rows: i32, bytes: i32): void {
  gate<T>(Squash.relu, to, ldTo, q, x, ldX, bias, rows, bytes);
}

/** c1 = f c0 + i g, h1 = o tanh(c1); i, f, g, o lie `wide` bytes apart in kept. */
function lstmState<T>(h1: usize, c1: usize, c0: usize, kept: usize, wide: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) {
      const rest = bytes - at, k = kept + at;
      const ig = v128.mul<T>(loadUpTo(k, rest), loadUpTo(k + 2 * wide, rest));
      const c = v128.add<T>(v128.mul<T>(loadUpTo(k + wide, rest), loadUpTo(c0 + at, rest)), ig);
      storeUpTo(c1 + at, c, rest);
      storeUpTo(h1 + at, v128.mul<T>(loadUpTo(k + 3 * wide, rest), tanh<T>(c)), rest);
    }
    h1 += wide;
    c1 += wide;
    c0 += wide;
    kept += 4 * wide;
  }
}

/** p = q + bias 3, n = tanh(x + bias 2 + r p), h1 = n + z (h0 - n); r, z, n, p lie `wide` bytes apart in kept. */
function gruState<T>(h1: usize, h0: usize, kept: usize, q: usize, x: usize, bias: usize, wide: usize, rows: i32, bytes: i32): void {
  for (; rows > 0; rows--) {
    for (let at = 0; at < bytes; at += 16) {
      const rest = bytes - at, k = kept + at;
      const p = v128.add<T>(v128.load(q + at), loadUpTo(bias + 3 * wide + at, rest));
      storeUpTo(k + 3 * wide, p, rest);
      const sum = v128.add<T>(loadUpTo(x + 2 * wide + at, rest), loadUpTo(bias + 2 * wide + at, rest));
      const n = tanh<T>(v128.add<T>(sum, v128.mul<T>(loadUpTo(k, rest), p)));
      storeUpTo(k + 2 * wide, n, rest);
      const change = v128.mul<T>(loadUpTo(k + wide, rest), v128.sub<T>(loadUpTo(h0 + at, rest), n));
      storeUpTo(h1 + at, v128.add<T>(n, change), rest);
    }
    h1 += wide;
    h0 += wide;
    kept += 4 * wide;
    q += UNITS * sizeof<T>();
    x += 3 * wide;
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
    const left = <usize>unit0 * sizeof<T>(), place = panel + left, bytes = width * <i32>sizeof<T>();
    const x = g.projected + panel * gates + left, bias = g.bias + left;
    const keep = g.kept + panel * kept + left, q = <usize>TILE * sizeof<T>();
    if (cell == Cell.rnnTanh) tanhGate<T>(g.hAfter + place, wide, stage, x, wide, bias, rows, bytes);
    else if (cell == Cell.rnnRelu) reluGate<T>(g.hAfter + place, wide, stage, x, wide, bias, rows, bytes);
    else {
      const ld = wide * gates;
      sigmoidGate<T>(keep, 4 * wide, stage, x, ld, bias, rows, bytes);
      sigmoidGate<T>(keep + wide, 4 * wide, stage + q, x + wide, ld, bias + wide, rows, bytes);
      if (cell == Cell.gru) gruState<T>(g.hAfter + place, g.hBefore + place, keep, stage + 2 * q, x, bias, wide, rows, bytes);
      else {
        tanhGate<T>(keep + 2 * wide, 4 * wide, stage + 2 * q, x + 2 * wide, ld, bias + 2 * wide, rows, bytes);
        sigmoidGate<T>(keep + 3 * wide, 4 * wide, stage + 3 * q, x + 3 * wide, ld, bias + 3 * wide, rows, bytes);
        lstmState<T>(g.hAfter + place, g.cAfter + place, g.cBefore + place, keep, wide, rows, bytes);
      }
    }
    if (g.lengths) {
      for (let r = 0; r < rows; r++) {
        if (g.time < load<i32>(g.lengths + (<usize>(row0 + r) << 2))) continue;
        const at = place + <usize>r * wide;
        memory.copy(g.hAfter + at, g.hBefore + at, bytes);
        if (cell == Cell.lstm) memory.copy(g.cAfter + at, g.cBefore + at, bytes);
        for (let k = 0; k < kept; k++) memory.fill(keep + <usize>(r * kept + k) * wide, 0, bytes);
      }
    }
    toPanel<T>(write + panel, unit0, g.hAfter + place, wide, rows, width);
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
