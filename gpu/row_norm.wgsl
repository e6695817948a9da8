//#if SUBGROUP
enable subgroups;
//#end
// (x - mean) r of each row of source (ROWS, COLUMNS), float32, r = 1 / sqrt(variance + EPS); CENTRED 0: with mean 0.
//   bindings: source, result
//   GRADIENT 1: source, dy, result = r (dy - mean(dy) - (x - mean) r^2 mean(dy (x - mean))), where CENTRED 0 makes mean(dy) 0
//   A workgroup takes a row: its invocations add up every 64th element, then halves pairwise.
//   workgroups: ROWS, linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  COLUMNS: u32,
  CENTRED: u32,
  EPS: f32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
//#else
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
//#end

const THREADS = 64u;
const STRIDE = 1u;
const COUNT = 64u;
alias State = f32;

fn join(kind: u32, a: f32, b: f32) -> f32 {
  return a + b;
}

{{tree}}
// The sum of all invocations' values, for all of them.
fn total(own: f32, thread: u32) -> f32 {
  return tree(0u, own, thread);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.x + group.y * groups.x;
  let columns = select(0u, sizes.COLUMNS, row < sizes.ROWS);
  let base = row * sizes.COLUMNS;
  let count = f32(sizes.COLUMNS);
  var own = 0.0f;
  for (var c = thread; c < columns; c += 64u) {
    own += source[base + c];
  }
  let mean = select(0.0f, total(own, thread) / count, sizes.CENTRED == 1u);
  own = 0.0f;
  for (var c = thread; c < columns; c += 64u) {
    let e = source[base + c] - mean;
    own += e * e;
  }
  let factor = 1.0f / sqrt(total(own, thread) / count + sizes.EPS);
//#if GRADIENT
  own = 0.0f;
  for (var c = thread; c < columns; c += 64u) {
    own += dy[base + c];
  }
  let middle = select(0.0f, total(own, thread) / count, sizes.CENTRED == 1u);
  own = 0.0f;
  for (var c = thread; c < columns; c += 64u) {
    own += dy[base + c] * (source[base + c] - mean);
  }
  let slope = factor * factor * (total(own, thread) / count);
  for (var c = thread; c < columns; c += 64u) {
    result[base + c] = (dy[base + c] - middle - (source[base + c] - mean) * slope) * factor;
  }
//#else
  for (var c = thread; c < columns; c += 64u) {
    result[base + c] = (source[base + c] - mean) * factor;
  }
//#end
}
