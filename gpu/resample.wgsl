// Rows of another number along an axis, float32: result[o, j, i] is made of source[o, i0, i] and source[o, i0 + 1, i] at
// j's place, which is a fraction of whole numbers, so that no rounding moves it.
//   bindings: source, result;  LINEAR: else the nearest before;  ALIGN: the corners' centres meet, else the corners
//   forward: source (OUTER, SIZE, INNER), result (OUTER, TO, INNER);  GRADIENT 1: the other way round, result[o, a, i]
//   adds up what row a gave, in the order of j.
//   workgroups: one invocation for each element of the result, by 64, linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  SIZE: i32,
  TO: i32,
  INNER: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const LINEAR = {{LINEAR}}u;
const ALIGN = {{ALIGN}}u;

struct Tap {
  first: i32,
  second: i32,
  part: f32, // of the second
}

fn tap(j: i32) -> Tap {
  if (LINEAR == 0u) {
    let nearest = j * sizes.SIZE / sizes.TO;
    return Tap(nearest, nearest, 0.0f);
  }
  var position = max((2 * j + 1) * sizes.SIZE - sizes.TO, 0);
  var unit = 2 * sizes.TO;
  if (ALIGN == 1u) {
    position = select(0, j * (sizes.SIZE - 1), sizes.TO > 1);
    unit = max(sizes.TO - 1, 1);
  }
  let first = position / unit;
  let second = min(first + 1, sizes.SIZE - 1);
  return Tap(first, second, f32(position - first * unit) / f32(unit));
}

// A row j at or before the first that row a takes part in.
fn first_taker(a: i32) -> i32 {
  if (a == 0) {
    return 0;
  }
  var start = a * sizes.TO / sizes.SIZE;
  if (LINEAR == 1u) {
    start = ((2 * a - 1) * sizes.TO - sizes.SIZE) / (2 * sizes.SIZE);
    if (ALIGN == 1u) {
      start = (a - 1) * (sizes.TO - 1) / max(sizes.SIZE - 1, 1);
    }
  }
  return max(start - 1, 0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
//#if GRADIENT
  let rows = u32(sizes.SIZE);
//#else
  let rows = u32(sizes.TO);
//#end
  if (at >= sizes.OUTER * rows * sizes.INNER) {
    return;
  }
  let i = at % sizes.INNER;
  let row = i32(at / sizes.INNER % rows);
  let o = at / (sizes.INNER * rows);
//#if GRADIENT
  let base = o * u32(sizes.TO) * sizes.INNER + i;
  var sum = 0.0f;
  for (var j = first_taker(row); j < sizes.TO; j++) {
    let t = tap(j);
    if (t.first > row) {
      break;
    }
    let value = source[base + u32(j) * sizes.INNER];
    if (t.first == row) {
      sum += (1.0f - t.part) * value;
    }
    if (LINEAR == 1u && t.second == row) {
      sum += t.part * value;
    }
  }
  result[at] = sum;
//#else
  let base = o * u32(sizes.SIZE) * sizes.INNER + i;
  let t = tap(row);
  var value = source[base + u32(t.first) * sizes.INNER];
  if (LINEAR == 1u) {
    value = (1.0f - t.part) * value + t.part * source[base + u32(t.second) * sizes.INNER];
  }
  result[at] = value;
//#end
}
