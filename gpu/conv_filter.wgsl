// The gradient of conv.wgsl for its filter: dw[ky, kx, c, f] = sum over n, oy, ox of dy[n, oy, ox, f] *
// x[n, oy * SH + ky * DH - TOP, ox * SW + kx * DW - LEFT, c of f's group]. One invocation for each element of dw; each
// row of positions is summed on its own first, so that long sums lose less.
//   bindings: x (BATCH, HEIGHT, WIDTH, CHANNELS), dy (BATCH, OUT_HEIGHT, OUT_WIDTH, FILTERS), and what the epilogue reads and writes
//   HALF: both are packed halves
//   workgroups: ceil(elements of dw / 64), linear (x fastest, then y)
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
  let depth = sizes.CHANNELS / sizes.GROUPS;
  if (at >= sizes.KH * sizes.KW * depth * sizes.FILTERS) {
    return;
  }
  let f = at % sizes.FILTERS;
  let c = at / sizes.FILTERS % depth + f / (sizes.FILTERS / sizes.GROUPS) * depth;
  let kx = at / (sizes.FILTERS * depth) % sizes.KW;
  let ky = at / (sizes.FILTERS * depth * sizes.KW);
  var total = 0.0;
  for (var n = 0u; n < sizes.BATCH; n++) {
    for (var oy = 0u; oy < sizes.OUT_HEIGHT; oy++) {
      let row = oy * sizes.SH + ky * sizes.DH - sizes.TOP; // negative ones are large unsigned numbers
      if (row >= sizes.HEIGHT) {
        continue;
      }
      var part = 0.0;
      for (var ox = 0u; ox < sizes.OUT_WIDTH; ox++) {
        let column = ox * sizes.SW + kx * sizes.DW - sizes.LEFT;
        if (column < sizes.WIDTH) {
          let from_x = ((n * sizes.HEIGHT + row) * sizes.WIDTH + column) * sizes.CHANNELS + c;
          let from_dy = ((n * sizes.OUT_HEIGHT + oy) * sizes.OUT_WIDTH + ox) * sizes.FILTERS + f;
          part += element0(from_x) * element1(from_dy);
        }
      }
      total += part;
    }
  }
  finish(at, total);
}
