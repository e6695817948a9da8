// out[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], float32, then the epilogue.
//   bindings: lhs, rhs, and what the epilogue reads and writes
//   M, N, K; STRIDE_A, STRIDE_B: elements from one matrix of a batch to the next, 0 to use the same for all
//   TRANS_A: A is stored [k, m]; TRANS_B: B is stored [n, k]
//   LANES: 4 where every row of lhs, rhs and out is a multiple of four elements, else 1
//   BM, BN, BK: tile of a workgroup; TM, TN: tile of an invocation; all multiples of 4
//   workgroups: one for each tile, linear (x fastest, then y): tiles along n fastest, then m, then batch
struct Sizes {
  M: u32,
  N: u32,
  K: u32,
  BATCH: u32,
  STRIDE_A: u32,
  STRIDE_B: u32,
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
@group(0) @binding(1) var<storage, read_write> lhs: array<Word>;
@group(0) @binding(2) var<storage, read_write> rhs: array<Word>;
{{epilogue}}
const BM = {{BM}}u;
const BN = {{BN}}u;
const BK = {{BK}}u;
const ROWS = {{BM}}u / {{TM}}u; // invocations down a tile
const COLUMNS = {{BN}}u / {{TN}}u; // and across
const THREADS = ROWS * COLUMNS;

var<workgroup> tile_a: array<vec4f, BM * BK / 4u>; // (BK, BM / 4): four rows of A in a vector
var<workgroup> tile_b: array<vec4f, BN * BK / 4u>; // (BK, BN / 4): four columns of B in a vector

// Zero beyond the end of k. Rows and columns beyond the edge may hold anything, as they are not stored.
fn lhs_at(index: u32, inside: bool) -> Value {
  return select(Value(), bitcast<Value>(lhs[index]), inside);
}

fn rhs_at(index: u32, inside: bool) -> Value {
  return select(Value(), bitcast<Value>(rhs[index]), inside);
}

// Fills tile_a with A[m0 .. m0+BM, k0 .. k0+BK].
fn load_a(base: u32, m0: u32, k0: u32, thread: u32) {
//#if LANES>1
//#if TRANS_A
  for (var t = thread; t < BM * BK / 4u; t += THREADS) {
    let m = m0 + t % (BM / 4u) * 4u;
    let k = k0 + t / (BM / 4u);
    tile_a[t] = lhs_at((base + k * sizes.M + m) / 4u, k < sizes.K);
  }
//#else
  // Blocks of four rows by four k, turned on the way.
  for (var t = thread; t < BM * BK / 16u; t += THREADS) {
    let m4 = t / (BK / 4u);
    let k4 = t % (BK / 4u);
    let m = m0 + m4 * 4u;
    let k = k0 + k4 * 4u;
    let block = transpose(mat4x4f(
//#for j 4
      lhs_at((base + (m + {{j}}u) * sizes.K + k) / 4u, k < sizes.K),
//#end
    ));
//#for j 4
    tile_a[(k4 * 4u + {{j}}u) * (BM / 4u) + m4] = block[{{j}}];
//#end
  }
//#end
//#else
  for (var t = thread; t < BM * BK / 4u; t += THREADS) {
//#if TRANS_A
    let m4 = t % (BM / 4u);
    let k = t / (BM / 4u);
//#else
    let m4 = t / BK;
    let k = t % BK;
//#end
    let m = m0 + m4 * 4u;
    let inside = k0 + k < sizes.K;
    tile_a[k * (BM / 4u) + m4] = vec4f(
//#for j 4
//#if TRANS_A
      lhs_at(base + (k0 + k) * sizes.M + m + {{j}}u, inside),
//#else
      lhs_at(base + (m + {{j}}u) * sizes.K + k0 + k, inside),
//#end
//#end
    );
  }
//#end
}

// Fills tile_b with B[k0 .. k0+BK, n0 .. n0+BN].
fn load_b(base: u32, n0: u32, k0: u32, thread: u32) {
//#if LANES>1
//#if TRANS_B
  for (var t = thread; t < BN * BK / 16u; t += THREADS) {
    let n4 = t / (BK / 4u);
    let k4 = t % (BK / 4u);
    let n = n0 + n4 * 4u;
    let k = k0 + k4 * 4u;
    let block = transpose(mat4x4f(
//#for j 4
      rhs_at((base + (n + {{j}}u) * sizes.K + k) / 4u, k < sizes.K),
//#end
    ));
//#for j 4
    tile_b[(k4 * 4u + {{j}}u) * (BN / 4u) + n4] = block[{{j}}];
//#end
  }
//#else
  for (var t = thread; t < BN * BK / 4u; t += THREADS) {
    let n = n0 + t % (BN / 4u) * 4u;
    let k = k0 + t / (BN / 4u);
    tile_b[t] = rhs_at((base + k * sizes.N + n) / 4u, k < sizes.K);
  }
//#end
//#else
  for (var t = thread; t < BN * BK / 4u; t += THREADS) {
//#if TRANS_B
    let n4 = t / BK;
    let k = t % BK;
//#else
    let n4 = t % (BN / 4u);
    let k = t / (BN / 4u);
//#end
    let n = n0 + n4 * 4u;
    let inside = k0 + k < sizes.K;
    tile_b[k * (BN / 4u) + n4] = vec4f(
//#for j 4
//#if TRANS_B
      rhs_at(base + (n + {{j}}u) * sizes.K + k0 + k, inside),
//#else
      rhs_at(base + (k0 + k) * sizes.N + n + {{j}}u, inside),
//#end
//#end
    );
  }
//#end
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tiles_m = (sizes.M + BM - 1u) / BM;
  let tiles_n = (sizes.N + BN - 1u) / BN;
  let tile = group.x + group.y * groups.x;
  if (tile >= tiles_m * tiles_n * sizes.BATCH) {
    return;
  }
  let batch = tile / (tiles_m * tiles_n);
  let m0 = tile / tiles_n % tiles_m * BM;
  let n0 = tile % tiles_n * BN;
  let row = thread / COLUMNS;
  let column = thread % COLUMNS;
//#for r TM
//#for c TN/4
  var sum_{{r}}_{{c}} = vec4f();
//#end
//#end
  for (var k0 = 0u; k0 < sizes.K; k0 += BK) {
    load_a(batch * sizes.STRIDE_A, m0, k0, thread);
    load_b(batch * sizes.STRIDE_B, n0, k0, thread);
    workgroupBarrier();
    for (var k = 0u; k < BK; k++) {
//#for r TM/4
      let a{{r}} = tile_a[k * (BM / 4u) + row + {{r}}u * ROWS];
//#end
//#for c TN/4
      let b{{c}} = tile_b[k * (BN / 4u) + column + {{c}}u * COLUMNS];
//#end
//#for r TM
//#for c TN/4
      sum_{{r}}_{{c}} += a{{r/4}}[{{r%4}}] * b{{c}};
//#end
//#end
    }
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
    let m = m0 + (row + r / 4u * ROWS) * 4u + r % 4u;
    let n = n0 + (column + i / {{TM}}u * COLUMNS) * 4u;
    if (m < sizes.M && n < sizes.N) {
      let at = (batch * sizes.M + m) * sizes.N + n;
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
