// result[TO_OFFSET + sum of index * TO] = source[FROM_OFFSET + sum of index * FROM] over RANK axes, any dtype (words).
//   bindings: source, result;  SIZEd, TOd, FROMd: size and strides (may be negative or 0) of axis d, innermost first
//   COUNT: product of the sizes.  workgroups: ceil(COUNT / 256), linear (x fastest, then y)
struct Sizes {
  COUNT: u32,
  TO_OFFSET: i32,
  FROM_OFFSET: i32,
//#for d RANK
  SIZE{{d}}: u32,
  TO{{d}}: i32,
  FROM{{d}}: i32,
//#end
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var rest = id.x + id.y * groups.x * 256u;
  if (rest >= sizes.COUNT) {
    return;
  }
  var to = sizes.TO_OFFSET;
  var from_index = sizes.FROM_OFFSET;
//#for d RANK
  let index{{d}} = i32(rest % sizes.SIZE{{d}});
  rest /= sizes.SIZE{{d}};
  to += index{{d}} * sizes.TO{{d}};
  from_index += index{{d}} * sizes.FROM{{d}};
//#end
  result[to] = source[from_index];
}
