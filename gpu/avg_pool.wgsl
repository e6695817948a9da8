// Mean of each window. source (N, H, W, C), result (N, OH, OW, C), float32.
//   bindings: source, result;  a window starts at (y SH - PT, x SW - PL) and takes KH x KW pixels; PADDED: 1 where
//   padding (PB, PR below and at the right) counts as well
//   workgroups: ceil(N * OH * OW * C / 64), linear (x fastest, then y)
struct Sizes {
  N: u32,
  H: i32,
  W: i32,
  C: u32,
  OH: u32,
  OW: u32,
  KH: i32,
  KW: i32,
  SH: i32,
  SW: i32,
  PT: i32,
  PL: i32,
  PB: i32,
  PR: i32,
  PADDED: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.N * sizes.OH * sizes.OW * sizes.C) {
    return;
  }
  let c = at % sizes.C;
  let left = i32(at / sizes.C % sizes.OW) * sizes.SW - sizes.PL;
  let top = i32(at / (sizes.C * sizes.OW) % sizes.OH) * sizes.SH - sizes.PT;
  let n = i32(at / (sizes.C * sizes.OW * sizes.OH));
  let y0 = max(top, 0);
  let y1 = min(top + sizes.KH, sizes.H);
  let x0 = max(left, 0);
  let x1 = min(left + sizes.KW, sizes.W);
  var sum = 0.0f;
  for (var y = y0; y < y1; y++) {
    for (var x = x0; x < x1; x++) {
      sum += source[u32((n * sizes.H + y) * sizes.W + x) * sizes.C + c];
    }
  }
  var count = (y1 - y0) * (x1 - x0);
  if (sizes.PADDED == 1u) {
    count = (min(top + sizes.KH, sizes.H + sizes.PB) - top) * (min(left + sizes.KW, sizes.W + sizes.PR) - left);
  }
  result[at] = sum / f32(count);
}
