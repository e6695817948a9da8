// Affine functions of columns: every (outer, inner) of x (outer, reduce, inner) has coefficients of its own.
// Work is cut into chunks of wide rows as in chunks.ts; strips of columns keep their coefficients in registers.
import { chunksOf, coefficients, rowsOfChunk, rowsTogether } from './chunks';
import { madd } from './gemm-micro';
import { address, shareOf, word } from './split';

/** (x - c) f + s for 16 columns. */
@inline
function affineStrip(dst: usize, x: usize, c: usize, f: usize, s: usize, wideBytes: usize, rows: i32): void {
  const c0 = v128.load(c), c1 = v128.load(c, 16), c2 = v128.load(c, 32), c3 = v128.load(c, 48);
  const f0 = v128.load(f), f1 = v128.load(f, 16), f2 = v128.load(f, 32), f3 = v128.load(f, 48);
  const s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
  for (let i = rows; i > 0; i--) {
    v128.store(dst, madd(f32x4.sub(v128.load(x), c0), f0, s0));
    v128.store(dst, madd(f32x4.sub(v128.load(x, 16), c1), f1, s1), 16);
    v128.store(dst, madd(f32x4.sub(v128.load(x, 32), c2), f2, s2), 32);
    v128.store(dst, madd(f32x4.sub(v128.load(x, 48), c3), f3, s3), 48);
    dst += wideBytes;
    x += wideBytes;
  }
}

/** args: dst, x, centre, factor, shift, outer, reduce, inner, scratch, bytes of it for a thread (256). */
export function columnAffine_f32(args: usize, thread: i32, threads: i32): void {
  const reduce = word(args, 6);
  const inner = word(args, 7);
  const scratch = address(args, 8) + <usize>thread * address(args, 9);
  const together = rowsTogether(inner);
  const wide = together * inner;
  const wideBytes = <usize>wide << 2;
  const size = rowsOfChunk(wide);
  const chunks = chunksOf(reduce, inner);
  const rows = reduce / together;
  const units = word(args, 5) * (chunks + 1);
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const o = unit / (chunks + 1);
    const k = unit - o * (chunks + 1);
    const start = <usize>(o * reduce * inner) << 2;
    const dst = address(args, 0) + start;
    const x = address(args, 1) + start;
    const own = <usize>(o * inner) << 2;
    const centre = address(args, 2) + own;
    const factor = address(args, 3) + own;
    const shift = address(args, 4) + own;
    if (k < chunks) {
      for (let first = 0; first < wide; first += 16) {
        const c = coefficients(centre, first, inner, wide, scratch);
        const f = coefficients(factor, first, inner, wide, scratch + 64);
        const s = coefficients(shift, first, inner, wide, scratch + 128);
        const from = <usize>(k * size * wide + first) << 2;
        affineStrip(dst + from, x + from, c, f, s, wideBytes, min(size, rows - k * size));
      }
      continue;
    }
    let at = <usize>(rows * wide) << 2;
    for (let i = rows * together; i < reduce; i++) {
      for (let c: usize = 0; c < <usize>inner << 2; c += 4) {
        store<f32>(dst + at, (load<f32>(x + at) - load<f32>(centre + c)) * load<f32>(factor + c) + load<f32>(shift + c));
        at += 4;
      }
    }
  }
}

/** One vector of p f + ((q - c) g + h). */
@inline
function pairVector(dst: usize, p: usize, q: usize, f: usize, c: usize, g: usize, h: usize): void {
  const second = madd(f32x4.sub(v128.load(q), v128.load(c)), v128.load(g), v128.load(h));
  v128.store(dst, madd(v128.load(p), v128.load(f), second));
}

