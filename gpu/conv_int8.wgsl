// result[n, oy, ox, f] = (sum over ky, kx, c of x[n, oy * SH + ky * DH - TOP, ox * SW + kx * DW - LEFT, c] *
// w[f, ky, kx, c]) * (scale_x[n] * scale_w[f]), where x is zero outside; c runs over the channels of f's group. Images
// and filters are rows of bytes, four to a word. One invocation for each element of the result.
//   bindings: x (BATCH, WORDS_X), w (FILTERS, WORDS_W), scale_x (BATCH), scale_w (FILTERS), result
//   workgroups: ceil(elements of result / 64), linear (x fastest, then y)
struct Sizes {
  HEIGHT: u32,
  WIDTH: u32,
  CHANNELS: u32,
  BATCH: u32,
  OUT_HEIGHT: u32,
  OUT_WIDTH: u32,
  FILTERS: u32,
  KH: u32,
  KW: u32,
  SH: u32,
  SW: u32,
  TOP: u32,
  LEFT: u32,
  DH: u32,
  DW: u32,
  GROUPS: u32,
  WORDS_X: u32,
  WORDS_W: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> w: array<i32>;
@group(0) @binding(3) var<storage, read_write> scale_x: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale_w: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn byte(word: i32, k: u32) -> i32 {
  return extractBits(word, 8u * (k & 3u), 8u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.BATCH * sizes.OUT_HEIGHT * sizes.OUT_WIDTH * sizes.FILTERS) {
    return;
  }
  let f = at % sizes.FILTERS;
  let ox = at / sizes.FILTERS % sizes.OUT_WIDTH;
  let oy = at / (sizes.FILTERS * sizes.OUT_WIDTH) % sizes.OUT_HEIGHT;
  let n = at / (sizes.FILTERS * sizes.OUT_WIDTH * sizes.OUT_HEIGHT);
  let depth = sizes.CHANNELS / sizes.GROUPS;
  let first = f / (sizes.FILTERS / sizes.GROUPS) * depth;
  var total = 0;
  for (var ky = 0u; ky < sizes.KH; ky++) {
    let row = oy * sizes.SH + ky * sizes.DH - sizes.TOP; // negative ones are large unsigned numbers
    if (row >= sizes.HEIGHT) {
      continue;
    }
    for (var kx = 0u; kx < sizes.KW; kx++) {
      let column = ox * sizes.SW + kx * sizes.DW - sizes.LEFT;
      if (column >= sizes.WIDTH) {
        continue;
      }
      let from_x = (row * sizes.WIDTH + column) * sizes.CHANNELS + first;
      let from_w = (ky * sizes.KW + kx) * depth;
      for (var c = 0u; c < depth; c++) {
        let i = from_x + c;
        let k = from_w + c;
        total += byte(x[n * sizes.WORDS_X + i / 4u], i) * byte(w[f * sizes.WORDS_W + k / 4u], k);
      }
    }
  }
  result[at] = f32(total) * (scale_x[n] * scale_w[f]);
}
