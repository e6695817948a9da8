// The word of `other` where source has its window's first maximum. source, other (N, H, W, C), result (N, OH, OW, C).
//   bindings: source, other, result;  windows as in pool_windows.wgsl
//   workgroups: ceil(N * OH * OW * C / 64), linear (x fastest, then y)
{{pool_windows}}
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> other: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

{{pool_first}}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.N * u32(sizes.OH * sizes.OW) * sizes.C) {
    return;
  }
  let window = window_of(at);
  result[at] = other[first_maximum(window.n, window.top, window.left, window.c)];
}
