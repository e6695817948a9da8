//#if HALF>1
enable f16;
//#end
enable subgroups;
// The product of matmul.wgsl, of the same tiles, where B alone goes through workgroup memory: the rows of A that a
// subgroup needs are in the registers of its first four invocations, and go to all of them by broadcast. Any size of
// subgroups will do (none is below 4) that COLUMNS is a multiple of; they are taken to be neighbours, as in tree.wgsl.
//   COLUMNS: invocations across a tile;  TM: rows of an invocation, side by side, the same ones for all of its subgroup
//   KSTEP: elements of k in what an invocation loads of A: LANES, or 1 where rows of A lie side by side (ALONG0);
//   LOADS0: such loads
// Vectors read from workgroup memory for one multiply-add of four: (TN / 4) / (TM TN / 4) = 1 / TM, so 1/8 with TM = TN = 8,
// where matmul.wgsl takes (TM + TN) / (TM TN) = 1/4. Against that stands one broadcast for each TN / 4 of them: a register
// of another lane is an operand like any other on Intel (register regions in the Graphics PRM), v_readlane_b32 on AMD (RDNA 3
// ISA), and as dear as workgroup memory on Nvidia (32 shuffled words a clock, CUDA Programming Guide).
@group(0) @binding(1) var<storage, read_write> side0: array<Word>;
@group(0) @binding(2) var<storage, read_write> side1: array<Word>;
{{tiles}}
{{epilogue}}
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
{{tile_begin}}
  let row = thread / COLUMNS * {{TM}}u;
  let column = thread % COLUMNS;
//#for r TM
//#for c TN/4
  var sum_{{r}}_{{c}} = vec4f();
//#end
//#end
  let base0 = tile.y * sizes.STRIDE0;
  let base1 = tile.y * sizes.STRIDE1;
//#for u UNITS1
  var next_{{u}} = fetch1(base1, tile.w, start, thread + {{u}}u * THREADS);
//#end
  for (var k0 = start; k0 < end; k0 += BK) {
//#for u UNITS1
    put1(0u, thread + {{u}}u * THREADS, next_{{u}});
//#end
    workgroupBarrier();
    // Of the next tile; zeros beyond the end, which nobody uses.
//#for u UNITS1
    next_{{u}} = fetch1(base1, tile.w, k0 + BK, thread + {{u}}u * THREADS);
//#end
    for (var k = 0u; k < BK; k += 4u * {{KSTEP}}u) {
      // Four invocations have 4 KSTEP elements of k; the others repeat them.
//#for r LOADS0
      let a{{r}} = element0(base0, tile.z, row + {{r}}u * ({{LANES}}u / {{KSTEP}}u), k0 + k + lane % 4u * {{KSTEP}}u);
//#end
//#for j 4
//#for q KSTEP
      {
//#for c TN/4
        let b{{c}} = vec4f(tile1[(k + {{j}}u * {{KSTEP}}u + {{q}}u) * SPAN1 + column + {{c}}u * COLUMNS]);
//#end
//#for r TM
//#if LANES>1
//#if ALONG0
        let s{{r}} = subgroupBroadcast(a{{r/4}}[{{r%4}}], {{j}}u);
//#else
        let s{{r}} = subgroupBroadcast(a{{r}}[{{q}}], {{j}}u);
//#end
//#else
        let s{{r}} = subgroupBroadcast(a{{r}}, {{j}}u);
//#end
//#for c TN/4
        sum_{{r}}_{{c}} += s{{r}} * b{{c}};
//#end
//#end
      }
//#end
//#end
    }
    workgroupBarrier();
  }

  var sums = array<vec4f, {{TM}}u * {{TN}}u / 4u>(
//#for c TN/4
//#for r TM
    sum_{{r}}_{{c}},
//#end
//#end
  );
  for (var i = 0u; i < {{TM}}u * {{TN}}u / 4u; i++) {
    store(tile, tile.z + row + i % {{TM}}u, tile.w + (column + i / {{TM}}u * COLUMNS) * 4u, sums[i]);
  }
}
