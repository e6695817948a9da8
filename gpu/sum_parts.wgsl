// out[i] = sum over p of source[p, i], in order, then the epilogue; the end of a product whose k went in parts.
//   bindings: source (PARTS, COUNT LANES), and what the epilogue reads and writes;  LANES: elements in a word, 1 or 4
//   workgroups: ceil(COUNT / 64), linear (x fastest, then y)
struct Sizes {
  COUNT: u32,
  PARTS: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
//#if LANES>1
alias Word = vec4u;
alias Value = vec4f;
//#else
alias Word = u32;
alias Value = f32;
//#end
@group(0) @binding(1) var<storage, read_write> source: array<Word>;
{{epilogue}}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let q = id.x + id.y * groups.x * 64u;
  if (q >= sizes.COUNT) {
    return;
  }
  var total = Value();
  for (var p = 0u; p < sizes.PARTS; p++) {
    total += bitcast<Value>(source[p * sizes.COUNT + q]);
  }
  finish(q, total);
}
