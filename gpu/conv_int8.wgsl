// result[n, oy, ox, f] = (sum over ky, kx, c of x[n, oy * SH + ky * DH - TOP, ox * SW + kx * DW - LEFT, c] *
// w[f, ky, kx, c]) * (scale_x[n] * scale_w[f]), where x is zero outside; c runs over the channels of f's group. Images
// and filters are rows of bytes, four to a word. One invocation for each element of the result.
//   bindings: x (BATCH, WORDS_X), w (FILTERS, WORDS_W), scale_x (BATCH), scale_w (FILTERS), result
//   workgroups: ceil(elements of result / 64), linear (x fastest, then y)
{{conv_sizes}}
@group(0) @binding(1) var<storage, read_write> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> w: array<i32>;
@group(0) @binding(3) var<storage, read_write> scale_x: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale_w: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn byte(word: i32, k: u32) -> i32 {
  return extractBits(word, 8u * (k & 3u), 8u);
}

alias Total = i32;

fn tap(total: i32, pixel: u32, place: u32, f: u32, first: u32) -> i32 {
  let n = pixel / (sizes.HEIGHT * sizes.WIDTH);
  let depth = sizes.CHANNELS / sizes.GROUPS;
  let from_x = pixel % (sizes.HEIGHT * sizes.WIDTH) * sizes.CHANNELS + first;
  var sum = total;
  for (var c = 0u; c < depth; c++) {
    let i = from_x + c;
    let k = place * depth + c;
    sum += byte(x[n * sizes.WORDS_X + i / 4u], i) * byte(w[f * sizes.WORDS_W + k / 4u], k);
  }
  return sum;
}

{{conv_walk}}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at < sizes.BATCH * sizes.OUT_HEIGHT * sizes.OUT_WIDTH * sizes.FILTERS) {
    let n = at / (sizes.OUT_HEIGHT * sizes.OUT_WIDTH * sizes.FILTERS);
    result[at] = f32(walk(at)) * (scale_x[n] * scale_w[at % sizes.FILTERS]);
  }
}
