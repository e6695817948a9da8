// One step of argsort_block.wgsl's network between places that lie APART, in different blocks.
//   bindings: pairs (ROWS, 2, P), from PAIRS on;  STAGE: runs of so many places get sorted
//   workgroups: ceil(ROWS * P / 2 / 256), linear (x fastest, then y)
struct Sizes {
  ROWS: u32,
  P: u32,
  PAIRS: u32,
  STAGE: u32,
  APART: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> pairs: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 256u;
  let half = sizes.P / 2u;
  if (at >= sizes.ROWS * half) {
    return;
  }
  let t = at % half;
  let place = t / sizes.APART * sizes.APART * 2u + t % sizes.APART;
  let low = sizes.PAIRS + at / half * 2u * sizes.P + place;
  let high = low + sizes.APART;
  let key_low = pairs[low];
  let key_high = pairs[high];
  let place_low = pairs[low + sizes.P];
  let place_high = pairs[high + sizes.P];
  let after = key_low > key_high || (key_low == key_high && place_low > place_high);
  if (after == ((place & sizes.STAGE) == 0u)) {
    pairs[low] = key_high;
    pairs[high] = key_low;
    pairs[low + sizes.P] = place_high;
    pairs[high + sizes.P] = place_low;
  }
}
