// Depthwise convolutions (a group for each channel), in single precision: no matrices, vectors of channels instead.
// With several filters for each channel (m of them) a vector's lanes are read one by one.
import { ConvArgs } from './conv-args';
import { AXIS, Axis, forwardAxis, phaseAxis } from './conv-axis';
import { finish } from './epilogue';
import { madd } from './gemm-micro';
import { shareOf } from './split';

/** What a row and its axes take at the start of the scratch memory. */
// @ts-ignore: decorator
@inline const HEAD: i32 = 256;

/** Scratch bytes for each thread: besides, products of four positions before those of a channel are added up. */
// @ts-ignore: decorator
@inline export function depthwiseScratchBytes(filters: i32): i32 {
  return HEAD + (filters << 4);
}

/** What a row of the output needs to know. */
@unmanaged
class Row {
  x: Axis;
  /** Pixels that are read along the row, bytes from one to the next and from row to row. */
  width: i32;
  pixel: usize;
  line: usize;
  /** The same of the output. */
  outStep: usize;
  /** Bytes from one element of the filter to the next, along x and along y; the first that is used. */
  tapX: i32;
  tapY: i32;
  /** Channels that are written; filters for each channel of the input. */
  channels: i32;
  m: i32;
  /** Of the gradient for the input with m > 1: where to put the products of `channels` filters; 0 otherwise. */
  products: usize;
}

export function depthwise(g: ConvArgs, thread: i32, threads: i32): void {
  const scratch = g.scratch + <usize>thread * g.scratchBytes;
  const row = changetype<Row>(scratch), ay = changetype<Axis>(scratch + 64), ax = changetype<Axis>(scratch + 64 + AXIS);
  forwardAxis(ay, g.outHeight, g.sh, -g.top, g.dh, g.kh);
  forwardAxis(ax, g.outWidth, g.sw, -g.left, g.dw, g.kw);
  const tap = <usize>g.filters << 2;
  row.x = ax, row.width = g.width, row.pixel = <usize>g.channels << 2, row.line = <usize>g.width * row.pixel;
  row.outStep = tap, row.tapX = <i32>tap, row.tapY = <i32>tap * g.kw;
  row.channels = g.filters, row.m = g.filters / g.channels, row.products = 0;
  const rows = g.batch * g.outHeight, end = shareOf(rows, thread + 1, threads);
  for (let at = shareOf(rows, thread, threads); at < end; at++) {
    const n = at / g.outHeight;
    const source = g.a + <usize>(n * g.height) * row.line;
    const out = g.out + <usize>(at * g.outWidth) * tap;
    oneRow(row, ay, at - n * g.outHeight, g.height, source, out, g.b);
    if (g.epilogue) finish(g.epilogue, out, tap, g.outWidth, 0, g.filters, false);
  }
}

export function depthwiseInput(g: ConvArgs, thread: i32, threads: i32): void {
  const scratch = g.scratch + <usize>thread * g.scratchBytes;
  const row = changetype<Row>(scratch), ay = changetype<Axis>(scratch + 64), ax = changetype<Axis>(scratch + 64 + AXIS);
  const tap = <usize>g.filters << 2, pixel = <usize>g.channels << 2;
  row.x = ax, row.width = g.outWidth, row.pixel = tap, row.line = <usize>g.outWidth * tap;
  row.channels = g.filters, row.m = g.filters / g.channels, row.products = row.m > 1 ? scratch + HEAD : 0;
  for (let py = 0; py < min(g.sh, g.height); py++) {
    phaseAxis(ay, py, g.height, g.sh, g.top, g.dh, g.kh);
    for (let px = 0; px < min(g.sw, g.width); px++) {
      phaseAxis(ax, px, g.width, g.sw, g.left, g.dw, g.kw);
      row.outStep = <usize>ax.step * pixel;
      row.tapX = ax.tapStep * <i32>tap, row.tapY = ay.tapStep * g.kw * <i32>tap;
      const w = g.b + <usize>(ay.tap * g.kw + ax.tap) * tap;
      const rows = g.batch * ay.count, end = shareOf(rows, thread + 1, threads);
      for (let at = shareOf(rows, thread, threads); at < end; at++) {
        const n = at / ay.count, y = at - n * ay.count;
        const source = g.a + <usize>(n * g.outHeight) * row.line;
        const place = (n * g.height + ay.first + y * ay.step) * g.width + ax.first;
        const out = g.out + <usize>place * pixel;
        oneRow(row, ay, y, g.outHeight, source, out, w);
        if (g.epilogue) finish(g.epilogue, out, row.outStep, ax.count, 0, g.channels, false);
      }
    }
  }
}

