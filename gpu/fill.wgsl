// COUNT words of the same BITS, any dtype.
//   bindings: result.  workgroups: ceil(COUNT / 256), linear (x fastest, then y)
struct Sizes {
  COUNT: u32,
  BITS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.COUNT) {
    result[i] = sizes.BITS;
  }
}
