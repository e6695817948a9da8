// Copies through strides, fills and ranges.
import { copyRow, repeat } from './lanes';
import { address, shareOf, word } from './split';

// stridedCopy args: dst, src, rank (0 to 8), sizes, strides of dst, strides of src (rank words each, in elements;
// those of src may be 0 or negative). Unit strides are found by themselves, axes are best merged by the host.

/** Where an axis's words are: its size, then both strides `rank` words further each. */
@inline
function sizeAt(axes: usize, axis: i32): i32 {
  return word(axes, axis);
}

@inline
function strideAt(axes: usize, rank: i32, axis: i32, which: i32): isize {
  return <isize>word(axes, rank * which + axis);
}

@inline
export function stridedCopy<T>(args: usize, thread: i32, threads: i32): void {
  const rank = word(args, 2);
  const axes = args + 12;
  const dst = address(args, 0);
  const src = address(args, 1);
  if (rank == 0) {
    if (thread == 0) store<T>(dst, load<T>(src));
    return;
  }
  // The threads share the first axis that is long enough, else the longest.
  let shared = 0;
  for (let i = 0; i < rank; i++) {
    if (sizeAt(axes, i) > sizeAt(axes, shared)) shared = i;
    if (sizeAt(axes, shared) >= threads * 4) break;
  }
  // Inside go the last axis (columns) and another one (rows): where the columns are not contiguous in src, one that is.
  const column = rank - 1;
  let row = rank - 2;
  if (strideAt(axes, rank, column, 2) != 1) {
    for (let i = 0; i < column; i++) {
      if (strideAt(axes, rank, i, 2) == 1 && sizeAt(axes, i) > 1) row = i;
    }
  }
  walk<T>(dst, src, axes, rank, 0, row, shared, thread, threads);
}

function walk<T>(
  dst: usize, src: usize, axes: usize, rank: i32, axis: i32, row: i32, shared: i32, thread: i32, threads: i32,
): void {
  if (axis == row) axis++;
  if (axis >= rank - 1) {
    plane<T>(dst, src, axes, rank, row, shared, thread, threads);
    return;
  }
  const size = sizeAt(axes, axis);
  const end = axis == shared ? shareOf(size, thread + 1, threads) : size;
  const toStep = strideAt(axes, rank, axis, 1) * sizeof<T>();
  const fromStep = strideAt(axes, rank, axis, 2) * sizeof<T>();
  for (let i = axis == shared ? shareOf(size, thread, threads) : 0; i < end; i++) {
    walk<T>(dst + <isize>i * toStep, src + <isize>i * fromStep, axes, rank, axis + 1, row, shared, thread, threads);
  }
}

/** Rows and columns, with this thread's share of the one that is shared. */
@inline
function plane<T>(
  dst: usize, src: usize, axes: usize, rank: i32, row: i32, shared: i32, thread: i32, threads: i32,
): void {
  const column = rank - 1;
  let m = row < 0 ? 1 : sizeAt(axes, row);
  let n = sizeAt(axes, column);
  const dm: isize = row < 0 ? 0 : strideAt(axes, rank, row, 1) * <isize>sizeof<T>();
  const sm: isize = row < 0 ? 0 : strideAt(axes, rank, row, 2) * sizeof<T>();
  const dn = strideAt(axes, rank, column, 1) * sizeof<T>();
  const sn = strideAt(axes, rank, column, 2) * sizeof<T>();
  if (row >= 0 && shared == row) {
    const from = shareOf(m, thread, threads);
    m = shareOf(m, thread + 1, threads) - from;
    dst += <isize>from * dm;
    src += <isize>from * sm;
  } else if (shared == column) {
    const from = shareOf(n, thread, threads);
    n = shareOf(n, thread + 1, threads) - from;
    dst += <isize>from * dn;
    src += <isize>from * sn;
  }
  if (sizeof<T>() == 4 && dn == 4 && sm == 4 && m >= 4 && n >= 4) transpose32(dst, src, m, n, dm, sn);
  else copyPlane<T>(dst, src, m, n, dm, sm, dn, sn);
}

