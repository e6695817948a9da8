// result[m, n] = (sum over k of a[m, k] * b[n, k]) * (scale_a[m] * scale_b[n]); a, b are rows of bytes, four to a word.
//   bindings: a (M, WORDS), b (N, WORDS), scale_a (M), scale_b (N), result (M, N)
//   workgroups: ceil(M * N / 64), linear (x fastest, then y)
// By extractBits, which every implementation has; dot4I8Packed is a feature of the language that may be missing.
struct Sizes {
  M: u32,
  N: u32,
  WORDS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> a: array<i32>;
@group(0) @binding(2) var<storage, read_write> b: array<i32>;
@group(0) @binding(3) var<storage, read_write> scale_a: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale_b: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn bytes(word: i32) -> vec4i {
  return (vec4i(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.M * sizes.N) {
    return;
  }
  let m = at / sizes.N;
  let n = at % sizes.N;
  var sums = vec4i();
  for (var w = 0u; w < sizes.WORDS; w++) {
    sums += bytes(a[m * sizes.WORDS + w]) * bytes(b[n * sizes.WORDS + w]);
  }
  result[at] = f32(sums.x + sums.y + sums.z + sums.w) * (scale_a[m] * scale_b[n]);
}