/** The taps whose source, at `from` for the first and `apart` further for each next, lies in 0..size: first..last. */
// @ts-ignore: decorator
@inline function firstTap(from: i32, apart: i32, taps: i32): i32 {
  return from >= 0 ? 0 : min(taps, (apart - 1 - from) / apart);
}
// @ts-ignore: decorator
@inline function lastTap(from: i32, apart: i32, taps: i32, size: i32): i32 {
  return from >= size ? 0 : min(taps, (size - 1 - from) / apart + 1);
}

/** Row y of the outputs: `source` is the image that is read, `w` the filter's element of the first taps. */
function oneRow(row: Row, ay: Axis, y: i32, height: i32, source: usize, out: usize, w: usize): void {
  const ax = row.x, from = y * ay.stride + ay.base;
  const t0 = firstTap(from, ay.apart, ay.taps), t1 = max(t0, lastTap(from, ay.apart, ay.taps, height));
  const line = <usize>ay.apart * row.line;
  const first = source + <usize>from * row.line + <usize>t0 * line, filter = w + <usize>(t0 * row.tapY);
  // Positions i of which all taps lie inside: low..high.
  const reach = ax.base + (ax.taps - 1) * ax.apart;
  const low = min(ax.count, ax.base >= 0 ? 0 : (ax.stride - 1 - ax.base) / ax.stride);
  const high = reach >= row.width ? low : max(low, min(ax.count, (row.width - 1 - reach) / ax.stride + 1));
  for (let i = 0; i < ax.count; ) {
    const sx = i * ax.stride + ax.base;
    const many = i >= low && i + 4 <= high;
    const u0 = many ? 0 : firstTap(sx, ax.apart, ax.taps);
    const u1 = many ? ax.taps : max(u0, lastTap(sx, ax.apart, ax.taps, row.width));
    const p = first + <usize>(sx + u0 * ax.apart) * row.pixel, q = filter + <usize>(u0 * row.tapX);
    const c = out + <usize>i * row.outStep, count = many ? 4 : 1;
    if (row.products) {
      if (many) channels(4, row, p, line, q, row.products, row.pixel, t1 - t0, u1 - u0);
      else channels(1, row, p, line, q, row.products, row.pixel, t1 - t0, u1 - u0);
      for (let r = 0; r < count; r++) {
        addGroups(c + <usize>r * row.outStep, row.products + <usize>r * row.pixel, row.channels / row.m, row.m);
      }
    } else if (row.m > 1) {
      for (let r = 0; r < count; r++) {
        lanes(row, p + <usize>(r * ax.stride) * row.pixel, line, q, c + <usize>r * row.outStep, t1 - t0, u1 - u0);
      }
    } else if (many) {
      channels(4, row, p, line, q, c, row.outStep, t1 - t0, u1 - u0);
    } else {
      channels(1, row, p, line, q, c, row.outStep, t1 - t0, u1 - u0);
    }
    i += count;
  }
}

/** to[i] = the sum of the m floats from[i * m] and after it, for i < n. */
function addGroups(to: usize, from: usize, n: i32, m: i32): void {
  for (; n > 0; n--) {
    let sum = load<f32>(from);
    from += 4;
    for (let j = 1; j < m; j++) { sum += load<f32>(from); from += 4; }
    store<f32>(to, sum);
    to += 4;
  }
}

/** All channels of R positions that are next to each other, and so many bytes in the output; `rows` x `columns` taps. */
// @ts-ignore: decorator
@inline function channels(
  R: i32, row: Row, p: usize, line: usize, q: usize, c: usize, outStep: usize, rows: i32, columns: i32,
): void {
  let left = row.channels;
  for (; left >= 4; left -= 4) {
    if (R > 1) fourByFour(row, p, line, q, c, outStep, rows, columns);
    else oneByFour(row, p, line, q, c, rows, columns);
    p += 16, q += 16, c += 16;
  }
  for (; left > 0; left--) {
    for (let r = 0; r < R; r++) {
      const at = p + <usize>(r * row.x.stride) * row.pixel;
      store<f32>(c + <usize>r * outStep, oneByOne(row, at, line, q, rows, columns));
    }
    p += 4, q += 4, c += 4;
  }
}

