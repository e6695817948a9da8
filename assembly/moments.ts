// Sums over the middle axis of (outer, reduce, inner) for normalisation: means and variances, and two sums of a product.
//
// Work is cut as chunks.ts says. A first kernel makes two numbers for each chunk and column,
// the parts; after a barrier a second one adds the parts of a column up, in order and in double precision. The rows that
// are left over have parts of their own. Parts of an outer index: chunks x 2 x wide elements, then 2 x inner.
import { chunksOf, coefficients, rowsOfChunk, rowsTogether } from './chunks';
import { madd } from './gemm-micro';
import { address, shareOf, word } from './split';

/** Elements of the parts of one outer index. */
@inline
function partsOf(reduce: i32, inner: i32): i32 {
  return 2 * inner * (chunksOf(reduce, inner) * rowsTogether(inner) + 1);
}

/** Scratch memory for the parts. */
export function columnPartsBytes(outer: i32, reduce: i32, inner: i32): i32 {
  return 4 * outer * partsOf(reduce, inner);
}

/**
 * Of 16 columns over `rows` rows, seen from the first row: sums of the distances and of their squares. A chunk's first
 * row is as near to its mean as any, so that little is lost when the square of the mean goes out.
 */
@inline
function momentStrip(parts: usize, wideBytes: usize, x: usize, rows: i32): void {
  const ka = v128.load(x), kb = v128.load(x, 16), kc = v128.load(x, 32), kd = v128.load(x, 48);
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let qa = a, qb = a, qc = a, qd = a;
  for (let i = rows; i > 0; i--) {
    let e = f32x4.sub(v128.load(x), ka);
    a = f32x4.add(a, e);
    qa = madd(e, e, qa);
    e = f32x4.sub(v128.load(x, 16), kb);
    b = f32x4.add(b, e);
    qb = madd(e, e, qb);
    e = f32x4.sub(v128.load(x, 32), kc);
    c = f32x4.add(c, e);
    qc = madd(e, e, qc);
    e = f32x4.sub(v128.load(x, 48), kd);
    d = f32x4.add(d, e);
    qd = madd(e, e, qd);
    x += wideBytes;
  }
  v128.store(parts, a), v128.store(parts, b, 16), v128.store(parts, c, 32), v128.store(parts, d, 48);
  parts += wideBytes;
  v128.store(parts, qa), v128.store(parts, qb, 16), v128.store(parts, qc, 32), v128.store(parts, qd, 48);
}

/** Sums of y and of y (x - centre) of 16 columns over `rows` rows. The centres lie at `parts` + wideBytes. */
@inline
function pairStrip(parts: usize, wideBytes: usize, y: usize, x: usize, centre: usize, rows: i32): void {
  const ca = v128.load(centre), cb = v128.load(centre, 16), cc = v128.load(centre, 32), cd = v128.load(centre, 48);
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let pa = a, pb = a, pc = a, pd = a;
  for (let i = rows; i > 0; i--) {
    let g = v128.load(y);
    a = f32x4.add(a, g);
    pa = madd(g, f32x4.sub(v128.load(x), ca), pa);
    g = v128.load(y, 16);
    b = f32x4.add(b, g);
    pb = madd(g, f32x4.sub(v128.load(x, 16), cb), pb);
    g = v128.load(y, 32);
    c = f32x4.add(c, g);
    pc = madd(g, f32x4.sub(v128.load(x, 32), cc), pc);
    g = v128.load(y, 48);
    d = f32x4.add(d, g);
    pd = madd(g, f32x4.sub(v128.load(x, 48), cd), pd);
    y += wideBytes;
    x += wideBytes;
  }
  v128.store(parts, a), v128.store(parts, b, 16), v128.store(parts, c, 32), v128.store(parts, d, 48);
  parts += wideBytes;
  v128.store(parts, pa), v128.store(parts, pb, 16), v128.store(parts, pc, 32), v128.store(parts, pd, 48);
}

/**
 * args: parts, x, outer, reduce, inner: sums of distances from the chunk's first row, and of their squares; with `pair` parts,
 * y, x, centre (outer, inner), outer, reduce, inner: of y, and of y (x - centre).
 */
