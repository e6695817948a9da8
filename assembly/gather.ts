// Rows by index, both ways. Args: dst, src, indices (i32), outer, axisSize, inner, count.
// A gather with an index out of range gives NaN (the bits of it for i32, 0 for bytes), a scatter leaves such a row out.
import { address, shareOf, word } from './split';

/** dst (outer, count, inner) = src (outer, axisSize, inner) at [o, indices[j], i]; `missing` is what is not there. */
@inline
export function gather<T>(missing: T, args: usize, thread: i32, threads: i32): void {
  const dst = address(args, 0);
  const src = address(args, 1);
  const indices = address(args, 2);
  const size = word(args, 4);
  const inner = word(args, 5);
  const count = word(args, 6);
  const bytes = <usize>inner * sizeof<T>();
  const end = shareOf(word(args, 3) * count, thread + 1, threads);
  for (let row = shareOf(word(args, 3) * count, thread, threads); row < end; row++) {
    const o = row / count;
    const index = load<i32>(indices + (<usize>(row - o * count) << 2));
    let to = dst + <usize>row * bytes;
    const stop = to + bytes;
    if (<u32>index >= <u32>size) {
      for (; to < stop; to += sizeof<T>()) store<T>(to, missing);
      continue;
    }
    let from = src + <usize>(o * size + index) * bytes;
    for (; to + 16 <= stop; to += 16) {
      v128.store(to, v128.load(from));
      from += 16;
    }
    for (; to < stop; to += sizeof<T>()) {
      store<T>(to, load<T>(from));
      from += sizeof<T>();
    }
  }
}

export function gatherRows_32(args: usize, thread: i32, threads: i32): void { gather<f32>(NaN, args, thread, threads); }

/** dst (outer, axisSize, inner) = 0, then [o, indices[j], i] += src (outer, count, inner) at [o, j, i], j ascending. */
@inline
export function scatterAdd<T>(args: usize, thread: i32, threads: i32): void {
  const indices = address(args, 2);
  const outer = word(args, 3);
  const size = word(args, 4);
  const inner = word(args, 5);
  const count = word(args, 6);
  // A thread owns a range of the outer axis, or where that is short, of the axis of the indices.
  const byOuter = outer >= threads;
  const o0 = byOuter ? shareOf(outer, thread, threads) : 0;
  const o1 = byOuter ? shareOf(outer, thread + 1, threads) : outer;
  const first = byOuter ? 0 : shareOf(size, thread, threads);
  const owned = (byOuter ? size : shareOf(size, thread + 1, threads)) - first;
  const bytes = <usize>inner * sizeof<T>();
  for (let o = o0; o < o1; o++) {
    const dst = address(args, 0) + <usize>(o * size + first) * bytes;
    let from = address(args, 1) + <usize>(o * count) * bytes;
    memory.fill(dst, 0, <usize>owned * bytes);
    for (let j = 0; j < count; j++) {
      const index = load<i32>(indices + (<usize>j << 2)) - first;
      const next = from + bytes;
      if (<u32>index < <u32>owned) {
        let to = dst + <usize>index * bytes;
        for (; from + 16 <= next; from += 16) {
          v128.store(to, v128.add<T>(v128.load(to), v128.load(from)));
          to += 16;
        }
        for (; from < next; from += sizeof<T>()) {
          store<T>(to, load<T>(to) + load<T>(from));
          to += sizeof<T>();
        }
      }
      from = next;
    }
  }
}

