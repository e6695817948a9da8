// The mathematical functions on vectors of f32 or f64, from arithmetic alone, so that every runtime gets the
// same bits. Polynomials are minimax fits. Double precision is in math64.ts, sin and cos in angles.ts.
import { sinCos32, sinCos64 } from './angles';
import { floats, ints } from './constants';
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

const SIGN = ints(1 << 31);

/** The absolute value of `magnitude` with the sign of `sign`. */
@inline
export function copySign<T>(magnitude: v128, sign: v128): v128 {
  return v128.bitselect(sign, magnitude, sizeof<T>() == 4 ? SIGN : i64x2.splat(1 << 63));
}

const ONE = floats(1);
const ONE_BITS = ints(0x3f800000);
const EXP_MIN = floats(-104);
const EXP_MAX = floats(89);
const LOG2E = floats(1.4426950408889634);
const SHIFTER = floats(12582912); // 1.5 * 2^23: adding it rounds, its low bits are then the integer
const SHIFTER_BITS = ints(0x4b400000);
const LN2_HIGH = floats(-0.693359375); // 9 bits: exact products
const LN2_LOW = floats(2.12194440e-4);
const EXP2 = floats(0.49999994);
const EXP3 = floats(0.1666652);
const EXP4 = floats(0.041668233);
const EXP5 = floats(0.008368827);
const EXP6 = floats(0.001382445);

/** exp in single precision; with `normal`, x and the result are known to be in the range of normal numbers. */
@inline
function exp32(x: v128, normal: bool): v128 {
  // x = n ln 2 + r with |r| <= ln 2 / 2; pmin and pmax keep a NaN in their first operand.
  if (!normal) x = f32x4.pmax(f32x4.pmin(x, EXP_MAX), EXP_MIN);
  const t = madd<f32>(x, LOG2E, SHIFTER);
  const n = f32x4.sub(t, SHIFTER);
  const r = madd<f32>(n, LN2_LOW, madd<f32>(n, LN2_HIGH, x));
  let p = madd<f32>(EXP6, r, EXP5);
  p = madd<f32>(p, r, EXP4);
  p = madd<f32>(p, r, EXP3);
  p = madd<f32>(p, r, EXP2);
  p = f32x4.add(madd<f32>(p, f32x4.mul(r, r), r), ONE);
  const k = i32x4.sub(t, SHIFTER_BITS);
  if (normal) return f32x4.mul(p, i32x4.add(i32x4.shl(k, 23), ONE_BITS));
  // Times 2^n in two factors: n reaches from -150 (denormal results) to 128 (infinity).
  const half = i32x4.shr_s(k, 1);
  p = f32x4.mul(p, i32x4.add(i32x4.shl(half, 23), ONE_BITS));
  return f32x4.mul(p, i32x4.add(i32x4.shl(i32x4.sub(k, half), 23), ONE_BITS));
}

@inline
export function exp<T>(x: v128): v128 {
  return sizeof<T>() == 8 ? exp64(x) : exp32(x, false);
}

const VANISHING = floats(-87.3); // exp of less is not a normal number

/**
 * exp(x) for x <= 0, in single precision 0 where that is not a normal number: denormal ones take five times as long, and
 * softmax has many -Infinity, in masked scores and after the ends of rows.
 */
@inline
export function expOfNegative<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return exp64(x);
  return v128.andnot(exp32(x, true), f32x4.lt(x, VANISHING)); // a NaN is not less
}

const SMALLEST = floats(1.17549435e-38);
const LARGEST = floats(f32.MAX_VALUE);
const TWO_23 = floats(8388608);
const ROOT_OFFSET = ints(0x3f800000 - 0x3f3504f3);
const ROOT_BITS = ints(0x3f3504f3); // sqrt(1/2)
const BIAS = ints(127);
const MANTISSA = ints(0x007fffff);
const HALF = floats(0.5);
const TWO = floats(2);
const LOG_LN2_HIGH = floats(0.69313812256); // 16 bits: exact products
const LOG_LN2_LOW = floats(9.0580006145e-6);
const LOG1 = floats(0.6666666);
const LOG2 = floats(0.4000097);
const LOG3 = floats(0.2849916);
const LOG4 = floats(0.24269126);

/** No step is fused: random numbers are made with it, which are the same in each build. */
@inline
export function log<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return log64(x);
  const denormal = f32x4.lt(x, SMALLEST);
  const scaled = v128.bitselect(f32x4.mul(x, TWO_23), x, denormal);
  // x = 2^k m with sqrt(1/2) <= m < sqrt(2); log m = f - f²/2 + s (f²/2 + R(s²)), f = m - 1, s = f / (2 + f).
  const bits = i32x4.add(scaled, ROOT_OFFSET);
  const exponent = i32x4.sub(i32x4.shr_u(bits, 23), BIAS);
  const k = f32x4.convert_i32x4_s(i32x4.sub(exponent, v128.and(denormal, i32x4.splat(23))));
  const m = i32x4.add(v128.and(bits, MANTISSA), ROOT_BITS);
  const f = f32x4.sub(m, ONE);
  const s = f32x4.div(f, f32x4.add(f, TWO));
  const z = f32x4.mul(s, s);
  let p = f32x4.add(f32x4.mul(LOG4, z), LOG3);
  p = f32x4.add(f32x4.mul(p, z), LOG2);
  p = f32x4.add(f32x4.mul(p, z), LOG1);
  const h = f32x4.mul(f32x4.mul(f, f), HALF);
  let y = f32x4.mul(s, f32x4.add(h, f32x4.mul(p, z)));
  y = f32x4.sub(f32x4.add(y, f32x4.mul(k, LOG_LN2_LOW)), h);
  y = f32x4.add(f32x4.add(y, f), f32x4.mul(k, LOG_LN2_HIGH));
  const usual = v128.and(f32x4.gt(x, i32x4.splat(0)), f32x4.le(x, LARGEST));
  if (!i32x4.all_true(usual)) y = v128.bitselect(y, logSpecial<f32>(x), usual);
  return y;
}

