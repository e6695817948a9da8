//#if SUBGROUP
enable subgroups;
//#end
// Cross-entropy of each row of source (ROWS, COLUMNS), float32, with its label: log(sum(exp(row))) - row[label].
//   bindings: source, labels (int32), result (ROWS)
//   GRADIENT 1: source, labels, dy (ROWS), result (ROWS, COLUMNS) = dy (softmax(row) - 1 at the label)
//   A label outside of the columns gives NaN. A workgroup takes RY rows, each with LX invocations (powers of two).
//   workgroups: ceil(ROWS / RY), linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  COLUMNS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<u32>;
//#if GRADIENT
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<u32>;
//#else
@group(0) @binding(3) var<storage, read_write> result: array<u32>;
//#end

const LX = {{LX}}u;
const RY = {{RY}}u;
const NOTHING = 0x7fc00000u; // NaN

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
  let inside = row < sizes.ROWS;
  let columns = select(0u, sizes.COLUMNS, inside);
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

  if (!inside) {
    return;
  }
  let label = labels[row]; // negative ones are large unsigned numbers
  let there = label < sizes.COLUMNS;
//#if GRADIENT
  let scale = dy[row] / sum;
  for (var c = x; c < columns; c += LX) {
    let value = exp(source[base + c] - largest) * scale - select(0.0f, dy[row], c == label);
    result[base + c] = select(NOTHING, bitcast<u32>(value), there);
  }
//#else
  if (x == 0u) {
    let value = log(sum) - (source[base + min(label, sizes.COLUMNS - 1u)] - largest);
    result[row] = select(NOTHING, bitcast<u32>(value), there);
  }
//#end
}
