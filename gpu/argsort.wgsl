// result[o, p, i] = the r whose source[o, r, i] comes at place p < COUNT in order: its place is the number of elements
// before it. NaN is the largest, -0 is 0; equal elements keep their order.
//   bindings: source, result (int32);  TYPE: 0 f32, 1 i32;  DESCENDING
//   OUTER, SIZE, INNER: sizes of source.  workgroups: ceil(OUTER * SIZE * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  SIZE: u32,
  INNER: u32,
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

{{sort_key}}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.SIZE * sizes.INNER) {
    return;
  }
  let i = at % sizes.INNER;
  let own = at / sizes.INNER % sizes.SIZE;
  let o = at / (sizes.INNER * sizes.SIZE);
  let base = o * sizes.SIZE * sizes.INNER + i;
  let key = to_key(source[at]);
  var place = 0u;
  for (var r = 0u; r < sizes.SIZE; r++) {
    let other = to_key(source[base + r * sizes.INNER]);
    place += select(0u, 1u, other < key || (other == key && r < own));
  }
  if (place < sizes.COUNT) {
    result[(o * sizes.COUNT + place) * sizes.INNER + i] = own;
  }
}
