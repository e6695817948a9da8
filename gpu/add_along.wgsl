// result[o, a, i] = sum of source[o, c, i] over all c where indices[o, c, i] == a, in the order of c.
// One invocation owns a column (o, i): no atomics, so always the same sum.
//   bindings: source, indices (int32), result;  sizes OUTER, AXIS, INNER of result, COUNT of indices;  Value: f32, i32
//   workgroups: ceil(OUTER * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  AXIS: u32,
  INNER: u32,
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<{{Value}}>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<{{Value}}>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.INNER) {
    return;
  }
  let o = at / sizes.INNER;
  let i = at % sizes.INNER;
  let base = o * sizes.AXIS * sizes.INNER + i;
  for (var a = 0u; a < sizes.AXIS; a++) {
    result[base + a * sizes.INNER] = {{Value}}(0);
  }
  for (var c = 0u; c < sizes.COUNT; c++) {
    let from_index = (o * sizes.COUNT + c) * sizes.INNER + i;
    let index = indices[from_index];
    if (index < sizes.AXIS) {
      result[base + index * sizes.INNER] += source[from_index];
    }
  }
}
