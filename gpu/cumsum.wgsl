// Running sums of source (OUTER, SIZE, INNER) along SIZE, one invocation for each column.
//   bindings: source, result;  Value: f32 or i32;  REVERSE: from the end;  EXCLUSIVE: without the element itself
//   workgroups: ceil(OUTER * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  SIZE: u32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<{{Value}}>;
@group(0) @binding(2) var<storage, read_write> result: array<{{Value}}>;

const REVERSE = {{REVERSE}}u;
const EXCLUSIVE = {{EXCLUSIVE}}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.OUTER * sizes.INNER) {
    return;
  }
  let base = at / sizes.INNER * sizes.SIZE * sizes.INNER + at % sizes.INNER;
  var sum = {{Value}}(0);
  for (var n = 0u; n < sizes.SIZE; n++) {
    let place = base + select(n, sizes.SIZE - 1u - n, REVERSE == 1u) * sizes.INNER;
    let next = sum + source[place];
    result[place] = select(next, sum, EXCLUSIVE == 1u);
    sum = next;
  }
}
