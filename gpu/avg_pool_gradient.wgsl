// Every pixel takes its part of dy of each window that it is in. dy (N, OH, OW, C), result (N, H, W, C), float32.
//   bindings: dy, result;  windows as in avg_pool.wgsl
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
  PB: i32,
  PR: i32,
  PADDED: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

// Pixels that a window from `start` on counts on one axis.
fn counted(start: i32, kernel: i32, size: i32, after: i32) -> i32 {
  if (sizes.PADDED == 1u) {
    return min(start + kernel, size + after) - start;
  }
  return min(start + kernel, size) - max(start, 0);
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
  let v0 = max(0, y + sizes.PT - sizes.KH + sizes.SH) / sizes.SH;
  let v1 = min((y + sizes.PT) / sizes.SH + 1, sizes.OH);
  let u0 = max(0, x + sizes.PL - sizes.KW + sizes.SW) / sizes.SW;
  let u1 = min((x + sizes.PL) / sizes.SW + 1, sizes.OW);
  var sum = 0.0f;
  for (var v = v0; v < v1; v++) {
    let high = counted(v * sizes.SH - sizes.PT, sizes.KH, sizes.H, sizes.PB);
    for (var u = u0; u < u1; u++) {
      let wide = counted(u * sizes.SW - sizes.PL, sizes.KW, sizes.W, sizes.PR);
      sum += dy[u32((n * sizes.OH + v) * sizes.OW + u) * sizes.C + c] / f32(high * wide);
    }
  }
  result[at] = sum;
}
