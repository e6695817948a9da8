// Vectors at the ends of arrays: loads that do not read past the end, stores that do not write past it.

/** The first `bytes` bytes (a multiple of 4, below 16), zeros after them. */
export function loadPart(p: usize, bytes: i32): v128 {
  if (bytes & 8) {
    const v = v128.load64_zero(p);
    return bytes & 4 ? v128.load32_lane(p, v, 2, 8) : v;
  }
  return bytes & 4 ? v128.load32_zero(p) : i64x2.splat(0);
}

/** Stores the first `bytes` bytes (a multiple of 4, below 16). */
export function storePart(p: usize, v: v128, bytes: i32): void {
  if (bytes & 8) {
    v128.store64_lane(p, v, 0);
    if (bytes & 4) v128.store32_lane(p, v, 2, 8);
  } else if (bytes & 4) v128.store32_lane(p, v, 0);
}

/** A whole vector where 16 bytes are left, else the part. */
@inline
export function loadUpTo(p: usize, bytes: i32): v128 {
  return bytes >= 16 ? v128.load(p) : loadPart(p, bytes);
}

@inline
export function storeUpTo(p: usize, v: v128, bytes: i32): void {
  if (bytes >= 16) v128.store(p, v);
  else storePart(p, v, bytes);
}

/** n times `value`. */
@inline
export function repeat<T>(dst: usize, value: T, n: i32): void {
  const end = dst + n * sizeof<T>();
  const v = v128.splat<T>(value);
  for (; dst + 16 <= end; dst += 16) v128.store(dst, v);
  for (; dst < end; dst += sizeof<T>()) store<T>(dst, value);
}

/** Short rows go by hand: a call of memory.copy costs more than some hundred bytes do. */
@inline
export function copyRow<T>(dst: usize, src: usize, bytes: usize): void {
  if (bytes >= 512) {
    memory.copy(dst, src, bytes);
    return;
  }
  const end = dst + bytes;
  for (; dst + 16 <= end; dst += 16) {
    v128.store(dst, v128.load(src));
    src += 16;
  }
  for (; dst < end; dst += sizeof<T>()) {
    store<T>(dst, load<T>(src));
    src += sizeof<T>();
  }
}
