// Every pixel takes its part of dy of each window that it is in. dy (N, OH, OW, C), result (N, H, W, C), float32.
//   bindings: dy, result;  windows as in pool_windows.wgsl, of neighbours
//   workgroups: ceil(N * H * W * C / 64), linear (x fastest, then y)
{{pool_windows}}
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.N * u32(sizes.H * sizes.W) * sizes.C) {
    return;
  }
  let over = windows_over(at);
  var sum = 0.0f;
  for (var v = over.v0; v < over.v1; v++) {
    for (var u = over.u0; u < over.u1; u++) {
      sum += dy[window_at(over.n, v, u, over.c)] / counted(v * sizes.SH - sizes.PT, u * sizes.SW - sizes.PL);
    }
  }
  result[at] = sum;
}
