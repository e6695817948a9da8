// One step of a recurrent network. An invocation makes a unit of an example: the product of the state before with its
// columns of the weights, and the gates. Beyond an example's length the state is held, and what is kept is 0.
//   bindings: projected (T, B, GATES * H), weights (H, GATES * H), bias, packed, then if there are any lengths, the first
//   hidden state, the first cell state (packed: see src/ops/recurrent-layout.ts)
//   GATES parts of the product, KEPT values kept; one of TANH, RELU, GRU, LSTM is 1; LENGTHS and INITIAL are 1 where they
//   are bound, at SLOT_LENGTHS, SLOT_HIDDEN and SLOT_CELL
//   TIME of the step; rows of the packed tensor: BEFORE and AFTER of the hidden states, CELLS more for the cell states
//   FIRST is 1 in the first step, which also writes the states before it
//   workgroups: ceil(B * H / 64), linear (x fastest, then y)
struct Sizes {
  BATCH: u32,
  HIDDEN: u32,
  TIME: u32,
  BEFORE: u32,
  AFTER: u32,
  CELLS: u32,
  FIRST: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> projected: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> packed: array<f32>;
//#if LENGTHS
@group(0) @binding({{SLOT_LENGTHS}}) var<storage, read_write> lengths: array<i32>;
//#end
//#if INITIAL
@group(0) @binding({{SLOT_HIDDEN}}) var<storage, read_write> hidden0: array<f32>;
//#if LSTM
@group(0) @binding({{SLOT_CELL}}) var<storage, read_write> cell0: array<f32>;
//#end
//#end

const GATES = {{GATES}}u;
const KEPT = {{KEPT}}u;

fn row(index: u32) -> u32 {
  return index * sizes.BATCH * sizes.HIDDEN;
}

// In the first step the states before are still being written.
fn hidden_before(at: u32) -> f32 {
  if (sizes.FIRST == 1u) {
//#if INITIAL
    return hidden0[at];
//#else
    return 0.0f;
//#end
  }
  return packed[row(sizes.BEFORE) + at];
}

//#if LSTM
fn cell_before(at: u32) -> f32 {
  if (sizes.FIRST == 1u) {
//#if INITIAL
    return cell0[at];
//#else
    return 0.0f;
//#end
  }
  return packed[row(sizes.BEFORE + sizes.CELLS) + at];
}
//#end

fn logistic(x: f32) -> f32 {
  return 1.0f / (1.0f + exp(-x));
}

fn hyperbolic(x: f32) -> f32 {
  return select(tanh(clamp(x, -10.0f, 10.0f)), x, x != x);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  let hidden = sizes.HIDDEN;
  if (at >= sizes.BATCH * hidden) {
    return;
  }
  let example = at / hidden;
  let unit = at % hidden;
  let before = hidden_before(at);
//#if LSTM
  let before_cell = cell_before(at);
//#end
  if (sizes.FIRST == 1u) {
    packed[row(sizes.BEFORE) + at] = before;
//#if LSTM
    packed[row(sizes.BEFORE + sizes.CELLS) + at] = before_cell;
//#end
  }
  let kept = row(sizes.TIME * KEPT) + example * KEPT * hidden + unit;
//#if LENGTHS
  if (i32(sizes.TIME) >= lengths[example]) {
    for (var k = 0u; k < KEPT; k++) {
      packed[kept + k * hidden] = 0.0f;
    }
    packed[row(sizes.AFTER) + at] = before;
//#if LSTM
    packed[row(sizes.AFTER + sizes.CELLS) + at] = before_cell;
//#end
    return;
  }
//#end
  var q: array<f32, GATES>;
  for (var k = 0u; k < hidden; k++) {
    let h = hidden_before(example * hidden + k);
    for (var g = 0u; g < GATES; g++) {
      q[g] += h * weights[(k * GATES + g) * hidden + unit];
    }
  }
  var x: array<f32, GATES>;
  for (var g = 0u; g < GATES; g++) {
    x[g] = projected[row(sizes.TIME * GATES) + (example * GATES + g) * hidden + unit] + bias[g * hidden + unit];
  }
//#if TANH
  packed[row(sizes.AFTER) + at] = hyperbolic(q[0] + x[0]);
//#end
//#if RELU
  packed[row(sizes.AFTER) + at] = max(q[0] + x[0], 0.0f);
//#end
//#if GRU
  let r = logistic(q[0] + x[0]);
  let z = logistic(q[1] + x[1]);
  let p = q[2] + bias[3u * hidden + unit];
  let n = hyperbolic(x[2] + r * p);
  packed[kept] = r;
  packed[kept + hidden] = z;
  packed[kept + 2u * hidden] = n;
  packed[kept + 3u * hidden] = p;
  packed[row(sizes.AFTER) + at] = n + z * (before - n);
//#end
//#if LSTM
  let i = logistic(q[0] + x[0]);
  let f = logistic(q[1] + x[1]);
  let g = hyperbolic(q[2] + x[2]);
  let o = logistic(q[3] + x[3]);
  let cell = f * before_cell + i * g;
  packed[kept] = i;
  packed[kept + hidden] = f;
  packed[kept + 2u * hidden] = g;
  packed[kept + 3u * hidden] = o;
  packed[row(sizes.AFTER + sizes.CELLS) + at] = cell;
  packed[row(sizes.AFTER) + at] = o * hyperbolic(cell);
//#end
}
