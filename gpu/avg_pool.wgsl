// Mean of each window. source (N, H, W, C), result (N, OH, OW, C), float32.
//   bindings: source, result;  windows as in pool_windows.wgsl, of neighbours
//   workgroups: ceil(N * OH * OW * C / 64), linear (x fastest, then y)
{{pool_windows}}
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.N * u32(sizes.OH * sizes.OW) * sizes.C) {
    return;
  }
  let window = window_of(at);
  let y0 = max(window.top, 0);
  let y1 = min(window.top + sizes.KH, sizes.H);
  let x0 = max(window.left, 0);
  let x1 = min(window.left + sizes.KW, sizes.W);
  var sum = 0.0f;
  for (var y = y0; y < y1; y++) {
    for (var x = x0; x < x1; x++) {
      sum += source[pixel_at(window.n, y, x, window.c)];
    }
  }
  result[at] = sum / counted(window.top, window.left);
}
