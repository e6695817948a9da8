// Chains of elementwise ops over many tensors at once: the updates of all parameters above all. Tensors are found by a table,
// and each buffer is bound once, as a whole, in groups of four words.
//   TENSORS rows of the table, of WIDTH words: the first workgroup of the chain, how many groups of four elements it has, which
//   part of the code computes it, then where each of its operands starts, in groups of four words
//   workgroups: one for each 256 groups of four of a chain, linear (x fastest, then y)
@group(0) @binding(1) var<storage, read_write> table: array<u32>;
//#for b buffers
@group(0) @binding({{b.binding}}) var<storage, read_write> {{b.name}}: array<vec4u>;
//#end

{{chains}}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = id.x + id.y * groups.x;
  // The last row that starts at this workgroup or before it.
  var row = 0u;
  var above = {{TENSORS}}u;
  while (above - row > 1u) {
    let middle = (row + above) / 2u;
    if (table[middle * {{WIDTH}}u] <= group) {
      row = middle;
    } else {
      above = middle;
    }
  }
  row *= {{WIDTH}}u;
  let q = (group - table[row]) * 256u + thread;
  if (q >= table[row + 1u]) {
    return;
  }
  switch table[row + 2u] {
//#for f FAMILIES
    case {{f}}u: {
      part_{{f}}(q, row + 3u);
    }
//#end
    default: {
    }
  }
}
