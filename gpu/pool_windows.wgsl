// Sizes of pooling, and where the windows are; put into each of its shaders. Pixels are (N, H, W, C), windows (N, OH, OW, C):
// one starts at (y SH - PT, x SW - PL) and takes KH x KW pixels, DH and DW apart.
//   PADDED: 1 where padding (PB, PR below and at the right) counts as well in means
struct Sizes {
  N: u32,
  H: i32,
  W: i32,
  C: u32,
  OH: i32,
  OW: i32,
  KH: i32,
  KW: i32,
  SH: i32,
  SW: i32,
  PT: i32,
  PL: i32,
  DH: i32,
  DW: i32,
  PB: i32,
  PR: i32,
  PADDED: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;

// Image, first row and column, channel.
struct Window {
  n: i32,
  top: i32,
  left: i32,
  c: u32,
}

fn window_of(at: u32) -> Window {
  let across = sizes.C * u32(sizes.OW);
  return Window(
    i32(at / (across * u32(sizes.OH))),
    i32(at / across % u32(sizes.OH)) * sizes.SH - sizes.PT,
    i32(at / sizes.C % u32(sizes.OW)) * sizes.SW - sizes.PL,
    at % sizes.C,
  );
}

fn pixel_at(n: i32, y: i32, x: i32, c: u32) -> u32 {
  return u32((n * sizes.H + y) * sizes.W + x) * sizes.C + c;
}

fn window_at(n: i32, v: i32, u: i32, c: u32) -> u32 {
  return u32((n * sizes.OH + v) * sizes.OW + u) * sizes.C + c;
}

// The windows that a pixel is in: of its image and channel rows v0 to v1, columns u0 to u1, without the last ones.
struct Windows {
  n: i32,
  v0: i32,
  v1: i32,
  u0: i32,
  u1: i32,
  c: u32,
}

fn windows_over(at: u32) -> Windows {
  let across = sizes.C * u32(sizes.W);
  let y = i32(at / across % u32(sizes.H)) + sizes.PT;
  let x = i32(at / sizes.C % u32(sizes.W)) + sizes.PL;
  let reach_y = (sizes.KH - 1) * sizes.DH + 1;
  let reach_x = (sizes.KW - 1) * sizes.DW + 1;
  return Windows(
    i32(at / (across * u32(sizes.H))),
    max(0, y - reach_y + sizes.SH) / sizes.SH,
    min(y / sizes.SH + 1, sizes.OH),
    max(0, x - reach_x + sizes.SW) / sizes.SW,
    min(x / sizes.SW + 1, sizes.OW),
    at % sizes.C,
  );
}

// How many pixels count in the mean of a window of neighbours.
fn counted(top: i32, left: i32) -> f32 {
  let bottom = top + sizes.KH;
  let right = left + sizes.KW;
  if (sizes.PADDED == 1u) {
    return f32((min(bottom, sizes.H + sizes.PB) - top) * (min(right, sizes.W + sizes.PR) - left));
  }
  return f32((min(bottom, sizes.H) - max(top, 0)) * (min(right, sizes.W) - max(left, 0)));
}
