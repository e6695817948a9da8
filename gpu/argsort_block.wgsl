// Sorts, or merges, blocks of BLOCK places in workgroup memory by a bitonic network (Batcher, "Sorting networks and their
// applications", 1968): pairs of a key and the place that it came from, so that no two are equal and the order is that of
// argsort.wgsl. Rows are padded to P places, a power of two and a multiple of BLOCK.
//   bindings: source if it sorts; pairs (rows, 2, P), from PAIRS on, if it merges or a row has several blocks; result if it
//   is the LAST step
//   MERGE: 0 sorts what it takes from source, 1 ends the merging of runs of STAGE / 2 places;  WHOLE: a row is one block
//   TYPE, DESCENDING, OUTER, SIZE, INNER, COUNT as in argsort.wgsl;  THREADS: BLOCK / 2 or a part of it
//   workgroups: OUTER * INNER * P / BLOCK, linear (x fastest, then y)
struct Sizes {
  OUTER: u32,
  SIZE: u32,
  INNER: u32,
  COUNT: u32,
  P: u32,
  PAIRS: u32,
  STAGE: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
//#if MERGE
@group(0) @binding(1) var<storage, read_write> pairs: array<u32>;
//#if LAST
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
//#end
//#else
@group(0) @binding(1) var<storage, read_write> source: array<u32>;
//#if LAST
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
//#else
@group(0) @binding(2) var<storage, read_write> pairs: array<u32>;
//#end
//#end

const BLOCK = {{BLOCK}}u;
const THREADS = {{THREADS}}u;

var<workgroup> keys: array<u32, BLOCK>;
var<workgroup> places: array<u32, BLOCK>;

{{sort_key}}
// One step of the network for pairs that lie `apart`; `first` is the block's first place, runs of `stage` get sorted.
fn compare(thread: u32, first: u32, stage: u32, apart: u32) {
  for (var t = thread; t < BLOCK / 2u; t += THREADS) {
    let low = t / apart * apart * 2u + t % apart;
    let high = low + apart;
    let after = keys[low] > keys[high] || (keys[low] == keys[high] && places[low] > places[high]);
    if (after == (((first + low) & stage) == 0u)) {
      let key = keys[low];
      let place = places[low];
      keys[low] = keys[high];
      places[low] = places[high];
      keys[high] = key;
      places[high] = place;
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let block = group.x + group.y * groups.x;
  let blocks = sizes.P / BLOCK;
  let row = block / blocks;
  let first = block % blocks * BLOCK;
  if (row >= sizes.OUTER * sizes.INNER) {
    return;
  }
  let o = row / sizes.INNER;
  let i = row % sizes.INNER;
  let from_pairs = sizes.PAIRS + row * 2u * sizes.P + first;
  for (var t = thread; t < BLOCK; t += THREADS) {
//#if MERGE
    keys[t] = pairs[from_pairs + t];
    places[t] = pairs[from_pairs + sizes.P + t];
//#else
    let r = first + t;
    let inside = r < sizes.SIZE;
    let word = source[(o * sizes.SIZE + min(r, sizes.SIZE - 1u)) * sizes.INNER + i];
    keys[t] = select(0xffffffffu, to_key(word), inside);
    places[t] = r;
//#end
  }
  workgroupBarrier();
//#if MERGE
  for (var apart = BLOCK / 2u; apart > 0u; apart /= 2u) {
    compare(thread, first, sizes.STAGE, apart);
    workgroupBarrier();
  }
//#else
  for (var stage = 2u; stage <= BLOCK; stage *= 2u) {
    for (var apart = stage / 2u; apart > 0u; apart /= 2u) {
      compare(thread, first, stage, apart);
      workgroupBarrier();
    }
  }
//#end
  for (var t = thread; t < BLOCK; t += THREADS) {
//#if LAST
    if (first + t < sizes.COUNT) {
      result[(o * sizes.COUNT + first + t) * sizes.INNER + i] = places[t];
    }
//#else
    pairs[from_pairs + t] = keys[t];
    pairs[from_pairs + sizes.P + t] = places[t];
//#end
  }
}