/** log where x is not a positive finite number. */
export function logSpecial<T>(x: v128): v128 {
  const zero = v128.splat<T>(0);
  const y = v128.bitselect(v128.splat<T>(<T>NaN), x, v128.lt<T>(x, zero));
  return v128.bitselect(v128.splat<T>(<T>-Infinity), y, v128.eq<T>(x, zero));
}

const TANH_EDGE = floats(0.625);
const TANH1 = floats(-0.33333284);
const TANH2 = floats(0.13331485);
const TANH3 = floats(-0.053743005);
const TANH4 = floats(0.020649103);
const TANH5 = floats(-0.0057154903);

@inline
function one<T>(): v128 {
  return sizeof<T>() == 4 ? ONE : f64x2.splat(1);
}

@inline
export function tanh<T>(x: v128): v128 {
  const a = v128.abs<T>(x);
  // 1 - 2 / (exp(2a) + 1), which is exact enough where the quotient is small
  const e = exp<T>(v128.add<T>(a, a));
  const two = sizeof<T>() == 4 ? TWO : f64x2.splat(2);
  const large = v128.sub<T>(one<T>(), v128.div<T>(two, v128.add<T>(e, one<T>())));
  const z = v128.mul<T>(a, a);
  let p: v128;
  if (sizeof<T>() == 8) p = tanhSmall64(z);
  else {
    p = madd<f32>(TANH5, z, TANH4);
    p = madd<f32>(p, z, TANH3);
    p = madd<f32>(p, z, TANH2);
    p = madd<f32>(p, z, TANH1);
  }
  const small = madd<T>(v128.mul<T>(p, z), a, a);
  const edge = sizeof<T>() == 4 ? TANH_EDGE : f64x2.splat(0.625);
  return copySign<T>(v128.bitselect(small, large, v128.lt<T>(a, edge)), x);
}

@inline
export function sigmoid<T>(x: v128): v128 {
  const e = exp<T>(v128.neg<T>(v128.abs<T>(x)));
  const top = v128.bitselect(e, one<T>(), v128.lt<T>(x, v128.splat<T>(0)));
  const d = v128.add<T>(e, one<T>());
  const y = v128.div<T>(top, d);
  // e - (d - 1) is what rounding took from d; without it the error may be 2.3 ulp where e is small
  return v128.sub<T>(y, v128.mul<T>(y, v128.sub<T>(e, v128.sub<T>(d, one<T>()))));
}

const ERF_EDGE = floats(0.92);
const ERF_END = floats(3.95);
const ERF0 = floats(0.12837915);
const ERF1 = floats(-0.376125);
const ERF2 = floats(0.1128187);
const ERF3 = floats(-0.026768073);
const ERF4 = floats(0.004994754);
const ERF5 = floats(-0.0005996604);
const ERFC0 = floats(0.00017594024);
const ERFC1 = floats(-1.1295211);
const ERFC2 = floats(-0.63333404);
const ERFC3 = floats(-0.10829461);
const ERFC4 = floats(0.025129054);
const ERFC5 = floats(-0.0041748057);
const ERFC6 = floats(0.00043525253);
const ERFC7 = floats(-2.116485e-5);

@inline
export function erf<T>(x: v128): v128 {
  if (sizeof<T>() == 8) return erf64(x);
  const a = f32x4.pmin(f32x4.abs(x), ERF_END);
  const z = f32x4.mul(a, a);
  let p = madd<f32>(ERF5, z, ERF4);
  p = madd<f32>(p, z, ERF3);
  p = madd<f32>(p, z, ERF2);
  p = madd<f32>(p, z, ERF1);
  p = madd<f32>(p, z, ERF0);
  const small = madd<f32>(p, a, a);
  // 1 - exp(q(a)), q close to log(erfc(a)) on [0.92, 3.95]
  let q = madd<f32>(ERFC7, a, ERFC6);
  q = madd<f32>(q, a, ERFC5);
  q = madd<f32>(q, a, ERFC4);
  q = madd<f32>(q, a, ERFC3);
  q = madd<f32>(q, a, ERFC2);
  q = madd<f32>(q, a, ERFC1);
  q = madd<f32>(q, a, ERFC0);
  const large = f32x4.sub(ONE, exp<f32>(q));
  return copySign<f32>(v128.bitselect(small, large, f32x4.lt(a, ERF_EDGE)), x);
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
