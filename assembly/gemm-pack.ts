// Packing for matmul_f32: copies a block of A or B into panels in the order in which the tiles read it.

/**
 * Panel of rows (or columns) x k, k-major and `width` wide: to[k][w] = from[w][k], missing w up to padded
 * are zero. ldFrom: bytes between the rows of `from`, whose k lie side by side.
 */
export function packTransposed(to: usize, from: usize, ldFrom: usize, k: i32, width: i32, padded: i32): void {
  const toStep = <usize>(padded << 2);
  let w = 0;
  for (; w + 4 <= width; w += 4) {
    let p0 = from + <usize>w * ldFrom, p1 = p0 + ldFrom, p2 = p1 + ldFrom, p3 = p2 + ldFrom;
    let q = to + <usize>(w << 2);
    let i = k;
    for (; i >= 4; i -= 4) {
      const x0 = v128.load(p0), x1 = v128.load(p1), x2 = v128.load(p2), x3 = v128.load(p3);
      const y0 = v128.shuffle<f32>(x0, x1, 0, 4, 1, 5), y1 = v128.shuffle<f32>(x0, x1, 2, 6, 3, 7);
      const y2 = v128.shuffle<f32>(x2, x3, 0, 4, 1, 5), y3 = v128.shuffle<f32>(x2, x3, 2, 6, 3, 7);
      v128.store(q, v128.shuffle<f32>(y0, y2, 0, 1, 4, 5)); q += toStep;
      v128.store(q, v128.shuffle<f32>(y0, y2, 2, 3, 6, 7)); q += toStep;
      v128.store(q, v128.shuffle<f32>(y1, y3, 0, 1, 4, 5)); q += toStep;
      v128.store(q, v128.shuffle<f32>(y1, y3, 2, 3, 6, 7)); q += toStep;
      p0 += 16; p1 += 16; p2 += 16; p3 += 16;
    }
    for (; i > 0; i--) {
      store<f32>(q, load<f32>(p0)), store<f32>(q, load<f32>(p1), 4);
      store<f32>(q, load<f32>(p2), 8), store<f32>(q, load<f32>(p3), 12);
      p0 += 4; p1 += 4; p2 += 4; p3 += 4;
      q += toStep;
    }
  }
  for (; w < padded; w++) {
    let p = from + <usize>w * ldFrom, q = to + <usize>(w << 2);
    if (w < width) {
      for (let i = k; i > 0; i--) { store<f32>(q, load<f32>(p)); p += 4; q += toStep; }
    } else {
      for (let i = k; i > 0; i--) { store<f32>(q, 0); q += toStep; }
    }
  }
}

/** The same panel from a source that is k-major already: to[k][w] = from[k][w]. */
export function packStraight(to: usize, from: usize, ldFrom: usize, k: i32, width: i32, padded: i32): void {
  if (width == 8) {
    for (; k > 0; k--) {
      v128.store(to, v128.load(from)), v128.store(to, v128.load(from, 16), 16);
      from += ldFrom;
      to += 32;
    }
    return;
  }
  for (; k > 0; k--) {
    let w = 0;
    for (; w + 4 <= width; w += 4) v128.store(to + <usize>(w << 2), v128.load(from + <usize>(w << 2)));
    for (; w < width; w++) store<f32>(to + <usize>(w << 2), load<f32>(from + <usize>(w << 2)));
    for (; w < padded; w++) store<f32>(to + <usize>(w << 2), 0);
    from += ldFrom;
    to += <usize>(padded << 2);
  }
}