function fourByFour(
  row: Row, p: usize, line: usize, q: usize, c: usize, outStep: usize, rows: i32, columns: i32,
): void {
  const apart = <usize>row.x.stride * row.pixel, step = <usize>row.x.apart * row.pixel;
  const tapX = <usize>row.tapX, tapY = <usize>row.tapY;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (; rows > 0; rows--) {
    let a = p, b = q;
    for (let k = columns; k > 0; k--) {
      const w = v128.load(b);
      let x = a;
      s0 = madd(w, v128.load(x), s0); x += apart;
      s1 = madd(w, v128.load(x), s1); x += apart;
      s2 = madd(w, v128.load(x), s2); x += apart;
      s3 = madd(w, v128.load(x), s3);
      a += step;
      b += tapX;
    }
    p += line;
    q += tapY;
  }
  v128.store(c, s0); c += outStep;
  v128.store(c, s1); c += outStep;
  v128.store(c, s2); c += outStep;
  v128.store(c, s3);
}

function oneByFour(row: Row, p: usize, line: usize, q: usize, c: usize, rows: i32, columns: i32): void {
  const step = <usize>row.x.apart * row.pixel;
  let sum = f32x4.splat(0);
  for (; rows > 0; rows--) {
    let a = p, b = q;
    for (let k = columns; k > 0; k--) {
      sum = madd(v128.load(b), v128.load(a), sum);
      a += step;
      b += <usize>row.tapX;
    }
    p += line;
    q += <usize>row.tapY;
  }
  v128.store(c, sum);
}

/** In the first lane of a vector, so that it rounds as the others do. */
function oneByOne(row: Row, p: usize, line: usize, q: usize, rows: i32, columns: i32): f32 {
  const step = <usize>row.x.apart * row.pixel;
  let sum = f32x4.splat(0);
  for (; rows > 0; rows--) {
    let a = p, b = q;
    for (let k = columns; k > 0; k--) {
      sum = madd(v128.load32_zero(b), v128.load32_zero(a), sum);
      a += step;
      b += <usize>row.tapX;
    }
    p += line;
    q += <usize>row.tapY;
  }
  return f32x4.extract_lane(sum, 0);
}

/** Four floats at p and p + o1, o2, o3. */
// @ts-ignore: decorator
@inline function gather(p: usize, o1: usize, o2: usize, o3: usize): v128 {
  let x = v128.load32_zero(p);
  x = v128.load_lane<f32>(p + o1, x, 1);
  x = v128.load_lane<f32>(p + o2, x, 2);
  return v128.load_lane<f32>(p + o3, x, 3);
}

/** From the channel of filter f to that of filter f + i, in bytes. */
// @ts-ignore: decorator
@inline function offset(f: i32, i: i32, m: i32): usize {
  return <usize>((f + i) / m - f / m) << 2;
}

/** One position with m filters for each channel. */
function lanes(row: Row, p: usize, line: usize, q: usize, c: usize, rows: i32, columns: i32): void {
  const m = row.m, step = <usize>row.x.apart * row.pixel;
  let f = 0;
  for (; f + 4 <= row.channels; f += 4) {
    const o1 = offset(f, 1, m), o2 = offset(f, 2, m), o3 = offset(f, 3, m);
    let sum = f32x4.splat(0), a = p + (<usize>(f / m) << 2), b = q + (<usize>f << 2);
    for (let t = rows; t > 0; t--) {
      let u = a, v = b;
      for (let k = columns; k > 0; k--) {
        sum = madd(v128.load(v), gather(u, o1, o2, o3), sum);
        u += step;
        v += <usize>row.tapX;
      }
      a += line;
      b += <usize>row.tapY;
    }
    v128.store(c + (<usize>f << 2), sum);
  }
  for (; f < row.channels; f++) {
    const x = p + (<usize>(f / m) << 2), w = q + (<usize>f << 2);
    store<f32>(c + (<usize>f << 2), oneByOne(row, x, line, w, rows, columns));
  }
}

