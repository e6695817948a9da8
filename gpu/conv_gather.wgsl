// The operands of convolutions as matrices, for matmul.wgsl; a group of channels is one matrix of its batch.
//   FORWARD: m counts the positions of y (n, oy, ox), k the elements of a filter (ky, kx, c), n filters
//   INPUT: m counts the pixels of dx (n, y, x), k what a pixel went into (ky, kx, f), n channels
//   FILTER: m counts the elements of a filter (ky, kx, c), k the positions of dy (n, oy, ox), n filters
//   STRIDED: 0 where both strides are 1.  Sizes as in conv.wgsl; DEPTH: channels of a group, COUNT: its filters
var<workgroup> rows: array<vec3u, EXTENT0>; // what is the same along a row of A

fn prepare(first: u32, thread: u32) {
  for (var r = thread; r < EXTENT0; r += THREADS) {
    let m = first + r;
    // Negative places are large unsigned numbers here and below.
//#if FORWARD
    rows[r] = vec3u(
      m / (sizes.OUT_WIDTH * sizes.OUT_HEIGHT) * sizes.HEIGHT * sizes.WIDTH,
      m / sizes.OUT_WIDTH % sizes.OUT_HEIGHT * sizes.SH - sizes.TOP,
      m % sizes.OUT_WIDTH * sizes.SW - sizes.LEFT,
    );
//#end
//#if INPUT
    rows[r] = vec3u(
      m / (sizes.WIDTH * sizes.HEIGHT) * sizes.OUT_HEIGHT * sizes.OUT_WIDTH,
      m / sizes.WIDTH % sizes.HEIGHT + sizes.TOP,
      m % sizes.WIDTH + sizes.LEFT,
    );
//#end
//#if FILTER
    rows[r] = vec3u(
      m % sizes.DEPTH,
      m / sizes.DEPTH / sizes.KW * sizes.DH - sizes.TOP,
      m / sizes.DEPTH % sizes.KW * sizes.DW - sizes.LEFT,
    );
//#end
  }
}

fn element0(base: u32, first: u32, r: u32, k: u32) -> Value {
  let known = rows[r];
//#if FORWARD
  let place = k / sizes.DEPTH;
  let y = known.y + place / sizes.KW * sizes.DH;
  let x = known.z + place % sizes.KW * sizes.DW;
  return load0(
    (known.x + y * sizes.WIDTH + x) * sizes.CHANNELS + base + k % sizes.DEPTH,
    k < sizes.K && y < sizes.HEIGHT && x < sizes.WIDTH,
  );
//#end
//#if INPUT
  let place = k / sizes.COUNT;
  // Where the filter starts, counted from the first zero of the padding.
  let down = known.y - place / sizes.KW * sizes.DH;
  let across = known.z - place % sizes.KW * sizes.DW;
//#if STRIDED
  let y = down / sizes.SH;
  let x = across / sizes.SW;
  let met = down % sizes.SH == 0u && across % sizes.SW == 0u && max(down, across) < 0x80000000u;
//#else
  let y = down;
  let x = across;
  const met = true;
//#end
  return load0(
    (known.x + y * sizes.OUT_WIDTH + x) * sizes.FILTERS + base + k % sizes.COUNT,
    k < sizes.K && met && y < sizes.OUT_HEIGHT && x < sizes.OUT_WIDTH,
  );
//#end
//#if FILTER
  let y = k / sizes.OUT_WIDTH % sizes.OUT_HEIGHT * sizes.SH + known.y;
  let x = k % sizes.OUT_WIDTH * sizes.SW + known.z;
  let n = k / (sizes.OUT_WIDTH * sizes.OUT_HEIGHT);
  return load0(
    ((n * sizes.HEIGHT + y) * sizes.WIDTH + x) * sizes.CHANNELS + base + known.x,
    k < sizes.K && y < sizes.HEIGHT && x < sizes.WIDTH,
  );
//#end
}

fn element1(base: u32, first: u32, r: u32, k: u32) -> Value {
//#if INPUT
  let at = (k / sizes.COUNT * sizes.DEPTH + first + r) * sizes.FILTERS + k % sizes.COUNT;
  return load1(base + at, k < sizes.K);
//#else
  return load1(base + k * sizes.FILTERS + first + r, k < sizes.K);
//#end
}
