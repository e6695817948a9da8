// result[r, c] = sum of source[r, c - BEFORE] to source[r, c + AFTER], as far as there are any, in order, float32.
//   bindings: source, result (ROWS, COLUMNS)
//   workgroups: ceil(ROWS * COLUMNS / 64), linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  COLUMNS: u32,
  BEFORE: u32,
  AFTER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.ROWS * sizes.COLUMNS) {
    return;
  }
  let c = at % sizes.COLUMNS;
  let first = at - min(c, sizes.BEFORE);
  let last = at + min(sizes.COLUMNS - 1u - c, sizes.AFTER);
  var sum = 0.0f;
  for (var i = first; i <= last; i++) {
    sum += source[i];
  }
  result[at] = sum;
}
