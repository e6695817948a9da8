// result[i] = START + i * STEP in Value (f32, i32 or u32).
//   bindings: result.  workgroups: ceil(COUNT / 256), linear (x fastest, then y)
struct Sizes {
  COUNT: u32,
  START: {{Value}},
  STEP: {{Value}},
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> result: array<{{Value}}>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.COUNT) {
    result[i] = sizes.START + {{Value}}(i) * sizes.STEP;
  }
}
