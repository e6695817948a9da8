// Block kernels on bytes and by bytes: logic on bools, selection, splats and copies.
import { repeat } from './lanes';

const enum Logic { and, or, not }

@inline
function logic(op: Logic, dst: usize, a: usize, b: usize, n: i32): void {
  const end = dst + n;
  const one = i8x16.splat(1);
  for (; dst + 16 <= end; dst += 16) {
    const x = v128.load(a);
    if (op == Logic.not) v128.store(dst, v128.xor(x, one));
    else if (op == Logic.and) v128.store(dst, v128.and(x, v128.load(b)));
    else v128.store(dst, v128.or(x, v128.load(b)));
    a += 16;
    b += 16;
  }
  for (; dst < end; dst++) {
    const x = load<u8>(a++);
    if (op == Logic.not) store<u8>(dst, x ^ 1);
    else if (op == Logic.and) store<u8>(dst, x & load<u8>(b++));
    else store<u8>(dst, x | load<u8>(b++));
  }
}

export function logicalAnd_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { logic(Logic.and, dst, a, b, n); }
export function logicalOr_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { logic(Logic.or, dst, a, b, n); }
export function logicalNot_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { logic(Logic.not, dst, a, b, n); }

/** dst = a ? b : c, a in bytes; 8 bytes of a per turn. */
@inline
export function where<T>(dst: usize, a: usize, b: usize, c: usize, n: i32): void {
  const end = a + n;
  const zero = i64x2.splat(0);
  for (; a + 8 <= end; a += 8) {
    const x = v128.load64_zero(a);
    if (sizeof<T>() == 1) {
      const chosen = v128.bitselect(v128.load64_zero(c), v128.load64_zero(b), i8x16.eq(x, zero));
      v128.store64_lane(dst, chosen, 0);
    } else {
      const half = i16x8.extend_low_i8x16_u(x);
      const low = i32x4.eq(i32x4.extend_low_i16x8_u(half), zero);
      const high = i32x4.eq(i32x4.extend_high_i16x8_u(half), zero);
      if (sizeof<T>() == 4) {
        v128.store(dst, v128.bitselect(v128.load(c), v128.load(b), low));
        v128.store(dst, v128.bitselect(v128.load(c, 16), v128.load(b, 16), high), 16);
      } else {
        v128.store(dst, v128.bitselect(v128.load(c), v128.load(b), i64x2.extend_low_i32x4_s(low)));
        v128.store(dst, v128.bitselect(v128.load(c, 16), v128.load(b, 16), i64x2.extend_high_i32x4_s(low)), 16);
        v128.store(dst, v128.bitselect(v128.load(c, 32), v128.load(b, 32), i64x2.extend_low_i32x4_s(high)), 32);
        v128.store(dst, v128.bitselect(v128.load(c, 48), v128.load(b, 48), i64x2.extend_high_i32x4_s(high)), 48);
      }
    }
    dst += 8 * sizeof<T>();
    b += 8 * sizeof<T>();
    c += 8 * sizeof<T>();
  }
  for (; a < end; a++) {
    store<T>(dst, load<T>(load<u8>(a) ? b : c));
    dst += sizeof<T>();
    b += sizeof<T>();
    c += sizeof<T>();
  }
}

export function where_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { where<u32>(dst, a, b, c, n); }
export function where_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { where<u32>(dst, a, b, c, n); }
export function where_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { where<u8>(dst, a, b, c, n); }

export function splat_8(dst: usize, a: usize, b: usize, c: usize, n: i32): void { memory.fill(dst, load<u8>(a), n); }
export function splat_32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { repeat<u32>(dst, load<u32>(a), n); }
export function splat_64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { repeat<u64>(dst, load<u64>(a), n); }

export function copy_8(dst: usize, a: usize, b: usize, c: usize, n: i32): void { memory.copy(dst, a, n); }
export function copy_32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { memory.copy(dst, a, n << 2); }
export function copy_64(dst: usize, a: usize, b: usize, c: usize, n: i32): void { memory.copy(dst, a, n << 3); }
