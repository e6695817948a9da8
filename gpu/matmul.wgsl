//#if HALF>1
enable f16;
//#end
// out[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], float32, then the epilogue.
//   bindings: A, B (side 0 and 1 of the product), and what the epilogue reads and writes
//   M, N, K; STRIDE0, STRIDE1, STRIDE: elements from one matrix of a batch to the next in A, B and out, 0 to use the same
//   for all; ROW0, ROW1, ROW: from one row, as it is stored, to the next
//   PART: k goes in parts of so many, a multiple of BK, whose sums lie PART_STRIDE elements apart;  TILES: of all parts
//   ALONG0: rows of A lie side by side (it is stored [k, m]); ALONG1: columns of B do ([k, n])
//   LANES: 4 where every row of A, B and out is a multiple of four elements, else 1;  WIDTH: elements in a word
//   HALF: 1 A and B are packed halves, 2 tiles are halves, too (shader-f16); the sums are float32 all the same
//   EXTENT0, EXTENT1, BK: tile of a workgroup; TM, TN: tile of an invocation; all multiples of 4
//   UNITS0, UNITS1: pieces of a tile that an invocation loads;  DOUBLE: the next tile is loaded during the work on one
//   CONV: the operands are gathered by conv_gather.wgsl
//   workgroups: one for each tile, linear (x fastest, then y): tiles along n fastest, then m, then batch, then part
@group(0) @binding(1) var<storage, read_write> side0: array<Word>;
@group(0) @binding(2) var<storage, read_write> side1: array<Word>;
{{tiles}}
{{epilogue}}
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
{{tile_begin}}
  let row = thread / COLUMNS;
  let column = thread % COLUMNS;
//#for r TM
//#for c TN/4
  var sum_{{r}}_{{c}} = vec4f();
//#end
//#end
//#for s 2
  let base{{s}} = tile.y * sizes.STRIDE{{s}};
  let first{{s}} = tile[2 + {{s}}];
  var at{{s}} = 0u;
//#if DOUBLE
//#for u UNITS{{s}}
  put{{s}}(0u, thread + {{u}}u * THREADS, fetch{{s}}(base{{s}}, first{{s}}, start, thread + {{u}}u * THREADS));
//#end
//#end
//#end
//#if DOUBLE
  workgroupBarrier();
//#end
  for (var k0 = start; k0 < end; k0 += BK) {
//#for s 2
//#for u UNITS{{s}}
//#if DOUBLE
    var next{{s}}_{{u}} = Unit{{s}}();
    if (k0 + BK < end) {
      next{{s}}_{{u}} = fetch{{s}}(base{{s}}, first{{s}}, k0 + BK, thread + {{u}}u * THREADS);
    }
//#else
    put{{s}}(0u, thread + {{u}}u * THREADS, fetch{{s}}(base{{s}}, first{{s}}, k0, thread + {{u}}u * THREADS));
//#end
//#end
//#end
//#if DOUBLE
//#else
    workgroupBarrier();
//#end
    for (var k = 0u; k < BK; k++) {
//#for r TM/4
      let a{{r}} = vec4f(tile0[at0 + k * SPAN0 + row + {{r}}u * ROWS]);
//#end
//#for c TN/4
      let b{{c}} = vec4f(tile1[at1 + k * SPAN1 + column + {{c}}u * COLUMNS]);
//#end
//#for r TM
//#for c TN/4
      sum_{{r}}_{{c}} += a{{r/4}}[{{r%4}}] * b{{c}};
//#end
//#end
    }
//#if DOUBLE
//#for s 2
    at{{s}} = TILE{{s}} - at{{s}};
//#for u UNITS{{s}}
    put{{s}}(at{{s}}, thread + {{u}}u * THREADS, next{{s}}_{{u}});
//#end
//#end
//#end
    workgroupBarrier();
  }

  // A loop over an array, unlike above: the epilogue may be long and is better not repeated in the code.
  var sums = array<vec4f, {{TM}}u * {{TN}}u / 4u>(
//#for c TN/4
//#for r TM
    sum_{{r}}_{{c}},
//#end
//#end
  );
  for (var i = 0u; i < {{TM}}u * {{TN}}u / 4u; i++) {
    let r = i % {{TM}}u;
    let m = tile.z + (row + r / 4u * ROWS) * 4u + r % 4u;
    store(tile, m, tile.w + (column + i / {{TM}}u * COLUMNS) * 4u, sums[i]);
  }
}
