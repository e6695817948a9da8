// result[o, a, i] += source[o, c, i] for all c whose index is a, in the order of c: `order` holds the places c sorted by
// index, equal ones as they come, so that whoever finds the first of an index adds them all up, and nobody else does.
//   bindings: source, indices (int32), order, result, which holds zeros;  Value: f32, i32
//   ALONG: indices and order are (OUTER, COUNT, INNER), else (COUNT);  AXIS: of result
//   workgroups: ceil(OUTER * COUNT * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  AXIS: u32,
  INNER: u32,
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<{{Value}}>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> result: array<{{Value}}>;

// Where place c of a column lies in indices and order.
fn at_place(o: u32, c: u32, i: u32) -> u32 {
//#if ALONG
  return (o * sizes.COUNT + c) * sizes.INNER + i;
//#else
  return c;
//#end
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.COUNT * sizes.INNER) {
    return;
  }
  let i = at % sizes.INNER;
  let p = at / sizes.INNER % sizes.COUNT;
  let o = at / (sizes.INNER * sizes.COUNT);
  let index = indices[at_place(o, order[at_place(o, p, i)], i)]; // negative ones are large unsigned numbers
  if (index >= sizes.AXIS) {
    return;
  }
  if (p > 0u && indices[at_place(o, order[at_place(o, p - 1u, i)], i)] == index) {
    return;
  }
  var sum = {{Value}}(0);
  for (var q = p; q < sizes.COUNT; q++) {
    let c = order[at_place(o, q, i)];
    if (indices[at_place(o, c, i)] != index) {
      break;
    }
    sum += source[(o * sizes.COUNT + c) * sizes.INNER + i];
  }
  result[(o * sizes.AXIS + index) * sizes.INNER + i] = sum;
}
