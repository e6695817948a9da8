// result[i] = half i of source, two to a word, the first in its low bits, as bits of f32.
//   bindings: source, result;  sizes COUNT of result
//   workgroups: ceil(COUNT / 64), linear (x fastest, then y)
// By bits, as unpack2x16float may make zeros of subnormals and anything of infinity and NaN.
struct Sizes {
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.COUNT) {
    return;
  }
  let half = extractBits(source[at / 2u], at % 2u * 16u, 16u);
  let exponent = extractBits(half, 10u, 5u);
  let fraction = half & 0x3ffu;
  var bits = ((exponent + 112u) << 23u) | (fraction << 13u);
  if (exponent == 31u) {
    bits = 0x7f800000u | (fraction << 13u);
  } else if (exponent == 0u) {
    bits = bitcast<u32>(f32(fraction) * 5.9604645e-8f); // 2^-24
  }
  result[at] = bits | ((half & 0x8000u) << 16u);
}
