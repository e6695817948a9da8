// result[o, a, i] = sum of source[o, c, i] over all c where indices[c] == a, in the order of c; 0 where there is none.
// One invocation for each element of the result looks through all indices: no atomics, so always the same sum.
//   bindings: source, indices (int32), result;  sizes OUTER, AXIS, INNER of result, COUNT of indices
//   workgroups: ceil(OUTER * AXIS * INNER / 64), linear (x fastest, then y)
@group(0) @binding(0) var<storage, read_write> source: array<{{Value}}>;
@group(0) @binding(1) var<storage, read_write> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> result: array<{{Value}}>;
override OUTER: u32;
override AXIS: u32;
override INNER: u32;
override COUNT: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= OUTER * AXIS * INNER) {
    return;
  }
  let i = at % INNER;
  let a = i32(at / INNER % AXIS);
  let o = at / (INNER * AXIS);
  var sum = {{Value}}(0);
  for (var c = 0u; c < COUNT; c++) {
    if (indices[c] == a) {
      sum += source[(o * COUNT + c) * INNER + i];
    }
  }
  result[at] = sum;
}