@inline
function columnParts(pair: bool, args: usize, thread: i32, threads: i32): void {
  const sizes = pair ? 4 : 2;
  const reduce = word(args, sizes + 1);
  const inner = word(args, sizes + 2);
  const together = rowsTogether(inner);
  const wide = together * inner;
  const wideBytes = <usize>wide << 2;
  const size = rowsOfChunk(wide);
  const chunks = chunksOf(reduce, inner);
  const rows = reduce / together;
  const units = word(args, sizes) * (chunks + 1);
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const o = unit / (chunks + 1);
    const k = unit - o * (chunks + 1);
    const start = <usize>o * reduce * inner << 2;
    const x = address(args, pair ? 2 : 1) + start;
    const y = pair ? address(args, 1) + start : x;
    const centre = pair ? address(args, 3) + (<usize>(o * inner) << 2) : 0;
    const parts = address(args, 0) + (<usize>o * partsOf(reduce, inner) << 2) + <usize>k * 2 * wideBytes;
    if (k < chunks) {
      const from = <usize>k * size * wideBytes;
      for (let at: usize = 0; at < wideBytes; at += 64) {
        const count = min(size, rows - k * size);
        if (pair) {
          // Where they are copied, it is to the place that the second sums will take.
          const centres = coefficients(centre, <i32>(at >> 2), inner, wide, parts + wideBytes + at);
          pairStrip(parts + at, wideBytes, y + from + at, x + from + at, centres, count);
        } else {
          momentStrip(parts + at, wideBytes, x + from + at, count);
        }
      }
      continue;
    }
    const first = rows * together;
    if (first == reduce) continue;
    for (let c = 0; c < inner; c++) {
      const middle = load<f32>(pair ? centre + (<usize>c << 2) : x + (<usize>(first * inner + c) << 2));
      let sum: f32 = 0;
      let products: f32 = 0;
      for (let i = first; i < reduce; i++) {
        const at = <usize>(i * inner + c) << 2;
        const e = load<f32>(x + at) - middle;
        const g = pair ? load<f32>(y + at) : e;
        sum += g;
        products += g * e;
      }
      store<f32>(parts + (<usize>c << 2), sum);
      store<f32>(parts + (<usize>(inner + c) << 2), products);
    }
  }
}

export function momentParts_f32(args: usize, thread: i32, threads: i32): void { columnParts(false, args, thread, threads); }
export function pairParts_f32(args: usize, thread: i32, threads: i32): void { columnParts(true, args, thread, threads); }

/** args: dst, parts, x, outer, reduce, inner. dst (2, outer, inner): means, then variances (of the population). */
export function moments_f32(args: usize, thread: i32, threads: i32): void {
  const dst = address(args, 0);
  const outer = word(args, 3);
  const reduce = word(args, 4);
  const inner = word(args, 5);
  const together = rowsTogether(inner);
  const wide = together * inner;
  const size = rowsOfChunk(wide);
  const chunks = chunksOf(reduce, inner);
  const rows = reduce / together;
  const left = <f64>(reduce - rows * together);
  const end = shareOf(outer * inner, thread + 1, threads);
  for (let i = shareOf(outer * inner, thread, threads); i < end; i++) {
    const o = i / inner;
    const c = i - o * inner;
    const x = address(args, 2) + (<usize>o * reduce * inner << 2);
    const parts = address(args, 1) + (<usize>o * partsOf(reduce, inner) << 2);
    const last = parts + (<usize>chunks * 2 * wide << 2);
    const lastRow = x + (<usize>(rows * together * inner) << 2);
    let sum: f64 = 0;
    for (let k = 0; k < chunks; k++) {
      const n = <f64>min(size, rows - k * size);
      for (let j = c; j < wide; j += inner) {
        sum += n * <f64>load<f32>(x + (<usize>(k * size * wide + j) << 2)) + <f64>load<f32>(parts + (<usize>(2 * k * wide + j) << 2));
      }
    }
    if (left > 0) sum += left * <f64>load<f32>(lastRow + (<usize>c << 2)) + <f64>load<f32>(last + (<usize>c << 2));
    const mean = sum / <f64>reduce;
    sum = 0;
    for (let k = 0; k < chunks; k++) {
      const n = <f64>min(size, rows - k * size);
      for (let j = c; j < wide; j += inner) {
        const p = parts + (<usize>(2 * k * wide + j) << 2);
        sum += squaresAround(mean, n, load<f32>(x + (<usize>(k * size * wide + j) << 2)), load<f32>(p), load<f32>(p + (<usize>wide << 2)));
      }
    }
    if (left > 0) {
      const p = last + (<usize>c << 2);
      sum += squaresAround(mean, left, load<f32>(lastRow + (<usize>c << 2)), load<f32>(p), load<f32>(p + (<usize>inner << 2)));
    }
    store<f32>(dst + (<usize>i << 2), <f32>mean);
    store<f32>(dst + (<usize>(outer * inner + i) << 2), <f32>(max(sum, 0.0) / <f64>reduce));
  }
}

