// Packing for the convolutions: pixels, that is runs of channels, side by side into panels that the tiles read.

/** to[k][0..rows] = pixel[0..rows][k] for k < depth; pixel r starts at p + r * apart. */
export function packPixels(to: usize, rows: i32, p: usize, apart: usize, depth: i32): void {
  if (depth == 1 && apart == 4) return copyFloats(to, p, rows);
  const p1 = p + apart, p2 = p1 + apart, p3 = p2 + apart, p4 = p3 + apart;
  packEach(to, rows, p, p1, p2, p3, p4, p4 + apart, depth);
}

/** The same with the pixels' addresses in a list. */
export function packListed(to: usize, rows: i32, list: usize, depth: i32): void {
  packEach(
    to, rows, load<u32>(list), load<u32>(list, 4), load<u32>(list, 8), load<u32>(list, 12), load<u32>(list, 16),
    load<u32>(list, 20), depth,
  );
}

// @ts-ignore: decorator
@inline function packEach(
  to: usize, rows: i32, p0: usize, p1: usize, p2: usize, p3: usize, p4: usize, p5: usize, depth: i32,
): void {
  switch (rows) {
    case 6: return packSix(to, p0, p1, p2, p3, p4, p5, depth);
    case 5: packFour(to, 20, p0, p1, p2, p3, depth); return packOne(to + 16, 20, p4, depth);
    case 4: return packFour(to, 16, p0, p1, p2, p3, depth);
    case 3: packTwo(to, 12, p0, p1, depth); return packOne(to + 8, 12, p2, depth);
    case 2: return packTwo(to, 8, p0, p1, depth);
    default: copyFloats(to, p0, depth);
  }
}

function packSix(to: usize, p0: usize, p1: usize, p2: usize, p3: usize, p4: usize, p5: usize, depth: i32): void {
  for (; depth >= 4; depth -= 4) {
    const x0 = v128.load(p0), x1 = v128.load(p1), x2 = v128.load(p2), x3 = v128.load(p3);
    const x4 = v128.load(p4), x5 = v128.load(p5);
    const y0 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5), y1 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const y2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5), y3 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    const z0 = v128.shuffle<f32>(x4, x5, 0, 4, 1, 5), z1 = v128.shuffle<f32>(x4, x5, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(y0, y2, 0, 1, 4, 5)), v128.store64_lane(to, z0, 0, 16);
    v128.store(to, v128.shuffle<f32>(y0, y2, 2, 3, 6, 7), 24), v128.store64_lane(to, z0, 1, 40);
    v128.store(to, v128.shuffle<f32>(y1, y3, 0, 1, 4, 5), 48), v128.store64_lane(to, z1, 0, 64);
    v128.store(to, v128.shuffle<f32>(y1, y3, 2, 3, 6, 7), 72), v128.store64_lane(to, z1, 1, 88);
    p0 += 16; p1 += 16; p2 += 16; p3 += 16; p4 += 16; p5 += 16;
    to += 96;
  }
  for (; depth > 0; depth--) {
    store<f32>(to, load<f32>(p0)), store<f32>(to, load<f32>(p1), 4), store<f32>(to, load<f32>(p2), 8);
    store<f32>(to, load<f32>(p3), 12), store<f32>(to, load<f32>(p4), 16), store<f32>(to, load<f32>(p5), 20);
    p0 += 4; p1 += 4; p2 += 4; p3 += 4; p4 += 4; p5 += 4;
    to += 24;
  }
}

function packFour(to: usize, step: usize, p0: usize, p1: usize, p2: usize, p3: usize, depth: i32): void {
  for (; depth >= 4; depth -= 4) {
    const x0 = v128.load(p0), x1 = v128.load(p1), x2 = v128.load(p2), x3 = v128.load(p3);
    const y0 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5), y1 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const y2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5), y3 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(y0, y2, 0, 1, 4, 5)); to += step;
    v128.store(to, v128.shuffle<f32>(y0, y2, 2, 3, 6, 7)); to += step;
    v128.store(to, v128.shuffle<f32>(y1, y3, 0, 1, 4, 5)); to += step;
    v128.store(to, v128.shuffle<f32>(y1, y3, 2, 3, 6, 7)); to += step;
    p0 += 16; p1 += 16; p2 += 16; p3 += 16;
  }
  for (; depth > 0; depth--) {
    store<f32>(to, load<f32>(p0)), store<f32>(to, load<f32>(p1), 4);
    store<f32>(to, load<f32>(p2), 8), store<f32>(to, load<f32>(p3), 12);
    p0 += 4; p1 += 4; p2 += 4; p3 += 4;
    to += step;
  }
}

