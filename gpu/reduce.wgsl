//#if SUBGROUP
enable subgroups;
//#end
// out[o, p, i] = KIND over the r of part p of source[o, r, i], parts of PART elements; one part is the whole reduction; then
// the epilogue. Where there is a prologue, it computes the source, each element once.
//   bindings: source, and what prologue and epilogue read and write;  Value: f32, i32 or u32;  TYPE: 0 f32, 1 i32, 2 u32;  KIND: 0 sum, 1 prod, 2 max, 3 min
//   OUTER, REDUCE, INNER, PART, PARTS: sizes.  A workgroup makes TX outputs, each with TY invocations (powers of two).
//   workgroups: ceil(OUTER * PARTS * INNER / TX), linear (x fastest, then y)
// Sums go in a fixed order: invocation y takes r = y, y + TY, ..., then halves are added pairwise.
// NaN wins in max and min: they compare integer keys, as shaders may assume that there are no NaNs.
alias Value = {{Value}};
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
  PART: u32,
  PARTS: u32,
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
alias State = u32;

// To a word that compares like the value as an unsigned number; for max, or for min upside down.
fn to_state(word: u32) -> u32 {
  if (KIND < 2u) {
    return word;
  }
  var key = word;
  if (TYPE == 0u) {
    if ((word & 0x7fffffffu) > 0x7f800000u) {
      return 0xffffffffu;
    }
    key = select(word ^ 0x80000000u, ~word, word >= 0x80000000u);
  } else if (TYPE == 1u) {
    key = word ^ 0x80000000u;
  }
  return select(key, ~key, KIND == 3u);
}

fn from_state(state: u32) -> u32 {
  if (KIND < 2u) {
    return state;
  }
  if (TYPE == 0u && state == 0xffffffffu) {
    return 0x7fc00000u;
  }
  let key = select(state, ~state, KIND == 3u);
  if (TYPE == 0u) {
    return select(~key, key ^ 0x80000000u, key >= 0x80000000u);
  }
  return select(key, key ^ 0x80000000u, TYPE == 1u);
}

fn first_state() -> u32 {
  if (KIND == 0u) {
    return bitcast<u32>(Value(0));
  }
  if (KIND == 1u) {
    return bitcast<u32>(Value(1));
  }
  return select(0u, 0x007fffffu, TYPE == 0u); // the key of -infinity, in min that of infinity upside down
}

fn join(kind: u32, a: u32, b: u32) -> u32 {
  if (kind == 0u) {
    return bitcast<u32>(bitcast<Value>(a) + bitcast<Value>(b));
  }
  if (kind == 1u) {
    return bitcast<u32>(bitcast<Value>(a) * bitcast<Value>(b));
  }
  return max(a, b);
}

//#if TY>1
{{tree}}
//#end
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let output = (group.x + group.y * groups.x) * STRIDE + thread % STRIDE;
  let y = thread / STRIDE;
  let outputs = sizes.OUTER * sizes.PARTS * sizes.INNER;
  var state = first_state();
  if (output < outputs) {
    let part = output / sizes.INNER;
    let base = part / sizes.PARTS * sizes.REDUCE * sizes.INNER + output % sizes.INNER;
    let first = part % sizes.PARTS * sizes.PART;
    for (var r = first + y; r < min(first + sizes.PART, sizes.REDUCE); r += COUNT) {
      state = join(KIND, state, to_state(fetch(base + r * sizes.INNER)));
    }
  }
//#if TY>1
  state = tree(KIND, state, thread);
//#end
  if (y == 0u && output < outputs) {
    finish(output, bitcast<Value>(from_state(state)));
  }
}
