// Philox4x32-10 (see src/philox.ts): elements 4j to 4j+3 of result come from counter (j, STREAM, step, 0).
//   bindings: result (float32), step (one int32);  NORMAL: 1 for normal numbers by Box-Muller, 0 for uniform in [0, 1)
//   N elements, key KEY_LOW, KEY_HIGH.  workgroups: ceil(N / 256), linear (x fastest, then y)
@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<storage, read_write> step: array<u32>;
override N: u32;
override KEY_LOW: u32;
override KEY_HIGH: u32;
override STREAM: u32;

const NORMAL = {{NORMAL}}u;

// Upper 32 bits of the product, by 16-bit halves.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let middle = a_high * b_low + ((a_low * b_low) >> 16u);
  let carry = a_low * b_high + (middle & 0xffffu);
  return a_high * b_high + (middle >> 16u) + (carry >> 16u);
}

fn philox(first: vec4u) -> vec4u {
  var c = first;
  var key = vec2u(KEY_LOW, KEY_HIGH);
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiply_high(0xd2511f53u, c.x);
    let low0 = 0xd2511f53u * c.x;
    let high1 = multiply_high(0xcd9e8d57u, c.z);
    let low1 = 0xcd9e8d57u * c.z;
    c = vec4u(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let j = id.x + id.y * groups.x * 64u;
  if (j >= (N + 3u) / 4u) {
    return;
  }
  let uniform4 = vec4f(philox(vec4u(j, STREAM, step[0], 0u)) >> vec4u(8u)) * 5.9604644775390625e-8f;
  var values = uniform4;
  if (NORMAL == 1u) {
    // 1 - u is in (0, 1], so the logarithm is finite.
    let radius = sqrt(max(-2.0f * log(1.0f - uniform4.xz), vec2f()));
    let angle = 6.283185307179586f * uniform4.yw;
    let across = radius * cos(angle);
    let up = radius * sin(angle);
    values = vec4f(across.x, up.x, across.y, up.y);
  }
  for (var i = 0u; i < min(4u, N - j * 4u); i++) {
    result[j * 4u + i] = values[i];
  }
}