/** Squared distances from `mean` of n elements whose distances from `first` sum to `sum`, their squares to `squares`. */
@inline
function squaresAround(mean: f64, n: f64, first: f32, sum: f32, squares: f32): f64 {
  const shift = <f64>first - mean;
  return <f64>squares + shift * (2 * <f64>sum + n * shift);
}

/** args: dst, x, outer, reduce, inner. The same in double precision, column by column. */
export function moments_f64(args: usize, thread: i32, threads: i32): void {
  const outer = word(args, 2);
  const reduce = word(args, 3);
  const inner = word(args, 4);
  const end = shareOf(outer * inner, thread + 1, threads);
  for (let i = shareOf(outer * inner, thread, threads); i < end; i++) {
    const o = i / inner;
    const x = address(args, 1) + (<usize>(o * reduce * inner + i - o * inner) << 3);
    let sum: f64 = 0;
    for (let r = 0; r < reduce; r++) sum += load<f64>(x + (<usize>(r * inner) << 3));
    const mean = sum / <f64>reduce;
    sum = 0;
    for (let r = 0; r < reduce; r++) {
      const e = load<f64>(x + (<usize>(r * inner) << 3)) - mean;
      sum += e * e;
    }
    store<f64>(address(args, 0) + (<usize>i << 3), mean);
    store<f64>(address(args, 0) + (<usize>(outer * inner + i) << 3), sum / <f64>reduce);
  }
}

/** args: dst, parts, outer, reduce, inner. dst (2, outer, inner): the sums of y, then those of y (x - centre). */
export function pairSums_f32(args: usize, thread: i32, threads: i32): void {
  const outer = word(args, 2);
  const reduce = word(args, 3);
  const inner = word(args, 4);
  const together = rowsTogether(inner);
  const wide = together * inner;
  const chunks = chunksOf(reduce, inner);
  const isLeft = reduce % together != 0;
  const end = shareOf(outer * inner, thread + 1, threads);
  for (let i = shareOf(outer * inner, thread, threads); i < end; i++) {
    const o = i / inner;
    const c = i - o * inner;
    let p = address(args, 1) + (<usize>o * partsOf(reduce, inner) << 2);
    let sum: f64 = 0;
    let products: f64 = 0;
    for (let k = 0; k < chunks; k++) {
      for (let j = c; j < wide; j += inner) {
        sum += <f64>load<f32>(p + (<usize>j << 2));
        products += <f64>load<f32>(p + (<usize>(wide + j) << 2));
      }
      p += <usize>wide << 3;
    }
    if (isLeft) {
      sum += <f64>load<f32>(p + (<usize>c << 2));
      products += <f64>load<f32>(p + (<usize>(inner + c) << 2));
    }
    store<f32>(address(args, 0) + (<usize>i << 2), <f32>sum);
    store<f32>(address(args, 0) + (<usize>(outer * inner + i) << 2), <f32>products);
  }
}

/** args: dst, y, x, centre, outer, reduce, inner. */
export function pairSums_f64(args: usize, thread: i32, threads: i32): void {
  const outer = word(args, 4);
  const reduce = word(args, 5);
  const inner = word(args, 6);
  const end = shareOf(outer * inner, thread + 1, threads);
  for (let i = shareOf(outer * inner, thread, threads); i < end; i++) {
    const o = i / inner;
    const start = <usize>(o * reduce * inner + i - o * inner) << 3;
    const centre = load<f64>(address(args, 3) + (<usize>i << 3));
    let sum: f64 = 0;
    let products: f64 = 0;
    for (let r = 0; r < reduce; r++) {
      const at = start + (<usize>(r * inner) << 3);
      sum += load<f64>(address(args, 1) + at);
      products += load<f64>(address(args, 1) + at) * (load<f64>(address(args, 2) + at) - centre);
    }
    store<f64>(address(args, 0) + (<usize>i << 3), sum);
    store<f64>(address(args, 0) + (<usize>(outer * inner + i) << 3), products);
  }
}
