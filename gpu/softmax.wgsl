//#if SUBGROUP
enable subgroups;
//#end
// Softmax, or its logarithm, of each row of source (ROWS, COLUMNS), float32.
//   bindings: source, out;  LOG: 1 for the logarithm
//   A workgroup takes RY rows, each with LX invocations (powers of two).
//   workgroups: ceil(ROWS / RY), linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  COLUMNS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const LX = {{LX}}u;
const RY = {{RY}}u;
const LOG = {{LOG}}u;

const THREADS = LX * RY;
const STRIDE = 1u;
const COUNT = LX;
alias State = f32;

// The largest for kind 0, else the sum.
fn join(kind: u32, a: f32, b: f32) -> f32 {
  if (kind == 0u) {
    return max(a, b);
  }
  return a + b;
}

{{tree}}

@compute @workgroup_size(LX * RY)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = (group.x + group.y * groups.x) * RY + thread / LX;
  let x = thread % LX;
  let columns = select(0u, sizes.COLUMNS, row < sizes.ROWS);
  let base = row * sizes.COLUMNS;

  var largest = -3.4028234e38f;
  for (var c = x; c < columns; c += LX) {
    largest = max(largest, source[base + c]);
  }
  largest = tree(0u, largest, thread);

  var sum = 0.0f;
  for (var c = x; c < columns; c += LX) {
    sum += exp(source[base + c] - largest);
  }
  sum = tree(1u, sum, thread);

  let log_sum = log(sum);
  for (var c = x; c < columns; c += LX) {
    let shifted = source[base + c] - largest;
    result[base + c] = select(exp(shifted) / sum, shifted - log_sum, LOG == 1u);
  }
}
