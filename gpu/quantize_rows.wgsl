// result[r, w] = round(source[r, k] * factor[r]) of k = 4w to 4w + 3, ties to even, within +-127, a byte each, the first
// in the low bits; zeros for NaN and beyond COLUMNS.
//   bindings: source (ROWS, COLUMNS), factor (ROWS), result (ROWS, WORDS)
//   workgroups: ceil(ROWS * WORDS / 64), linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  COLUMNS: u32,
  WORDS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.ROWS * sizes.WORDS) {
    return;
  }
  let row = at / sizes.WORDS;
  let first = at % sizes.WORDS * 4u;
  var word = 0u;
  for (var i = 0u; i < 4u && first + i < sizes.COLUMNS; i++) {
    let scaled = round(source[row * sizes.COLUMNS + first + i] * factor[row]);
    let is_nan = (bitcast<u32>(scaled) & 0x7fffffffu) > 0x7f800000u;
    let held = select(i32(clamp(scaled, -127.0f, 127.0f)), 0, is_nan);
    word |= (bitcast<u32>(held) & 255u) << (8u * i);
  }
  result[at] = word;
}
