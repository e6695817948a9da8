// result[o, a, i] = sum of source[o, c, i] over all c where indices[c] == a, in the order of c; 0 where there is none.
// One invocation for each element of the result looks through all indices: no atomics, so always the same sum.
//   bindings: source, indices (int32), result;  sizes OUTER, AXIS, INNER of result, COUNT of indices
//   workgroups: ceil(OUTER * AXIS * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  AXIS: u32,
  INNER: u32,
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<{{Value}}>;
@group(0) @binding(2) var<storage, read_write> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> result: array<{{Value}}>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.AXIS * sizes.INNER) {
    return;
  }
  let i = at % sizes.INNER;
  let a = i32(at / sizes.INNER % sizes.AXIS);
  let o = at / (sizes.INNER * sizes.AXIS);
  var sum = {{Value}}(0);
  for (var c = 0u; c < sizes.COUNT; c++) {
    if (indices[c] == a) {
      sum += source[(o * sizes.COUNT + c) * sizes.INNER + i];
    }
  }
  result[at] = sum;
}
