// A chain of block kernels over n elements, one block after the other, so that what is between them stays in L1.
//
// Arguments, in 32-bit words:
//   0  n, elements of the chain
//   1  block, elements per block, a multiple of 16
//   2  number of instructions
//   3  number of prologue entries
//   4  address of the scratch memory: one part per thread, thread 0 first
//   5  bytes of a part, a multiple of 16
//   6  prologue entries of 5 words, run once by each thread that has a block:
//        0 table index of a block kernel   1 offset of dst in the thread's scratch   2 address of a   3 n   4 unused
//        (splat_8, splat_32 or splat_64 make a block of a scalar)
//        or, to repeat a row that is broadcast along all other axes, n elements in all:
//        0 -(bytes per element)   1 2 3 as above   4 elements of the row
//   then instructions of 14 words, run for each block:
//        0        table index of a block kernel, or -1 for a broadcast (below)
//        1 2 3    dst: mode, position, bytes per element
//        4 5 6    a    modes: 0 not there (the kernel gets address 0)
//        7 8 9    b           1 stream: position is the address of element 0 of the whole array
//        10 11 12 c           2 scratch: position is an offset in the thread's scratch
//        13       0           3 + 4 m repeated row of m elements: position as for 2, where element 0 of the row lies
//                             (bytes per element count for 1 and 3 only)
//   A broadcast writes block elements of the output's index range from a smaller array, seen through strides:
//        1 2 3 dst (scratch or stream; its bytes per element are those of the array: 1, 4 or 8)
//        5     address of the array's element 0
//        8     address of a descriptor: rank >= 1, rank sizes of the output, rank strides in elements (0 where
//              the array is stretched, the same for every element of an axis)
//
// dst may be an operand of the same instruction where it has the same bytes per element. Threads take ranges of
// blocks. A block's bounds do not depend on the threads, nor do the bits.
import { copyRow, repeat } from './lanes';
import { address, shareOf, word } from './split';

const BROADCAST: i32 = -1;

export function fusedLoop(args: usize, thread: i32, threads: i32): void {
  const n = word(args, 0);
  const block = word(args, 1);
  const blocks = <i32>((<u32>n + <u32>block - 1) / <u32>block);
  const end = shareOf(blocks, thread + 1, threads);
  let i = shareOf(blocks, thread, threads);
  if (i >= end) return;
  const scratch = address(args, 4) + <usize>thread * address(args, 5);
  const prologue = args + 24;
  const first = prologue + 20 * address(args, 3);
  const last = first + address(args, 2) * 56;
  for (let p = prologue; p < first; p += 20) begin(p, scratch);
  for (; i < end; i++) {
    const from = i * block;
    const count = min(block, n - from);
    for (let p = first; p < last; p += 56) {
      const kernel = word(p, 0);
      const dst = operand(p + 4, from, scratch);
      if (kernel == BROADCAST) {
        const bytes = word(p, 3);
        if (bytes == 4) broadcast<u32>(dst, address(p, 5), address(p, 8), from, count);
        else if (bytes == 8) broadcast<u64>(dst, address(p, 5), address(p, 8), from, count);
        else broadcast<u8>(dst, address(p, 5), address(p, 8), from, count);
      } else {
        const a = operand(p + 16, from, scratch);
        const b = operand(p + 28, from, scratch);
        call_indirect<void>(kernel, dst, a, b, operand(p + 40, from, scratch), count);
      }
    }
  }
}

/** A prologue entry. */
function begin(p: usize, scratch: usize): void {
  const kernel = word(p, 0), count = word(p, 3), row = word(p, 4);
  const dst = scratch + address(p, 1), src = address(p, 2);
  if (kernel >= 0) call_indirect<void>(kernel, dst, src, <usize>0, <usize>0, count);
  else if (kernel == -4) cycle<u32>(dst, src, row, 0, count);
  else if (kernel == -8) cycle<u64>(dst, src, row, 0, count);
  else cycle<u8>(dst, src, row, 0, count);
}

@inline
function operand(p: usize, from: i32, scratch: usize): usize {
  const mode = word(p, 0);
  if (mode == 1) return address(p, 1) + <usize>from * address(p, 2);
  if (mode == 2) return scratch + address(p, 1);
  return mode ? scratch + address(p, 1) + <usize>(from % (mode >> 2)) * address(p, 2) : 0;
}

@inline
function broadcast<T>(dst: usize, src: usize, descriptor: usize, from: i32, count: i32): void {
  const rank = word(descriptor, 0);
  spread<T>(dst, src, descriptor + 4, descriptor + 4 + (<usize>rank << 2), rank, from, count);
}

/** Writes `count` elements from linear index `from` on of the axes at `shape` (and inwards), and returns the end. */
function spread<T>(dst: usize, src: usize, shape: usize, strides: usize, rank: i32, from: i32, count: i32): usize {
  const stride = <isize>load<i32>(strides);
  if (rank == 1) {
    src += <usize>(<isize>from * stride * sizeof<T>());
    if (stride == 1) copyRow<T>(dst, src, <usize>count * sizeof<T>());
    else if (stride == 0) repeat<T>(dst, load<T>(src), count);
    else {
      for (let i = 0; i < count; i++) store<T>(dst + <usize>i * sizeof<T>(), load<T>(src + <usize>(<isize>i * stride * sizeof<T>())));
    }
    return dst + <usize>count * sizeof<T>();
  }
  let inner = 1;
  for (let i = 1; i < rank; i++) inner *= word(shape, i);
  if (rank == 2 && stride == 0 && load<i32>(strides, 4) == 1) return cycle<T>(dst, src, inner, from % inner, count);
  const i = <i32>(<u32>from / <u32>inner);
  src += <usize>(<isize>i * stride * sizeof<T>());
  let skip = from - i * inner;
  while (count > 0) {
    const take = min(inner - skip, count);
    dst = spread<T>(dst, src, shape + 4, strides + 4, rank - 1, skip, take);
    src += <usize>(stride * sizeof<T>());
    count -= take;
    skip = 0;
  }
  return dst;
}

/** Writes `count` elements of a row of `inner` again and again, from its element `first` on, and returns the end. */
function cycle<T>(dst: usize, src: usize, inner: i32, first: i32, count: i32): usize {
  const end = dst + <usize>count * sizeof<T>();
  const period = <usize>min(inner, count) * sizeof<T>();
  const before = <usize>min(inner - first, count) * sizeof<T>();
  copyRow<T>(dst, src + <usize>first * sizeof<T>(), before);
  copyRow<T>(dst + before, src, period - before);
  // The rest repeats what is written, from so many whole rows before that a vector does not read what it writes.
  let distance = period;
  while (distance < 16) distance += period;
  let to = dst + period;
  const near = min(dst + distance, end);
  for (; to < near; to += sizeof<T>()) store<T>(to, load<T>(to - period));
  for (; to + 16 <= end; to += 16) v128.store(to, v128.load(to - distance));
  for (; to < end; to += sizeof<T>()) store<T>(to, load<T>(to - distance));
  return end;
}
