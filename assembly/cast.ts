// Conversions between element types, as block kernels cast_FROM_TO. A float becomes an integer by truncation,
// saturated, NaN as 0; to bool, everything but 0 is true (NaN too). bool and u8 have the same bytes.

@inline
function castOne<S, D>(x: S, toBool: bool): D {
  if (toBool) return <D>(x != <S>0);
  return <D>x;
}

/** Four elements of 4 bytes from four of 1 or 4 bytes, or the reverse for bool. */
@inline
export function cast<S, D>(dst: usize, a: usize, n: i32, toBool: bool): void {
  const end = dst + n * sizeof<D>();
  if (sizeof<D>() == 4 && sizeof<S>() <= 4) {
    for (; dst + 16 <= end; dst += 16) {
      let x: v128;
      if (sizeof<S>() == 1) x = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(a)));
      else x = v128.load(a);
      if (isFloat<S>() && isInteger<D>()) x = i32x4.trunc_sat_f32x4_s(x);
      if (isInteger<S>() && isFloat<D>()) x = f32x4.convert_i32x4_s(x);
      v128.store(dst, x);
      a += 4 * sizeof<S>();
    }
  } else if (toBool && sizeof<S>() == 4) {
    const zero = v128.splat<S>(0);
    const one = i32x4.splat(1);
    for (; dst + 8 <= end; dst += 8) {
      const low = v128.and(v128.ne<S>(v128.load(a), zero), one);
      const high = v128.and(v128.ne<S>(v128.load(a, 16), zero), one);
      const half = i16x8.narrow_i32x4_s(low, high);
      v128.store64_lane(dst, i8x16.narrow_i16x8_u(half, half), 0);
      a += 32;
    }
  } else if (sizeof<S>() == 4 && isFloat<S>() && sizeof<D>() == 8) {
    for (; dst + 16 <= end; dst += 16) {
      v128.store(dst, f64x2.promote_low_f32x4(v128.load64_zero(a)));
      a += 8;
    }
  } else if (sizeof<S>() == 8 && isFloat<D>() && sizeof<D>() == 4) {
    for (; dst + 8 <= end; dst += 8) {
      v128.store64_lane(dst, f32x4.demote_f64x2_zero(v128.load(a)), 0);
      a += 16;
    }
  }
  for (; dst < end; dst += sizeof<D>()) {
    store<D>(dst, castOne<S, D>(load<S>(a), toBool));
    a += sizeof<S>();
  }
}

export function cast_f32_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<f32, i32>(dst, a, n, false); }
export function cast_f32_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<f32, u8>(dst, a, n, true); }
export function cast_i32_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<i32, f32>(dst, a, n, false); }
export function cast_i32_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<i32, u8>(dst, a, n, true); }
export function cast_bool_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, f32>(dst, a, n, false); }
export function cast_bool_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, i32>(dst, a, n, false); }
export function cast_u8_f32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, f32>(dst, a, n, false); }
export function cast_u8_i32(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, i32>(dst, a, n, false); }
export function cast_u8_bool(dst: usize, a: usize, b: usize, c: usize, n: i32): void { cast<u8, u8>(dst, a, n, true); }
