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
struct Sizes {
  M: u32,
  N: u32,
  K: u32,
  BATCH: u32,
  STRIDE0: u32,
  STRIDE1: u32,
  STRIDE: u32,
  ROW0: u32,
  ROW1: u32,
  ROW: u32,
  PART: u32,
  PART_STRIDE: u32,
  TILES: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
alias Word = {{Word}};
//#if LANES>1
alias Value = vec4f;
//#else
alias Value = f32;
//#end
//#if HALF>1
alias Cell = vec4<f16>;
//#else
alias Cell = vec4f;
//#end
@group(0) @binding(1) var<storage, read_write> side0: array<Word>;
@group(0) @binding(2) var<storage, read_write> side1: array<Word>;
{{epilogue}}
const BK = {{BK}}u;
const ROWS = {{EXTENT0}}u / {{TM}}u; // invocations down a tile
const COLUMNS = {{EXTENT1}}u / {{TN}}u; // and across
const THREADS = ROWS * COLUMNS;

fn decode(word: Word, index: u32) -> Value {
//#if HALF
//#if LANES>1
  return vec4f(unpack2x16float(word.x), unpack2x16float(word.y));
//#else
  return unpack2x16float(word)[index % 2u];
//#end
//#else
  return bitcast<Value>(word);
//#end
}

//#for s 2
const EXTENT{{s}} = {{EXTENT{{s}}}}u;
// (BK, EXTENT / 4): four rows of A, or columns of B, in a vector. Twice where the tiles take turns.
const TILE{{s}} = EXTENT{{s}} * BK / 4u;
var<workgroup> tile{{s}}: array<Cell, TILE{{s}} * {{BUFFERS}}u>;

// Zero beyond the end of k. Rows and columns beyond the edge may hold anything, as they are not stored.
fn load{{s}}(index: u32, inside: bool) -> Value {
  return select(Value(), decode(side{{s}}[index / {{WIDTH}}u], index), inside);
}

//#if CONV
//#else
// Element (first + r, k); with LANES 4 it and the next three, as they are stored.
fn element{{s}}(base: u32, first: u32, r: u32, k: u32) -> Value {
//#if ALONG{{s}}
  return load{{s}}(base + k * sizes.ROW{{s}} + first + r, k < sizes.K);
//#else
  return load{{s}}(base + (first + r) * sizes.ROW{{s}} + k, k < sizes.K);
//#end
}

//#end
//#if TURN{{s}}
// Blocks of four rows by four k, turned on the way.
alias Unit{{s}} = mat4x4f;
const PIECES{{s}} = TILE{{s}} / 4u;
//#else
alias Unit{{s}} = vec4f;
const PIECES{{s}} = TILE{{s}};
//#end

fn fetch{{s}}(base: u32, first: u32, k0: u32, t: u32) -> Unit{{s}} {
  if (t >= PIECES{{s}}) {
    return Unit{{s}}();
  }
//#if TURN{{s}}
  return transpose(mat4x4f(
//#for j 4
    element{{s}}(base, first, t / (BK / 4u) * 4u + {{j}}u, k0 + t % (BK / 4u) * 4u),
//#end
  ));
//#else
//#if ALONG{{s}}
  let r = t % (EXTENT{{s}} / 4u) * 4u;
  let k = k0 + t / (EXTENT{{s}} / 4u);
//#else
  let r = t / BK * 4u;
  let k = k0 + t % BK;
//#end
//#if LANES>1
  return element{{s}}(base, first, r, k);
//#else
  return vec4f(
//#for j 4
    element{{s}}(base, first, r + {{j}}u, k),
//#end
  );
//#end
//#end
}

fn put{{s}}(at: u32, t: u32, unit: Unit{{s}}) {
  if (t >= PIECES{{s}}) {
    return;
  }
//#if TURN{{s}}
  let place = at + t % (BK / 4u) * EXTENT{{s}} + t / (BK / 4u);
//#for j 4
  tile{{s}}[place + {{j}}u * (EXTENT{{s}} / 4u)] = Cell(unit[{{j}}]);
//#end
//#else
//#if ALONG{{s}}
  tile{{s}}[at + t] = Cell(unit);
//#else
  tile{{s}}[at + t % BK * (EXTENT{{s}} / 4u) + t / BK] = Cell(unit);
//#end
//#end
}
//#end

//#if CONV
{{gather}}
//#end
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tiles_m = (sizes.M + EXTENT0 - 1u) / EXTENT0;
  let tiles_n = (sizes.N + EXTENT1 - 1u) / EXTENT1;
  let tile = group.x + group.y * groups.x;
  if (tile >= sizes.TILES) {
    return;
  }
  let matrix = tile / (tiles_m * tiles_n);
  let part = matrix / sizes.BATCH;
  let batch = matrix % sizes.BATCH;
  let first0 = tile / tiles_n % tiles_m * EXTENT0;
  let first1 = tile % tiles_n * EXTENT1;
  let row = thread / COLUMNS;
  let column = thread % COLUMNS;
  let end = min(sizes.K, (part + 1u) * sizes.PART);
//#if CONV
  prepare(first0, thread);
  workgroupBarrier();
//#end
//#for r TM
//#for c TN/4
  var sum_{{r}}_{{c}} = vec4f();
//#end
//#end
//#for s 2
  let base{{s}} = batch * sizes.STRIDE{{s}};
//#if DOUBLE
  var at{{s}} = 0u;
//#for u UNITS{{s}}
  put{{s}}(0u, thread + {{u}}u * THREADS, fetch{{s}}(base{{s}}, first{{s}}, part * sizes.PART, thread + {{u}}u * THREADS));
//#end
//#else
  const at{{s}} = 0u;
//#end
//#end
//#if DOUBLE
  workgroupBarrier();
//#end
  for (var k0 = part * sizes.PART; k0 < end; k0 += BK) {
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
      let a{{r}} = vec4f(tile0[at0 + k * (EXTENT0 / 4u) + row + {{r}}u * ROWS]);
//#end
//#for c TN/4
      let b{{c}} = vec4f(tile1[at1 + k * (EXTENT1 / 4u) + column + {{c}}u * COLUMNS]);
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
    let m = first0 + (row + r / 4u * ROWS) * 4u + r % 4u;
    let n = first1 + (column + i / {{TM}}u * COLUMNS) * 4u;
    if (m < sizes.M && n < sizes.N) {
      let at = part * sizes.PART_STRIDE + batch * sizes.STRIDE + m * sizes.ROW + n;
//#if LANES>1
      finish(at / 4u, sums[i]);
//#else
      for (var j = 0u; j < min(4u, sizes.N - n); j++) {
        finish(at + j, sums[i][j]);
      }
//#end
    }
  }
}
