// out[o, i] = the first r where source[o, r, i] is largest (KIND 2) or smallest (KIND 3), as int32. NaN wins.
//   bindings: source, out;  TYPE: 0 f32, 1 i32, 2 u32
//   OUTER, REDUCE, INNER: sizes.  A workgroup makes TX outputs, each with TY invocations (powers of two).
//   workgroups: ceil(OUTER * INNER / TX), linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  REDUCE: u32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

const TX = {{TX}}u;
const TY = {{TY}}u;
const TYPE = {{TYPE}}u;
const KIND = {{KIND}}u;

var<workgroup> keys: array<u32, TX * TY>;
var<workgroup> places: array<u32, TX * TY>;

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

@compute @workgroup_size(TX * TY)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let output = (group.x + group.y * groups.x) * TX + thread % TX;
  let y = thread / TX;
  var key = 0u;
  var place = y; // an invocation that got no element must not win a tie against place 0
  if (output < sizes.OUTER * sizes.INNER) {
    let base = output / sizes.INNER * sizes.REDUCE * sizes.INNER + output % sizes.INNER;
    for (var r = y; r < sizes.REDUCE; r += TY) {
      let other = to_key(source[base + r * sizes.INNER]);
      if (other > key) {
        key = other;
        place = r;
      }
    }
  }
  keys[thread] = key;
  places[thread] = place;
  workgroupBarrier();
  for (var half = TY / 2u; half > 0u; half /= 2u) {
    if (y < half) {
      let other = thread + half * TX;
      if (keys[other] > keys[thread] || (keys[other] == keys[thread] && places[other] < places[thread])) {
        keys[thread] = keys[other];
        places[thread] = places[other];
      }
    }
    workgroupBarrier();
  }
  if (y == 0u && output < sizes.OUTER * sizes.INNER) {
    result[output] = places[thread];
  }
}
