// dy of each window to its first maximum: every pixel looks at the windows that it is in, and adds dy of those whose
// first maximum it is, in order. source, result (N, H, W, C), dy (N, OH, OW, C), float32.
//   bindings: source, dy, result;  windows as in pool_windows.wgsl
//   workgroups: ceil(N * H * W * C / 64), linear (x fastest, then y)
{{pool_windows}}
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

{{pool_first}}
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
      if (first_maximum(over.n, v * sizes.SH - sizes.PT, u * sizes.SW - sizes.PL, over.c) == at) {
        sum += dy[window_at(over.n, v, u, over.c)];
      }
    }
  }
  result[at] = sum;
}
