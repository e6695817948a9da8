// Chains of elementwise ops, side by side: each over COUNT elements, or groups of four elements, by the invocations from
// FIRST on, which is a multiple of THREADS.
struct Sizes {
//#for c CHAINS
  FIRST{{c}}: u32,
  COUNT{{c}}: u32,
//#end
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
{{chains}}

@compute @workgroup_size({{THREADS}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * {{THREADS}}u;
//#for c CHAINS
  let q{{c}} = at - sizes.FIRST{{c}}; // a large number where it would be negative
  if (q{{c}} < sizes.COUNT{{c}}) {
    finish_{{c}}(q{{c}});
  }
//#end
}
