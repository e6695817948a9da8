// The same product as matmul.wgsl, for adapters that are a CPU in disguise: there workgroup memory and barriers cost
// more than they save, and long shaders take seconds to compile. Sizes, bindings, LANES, HALF as there.
//   TRANS_A: A is stored [k, m]; TRANS_B: B is stored [n, k]
//   An invocation makes 4 rows by 8 columns, KSTEP elements of k at a time: 4 where LANES is 4 and K is surely a
//   multiple of 4, else 1.
//   workgroups: linear (x fastest, then y); invocations along n fastest, then m, then batch, 64 in a workgroup
// Rows and columns beyond the edge are computed from whatever is read there, and not stored.
struct Sizes {
  M: u32,
  N: u32,
  K: u32,
  BATCH: u32,
  STRIDE0: u32,
  STRIDE1: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> side0: array<Word>;
@group(0) @binding(2) var<storage, read_write> side1: array<Word>;
{{epilogue}}
{{elements}}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let across = (sizes.N + 7u) / 8u;
  let down = (sizes.M + 3u) / 4u;
  let tile = id.x + id.y * groups.x * 64u;
  if (tile >= across * down * sizes.BATCH) {
    return;
  }
  let batch = tile / (across * down);
  let m = tile / across % down * 4u;
  let n = tile % across * 8u;
  let base_a = batch * sizes.STRIDE0;
  let base_b = batch * sizes.STRIDE1;
//#for r 4
//#for c 2
  var sum_{{r}}_{{c}} = vec4f();
//#end
//#end
  for (var k = 0u; k < sizes.K; k += {{KSTEP}}u) {
    // a[q]: four rows of A at k + q; b0[q], b1[q]: eight columns of B
//#if LANES>1
//#if TRANS_A
//#for q KSTEP
    let a_{{q}} = element0((base_a + (k + {{q}}u) * sizes.M + m) / 4u);
//#end
//#else
    let a = transpose(mat4x4f(
//#for r 4
      element0((base_a + (m + {{r}}u) * sizes.K + k) / 4u),
//#end
    ));
//#for q 4
    let a_{{q}} = a[{{q}}];
//#end
//#end
//#for c 2
//#if TRANS_B
    let b{{c}} = transpose(mat4x4f(
//#for j 4
      element1((base_b + (n + {{c}}u * 4u + {{j}}u) * sizes.K + k) / 4u),
//#end
    ));
//#for q 4
    let b{{c}}_{{q}} = b{{c}}[{{q}}];
//#end
//#else
//#for q KSTEP
    let b{{c}}_{{q}} = element1((base_b + (k + {{q}}u) * sizes.N + n) / 4u + {{c}}u);
//#end
//#end
//#end
//#else
    let a_0 = vec4f(
//#for r 4
//#if TRANS_A
      element0(base_a + k * sizes.M + m + {{r}}u),
//#else
      element0(base_a + (m + {{r}}u) * sizes.K + k),
//#end
//#end
    );
//#for c 2
    let b{{c}}_0 = vec4f(
//#for j 4
//#if TRANS_B
      element1(base_b + (n + {{c}}u * 4u + {{j}}u) * sizes.K + k),
//#else
      element1(base_b + k * sizes.N + n + {{c}}u * 4u + {{j}}u),
//#end
//#end
    );
//#end
//#end
//#for q KSTEP
//#for r 4
//#for c 2
    sum_{{r}}_{{c}} += a_{{q}}[{{r}}] * b{{c}}_{{q}};
//#end
//#end
//#end
  }

  var sums = array<vec4f, 8>(
//#for r 4
//#for c 2
    sum_{{r}}_{{c}},
//#end
//#end
  );
  for (var i = 0u; i < 8u; i++) {
    let row = m + i / 2u;
    let column = n + i % 2u * 4u;
    if (row < sizes.M && column < sizes.N) {
      let at = (batch * sizes.M + row) * sizes.N + column;
//#if LANES>1
      finish(at / 4u, sums[i]);
//#else
      for (var j = 0u; j < min(4u, sizes.N - column); j++) {
        finish(at + j, sums[i][j]);
      }
//#end
    }
  }
}
