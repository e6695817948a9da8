// Sizes of the direct convolutions, and where the taps of their filters meet the input; put into each of them.
//   INT8: images and filters are rows of so many words
struct Sizes {
  BATCH: u32,
  HEIGHT: u32,
  WIDTH: u32,
  CHANNELS: u32,
  OUT_HEIGHT: u32,
  OUT_WIDTH: u32,
  FILTERS: u32,
  KH: u32,
  KW: u32,
  SH: u32,
  SW: u32,
  TOP: u32,
  LEFT: u32,
  DH: u32,
  DW: u32,
  GROUPS: u32,
//#if INT8
  WORDS_X: u32,
  WORDS_W: u32,
//#else
{{epilogueSizes}}
//#end
}
@group(0) @binding(0) var<uniform> sizes: Sizes;

// Row and column of the input under a tap; negative ones are large unsigned numbers, and so outside, too.
fn row_under(oy: u32, ky: u32) -> u32 {
  return oy * sizes.SH + ky * sizes.DH - sizes.TOP;
}

fn column_under(ox: u32, kx: u32) -> u32 {
  return ox * sizes.SW + kx * sizes.DW - sizes.LEFT;
}
