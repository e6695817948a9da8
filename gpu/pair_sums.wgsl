//#if SUBGROUP
enable subgroups;
//#end
// Sums of y, then sums of y (x - centre), over the middle axis of y and x (OUTER, REDUCE, INNER), float32; of each of PARTS
// of PART elements on their own.
//   bindings: y, x, centre (OUTER, INNER), result (PARTS, 2, OUTER, INNER)
//   TX, TY as in moments.wgsl.  workgroups: OUTER * PARTS * ceil(INNER / TX), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
  PART: u32,
  PARTS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> centre: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

const STRIDE = {{TX}}u;
const COUNT = {{TY}}u;
const THREADS = STRIDE * COUNT;
alias State = vec2f;

fn join(kind: u32, a: vec2f, b: vec2f) -> vec2f {
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
  let o = at / across / sizes.PARTS;
  let part = at / across % sizes.PARTS;
  let i = at % across * STRIDE + thread % STRIDE;
  let inside = i < sizes.INNER;
  let first = part * sizes.PART;
  let last = select(first, min(first + sizes.PART, sizes.REDUCE), inside);
  var own = vec2f();
  let middle = centre[o * sizes.INNER + select(0u, i, inside)];
  for (var r = first + thread / STRIDE; r < last; r += COUNT) {
    let place = (o * sizes.REDUCE + r) * sizes.INNER + i;
    own += vec2f(y[place], y[place] * (x[place] - middle));
  }
  let sums = tree(0u, own, thread);
  if (thread < STRIDE && inside) {
    let outputs = sizes.OUTER * sizes.INNER;
    result[part * 2u * outputs + o * sizes.INNER + i] = sums.x;
    result[(part * 2u + 1u) * outputs + o * sizes.INNER + i] = sums.y;
  }
}