function packTwo(to: usize, step: usize, p0: usize, p1: usize, depth: i32): void {
  for (; depth > 0; depth--) {
    store<f32>(to, load<f32>(p0)), store<f32>(to, load<f32>(p1), 4);
    p0 += 4; p1 += 4;
    to += step;
  }
}

function packOne(to: usize, step: usize, p: usize, depth: i32): void {
  for (; depth >= 4; depth -= 4) {
    const x = v128.load(p);
    v128.store_lane<f32>(to, x, 0); to += step;
    v128.store_lane<f32>(to, x, 1); to += step;
    v128.store_lane<f32>(to, x, 2); to += step;
    v128.store_lane<f32>(to, x, 3); to += step;
    p += 16;
  }
  for (; depth > 0; depth--) {
    store<f32>(to, load<f32>(p));
    p += 4;
    to += step;
  }
}

/** memory.copy and memory.fill are calls out of the code, which short runs do not pay for. */
export function copyFloats(to: usize, from: usize, n: i32): void {
  for (; n >= 4; n -= 4) {
    v128.store(to, v128.load(from));
    to += 16; from += 16;
  }
  for (; n > 0; n--) {
    store<f32>(to, load<f32>(from));
    to += 4; from += 4;
  }
}

export function zeroFloats(to: usize, n: i32): void {
  for (; n >= 4; n -= 4) {
    v128.store(to, f32x4.splat(0));
    to += 16;
  }
  for (; n > 0; n--) {
    store<f32>(to, 0);
    to += 4;
  }
}

/** to[i * step][0..n] = pixel i's first n (1..6) channels, for `count` pixels that are `apart` bytes apart. */
export function packChannels(to: usize, step: usize, n: i32, from: usize, apart: usize, count: i32): void {
  switch (n) {
    case 6: return copySix(to, step, from, apart, count);
    case 5: return copyFive(to, step, from, apart, count);
    case 4: return copyFour(to, step, from, apart, count);
    case 3: return copyFew(3, to, step, from, apart, count);
    case 2: return copyFew(2, to, step, from, apart, count);
    default: copyColumn(to, step, from, apart, count);
  }
}

/** to[i * step][0..n] = 0. */
export function zeroChannels(to: usize, step: usize, n: i32, count: i32): void {
  for (; count > 0; count--) {
    for (let i: usize = 0; i < <usize>n << 2; i += 4) store<f32>(to + i, 0);
    to += step;
  }
}

function copySix(to: usize, step: usize, from: usize, apart: usize, count: i32): void {
  for (; count > 0; count--) {
    v128.store(to, v128.load(from)), store<u64>(to, load<u64>(from, 16), 16);
    to += step; from += apart;
  }
}
function copyFive(to: usize, step: usize, from: usize, apart: usize, count: i32): void {
  for (; count > 0; count--) {
    v128.store(to, v128.load(from)), store<u32>(to, load<u32>(from, 16), 16);
    to += step; from += apart;
  }
}
function copyFour(to: usize, step: usize, from: usize, apart: usize, count: i32): void {
  for (; count > 0; count--) {
    v128.store(to, v128.load(from));
    to += step; from += apart;
  }
}
// @ts-ignore: decorator
@inline function copyFew(n: i32, to: usize, step: usize, from: usize, apart: usize, count: i32): void {
  for (; count > 0; count--) {
    store<u64>(to, load<u64>(from));
    if (n > 2) store<u32>(to, load<u32>(from, 8), 8);
    to += step; from += apart;
  }
}

/** to[i * step] = from[i * apart], in bytes. */
export function copyColumn(to: usize, step: usize, from: usize, apart: usize, count: i32): void {
  for (; count > 0; count--) {
    store<u32>(to, load<u32>(from));
    to += step; from += apart;
  }
}
export function zeroColumn(to: usize, step: usize, count: i32): void {
  for (; count > 0; count--) {
    store<u32>(to, 0);
    to += step;
  }
}
