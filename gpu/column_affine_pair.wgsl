// p f + ((q - c) g + h), p and q (OUTER, REDUCE, INNER), coefficients (OUTER, INNER), float32.
//   bindings: p, q, f, c, g, h, result
//   workgroups: ceil(OUTER * REDUCE * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> first: array<f32>;
@group(0) @binding(2) var<storage, read_write> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> factor_one: array<f32>;
@group(0) @binding(4) var<storage, read_write> centre: array<f32>;
@group(0) @binding(5) var<storage, read_write> factor_two: array<f32>;
@group(0) @binding(6) var<storage, read_write> shift: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.REDUCE * sizes.INNER) {
    return;
  }
  let c = at / (sizes.REDUCE * sizes.INNER) * sizes.INNER + at % sizes.INNER;
  result[at] = first[at] * factor_one[c] + ((second[at] - centre[c]) * factor_two[c] + shift[c]);
}
