// The end of moments.wgsl where it goes in parts (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
// computing sample variances", 1979): parts in order.
//   bindings: parts (2, OUTER, PARTS, INNER), result (2, OUTER, INNER);  PART: elements of each, the last one has the rest
//   workgroups: ceil(OUTER * INNER / 64), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
  PART: u32,
  PARTS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

fn elements(p: u32) -> f32 {
  return f32(min(sizes.PART, sizes.REDUCE - p * sizes.PART));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  let outputs = sizes.OUTER * sizes.INNER;
  if (at >= outputs) {
    return;
  }
  let base = at / sizes.INNER * sizes.PARTS * sizes.INNER + at % sizes.INNER;
  var sum = 0.0f;
  for (var p = 0u; p < sizes.PARTS; p++) {
    sum += elements(p) * parts[base + p * sizes.INNER];
  }
  let mean = sum / f32(sizes.REDUCE);
  var squares = 0.0f;
  for (var p = 0u; p < sizes.PARTS; p++) {
    let e = parts[base + p * sizes.INNER] - mean;
    squares += parts[outputs * sizes.PARTS + base + p * sizes.INNER] + elements(p) * e * e;
  }
  result[at] = mean;
  result[outputs + at] = squares / f32(sizes.REDUCE);
}
