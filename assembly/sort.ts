// Indices that sort. argsort args: dst (i32), src, outer, n, inner, count, descending, scratch, its bytes per thread.
// src is (outer, n, inner), dst (outer, count, inner): where along n the first `count` elements in order are.
// Elements become whole numbers that compare like them: NaN is the largest, -0 is 0. Equal ones keep their order.
import { address, shareOf, word } from './split';

/** Up to so many are found by insertion, more by a radix sort of all. */
const MOST_INSERTED: i32 = 32;
const DIGITS: usize = 256;

@inline
function keyOf<T, K>(x: T): K {
  if (!isFloat<T>()) return <K>(<u32>x ^ 0x80000000);
  if (x != x) return <K>-1;
  const bits = reinterpret<K>(<T>(x + <T>0)); // -0 + 0 is 0
  if (sizeof<K>() == 4) return <K>(<u32>bits ^ (<u32>(<i32>bits >> 31) | 0x80000000));
  return <K>(<u64>bits ^ (<u64>(<i64>bits >> 63) | 0x8000000000000000));
}

/** Bytes of scratch memory for a thread: keys and indices twice, and a histogram for each byte of a key. */
export function argsortScratchBytes(n: i32, keyBytes: i32): i32 {
  const bytes = 2 * n * (keyBytes + 4) + <i32>DIGITS * 4 * keyBytes;
  return (bytes + 31) & ~15;
}

@inline
function keyAt<K>(keys: usize, i: i32): K {
  return load<K>(keys + <usize>i * sizeof<K>());
}

/** The first `count` of n elements `stride` bytes apart, in order, their indices at `indices`. */
@inline
function insert<T, K>(src: usize, stride: usize, n: i32, count: i32, flip: K, keys: usize, indices: usize): void {
  let have = 0;
  let last: K = 0;
  for (let j = 0; j < n; j++) {
    const key = <K>(keyOf<T, K>(load<T>(src)) ^ flip);
    src += stride;
    if (have == count) {
      if (key >= last) continue;
    } else have++;
    let p = have - 1;
    while (p > 0 && keyAt<K>(keys, p - 1) > key) {
      store<K>(keys + <usize>p * sizeof<K>(), keyAt<K>(keys, p - 1));
      store<i32>(indices + (<usize>p << 2), load<i32>(indices + (<usize>(p - 1) << 2)));
      p--;
    }
    store<K>(keys + <usize>p * sizeof<K>(), key);
    store<i32>(indices + (<usize>p << 2), j);
    last = keyAt<K>(keys, have - 1);
  }
}

/** Sorts all by their keys' bytes, the lowest first, each time keeping the order of equal ones; where the indices are. */
@inline
function radix<T, K>(src: usize, stride: usize, n: i32, flip: K, keys: usize, indices: usize, counts: usize): usize {
  let otherKeys = keys + <usize>n * sizeof<K>();
  let otherIndices = indices + (<usize>n << 2);
  memory.fill(counts, 0, sizeof<K>() * DIGITS * 4);
  for (let j = 0; j < n; j++) {
    const key = <K>(keyOf<T, K>(load<T>(src)) ^ flip);
    src += stride;
    store<K>(keys + <usize>j * sizeof<K>(), key);
    store<i32>(indices + (<usize>j << 2), j);
    for (let d: usize = 0; d < sizeof<K>(); d++) {
      const at = counts + ((d * DIGITS + <usize>((key >> <K>(d * 8)) & 255)) << 2);
      store<i32>(at, load<i32>(at) + 1);
    }
  }
  for (let d: usize = 0; d < sizeof<K>(); d++) {
    const shift = <K>(d * 8);
    const places = counts + ((d * DIGITS) << 2);
    // one byte for all: nothing to do
    if (load<i32>(places + (<usize>((keyAt<K>(keys, 0) >> shift) & 255) << 2)) == n) continue;
    let sum = 0;
    for (let b: usize = 0; b < DIGITS; b++) {
      const many = load<i32>(places + (b << 2));
      store<i32>(places + (b << 2), sum);
      sum += many;
    }
    for (let j = 0; j < n; j++) {
      const key = keyAt<K>(keys, j);
      const at = places + (<usize>((key >> shift) & 255) << 2);
      const to = load<i32>(at);
      store<i32>(at, to + 1);
      store<K>(otherKeys + <usize>to * sizeof<K>(), key);
      store<i32>(otherIndices + (<usize>to << 2), load<i32>(indices + (<usize>j << 2)));
    }
    const k = keys;
    keys = otherKeys;
    otherKeys = k;
    const i = indices;
    indices = otherIndices;
    otherIndices = i;
  }
  return indices;
}

@inline
function argsort<T, K>(args: usize, thread: i32, threads: i32): void {
  const n = word(args, 3);
  const inner = word(args, 4);
  const count = word(args, 5);
  const flip: K = word(args, 6) ? <K>-1 : 0;
  const keys = address(args, 7) + <usize>thread * address(args, 8);
  const indices = keys + 2 * <usize>n * sizeof<K>();
  const counts = indices + 2 * (<usize>n << 2);
  const stride = <usize>inner * sizeof<T>();
  if (count == 0) return;
  const end = shareOf(word(args, 2) * inner, thread + 1, threads);
  for (let unit = shareOf(word(args, 2) * inner, thread, threads); unit < end; unit++) {
    const o = unit / inner;
    const i = unit - o * inner;
    const src = address(args, 1) + (<usize>o * n * inner + i) * sizeof<T>();
    let sorted = indices;
    if (count <= MOST_INSERTED) insert<T, K>(src, stride, n, count, flip, keys, indices);
    else sorted = radix<T, K>(src, stride, n, flip, keys, indices, counts);
    let dst = address(args, 0) + ((<usize>o * count * inner + i) << 2);
    for (let j = 0; j < count; j++) {
      store<i32>(dst, load<i32>(sorted + (<usize>j << 2)));
      dst += <usize>inner << 2;
    }
  }
}

export function argsort_f32(args: usize, thread: i32, threads: i32): void { argsort<f32, u32>(args, thread, threads); }
export function argsort_f64(args: usize, thread: i32, threads: i32): void { argsort<f64, u64>(args, thread, threads); }
export function argsort_i32(args: usize, thread: i32, threads: i32): void { argsort<i32, u32>(args, thread, threads); }
