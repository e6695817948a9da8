//#if SUBGROUP
enable subgroups;
//#end
// Means, then variances (of the population) of source (OUTER, REDUCE, INNER) over the middle axis, float32. Where that goes in
// PARTS of PART elements: means, then sums of squared distances from them, of each part, for moments_join.wgsl.
//   bindings: source, result (2, OUTER, PARTS, INNER)
//   A workgroup takes TX neighbours of INNER, each with TY invocations (powers of two): these add up every TY-th element,
//   then halves pairwise.
//   workgroups: OUTER * PARTS * ceil(INNER / TX), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
  PART: u32,
  PARTS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const STRIDE = {{TX}}u;
const COUNT = {{TY}}u;
const THREADS = STRIDE * COUNT;
alias State = f32;

fn join(kind: u32, a: f32, b: f32) -> f32 {
  return a + b;
}

{{tree}}
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let across = (sizes.INNER + STRIDE - 1u) / STRIDE;
  let at = group.x + group.y * groups.x;
  if (at >= sizes.OUTER * sizes.PARTS * across) {
    return;
  }
  let part = at / across;
  let i = at % across * STRIDE + thread % STRIDE;
  let inside = i < sizes.INNER;
  let first = part % sizes.PARTS * sizes.PART;
  let last = select(first, min(first + sizes.PART, sizes.REDUCE), inside);
  let count = f32(min(first + sizes.PART, sizes.REDUCE) - first);
  let base = part / sizes.PARTS * sizes.REDUCE * sizes.INNER + i;
  var own = 0.0f;
  for (var r = first + thread / STRIDE; r < last; r += COUNT) {
    own += source[base + r * sizes.INNER];
  }
  let mean = tree(0u, own, thread) / count;
  own = 0.0f;
  for (var r = first + thread / STRIDE; r < last; r += COUNT) {
    let e = source[base + r * sizes.INNER] - mean;
    own += e * e;
  }
  let squares = tree(0u, own, thread);
  if (thread < STRIDE && inside) {
    result[part * sizes.INNER + i] = mean;
    let outputs = sizes.OUTER * sizes.PARTS * sizes.INNER;
    result[outputs + part * sizes.INNER + i] = select(squares, squares / count, sizes.PARTS == 1u);
  }
}
