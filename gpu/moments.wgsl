// Means, then variances (of the population) of source (OUTER, REDUCE, INNER) over the middle axis, float32.
//   bindings: source, result (2, OUTER, INNER)
//   A workgroup takes one (outer, inner): its invocations add up every 64th element, then halves pairwise.
//   workgroups: OUTER * INNER, linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

var<workgroup> partial: array<f32, 64>;

// The sum of all invocations' values, for all of them.
fn total(own: f32, thread: u32) -> f32 {
  partial[thread] = own;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (thread < half) {
      partial[thread] += partial[thread + half];
    }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let output = group.x + group.y * groups.x;
  let outputs = sizes.OUTER * sizes.INNER;
  let rows = select(0u, sizes.REDUCE, output < outputs);
  let base = output / sizes.INNER * sizes.REDUCE * sizes.INNER + output % sizes.INNER;
  var own = 0.0f;
  for (var r = thread; r < rows; r += 64u) {
    own += source[base + r * sizes.INNER];
  }
  let mean = total(own, thread) / f32(sizes.REDUCE);
  own = 0.0f;
  for (var r = thread; r < rows; r += 64u) {
    let e = source[base + r * sizes.INNER] - mean;
    own += e * e;
  }
  let squares = total(own, thread);
  if (thread == 0u && output < outputs) {
    result[output] = mean;
    result[outputs + output] = squares / f32(sizes.REDUCE);
  }
}
