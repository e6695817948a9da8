// out[w] = elements 2w and 2w + 1 of source as halves, the first in the low bits, nothing after the last one; then the epilogue.
//   bindings: source (bits of f32; by the prologue, if there is one), and what prologue and epilogue read and write
//   sizes COUNT of source
//   workgroups: ceil(ceil(COUNT / 2) / 64), linear (x fastest, then y)
// By bits, as pack2x16float may round either way.
struct Sizes {
  COUNT: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
//#if STORED
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
fn fetch(q: u32) -> u32 {
  return source[q];
}
//#end
{{epilogue}}

// Nearest, ties to even.
fn half(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) {
    return 0x7e00u;
  }
  if (size >= 0x477ff000u) { // 65520
    return sign | 0x7c00u;
  }
  if (size >= 0x38800000u) { // 2^-14
    return sign | ((size - 0x38000000u + 0xfffu + ((size >> 13u) & 1u)) >> 13u);
  }
  let exponent = size >> 23u;
  if (exponent < 102u) { // below half of the smallest
    return sign;
  }
  let fraction = (size & 0x7fffffu) | 0x800000u;
  let shift = 126u - exponent;
  let whole = fraction >> shift;
  let rest = fraction & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  let up = rest > middle || (rest == middle && (whole & 1u) == 1u);
  return sign | (whole + select(0u, 1u, up));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= (sizes.COUNT + 1u) / 2u) {
    return;
  }
  var word = half(fetch(2u * at));
  if (2u * at + 1u < sizes.COUNT) {
    word |= half(fetch(2u * at + 1u)) << 16u;
  }
  finish(at, i32(word));
}
