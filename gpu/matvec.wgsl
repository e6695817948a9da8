//#if SUBGROUP
enable subgroups;
//#end
// A matrix times one to four vectors, the product of matmul.wgsl where M or N is so small, then the epilogue; the matrix is
// read once.
//   bindings: A, B (side 0 and 1; MATRIX says which one is no vector), and what the epilogue reads and writes
//   LENGTH: elements of a result; ROW: from one k to the next where ALONG (neighbours of l lie side by side), else of l
//   NEXT_K, NEXT_V: from one k to the next in the vectors, and from one vector to the next;  OUT_L, OUT_V: the same in out
//   VECTORS: how many;  State: f32, or a vector of so many
//   STRIDE0, STRIDE1: from one item of the batch to the next;  HALF: A and B are packed halves
//   A workgroup makes TX elements of each, every one with TY invocations (powers of two) that take every TY-th k.
//   workgroups: BATCH * ceil(LENGTH / TX), linear (x fastest, then y)
struct Sizes {
  LENGTH: u32,
  K: u32,
  BATCH: u32,
  STRIDE0: u32,
  STRIDE1: u32,
  ROW: u32,
  NEXT_K: u32,
  NEXT_V: u32,
  OUT_L: u32,
  OUT_V: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> side0: array<u32>;
@group(0) @binding(2) var<storage, read_write> side1: array<u32>;
{{epilogue}}
const TX = {{TX}}u;
const COUNT = {{TY}}u;
const THREADS = TX * COUNT;
//#if ALONG
const STRIDE = TX;
//#else
const STRIDE = 1u;
//#end
alias State = {{State}};

fn join(kind: u32, a: State, b: State) -> State {
  return a + b;
}

{{tree}}
{{elements}}
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let blocks = (sizes.LENGTH + TX - 1u) / TX;
  let block = group.x + group.y * groups.x;
  if (block >= blocks * sizes.BATCH) {
    return;
  }
  let batch = block / blocks;
//#if ALONG
  let l = block % blocks * TX + thread % TX;
  let y = thread / TX;
//#else
  let l = block % blocks * TX + thread / COUNT;
  let y = thread % COUNT;
//#end
  let from_matrix = batch * sizes.STRIDE{{MATRIX}};
  let from_vector = batch * sizes.STRIDE{{VECTOR}};
  var own = State();
  if (l < sizes.LENGTH) {
    for (var k = y; k < sizes.K; k += COUNT) {
//#if ALONG
      let m = element{{MATRIX}}(from_matrix + k * sizes.ROW + l);
//#else
      let m = element{{MATRIX}}(from_matrix + l * sizes.ROW + k);
//#end
      own += m * State(
//#for v VECTORS
        element{{VECTOR}}(from_vector + k * sizes.NEXT_K + {{v}}u * sizes.NEXT_V),
//#end
      );
    }
  }
  let sum = tree(0u, own, thread);
  if (y == 0u && l < sizes.LENGTH) {
    let at = batch * sizes.LENGTH * {{VECTORS}}u + l * sizes.OUT_L;
//#for v VECTORS
//#if VECTORS>1
    finish(at + {{v}}u * sizes.OUT_V, sum[{{v}}]);
//#else
    finish(at, sum);
//#end
//#end
  }
}
