// Packing for matmul_f32: copies a block of A or B into a panel in the order in which the tiles read it.
// A panel is k-major: panel[k][w], w < padded; the w from width on are zero.

/** panel[k][w] = from[w][k]; ldFrom: bytes between the rows of `from`. */
export function packTransposed(to: usize, from: usize, ldFrom: usize, k: i32, width: i32, padded: i32): void {
  const step = <usize>(padded << 2);
  if (width >= 4) {
    // Four w at a time; the last four overlap the ones before.
    for (let w = 0; ; ) {
      transposeFour(to + <usize>(w << 2), step, from + <usize>w * ldFrom, ldFrom, k);
      if (w + 4 >= width) break;
      w = min(w + 4, width - 4);
    }
  } else {
    for (let w = 0; w < width; w++) {
      let p = from + <usize>w * ldFrom, q = to + <usize>(w << 2);
      for (let i = k; i > 0; i--) { store<f32>(q, load<f32>(p)); p += 4; q += step; }
    }
  }
  zeroColumns(to, step, k, width, padded);
}

/** to[k][0..4] = from[0..4][k] */
function transposeFour(q: usize, step: usize, p0: usize, ldFrom: usize, k: i32): void {
  let p1 = p0 + ldFrom, p2 = p1 + ldFrom, p3 = p2 + ldFrom;
  for (; k >= 4; k -= 4) {
    const x0 = v128.load(p0), x1 = v128.load(p1), x2 = v128.load(p2), x3 = v128.load(p3);
    const y0 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5), y1 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
    const y2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5), y3 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
    v128.store(q, v128.shuffle<f32>(y0, y2, 0, 1, 4, 5)); q += step;
    v128.store(q, v128.shuffle<f32>(y0, y2, 2, 3, 6, 7)); q += step;
    v128.store(q, v128.shuffle<f32>(y1, y3, 0, 1, 4, 5)); q += step;
    v128.store(q, v128.shuffle<f32>(y1, y3, 2, 3, 6, 7)); q += step;
    p0 += 16; p1 += 16; p2 += 16; p3 += 16;
  }
  for (; k > 0; k--) {
    store<f32>(q, load<f32>(p0)), store<f32>(q, load<f32>(p1), 4);
    store<f32>(q, load<f32>(p2), 8), store<f32>(q, load<f32>(p3), 12);
    p0 += 4; p1 += 4; p2 += 4; p3 += 4;
    q += step;
  }
}

/** panel[k][w] = from[k][w]: the source is k-major already. width and padded at most 8. */
export function packStraight(to: usize, from: usize, ldFrom: usize, k: i32, width: i32, padded: i32): void {
  const step = <usize>(padded << 2), end = to + <usize>k * step;
  if (width >= 4) {
    const last = <usize>(width - 4 << 2);
    for (let q = to; q != end; q += step) {
      v128.store(q, v128.load(from)), v128.store(q + last, v128.load(from + last));
      from += ldFrom;
    }
  } else {
    for (let q = to; q != end; q += step) {
      store<f32>(q, load<f32>(from));
      if (width > 1) store<f32>(q, load<f32>(from, 4), 4);
      if (width > 2) store<f32>(q, load<f32>(from, 8), 8);
      from += ldFrom;
    }
  }
  zeroColumns(to, step, k, width, padded);
}

function zeroColumns(to: usize, step: usize, k: i32, width: i32, padded: i32): void {
  for (let w = width; w < padded; w++) {
    let q = to + <usize>(w << 2);
    for (let i = k; i > 0; i--) { store<f32>(q, 0); q += step; }
  }
}
