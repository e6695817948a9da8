// Running sums of source (OUTER, SIZE, INNER) along SIZE in blocks of BLOCK, one for a workgroup, in a fixed order: each
// invocation sums its neighbours, the sums of invocations are added in steps of doubling width (Hillis and Steele, "Data
// parallel algorithms", 1986).
//   bindings: source, carry (OUTER, BLOCKS, INNER), and if WRITES result
//   WRITES: 0 leaves the sum of each block in carry, 1 takes from there what comes before each block, 2 there is one block
//   Value: f32 or i32;  REVERSE: from the end;  EXCLUSIVE: without the element itself
//   workgroups: OUTER * BLOCKS * INNER, linear (x fastest, then y)
alias Value = {{Value}};
struct Sizes {
  OUTER: u32,
  SIZE: u32,
  INNER: u32,
  BLOCKS: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<Value>;
//#if WRITES>1
@group(0) @binding(2) var<storage, read_write> result: array<Value>;
//#else
@group(0) @binding(2) var<storage, read_write> carry: array<Value>;
//#if WRITES
@group(0) @binding(3) var<storage, read_write> result: array<Value>;
//#end
//#end

const REVERSE = {{REVERSE}}u;
const EXCLUSIVE = {{EXCLUSIVE}}u;
const THREADS = 64u;
const EACH = 8u;
const BLOCK = THREADS * EACH;

var<workgroup> values: array<Value, BLOCK>;
var<workgroup> sums: array<Value, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let at = group.x + group.y * groups.x;
  if (at >= sizes.OUTER * sizes.BLOCKS * sizes.INNER) {
    return;
  }
  let i = at % sizes.INNER;
  let first = at / sizes.INNER % sizes.BLOCKS * BLOCK;
  let o = at / (sizes.INNER * sizes.BLOCKS);
  for (var t = thread; t < BLOCK; t += THREADS) {
    let n = first + t;
    let inside = n < sizes.SIZE;
    let place = select(n, sizes.SIZE - 1u - n, REVERSE == 1u);
    values[t] = select(Value(0), source[(o * sizes.SIZE + select(0u, place, inside)) * sizes.INNER + i], inside);
  }
  workgroupBarrier();
  var own = Value(0);
  for (var t = 0u; t < EACH; t++) {
    own += values[thread * EACH + t];
  }
  sums[thread] = own;
  workgroupBarrier();
  for (var width = 1u; width < THREADS; width *= 2u) {
    var before = Value(0);
    if (thread >= width) {
      before = sums[thread - width];
    }
    workgroupBarrier();
    sums[thread] += before;
    workgroupBarrier();
  }
//#if WRITES
  var sum = Value(0);
  if (thread > 0u) {
    sum = sums[thread - 1u];
  }
//#if WRITES>1
//#else
  sum += carry[at];
//#end
  for (var t = 0u; t < EACH; t++) {
    let next = sum + values[thread * EACH + t];
    values[thread * EACH + t] = select(next, sum, EXCLUSIVE == 1u);
    sum = next;
  }
  workgroupBarrier();
  for (var t = thread; t < BLOCK; t += THREADS) {
    let n = first + t;
    if (n < sizes.SIZE) {
      result[(o * sizes.SIZE + select(n, sizes.SIZE - 1u - n, REVERSE == 1u)) * sizes.INNER + i] = values[t];
    }
  }
//#else
  if (thread == THREADS - 1u) {
    carry[at] = sums[thread];
  }
//#end
}