/** Threads share the filters; all positions go into each one after the other. */
export function depthwiseFilter(g: ConvArgs, thread: i32, threads: i32): void {
  const m = g.filters / g.channels, units = (g.filters + 3) >> 2;
  let f = shareOf(units, thread, threads) << 2;
  const end = min(g.filters, shareOf(units, thread + 1, threads) << 2);
  for (; f < end; ) {
    const width = m == 1 && end - f >= 16 ? 16 : end - f >= 4 ? 4 : 1;
    const channel = f / m;
    clear(g, f, width);
    for (let n = 0; n < g.batch; n++) {
      for (let oy = 0; oy < g.outHeight; oy++) {
        for (let ky = 0; ky < g.kh; ky++) {
          const y = oy * g.sh - g.top + ky * g.dh;
          if (<u32>y >= <u32>g.height) continue;
          for (let kx = 0; kx < g.kw; kx++) {
            const left = kx * g.dw - g.left;
            const low = left >= 0 ? 0 : (g.sw - 1 - left) / g.sw;
            const high = left >= g.width ? 0 : min(g.outWidth, (g.width - 1 - left) / g.sw + 1);
            if (low >= high) continue;
            const x = g.a + (<usize>(((n * g.height + y) * g.width + low * g.sw + left) * g.channels + channel) << 2);
            const dy = g.b + (<usize>(((n * g.outHeight + oy) * g.outWidth + low) * g.filters + f) << 2);
            const out = g.out + (<usize>((ky * g.kw + kx) * g.filters + f) << 2);
            const stepX = <usize>(g.sw * g.channels) << 2, stepY = <usize>g.filters << 2;
            if (width == 16) sumSixteen(out, x, stepX, dy, stepY, high - low);
            else if (width == 4 && m > 1) sumLanes(out, x, stepX, dy, stepY, high - low, f, m);
            else if (width == 4) sumFour(out, x, stepX, dy, stepY, high - low);
            else sumOne(out, x, stepX, dy, stepY, high - low);
          }
        }
      }
    }
    f += width;
  }
}

function clear(g: ConvArgs, f: i32, width: i32): void {
  for (let tap = 0; tap < g.kh * g.kw; tap++) {
    const out = g.out + (<usize>(tap * g.filters + f) << 2);
    for (let i: usize = 0; i < <usize>width << 2; i += 4) store<f32>(out + i, 0);
  }
}

function sumSixteen(out: usize, x: usize, stepX: usize, dy: usize, stepY: usize, n: i32): void {
  let s0 = v128.load(out), s1 = v128.load(out, 16), s2 = v128.load(out, 32), s3 = v128.load(out, 48);
  for (; n > 0; n--) {
    s0 = madd(v128.load(x), v128.load(dy), s0);
    s1 = madd(v128.load(x, 16), v128.load(dy, 16), s1);
    s2 = madd(v128.load(x, 32), v128.load(dy, 32), s2);
    s3 = madd(v128.load(x, 48), v128.load(dy, 48), s3);
    x += stepX;
    dy += stepY;
  }
  v128.store(out, s0), v128.store(out, s1, 16), v128.store(out, s2, 32), v128.store(out, s3, 48);
}

function sumFour(out: usize, x: usize, stepX: usize, dy: usize, stepY: usize, n: i32): void {
  let sum = v128.load(out);
  for (; n > 0; n--) {
    sum = madd(v128.load(x), v128.load(dy), sum);
    x += stepX;
    dy += stepY;
  }
  v128.store(out, sum);
}

function sumLanes(out: usize, x: usize, stepX: usize, dy: usize, stepY: usize, n: i32, f: i32, m: i32): void {
  const o1 = offset(f, 1, m), o2 = offset(f, 2, m), o3 = offset(f, 3, m);
  let sum = v128.load(out);
  for (; n > 0; n--) {
    sum = madd(gather(x, o1, o2, o3), v128.load(dy), sum);
    x += stepX;
    dy += stepY;
  }
  v128.store(out, sum);
}

function sumOne(out: usize, x: usize, stepX: usize, dy: usize, stepY: usize, n: i32): void {
  let sum = v128.load32_zero(out);
  for (; n > 0; n--) {
    sum = madd(v128.load32_zero(x), v128.load32_zero(dy), sum);
    x += stepX;
    dy += stepY;
  }
  v128.store_lane<f32>(out, sum, 0);
}
