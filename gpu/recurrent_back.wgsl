// One step back in time of a recurrent network, or (FINISH is 1) what remains for the first states. An invocation makes
// the gradients of a unit of an example from those of the later step and what is carried from there.
//   bindings: packed (see src/ops/recurrent-layout.ts), weights (H, GATES * H), result (T, B, PARTS * H), carried (two
//   times (B, H)), then if there are any lengths, the gradients by kept values, hidden states and cell states
//   KEPT values kept, GATES parts of the product, PARTS gradients; one of TANH, RELU, GRU, LSTM is 1; LENGTHS, DKEPT,
//   DHIDDEN and DCELL are 1 where they are bound, at SLOT_ and that name
//   TIME of the step and LATER, the one whose gradients are there; STATES: row of the packed tensor where the hidden
//   states begin, CELLS more for the cell states; BEFORE and AFTER among the states
//   FIRST is 1 where there is no later step; RESULT: row of the result for the first states
//   workgroups: ceil(B * H / 64), linear (x fastest, then y)
struct Sizes {
  BATCH: u32,
  HIDDEN: u32,
  TIME: u32,
  LATER: u32,
  STATES: u32,
  CELLS: u32,
  BEFORE: u32,
  AFTER: u32,
  FIRST: u32,
  FINISH: u32,
  RESULT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> packed: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read_write> carried: array<f32>;
//#if LENGTHS
@group(0) @binding({{SLOT_LENGTHS}}) var<storage, read_write> lengths: array<i32>;
//#end
//#if DKEPT
@group(0) @binding({{SLOT_DKEPT}}) var<storage, read_write> d_kept: array<f32>;
//#end
//#if DHIDDEN
@group(0) @binding({{SLOT_DHIDDEN}}) var<storage, read_write> d_hidden: array<f32>;
//#end
//#if DCELL
@group(0) @binding({{SLOT_DCELL}}) var<storage, read_write> d_cell: array<f32>;
//#end

const GATES = {{GATES}}u;
const KEPT = {{KEPT}}u;
const PARTS = {{PARTS}}u;

fn row(index: u32) -> u32 {
  return index * sizes.BATCH * sizes.HIDDEN;
}

fn given(at: u32) -> f32 {
//#if DKEPT
  return d_kept[at];
//#else
  return 0.0f;
//#end
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
  let plane = sizes.BATCH * hidden;

  var dh = 0.0f;
  var dc = 0.0f;
  if (sizes.FIRST == 0u) {
    let later = row(sizes.LATER * PARTS) + example * PARTS * hidden;
    for (var g = 0u; g < GATES; g++) {
//#if GRU
      let part = select(g, 3u, g == 2u);
//#else
      let part = g;
//#end
      for (var k = 0u; k < hidden; k++) {
        dh += result[later + part * hidden + k] * weights[(unit * GATES + g) * hidden + k];
      }
    }
    dh += carried[at];
//#if LSTM
    dc = carried[plane + at];
//#end
  }
//#if DHIDDEN
  dh += d_hidden[row(sizes.AFTER) + at];
//#end
//#if DCELL
  dc += d_cell[row(sizes.AFTER) + at];
//#end
  if (sizes.FINISH == 1u) {
    result[row(sizes.RESULT) + at] = dh;
//#if LSTM
    result[row(sizes.RESULT + 1u) + at] = dc;
//#end
    return;
  }
  let out = row(sizes.TIME * PARTS) + example * PARTS * hidden + unit;
//#if LENGTHS
  if (i32(sizes.TIME) >= lengths[example]) {
    for (var p = 0u; p < PARTS; p++) {
      result[out + p * hidden] = 0.0f;
    }
    carried[at] = dh;
//#if LSTM
    carried[plane + at] = dc;
//#end
    return;
  }
//#end
  let kept = row(sizes.TIME * KEPT) + example * KEPT * hidden + unit;
  let after = packed[row(sizes.STATES + sizes.AFTER) + at];
//#if TANH
  result[out] = dh * (1.0f - after * after);
  carried[at] = 0.0f;
//#end
//#if RELU
  result[out] = select(0.0f, dh, after > 0.0f);
  carried[at] = 0.0f;
//#end
//#if GRU
  let r = packed[kept];
  let z = packed[kept + hidden];
  let n = packed[kept + 2u * hidden];
  let p = packed[kept + 3u * hidden];
  let before = packed[row(sizes.STATES + sizes.BEFORE) + at];
  let dn = dh * (1.0f - z) + given(kept + 2u * hidden);
  let dz = dh * (before - n) + given(kept + hidden);
  let sum = dn * (1.0f - n * n);
  let dr = sum * p + given(kept);
  result[out] = dr * r * (1.0f - r);
  result[out + hidden] = dz * z * (1.0f - z);
  result[out + 2u * hidden] = sum;
  result[out + 3u * hidden] = sum * r + given(kept + 3u * hidden);
  carried[at] = dh * z;
//#end
//#if LSTM
  let i = packed[kept];
  let f = packed[kept + hidden];
  let g = packed[kept + 2u * hidden];
  let o = packed[kept + 3u * hidden];
  let t = hyperbolic(packed[row(sizes.STATES + sizes.CELLS + sizes.AFTER) + at]);
  let before = packed[row(sizes.STATES + sizes.CELLS + sizes.BEFORE) + at];
  dc += dh * o * (1.0f - t * t);
  let di = dc * g + given(kept);
  let df = dc * before + given(kept + hidden);
  let dg = dc * i + given(kept + 2u * hidden);
  let d_out = dh * t + given(kept + 3u * hidden);
  result[out] = di * i * (1.0f - i);
  result[out + hidden] = df * f * (1.0f - f);
  result[out + 2u * hidden] = dg * (1.0f - g * g);
  result[out + 3u * hidden] = d_out * o * (1.0f - o);
  carried[at] = 0.0f;
  carried[plane + at] = dc * f;
//#end
}
