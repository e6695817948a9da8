// result[o, c, i] = source[o, indices[c], i], or where ALONG source[o, indices[o, c, i], i], any dtype (words). An index
// outside of the axis gives NaN.
//   bindings: source, indices (int32), result;  sizes OUTER, AXIS, INNER of source, COUNT of indices
//   workgroups: ceil(OUTER * COUNT * INNER / 256), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  AXIS: u32,
  INNER: u32,
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 256u;
  if (at >= sizes.OUTER * sizes.COUNT * sizes.INNER) {
    return;
  }
  let i = at % sizes.INNER;
  let o = at / (sizes.INNER * sizes.COUNT);
  // Negative ones are large unsigned numbers.
//#if ALONG
  let index = indices[at];
//#else
  let index = indices[at / sizes.INNER % sizes.COUNT];
//#end
  var word = 0x7fc00000u;
  if (index < sizes.AXIS) {
    word = source[(o * sizes.AXIS + index) * sizes.INNER + i];
  }
  result[at] = word;
}
