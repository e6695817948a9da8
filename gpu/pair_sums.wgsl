// Sums of y, then sums of y (x - centre), over the middle axis of y and x (OUTER, REDUCE, INNER), float32.
//   bindings: y, x, centre (OUTER, INNER), result (2, OUTER, INNER)
//   A workgroup takes one (outer, inner): its invocations add up every 64th element, then halves pairwise.
//   workgroups: OUTER * INNER, linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> centre: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

var<workgroup> partial: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let output = group.x + group.y * groups.x;
  let outputs = sizes.OUTER * sizes.INNER;
  var own = vec2f(0.0f, 0.0f);
  if (output < outputs) {
    let base = output / sizes.INNER * sizes.REDUCE * sizes.INNER + output % sizes.INNER;
    let middle = centre[output];
    for (var r = thread; r < sizes.REDUCE; r += 64u) {
      let at = base + r * sizes.INNER;
      own += vec2f(y[at], y[at] * (x[at] - middle));
    }
  }
  partial[thread] = own;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (thread < half) {
      partial[thread] += partial[thread + half];
    }
    workgroupBarrier();
  }
  if (thread == 0u && output < outputs) {
    result[output] = partial[0].x;
    result[outputs + output] = partial[0].y;
  }
}
