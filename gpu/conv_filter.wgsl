// The gradient of conv.wgsl for its filter: dw[ky, kx, c, f] = sum over n, oy, ox of dy[n, oy, ox, f] *
// x[n, oy * SH + ky * DH - TOP, ox * SW + kx * DW - LEFT, c of f's group]. One invocation for each element of dw; each
// row of positions is summed on its own first, so that long sums lose less.
//   bindings: x (BATCH, HEIGHT, WIDTH, CHANNELS), dy (BATCH, OUT_HEIGHT, OUT_WIDTH, FILTERS), and what the epilogue reads and writes
//   HALF: both are packed halves
//   workgroups: ceil(elements of dw / 64), linear (x fastest, then y)
{{conv_sizes}}
@group(0) @binding(1) var<storage, read_write> side0: array<u32>;
@group(0) @binding(2) var<storage, read_write> side1: array<u32>;
{{epilogue}}
{{elements}}
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
      let row = row_under(oy, ky);
      if (row >= sizes.HEIGHT) {
        continue;
      }
      var part = 0.0;
      for (var ox = 0u; ox < sizes.OUT_WIDTH; ox++) {
        let column = column_under(ox, kx);
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
