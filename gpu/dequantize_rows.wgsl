// result[r, k] = byte k of row r of source, with its sign, times scale[r].
//   bindings: source (ROWS, WORDS), scale (ROWS), result (ROWS, COLUMNS)
//   workgroups: ceil(ROWS * COLUMNS / 64), linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  COLUMNS: u32,
  WORDS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<i32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.ROWS * sizes.COLUMNS) {
    return;
  }
  let row = at / sizes.COLUMNS;
  let k = at % sizes.COLUMNS;
  let value = extractBits(source[row * sizes.WORDS + k / 4u], k % 4u * 8u, 8u);
  result[at] = f32(value) * scale[row];
}