/** p f + ((q - c) g + h) for 16 columns; sixteen vectors of coefficients are more than registers, they stay in L1. */
@inline
function pairStrip(dst: usize, p: usize, q: usize, f: usize, c: usize, g: usize, h: usize, wideBytes: usize, rows: i32): void {
  for (let i = rows; i > 0; i--) {
    pairVector(dst, p, q, f, c, g, h);
    pairVector(dst + 16, p + 16, q + 16, f + 16, c + 16, g + 16, h + 16);
    pairVector(dst + 32, p + 32, q + 32, f + 32, c + 32, g + 32, h + 32);
    pairVector(dst + 48, p + 48, q + 48, f + 48, c + 48, g + 48, h + 48);
    dst += wideBytes;
    p += wideBytes;
    q += wideBytes;
  }
}

/** args: dst, p, q, factor of p, centre of q, factor of q, shift, outer, reduce, inner, scratch, bytes of it for a thread (256). */
export function columnAffinePair_f32(args: usize, thread: i32, threads: i32): void {
  const reduce = word(args, 8);
  const inner = word(args, 9);
  const scratch = address(args, 10) + <usize>thread * address(args, 11);
  const together = rowsTogether(inner);
  const wide = together * inner;
  const wideBytes = <usize>wide << 2;
  const size = rowsOfChunk(wide);
  const chunks = chunksOf(reduce, inner);
  const rows = reduce / together;
  const units = word(args, 7) * (chunks + 1);
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const o = unit / (chunks + 1);
    const k = unit - o * (chunks + 1);
    const start = <usize>(o * reduce * inner) << 2;
    const dst = address(args, 0) + start;
    const p = address(args, 1) + start;
    const q = address(args, 2) + start;
    const own = <usize>(o * inner) << 2;
    const factor = address(args, 3) + own;
    const centre = address(args, 4) + own;
    const other = address(args, 5) + own;
    const shift = address(args, 6) + own;
    if (k < chunks) {
      for (let first = 0; first < wide; first += 16) {
        const f = coefficients(factor, first, inner, wide, scratch);
        const c = coefficients(centre, first, inner, wide, scratch + 64);
        const g = coefficients(other, first, inner, wide, scratch + 128);
        const h = coefficients(shift, first, inner, wide, scratch + 192);
        const from = <usize>(k * size * wide + first) << 2;
        pairStrip(dst + from, p + from, q + from, f, c, g, h, wideBytes, min(size, rows - k * size));
      }
      continue;
    }
    let at = <usize>(rows * wide) << 2;
    for (let i = rows * together; i < reduce; i++) {
      for (let c: usize = 0; c < <usize>inner << 2; c += 4) {
        const second = (load<f32>(q + at) - load<f32>(centre + c)) * load<f32>(other + c) + load<f32>(shift + c);
        store<f32>(dst + at, load<f32>(p + at) * load<f32>(factor + c) + second);
        at += 4;
      }
    }
  }
}

/** args: as of the f32 kernels, with `pair` of the second, without scratch. */
@inline
function doubles(pair: bool, args: usize, thread: i32, threads: i32): void {
  const sizes = pair ? 7 : 5;
  const reduce = word(args, sizes + 1);
  const inner = word(args, sizes + 2);
  const rows = word(args, sizes) * reduce;
  const end = shareOf(rows, thread + 1, threads);
  for (let row = shareOf(rows, thread, threads); row < end; row++) {
    for (let i = 0; i < inner; i++) {
      const at = <usize>(row * inner + i) << 3;
      const c = <usize>(row / reduce * inner + i) << 3;
      const centred = load<f64>(address(args, pair ? 2 : 1) + at) - load<f64>(address(args, pair ? 4 : 2) + c);
      let y = centred * load<f64>(address(args, pair ? 5 : 3) + c) + load<f64>(address(args, pair ? 6 : 4) + c);
      if (pair) y = load<f64>(address(args, 1) + at) * load<f64>(address(args, 3) + c) + y;
      store<f64>(address(args, 0) + at, y);
    }
  }
}

export function columnAffine_f64(args: usize, thread: i32, threads: i32): void { doubles(false, args, thread, threads); }
export function columnAffinePair_f64(args: usize, thread: i32, threads: i32): void { doubles(true, args, thread, threads); }