@inline
function copyPlane<T>(
  dst: usize, src: usize, m: i32, n: i32, dm: isize, sm: isize, dn: isize, sn: isize,
): void {
  const bytes = <usize>n * sizeof<T>();
  for (let i = 0; i < m; i++) {
    if (dn == sizeof<T>() && sn == sizeof<T>()) copyRow<T>(dst, src, bytes);
    else if (dn == sizeof<T>() && sn == 0) repeat<T>(dst, load<T>(src), n);
    else {
      let to = dst;
      let from = src;
      for (let j = 0; j < n; j++) {
        store<T>(to, load<T>(from));
        to += dn;
        from += sn;
      }
    }
    dst += dm;
    src += sm;
  }
}

/** dst (m,n) with rows dm bytes apart from src (n,m) with rows sn bytes apart, in tiles that fit L1. */
function transpose32(dst: usize, src: usize, m: i32, n: i32, dm: isize, sn: isize): void {
  const m4 = m & ~3;
  const n4 = n & ~3;
  for (let i0 = 0; i0 < m4; i0 += 32) {
    const i1 = min(i0 + 32, m4);
    for (let j = 0; j < n4; j += 4) {
      for (let i = i0; i < i1; i += 4) {
        const from = src + <isize>j * sn + (<usize>i << 2);
        const a = v128.load(from);
        const b = v128.load(from + sn);
        const c = v128.load(from + 2 * sn);
        const d = v128.load(from + 3 * sn);
        const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
        const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
        const ef = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
        const gh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
        const to = dst + <isize>i * dm + (<usize>j << 2);
        v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2));
        v128.store(to + dm, v128.shuffle<i64>(ab, cd, 1, 3));
        v128.store(to + 2 * dm, v128.shuffle<i64>(ef, gh, 0, 2));
        v128.store(to + 3 * dm, v128.shuffle<i64>(ef, gh, 1, 3));
      }
    }
  }
  const right = <usize>n4 << 2;
  if (n4 < n) copyPlane<u32>(dst + right, src + <isize>n4 * sn, m, n - n4, dm, 4, 4, sn);
  if (m4 < m) copyPlane<u32>(dst + <isize>m4 * dm, src + (<usize>m4 << 2), m - m4, n4, dm, 4, 4, sn);
}

export function stridedCopy_32(args: usize, thread: i32, threads: i32): void { stridedCopy<u32>(args, thread, threads); }

/** Args: dst, n, low word of the value, high word. */
@inline
function fill<T>(args: usize, thread: i32, threads: i32): void {
  const from = shareOf(word(args, 1), thread, threads);
  const count = shareOf(word(args, 1), thread + 1, threads) - from;
  repeat<T>(address(args, 0) + <usize>from * sizeof<T>(), load<T>(args, 8), count);
}

export function fill_8(args: usize, thread: i32, threads: i32): void { fill<u8>(args, thread, threads); }
export function fill_32(args: usize, thread: i32, threads: i32): void { fill<u32>(args, thread, threads); }
export function fill_64(args: usize, thread: i32, threads: i32): void { fill<u64>(args, thread, threads); }

/** Args: dst, n, start, step (f32 or i32 words); element i is start + i * step. */
@inline
export function iota<T, W>(args: usize, thread: i32, threads: i32): void {
  const dst = address(args, 0);
  const start = <T>load<W>(args, 8);
  const step = <T>load<W>(args, 12);
  const end = shareOf(word(args, 1), thread + 1, threads);
  for (let i = shareOf(word(args, 1), thread, threads); i < end; i++) {
    store<T>(dst + <usize>i * sizeof<T>(), start + <T>i * step);
  }
}

export function iota_i32(args: usize, thread: i32, threads: i32): void { iota<i32, i32>(args, thread, threads); }
export function iota_f32(args: usize, thread: i32, threads: i32): void { iota<f32, f32>(args, thread, threads); }
