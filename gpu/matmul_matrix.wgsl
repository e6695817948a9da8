//#if HALF>1
enable f16;
//#end
enable subgroups;
enable chromium_experimental_subgroup_matrix;
//#if SIZED
enable subgroup_size_control;
//#end
diagnostic(off, chromium.subgroup_matrix_uniformity);
// The product of matmul.wgsl, of the same tiles, by the matrix units of matrix_units.wgsl. What has to be the same for a
// subgroup is, but the compiler, which follows workgroups alone, does not see it; hence the diagnostic.
//   SIDES: subgroups across a tile;  DOWN, ACROSS: products of the units that a subgroup makes, (UM, UN) each
//   SIZED: the size of subgroups is not the same for all shaders of the adapter, and is SIZE in this one
// Sums are float32, in the order in which the units add.
@group(0) @binding(1) var<storage, read_write> side0: array<Word>;
@group(0) @binding(2) var<storage, read_write> side1: array<Word>;
{{tiles}}
{{epilogue}}
const PRODUCT = {{UM}}u * {{UN}}u / 4u;
// (subgroups, UM, UN / 4): products on their way to the epilogue.
var<workgroup> products: array<vec4f, PRODUCT * {{SUBGROUPS}}u>;

{{matrix_units}}
@compute @workgroup_size(THREADS)
//#if SIZED
@subgroup_size({{SIZE}})
//#end
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
{{tile_begin}}
  let row = subgroup / {{SIDES}}u * ({{DOWN}}u * {{UM}}u);
  let column = subgroup % {{SIDES}}u * ({{ACROSS}}u * {{UN}}u);
//#for r DOWN
//#for c ACROSS
  var sum_{{r}}_{{c}} = Product();
//#end
//#end
//#for s 2
  let base{{s}} = tile.y * sizes.STRIDE{{s}};
  let first{{s}} = tile[2 + {{s}}];
//#for u UNITS{{s}}
  var next{{s}}_{{u}} = fetch{{s}}(base{{s}}, first{{s}}, start, thread + {{u}}u * THREADS);
//#end
//#end
  for (var k0 = start; k0 < end; k0 += BK) {
//#for s 2
//#for u UNITS{{s}}
    put{{s}}(0u, thread + {{u}}u * THREADS, next{{s}}_{{u}});
//#end
//#end
    workgroupBarrier();
    // Of the next tile; zeros beyond the end, which nobody uses.
//#for s 2
//#for u UNITS{{s}}
    next{{s}}_{{u}} = fetch{{s}}(base{{s}}, first{{s}}, k0 + BK, thread + {{u}}u * THREADS);
//#end
//#end
    for (var k = 0u; k < BK; k += {{UK}}u) {
//#for r DOWN
      let left{{r}} = load_left(k * SPAN0 + (row + {{r}}u * {{UM}}u) / 4u);
//#end
//#for c ACROSS
      let right{{c}} = load_right(k * SPAN1 + (column + {{c}}u * {{UN}}u) / 4u);
//#for r DOWN
      sum_{{r}}_{{c}} = multiply(left{{r}}, right{{c}}, sum_{{r}}_{{c}});
//#end
//#end
    }
    workgroupBarrier();
  }

//#for r DOWN
//#for c ACROSS
  put_product(subgroup * PRODUCT, sum_{{r}}_{{c}});
  workgroupBarrier();
  for (var i = lane; i < PRODUCT; i += {{SIZE}}u) {
    let m = tile.z + row + {{r}}u * {{UM}}u + i / ({{UN}}u / 4u);
    let n = tile.w + column + {{c}}u * {{UN}}u + i % ({{UN}}u / 4u) * 4u;
    store(tile, m, n, products[subgroup * PRODUCT + i]);
  }
  workgroupBarrier();
//#end
//#end
}
