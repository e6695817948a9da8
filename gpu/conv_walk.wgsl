// Element `at` of a convolution's result: the sum over the taps that meet the input. Put into shaders that say what a
// Total is, and `tap(total, pixel, place, f, first)`: total and what pixel (n HEIGHT + row) WIDTH + column of the input
// gives with place ky KW + kx of filter f, whose group's channels start at `first`.
fn walk(at: u32) -> Total {
  let f = at % sizes.FILTERS;
  let ox = at / sizes.FILTERS % sizes.OUT_WIDTH;
  let oy = at / (sizes.FILTERS * sizes.OUT_WIDTH) % sizes.OUT_HEIGHT;
  let n = at / (sizes.FILTERS * sizes.OUT_WIDTH * sizes.OUT_HEIGHT);
  let first = f / (sizes.FILTERS / sizes.GROUPS) * (sizes.CHANNELS / sizes.GROUPS);
  var total = Total();
  for (var ky = 0u; ky < sizes.KH; ky++) {
    let row = row_under(oy, ky);
    if (row >= sizes.HEIGHT) {
      continue;
    }
    for (var kx = 0u; kx < sizes.KW; kx++) {
      let column = column_under(ox, kx);
      if (column < sizes.WIDTH) {
        total = tap(total, (n * sizes.HEIGHT + row) * sizes.WIDTH + column, ky * sizes.KW + kx, f, first);
      }
    }
  }
  return total;
}
