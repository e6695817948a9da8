// out[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], float32, then the epilogue.
//   bindings: lhs, rhs, and what the epilogue reads and writes
//   M, N, K; STRIDE_A, STRIDE_B: elements from one matrix of a batch to the next, 0 to use the same for all
//   TRANS_A: A is stored [k, m]; TRANS_B: B is stored [n, k]
//   LANES: 4 where every row of lhs, rhs and out is a multiple of four elements, else 1
//   BM, BN, BK: tile of a workgroup; TM, TN: tile of an invocation; all multiples of 4
//   workgroups: one for each tile, linear (x fastest, then y): tiles along n fastest, then m, then batch
alias Word = {{Word}};
alias Value = {{Value}};
@group(0) @binding(0) var<storage, read_write> lhs: array<Word>;
@group(0) @binding(1) var<storage, read_write> rhs: array<Word>;
{{epilogue}}
override M: u32;
override N: u32;
override K: u32;
override BATCH: u32;
override STRIDE_A: u32;
override STRIDE_B: u32;

const BM = {{BM}}u;
const BN = {{BN}}u;
const BK = {{BK}}u;
const ROWS = {{BM}}u / {{TM}}u; // invocations down a tile
const COLUMNS = {{BN}}u / {{TN}}u; // and across
const THREADS = ROWS * COLUMNS;
const BLOCKS_A = BM * BK / 16u; // tiles are loaded in blocks of 4 x 4
const BLOCKS_B = BN * BK / 16u;

var<workgroup> tile_a: array<vec4f, BM * BK / 4u>; // (BK, BM), transposed: four rows of A in a vector
var<workgroup> tile_b: array<vec4f, BN * BK / 4u>; // (BK, BN)

fn lhs_at(index: u32, inside: bool) -> Value {
  if (inside) {
    return bitcast<Value>(lhs[index]);
  }
  return Value();
}

fn rhs_at(index: u32, inside: bool) -> Value {
  if (inside) {
    return bitcast<Value>(rhs[index]);
  }
  return Value();
}

// Column j of the result: A[m .. m+3, k+j].
fn block_a(base: u32, m: u32, k: u32) -> mat4x4f {
//#if VECTOR
//#if TRANS_A
  return mat4x4f(
//#for j 4
    lhs_at((base + (k + {{j}}u) * M + m) / 4u, m < M && k + {{j}}u < K),
//#end
  );
//#else
  return transpose(mat4x4f(
//#for j 4
    lhs_at((base + (m + {{j}}u) * K + k) / 4u, m + {{j}}u < M && k < K),
//#end
  ));
//#end
//#else
  return mat4x4f(
//#for j 4
//#for i 4
//#if TRANS_A
    lhs_at(base + (k + {{j}}u) * M + m + {{i}}u, m + {{i}}u < M && k + {{j}}u < K),
//#else
    lhs_at(base + (m + {{i}}u) * K + k + {{j}}u, m + {{i}}u < M && k + {{j}}u < K),
//#end
//#end
//#end
  );
//#end
}

// Column j of the result: B[k+j, n .. n+3].
fn block_b(base: u32, n: u32, k: u32) -> mat4x4f {
//#if VECTOR
//#if TRANS_B
  return transpose(mat4x4f(
//#for j 4
    rhs_at((base + (n + {{j}}u) * K + k) / 4u, n + {{j}}u < N && k < K),
//#end
  ));
//#else
  return mat4x4f(
//#for j 4
    rhs_at((base + (k + {{j}}u) * N + n) / 4u, n < N && k + {{j}}u < K),
//#end
  );
//#end
//#else
  return mat4x4f(
//#for j 4
//#for i 4
//#if TRANS_B
    rhs_at(base + (n + {{i}}u) * K + k + {{j}}u, n + {{i}}u < N && k + {{j}}u < K),
//#else
    rhs_at(base + (k + {{j}}u) * N + n + {{i}}u, n + {{i}}u < N && k + {{j}}u < K),
//#end
//#end
//#end
  );
//#end
}

fn put(batch: u32, row: u32, column: u32, value: vec4f) {
  if (row >= M || column >= N) {
    return;
  }
  let index = (batch * M + row) * N + column;
//#if VECTOR
  finish(index / 4u, value);
//#else
  for (var i = 0u; i < min(4u, N - column); i++) {
    finish(index + i, value[i]);
  }
//#end
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let tiles_m = (M + BM - 1u) / BM;
  let tiles_n = (N + BN - 1u) / BN;
  let tile = group.x + group.y * groups.x;
  if (tile >= tiles_m * tiles_n * BATCH) {
    return;
  }
  let batch = tile / (tiles_m * tiles_n);
  let m0 = tile / tiles_n % tiles_m * BM;
  let n0 = tile % tiles_n * BN;
  let base_a = batch * STRIDE_A;
  let base_b = batch * STRIDE_B;
  let row = thread / COLUMNS;
  let column = thread % COLUMNS;
//#for r TM
//#for c TN4
  var sum_{{r}}_{{c}} = vec4f();
//#end
//#end
  for (var k0 = 0u; k0 < K; k0 += BK) {
    for (var t = thread; t < BLOCKS_A + BLOCKS_B; t += THREADS) {
      if (t < BLOCKS_A) {
//#if TRANS_A
        let m4 = t % (BM / 4u);
        let k = t / (BM / 4u) * 4u;
//#else
        let m4 = t / (BK / 4u);
        let k = t % (BK / 4u) * 4u;
//#end
        let block = block_a(base_a, m0 + m4 * 4u, k0 + k);
//#for j 4
        tile_a[(k + {{j}}u) * (BM / 4u) + m4] = block[{{j}}];
//#end
      } else {
        let s = t - BLOCKS_A;
//#if TRANS_B
        let n4 = s / (BK / 4u);
        let k = s % (BK / 4u) * 4u;
//#else
        let n4 = s % (BN / 4u);
        let k = s / (BN / 4u) * 4u;
//#end
        let block = block_b(base_b, n0 + n4 * 4u, k0 + k);
//#for j 4
        tile_b[(k + {{j}}u) * (BN / 4u) + n4] = block[{{j}}];
//#end
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < BK; k++) {
//#for r TM4
      let a{{r}} = tile_a[k * (BM / 4u) + row + {{r}}u * ROWS];
//#end
//#for c TN4
      let b{{c}} = tile_b[k * (BN / 4u) + column + {{c}}u * COLUMNS];
//#end
//#for r TM
//#for c TN4
      sum_{{r}}_{{c}} += a{{r/4}}[{{r%4}}] * b{{c}};
//#end
//#end
    }
    workgroupBarrier();
  }
//#for r TM
//#for c TN4
  put(batch, m0 + (row + {{r/4}}u * ROWS) * 4u + {{r%4}}u, n0 + (column + {{c}}u * COLUMNS) * 4u, sum_{{r}}_{{c}});
//#end
//#end
}
