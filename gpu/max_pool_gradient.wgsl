// dy of each window to its first maximum: every pixel looks at the windows that it is in, and adds dy of those whose
// first maximum it is, in order. source, result (N, H, W, C), dy (N, OH, OW, C), float32.
//   bindings: source, dy, result;  windows as in max_pool.wgsl
//   workgroups: ceil(N * H * W * C / 64), linear (x fastest, then y)
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
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

// Index of the first maximum of the window that starts at (top, left).
fn first_maximum(n: i32, top: i32, left: i32, c: u32) -> u32 {
  var first = true;
  var best = 0.0f;
  var place = 0u;
  for (var k = 0; k < sizes.KH; k++) {
    for (var l = 0; l < sizes.KW; l++) {
      let y = top + k * sizes.DH;
      let x = left + l * sizes.DW;
      if (y >= 0 && y < sizes.H && x >= 0 && x < sizes.W) {
        let i = u32((n * sizes.H + y) * sizes.W + x) * sizes.C + c;
        if (first || source[i] > best) {
          first = false;
          best = source[i];
          place = i;
        }
      }
    }
  }
  return place;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.N * u32(sizes.H * sizes.W) * sizes.C) {
    return;
  }
  let c = at % sizes.C;
  let x = i32(at / sizes.C % u32(sizes.W));
  let y = i32(at / (sizes.C * u32(sizes.W)) % u32(sizes.H));
  let n = i32(at / (sizes.C * u32(sizes.W * sizes.H)));
  let reach_y = (sizes.KH - 1) * sizes.DH + 1;
  let reach_x = (sizes.KW - 1) * sizes.DW + 1;
  let v0 = max(0, y + sizes.PT - reach_y + sizes.SH) / sizes.SH;
  let v1 = min((y + sizes.PT) / sizes.SH + 1, sizes.OH);
  let u0 = max(0, x + sizes.PL - reach_x + sizes.SW) / sizes.SW;
  let u1 = min((x + sizes.PL) / sizes.SW + 1, sizes.OW);
  var sum = 0.0f;
  for (var v = v0; v < v1; v++) {
    for (var u = u0; u < u1; u++) {
      if (first_maximum(n, v * sizes.SH - sizes.PT, u * sizes.SW - sizes.PL, c) == at) {
        sum += dy[u32((n * sizes.OH + v) * sizes.OW + u) * sizes.C + c];
      }
    }
  }
  result[at] = sum;
}
