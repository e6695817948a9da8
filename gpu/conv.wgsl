// y[n, oy, ox, f] = sum over ky, kx, c of x[n, oy * SH + ky * DH - TOP, ox * SW + kx * DW - LEFT, c] * w[ky, kx, c, f],
// where x is zero outside; c runs over the channels of f's group. One invocation for each element of y.
//   bindings: x (BATCH, HEIGHT, WIDTH, CHANNELS), w (KH, KW, CHANNELS / GROUPS, FILTERS), and what the epilogue reads and writes
//   HALF: both are packed halves
//   workgroups: ceil(elements of y / 64), linear (x fastest, then y)
struct Sizes {
  BATCH: u32,
  HEIGHT: u32,
  WIDTH: u32,
  CHANNELS: u32,
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
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> side0: array<u32>;
@group(0) @binding(2) var<storage, read_write> side1: array<u32>;
{{epilogue}}
//#for s 2
fn element{{s}}(index: u32) -> f32 {
//#if HALF
  return unpack2x16float(side{{s}}[index / 2u])[index % 2u];
//#else
  return bitcast<f32>(side{{s}}[index]);
//#end
}

//#end

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
  var total = 0.0;
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
      let from_x = ((n * sizes.HEIGHT + row) * sizes.WIDTH + column) * sizes.CHANNELS + first;
      let from_w = (ky * sizes.KW + kx) * depth * sizes.FILTERS + f;
      for (var c = 0u; c < depth; c++) {
        total += element0(from_x + c) * element1(from_w + c * sizes.FILTERS);
      }
    }
  }
  finish(at, total);
}
