// (x - centre) factor + shift, x (OUTER, REDUCE, INNER), coefficients (OUTER, INNER), float32.
//   bindings: x, centre, factor, shift, result
//   workgroups: ceil(OUTER * REDUCE * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> centre: array<f32>;
@group(0) @binding(3) var<storage, read_write> factor_of: array<f32>;
@group(0) @binding(4) var<storage, read_write> shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.REDUCE * sizes.INNER) {
    return;
  }
  let c = at / (sizes.REDUCE * sizes.INNER) * sizes.INNER + at % sizes.INNER;
  result[at] = (x[at] - centre[c]) * factor_of[c] + shift[c];
}
