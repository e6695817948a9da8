// The mathematical functions on vectors of f32 or f64, from arithmetic alone, so that every runtime gets the
// same bits. Polynomials are minimax fits. Double precision is in math64.ts, sin and cos in angles.ts.
import { sinCos32, sinCos64 } from './angles';
import { erf64, exp64, log64, pow64, tanhSmall64 } from './math64';

/** a * b + c; in the relaxed build f32 may fuse it. */
@inline
export function madd<T>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD && sizeof<T>() == 4) return f32x4.relaxed_madd(a, b, c);
  return v128.add<T>(v128.mul<T>(a, b), c);
}

/** A step of Horner's rule: p * x + c. */
@inline
export function step<T>(p: v128, x: v128, c: T): v128 {
  return madd<T>(p, x, v128.splat<T>(c));
}

/** The same without fusing, where the bits must not depend on the build. */
@inline
function stepExact(p: v128, x: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(p, x), f32x4.splat(c));
}

@inline
export function signBit<T>(): v128 {
  return sizeof<T>() == 4 ? i32x4.splat(1 << 31) : i64x2.splat(1 << 63);
}

/** The absolute value of `magnitude` with the sign of `sign`. */
@inline
export function copySign<T>(magnitude: v128, sign: v128): v128 {
  return v128.bitselect(sign, magnitude, signBit<T>());
}

@inline
export function exp<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return exp64(x);
  // x = n ln 2 + r with |r| <= ln 2 / 2; pmin and pmax keep a NaN in their first operand.
  x = f32x4.pmax(f32x4.pmin(x, f32x4.splat(89)), f32x4.splat(-104));
  const shifter: f32 = 12582912;
  const t = step<f32>(x, f32x4.splat(1.4426950408889634), shifter);
  const n = f32x4.sub(t, f32x4.splat(shifter));
  let r = madd<f32>(n, f32x4.splat(-0.693359375), x);
  r = madd<f32>(n, f32x4.splat(2.12194440e-4), r);
  let p = step<f32>(f32x4.splat(0.001382445), r, 0.008368827);
  p = step<f32>(p, r, 0.041668233);
  p = step<f32>(p, r, 0.1666652);
  p = step<f32>(p, r, 0.49999994);
  p = step<f32>(madd<f32>(p, f32x4.mul(r, r), r), f32x4.splat(1), 1);
  // Times 2^n in two factors: n reaches from -150 (denormal results) to 128 (infinity).
  const k = i32x4.sub(t, i32x4.splat(0x4b400000));
  const half = i32x4.shr_s(k, 1);
  const one = i32x4.splat(0x3f800000);
  p = f32x4.mul(p, i32x4.add(i32x4.shl(half, 23), one));
  return f32x4.mul(p, i32x4.add(i32x4.shl(i32x4.sub(k, half), 23), one));
}

@inline
export function log<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return log64(x);
  const zero = f32x4.splat(0);
  const denormal = f32x4.lt(x, f32x4.splat(1.17549435e-38));
  const scaled = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, denormal);
  // x = 2^k m with sqrt(1/2) <= m < sqrt(2); log m = f - f²/2 + s (f²/2 + R(s²)), f = m - 1, s = f / (2 + f).
  const bits = i32x4.add(scaled, i32x4.splat(0x3f800000 - 0x3f3504f3));
  const exponent = i32x4.sub(i32x4.shr_u(bits, 23), i32x4.splat(127));
  const k = f32x4.convert_i32x4_s(i32x4.sub(exponent, v128.and(denormal, i32x4.splat(23))));
  const m = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));
  const f = f32x4.sub(m, f32x4.splat(1));
  const s = f32x4.div(f, f32x4.add(f, f32x4.splat(2)));
  const z = f32x4.mul(s, s);
  let p = stepExact(f32x4.splat(0.24269126), z, 0.2849916);
  p = stepExact(p, z, 0.4000097);
  p = f32x4.mul(stepExact(p, z, 0.6666666), z);
  const h = f32x4.mul(f32x4.mul(f, f), f32x4.splat(0.5));
  let y = f32x4.mul(s, f32x4.add(h, p));
  y = f32x4.sub(f32x4.add(y, f32x4.mul(k, f32x4.splat(9.0580006145e-6))), h);
  y = f32x4.add(f32x4.add(y, f), f32x4.mul(k, f32x4.splat(0.69313812256)));
  const usual = v128.and(f32x4.gt(x, zero), f32x4.lt(x, f32x4.splat(f32.MAX_VALUE + f32.MAX_VALUE)));
  if (!i32x4.all_true(usual)) y = v128.bitselect(y, logSpecial<f32>(x), usual);
  return y;
}

