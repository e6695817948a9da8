// Philox4x32-10 (see src/philox.ts): elements 4j to 4j+3 of result come from counter (j, STREAM, step, 0).
//   bindings: result (float32), step (one int32);  NORMAL: 1 for normal numbers by Box-Muller, 0 for uniform in [0, 1)
//   DROPOUT 1: result is source times SCALE where the upper 24 bits of an element's word are below THRESHOLD, else 0
//   N elements, key KEY_LOW, KEY_HIGH.  workgroups: ceil(N / 256), linear (x fastest, then y)
struct Sizes {
  N: u32,
  KEY_LOW: u32,
  KEY_HIGH: u32,
  STREAM: u32,
//#if DROPOUT
  THRESHOLD: u32,
  SCALE: f32,
//#end
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<storage, read_write> step: array<u32>;
//#if DROPOUT
@group(0) @binding(3) var<storage, read_write> source: array<f32>;
//#end

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
  var key = vec2u(sizes.KEY_LOW, sizes.KEY_HIGH);
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

// WGSL's own log, sin and cos are exact to 11 bits or so; these are to about 23.

// log(x) for normal x > 0: x = 2^k m with m in [sqrt(1/2), sqrt(2)), and a polynomial for log(m) (Cephes).
fn accurate_log(x: vec2f) -> vec2f {
  let bits = bitcast<vec2u>(x) + vec2u(0x3f800000u - 0x3f3504f3u);
  let k = vec2f(bits >> vec2u(23u)) - 127.0f;
  let m = bitcast<vec2f>((bits & vec2u(0x007fffffu)) + vec2u(0x3f3504f3u)) - 1.0f;
  var p = 7.0376836292e-2f * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  let z = m * m;
  return m - 0.5f * z + p * m * z + k * 0.69314718056f;
}

// sin(2 pi u), u in [0, 1]; the cosine is that of u + 1/4.
fn sine_of_turns(u: vec2f) -> vec2f {
  let t = u - floor(u + 0.5f); // in [-1/2, 1/2]
  let half = select(t, sign(t) * 0.5f - t, abs(t) > vec2f(0.25f)); // sin(pi - x) = sin(x)
  let x = half * 6.283185307179586f;
  let z = x * x;
  var p = 2.608454067e-6f * z - 1.981087162e-4f;
  p = p * z + 8.333084395e-3f;
  p = p * z - 1.666666028e-1f;
  return p * z * x + x;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let j = id.x + id.y * groups.x * 64u;
  if (j >= (sizes.N + 3u) / 4u) {
    return;
  }
  let bits = philox(vec4u(j, sizes.STREAM, step[0], 0u)) >> vec4u(8u);
//#if DROPOUT
  for (var i = 0u; i < min(4u, sizes.N - j * 4u); i++) {
    result[j * 4u + i] = select(0.0f, source[j * 4u + i] * sizes.SCALE, bits[i] < sizes.THRESHOLD);
  }
//#else
  let uniform4 = vec4f(bits) * 5.9604644775390625e-8f;
  var values = uniform4;
  if (NORMAL == 1u) {
    // 1 - u is in (0, 1], so the logarithm is finite.
    let radius = sqrt(max(-2.0f * accurate_log(1.0f - uniform4.xz), vec2f()));
    let across = radius * sine_of_turns(uniform4.yw + 0.25f);
    let up = radius * sine_of_turns(uniform4.yw);
    values = vec4f(across.x, up.x, across.y, up.y);
  }
  for (var i = 0u; i < min(4u, sizes.N - j * 4u); i++) {
    result[j * 4u + i] = values[i];
  }
//#end
}
