// y[n, oy, ox, f] = sum over ky, kx, c of x[n, oy * SH + ky * DH - TOP, ox * SW + kx * DW - LEFT, c] * w[ky, kx, c, f],
// where x is zero outside; c runs over the channels of f's group. One invocation for each element of y.
//   bindings: x (BATCH, HEIGHT, WIDTH, CHANNELS), w (KH, KW, CHANNELS / GROUPS, FILTERS), and what the epilogue reads and writes
//   HALF: both are packed halves
//   workgroups: ceil(elements of y / 64), linear (x fastest, then y)
{{conv_sizes}}
@group(0) @binding(1) var<storage, read_write> side0: array<u32>;
@group(0) @binding(2) var<storage, read_write> side1: array<u32>;
{{epilogue}}
{{elements}}
alias Total = f32;

fn tap(total: f32, pixel: u32, place: u32, f: u32, first: u32) -> f32 {
  let depth = sizes.CHANNELS / sizes.GROUPS;
  let from_x = pixel * sizes.CHANNELS + first;
  let from_w = place * depth * sizes.FILTERS + f;
  var sum = total;
  for (var c = 0u; c < depth; c++) {
    sum += element0(from_x + c) * element1(from_w + c * sizes.FILTERS);
  }
  return sum;
}

{{conv_walk}}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at < sizes.BATCH * sizes.OUT_HEIGHT * sizes.OUT_WIDTH * sizes.FILTERS) {
    finish(at, walk(at));
  }
}
