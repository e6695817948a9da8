// The gradient of conv.wgsl for its input: dx[n, y, x, c] = sum of dy[n, oy, ox, f] * w[ky, kx, c, f] over all ky, kx, f
// and the oy, ox with oy * SH + ky * DH - TOP = y and ox * SW + kx * DW - LEFT = x. One invocation for each element of dx.
//   bindings: dy (BATCH, OUT_HEIGHT, OUT_WIDTH, FILTERS), w (KH, KW, CHANNELS / GROUPS, FILTERS), and what the epilogue reads and writes
//   HALF: both are packed halves
//   workgroups: ceil(elements of dx / 64), linear (x fastest, then y)
{{conv_sizes}}
@group(0) @binding(1) var<storage, read_write> side0: array<u32>;
@group(0) @binding(2) var<storage, read_write> side1: array<u32>;
{{epilogue}}
{{elements}}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.BATCH * sizes.HEIGHT * sizes.WIDTH * sizes.CHANNELS) {
    return;
  }
  let c = at % sizes.CHANNELS;
  let column = at / sizes.CHANNELS % sizes.WIDTH;
  let row = at / (sizes.CHANNELS * sizes.WIDTH) % sizes.HEIGHT;
  let n = at / (sizes.CHANNELS * sizes.WIDTH * sizes.HEIGHT);
  let depth = sizes.CHANNELS / sizes.GROUPS;
  let count = sizes.FILTERS / sizes.GROUPS;
  let first = c / depth * count;
  var total = 0.0;
  for (var ky = 0u; ky < sizes.KH; ky++) {
    // Where the filter starts, counted from the first zero of the padding.
    let down = row + sizes.TOP - ky * sizes.DH;
    if (row + sizes.TOP < ky * sizes.DH || down % sizes.SH != 0u || down / sizes.SH >= sizes.OUT_HEIGHT) {
      continue;
    }
    for (var kx = 0u; kx < sizes.KW; kx++) {
      let across = column + sizes.LEFT - kx * sizes.DW;
      if (column + sizes.LEFT < kx * sizes.DW || across % sizes.SW != 0u || across / sizes.SW >= sizes.OUT_WIDTH) {
        continue;
      }
      let place = (n * sizes.OUT_HEIGHT + down / sizes.SH) * sizes.OUT_WIDTH + across / sizes.SW;
      let from_w = ((ky * sizes.KW + kx) * depth + c % depth) * sizes.FILTERS + first;
      for (var f = 0u; f < count; f++) {
        total += element0(place * sizes.FILTERS + first + f) * element1(from_w + f);
      }
    }
  }
  finish(at, total);
}
