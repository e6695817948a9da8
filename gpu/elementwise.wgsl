// A chain of elementwise ops over COUNT elements, or groups of four elements; one invocation each.
struct Sizes {
  COUNT: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
{{chain}}

@compute @workgroup_size({{THREADS}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let q = id.x + id.y * groups.x * {{THREADS}}u;
  if (q < sizes.COUNT) {
    finish(q);
  }
}
