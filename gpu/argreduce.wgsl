//#if SUBGROUP
enable subgroups;
//#end
// out[o, i] = the first r where source[o, r, i] is largest (KIND 2) or smallest (KIND 3), as int32. NaN wins.
//   bindings: source (by the prologue, if there is one), and what prologue and epilogue read and write;  TYPE: 0 f32, 1 i32, 2 u32
//   OUTER, REDUCE, INNER: sizes.  A workgroup makes TX outputs, each with TY invocations (powers of two).
//   workgroups: ceil(OUTER * INNER / TX), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
//#if STORED
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
fn fetch(q: u32) -> u32 {
  return source[q];
}
//#end
{{epilogue}}

const STRIDE = {{TX}}u;
const COUNT = {{TY}}u;
const THREADS = STRIDE * COUNT;
const TYPE = {{TYPE}}u;
const KIND = {{KIND}}u;
alias State = vec2u; // key, place

// To a word that compares like the value as an unsigned number, for argmin upside down; equal for 0 and -0.
fn to_key(word: u32) -> u32 {
  var key = word;
  if (TYPE == 0u) {
    if ((word & 0x7fffffffu) > 0x7f800000u) {
      return 0xffffffffu;
    }
    if (word != 0x80000000u) {
      key = select(word ^ 0x80000000u, ~word, word >= 0x80000000u);
    }
  } else if (TYPE == 1u) {
    key = word ^ 0x80000000u;
  }
  return select(key, ~key, KIND == 3u);
}

fn join(kind: u32, a: vec2u, b: vec2u) -> vec2u {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

{{tree}}
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let output = (group.x + group.y * groups.x) * STRIDE + thread % STRIDE;
  let y = thread / STRIDE;
  var best = vec2u(0u, y); // an invocation that got no element must not win a tie against place 0
  if (output < sizes.OUTER * sizes.INNER) {
    let base = output / sizes.INNER * sizes.REDUCE * sizes.INNER + output % sizes.INNER;
    for (var r = y; r < sizes.REDUCE; r += COUNT) {
      let key = to_key(fetch(base + r * sizes.INNER));
      if (key > best.x) {
        best = vec2u(key, r);
      }
    }
  }
  best = tree(0u, best, thread);
  if (y == 0u && output < sizes.OUTER * sizes.INNER) {
    finish(output, i32(best.y));
  }
}
