// Where a window of `source` has its first maximum; put into shaders of pooling that have such a buffer.
fn first_maximum(n: i32, top: i32, left: i32, c: u32) -> u32 {
  var first = true;
  var best = 0.0f;
  var place = 0u;
  for (var k = 0; k < sizes.KH; k++) {
    for (var l = 0; l < sizes.KW; l++) {
      let y = top + k * sizes.DH;
      let x = left + l * sizes.DW;
      if (y >= 0 && y < sizes.H && x >= 0 && x < sizes.W) {
        let i = pixel_at(n, y, x, c);
        if (first || source[i] > best) {
          first = false;
          best = source[i];
          place = i;
        }
      }
    }
  }
  return place;
}
