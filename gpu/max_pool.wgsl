// Largest pixel of each window. source (N, H, W, C), result (N, OH, OW, C), float32; NaN wins.
//   bindings: source, result;  windows as in pool_windows.wgsl
//   workgroups: ceil(N * OH * OW * C / 64), linear (x fastest, then y)
{{pool_windows}}
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

// Compares like the float as an unsigned number; shaders may assume that there are no NaNs, so they are made the largest.
fn key_of(word: u32) -> u32 {
  if ((word & 0x7fffffffu) > 0x7f800000u) {
    return 0xffffffffu;
  }
  return select(word ^ 0x80000000u, ~word, word >= 0x80000000u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= sizes.N * u32(sizes.OH * sizes.OW) * sizes.C) {
    return;
  }
  let window = window_of(at);
  var best = 0u;
  var word = 0u;
  for (var k = 0; k < sizes.KH; k++) {
    for (var l = 0; l < sizes.KW; l++) {
      let y = window.top + k * sizes.DH;
      let x = window.left + l * sizes.DW;
      if (y >= 0 && y < sizes.H && x >= 0 && x < sizes.W) {
        let own = source[pixel_at(window.n, y, x, window.c)];
        let key = key_of(own);
        if (key > best) {
          best = key;
          word = own;
        }
      }
    }
  }
  result[at] = word;
}