/** log where x is not a positive finite number. */
export function logSpecial<T>(x: v128): v128 {
  const zero = v128.splat<T>(0);
  const y = v128.bitselect(v128.splat<T>(<T>NaN), x, v128.lt<T>(x, zero));
  return v128.bitselect(v128.splat<T>(<T>-Infinity), y, v128.eq<T>(x, zero));
}

@inline
export function tanh<T>(x: v128): v128 {
  const a = v128.abs<T>(x);
  const one = v128.splat<T>(1);
  // 1 - 2 / (exp(2a) + 1), which is exact enough where the quotient is small
  const e = exp<T>(v128.add<T>(a, a));
  const large = v128.sub<T>(one, v128.div<T>(v128.splat<T>(2), v128.add<T>(e, one)));
  const z = v128.mul<T>(a, a);
  let p: v128;
  if (sizeof<T>() == 8) p = tanhSmall64(z);
  else {
    p = step<f32>(f32x4.splat(-0.0057154903), z, 0.020649103);
    p = step<f32>(p, z, -0.053743005);
    p = step<f32>(p, z, 0.13331485);
    p = step<f32>(p, z, -0.33333284);
  }
  const small = madd<T>(v128.mul<T>(p, z), a, a);
  return copySign<T>(v128.bitselect(small, large, v128.lt<T>(a, v128.splat<T>(<T>0.625))), x);
}

@inline
export function sigmoid<T>(x: v128): v128 {
  const one = v128.splat<T>(1);
  const e = exp<T>(v128.neg<T>(v128.abs<T>(x)));
  const top = v128.bitselect(e, one, v128.lt<T>(x, v128.splat<T>(0)));
  return v128.div<T>(top, v128.add<T>(e, one));
}

@inline
export function erf<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return erf64(x);
  const a = f32x4.pmin(f32x4.abs(x), f32x4.splat(3.95));
  const z = f32x4.mul(a, a);
  let p = step<f32>(f32x4.splat(-0.0005996604), z, 0.004994754);
  p = step<f32>(p, z, -0.026768073);
  p = step<f32>(p, z, 0.1128187);
  p = step<f32>(p, z, -0.376125);
  p = step<f32>(p, z, 0.12837915);
  const small = madd<f32>(p, a, a);
  // 1 - exp(q(a)), q close to log(erfc(a)) on [0.92, 3.95]
  let q = step<f32>(f32x4.splat(-2.116485e-5), a, 0.00043525253);
  q = step<f32>(q, a, -0.0041748057);
  q = step<f32>(q, a, 0.025129054);
  q = step<f32>(q, a, -0.10829461);
  q = step<f32>(q, a, -0.63333404);
  q = step<f32>(q, a, -1.1295211);
  q = step<f32>(q, a, 0.00017594024);
  const large = f32x4.sub(f32x4.splat(1), exp<f32>(q));
  return copySign<f32>(v128.bitselect(small, large, f32x4.lt(a, f32x4.splat(0.92))), x);
}

/** sin(x + turns π/2) for turns = 0 or 1, and for every x: no angle is too large. */
@inline
export function sinCos<T>(x: v128, turns: i32): v128 {
  if (sizeof<T>() == 8) return sinCos64(x, turns);
  return sinCos32(x, turns);
}

/** pow, with the rules of C and PyTorch: pow(x, 0) = pow(1, y) = 1 even for NaN, x < 0 takes whole y only. */
@inline
export function pow<T>(x: v128, y: v128): v128 {
  return pow64<T>(x, y);
}
