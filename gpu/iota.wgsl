// result[i] = START + i * STEP in Value (f32, i32 or u32).
//   bindings: result.  workgroups: ceil(COUNT / 256), linear (x fastest, then y)
@group(0) @binding(0) var<storage, read_write> result: array<{{Value}}>;
override COUNT: u32;
override START: {{Value}};
override STEP: {{Value}};

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < COUNT) {
    result[i] = START + {{Value}}(i) * STEP;
  }
}
