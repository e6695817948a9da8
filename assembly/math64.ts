// The mathematical functions on vectors of f64, and pow of f32 by way of f64.
import { copySign, logSpecial, step } from './math';

export const SHIFTER: f64 = 6755399441055744; // 1.5 * 2^52: adding it rounds, its low bits are then the integer
const LN2_HIGH: f64 = 6.93147180369123816490e-01; // 32 bits, so that its products with small integers are exact
const LN2_LOW: f64 = 1.90821492927058770002e-10;

@inline
export function highHalf(x: v128): v128 {
  return v128.shuffle<i64>(x, x, 1, 0);
}

/** exp(x + rest), with a rest far below the last bit of x. */
@inline
function expOf(x: v128, rest: v128): v128 {
  x = f64x2.pmax(f64x2.pmin(x, f64x2.splat(710)), f64x2.splat(-746));
  const t = step<f64>(x, f64x2.splat(1.4426950408889634), SHIFTER);
  const n = f64x2.sub(t, f64x2.splat(SHIFTER));
  let r = f64x2.sub(x, f64x2.mul(n, f64x2.splat(LN2_HIGH)));
  const low = f64x2.sub(rest, f64x2.mul(n, f64x2.splat(LN2_LOW)));
  const high = r;
  r = f64x2.add(high, low);
  rest = f64x2.add(f64x2.sub(high, r), low);
  let p = step<f64>(f64x2.splat(2.0826694821032634e-9), r, 2.5112148932252864e-8);
  p = step<f64>(p, r, 2.755758223875806e-7);
  p = step<f64>(p, r, 2.7557234544386816e-6);
  p = step<f64>(p, r, 2.480158692530716e-5);
  p = step<f64>(p, r, 0.00019841269896696726);
  p = step<f64>(p, r, 0.0013888888889116882);
  p = step<f64>(p, r, 0.00833333333331691);
  p = step<f64>(p, r, 0.04166666666666609);
  p = step<f64>(p, r, 0.16666666666666682);
  p = step<f64>(p, r, 0.5);
  // 1 + r + r² p, with what the first addition loses
  const one = f64x2.splat(1);
  const s = f64x2.add(one, r);
  rest = f64x2.add(rest, f64x2.sub(r, f64x2.sub(s, one)));
  p = f64x2.add(s, f64x2.add(f64x2.mul(p, f64x2.mul(r, r)), rest));
  const k = i64x2.sub(t, f64x2.splat(SHIFTER));
  const half = i64x2.shr_s(k, 1);
  p = f64x2.mul(p, i64x2.add(i64x2.shl(half, 52), one));
  return f64x2.mul(p, i64x2.add(i64x2.shl(i64x2.sub(k, half), 52), one));
}

export function exp64(x: v128): v128 {
  return expOf(x, f64x2.splat(0));
}

// What a log leaves for pow: the rest below its last bit.
let logRest: v128 = i64x2.splat(0);

/** a * b - p where p is the rounded product (Dekker). */
@inline
function productRest(a: v128, b: v128, p: v128): v128 {
  const mask = i64x2.splat(0xfffffffff8000000);
  const ah = v128.and(a, mask);
  const bh = v128.and(b, mask);
  const al = f64x2.sub(a, ah);
  const bl = f64x2.sub(b, bh);
  let e = f64x2.sub(f64x2.mul(ah, bh), p);
  e = f64x2.add(f64x2.add(e, f64x2.mul(ah, bl)), f64x2.mul(al, bh));
  return f64x2.add(e, f64x2.mul(al, bl));
}

/** log x of positive finite x; with `exact`, its rest goes to logRest. */
@inline
function logPositive(x: v128, exact: bool): v128 {
  const denormal = f64x2.lt(x, f64x2.splat(2.2250738585072014e-308));
  const scaled = v128.bitselect(f64x2.mul(x, f64x2.splat(4503599627370496)), x, denormal);
  const bits = i64x2.add(scaled, i64x2.splat((0x3ff00000 - 0x3fe6a09e) << 32));
  let exponent = i64x2.add(i64x2.shr_u(bits, 52), f64x2.splat(SHIFTER - 1023));
  exponent = i64x2.sub(exponent, v128.and(denormal, i64x2.splat(52)));
  const k = f64x2.sub(exponent, f64x2.splat(SHIFTER));
  const m = i64x2.add(v128.and(bits, i64x2.splat(0x000fffffffffffff)), i64x2.splat(0x3fe6a09e << 32));
  const f = f64x2.sub(m, f64x2.splat(1));
  const d = f64x2.add(f, f64x2.splat(2));
  const s = f64x2.div(f, d);
  const z = f64x2.mul(s, s);
  let p = step<f64>(f64x2.splat(0.13251090332474771), z, 0.13250144575491912);
  p = step<f64>(p, z, 0.15387089578069446);
  p = step<f64>(p, z, 0.18181775692547653);
  p = step<f64>(p, z, 0.2222222264646092);
  p = step<f64>(p, z, 0.28571428569088053);
  p = step<f64>(p, z, 0.4000000000000624);
  p = f64x2.mul(step<f64>(p, z, 0.6666666666666666), z);
  const kHigh = f64x2.mul(k, f64x2.splat(LN2_HIGH));
  const kLow = f64x2.mul(k, f64x2.splat(LN2_LOW));
  if (exact) {
    // log m = 2s + s p, with 2s to twice the bits: s + t is the quotient, d + e the divisor.
    const e = f64x2.sub(f, f64x2.sub(d, f64x2.splat(2)));
    const q = f64x2.mul(s, d);
    const rest = f64x2.sub(f64x2.sub(f64x2.sub(f, q), productRest(s, d, q)), f64x2.mul(s, e));
    const t = f64x2.div(rest, d);
    const b = f64x2.add(s, s);
    const high = f64x2.add(kHigh, b);
    const v = f64x2.sub(high, kHigh);
    let low = f64x2.add(f64x2.sub(kHigh, f64x2.sub(high, v)), f64x2.sub(b, v));
    low = f64x2.add(low, f64x2.add(f64x2.add(f64x2.mul(s, p), kLow), f64x2.add(t, t)));
    const y = f64x2.add(high, low);
    logRest = f64x2.sub(low, f64x2.sub(y, high));
    return y;
  }
  const h = f64x2.mul(f64x2.mul(f, f), f64x2.splat(0.5));
  const y = f64x2.sub(f64x2.add(f64x2.mul(s, f64x2.add(h, p)), kLow), h);
  return f64x2.add(f64x2.add(y, f), kHigh);
}

@inline
function logAny(x: v128, exact: bool): v128 {
  const usual = v128.and(f64x2.gt(x, f64x2.splat(0)), f64x2.lt(x, f64x2.splat(Infinity)));
  let y = logPositive(x, exact);
  if (!i64x2.all_true(usual)) {
    y = v128.bitselect(y, logSpecial<f64>(x), usual);
    if (exact) logRest = v128.and(logRest, usual);
  }
  return y;
}

export function log64(x: v128): v128 {
  return logAny(x, false);
}

/** (tanh a - a) / (a z) for z = a² <= 0.625². */
export function tanhSmall64(z: v128): v128 {
  let p = step<f64>(f64x2.splat(6.055702246597032e-6), z, -3.0218107843313074e-5);
  p = step<f64>(p, z, 9.158992470068686e-5);
  p = step<f64>(p, z, -0.00023703017909991036);
  p = step<f64>(p, z, 0.0005894586379037552);
  p = step<f64>(p, z, -0.0014557276189399106);
  p = step<f64>(p, z, 0.003592114271331355);
  p = step<f64>(p, z, -0.008863234341465786);
  p = step<f64>(p, z, 0.021869488470647853);
  p = step<f64>(p, z, -0.05396825396613397);
  p = step<f64>(p, z, 0.1333333333332989);
  return step<f64>(p, z, -0.33333333333333315);
}

export function erf64(x: v128): v128 {
  const a = f64x2.pmin(f64x2.abs(x), f64x2.splat(5.95));
  const z = f64x2.mul(a, a);
  let p = step<f64>(f64x2.splat(-7.80118144128603e-10), z, 1.3722971007402582e-8);
  p = step<f64>(p, z, -1.6209174355146375e-7);
  p = step<f64>(p, z, 1.6447517422997482e-6);
  p = step<f64>(p, z, -1.4924744637807322e-5);
  p = step<f64>(p, z, 0.0001205529531886895);
  p = step<f64>(p, z, -0.0008548325989630781);
  p = step<f64>(p, z, 0.005223977607421806);
  p = step<f64>(p, z, -0.026866170643275976);
  p = step<f64>(p, z, 0.11283791670945251);
  p = step<f64>(p, z, -0.3761263890318355);
  p = step<f64>(p, z, 0.12837916709551256);
  const small = f64x2.add(f64x2.mul(p, a), a);
  // 1 - exp(q(u)), u = a - 2, q close to log(erfc(a)) on [1, 5.95]
  const u = f64x2.sub(a, f64x2.splat(2));
  let q = step<f64>(f64x2.splat(-4.8443786156569065e-12), u, 3.652753632959402e-11);
  q = step<f64>(q, u, -7.154379707227459e-11);
  q = step<f64>(q, u, -2.564018197162776e-10);
  q = step<f64>(q, u, 2.6093242809811494e-9);
  q = step<f64>(q, u, -1.3991059495451911e-8);
  q = step<f64>(q, u, 5.769675059332559e-8);
  q = step<f64>(q, u, -1.7317037295714102e-7);
  q = step<f64>(q, u, 2.0372679571562773e-7);
  q = step<f64>(q, u, 1.952185956033868e-6);
  q = step<f64>(q, u, -2.070647053317728e-5);
  q = step<f64>(q, u, 0.0001353093311044018);
  q = step<f64>(q, u, -0.0007323993779399478);
  q = step<f64>(q, u, 0.0035707563477738926);
  q = step<f64>(q, u, -0.016465118137397542);
  q = step<f64>(q, u, -0.9237508418239408);
  q = step<f64>(q, u, -4.418160805994413);
  q = step<f64>(q, u, -5.364941264616636);
  const large = f64x2.sub(f64x2.splat(1), exp64(q));
  return copySign<f64>(v128.bitselect(small, large, f64x2.lt(a, f64x2.splat(1))), x);
}

/**
 * Integer and sign rules around exp(y log |x|), for f32 in f64. f64 is exact to the last bit or so near 1, and to
 * 20 times that at the ends of the range, where y is large.
 */
@inline
export function pow64<T>(x: v128, y: v128): v128 {
  let r: v128;
  if (sizeof<T>() == 4) {
    const a = f32x4.abs(x);
    const low = powPositive(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(y), false);
    const high = powPositive(f64x2.promote_low_f32x4(highHalf(a)), f64x2.promote_low_f32x4(highHalf(y)), false);
    r = v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
  } else r = powPositive(f64x2.abs(x), y, true);
  const zero = v128.splat<T>(0);
  const one = v128.splat<T>(1);
  const whole = v128.eq<T>(v128.trunc<T>(y), y);
  const half = v128.mul<T>(y, v128.splat<T>(<T>0.5));
  const odd = v128.andnot(whole, v128.eq<T>(v128.trunc<T>(half), half));
  // the sign bit of x for odd y (-0 too), NaN for x < 0 and broken y (infinite y counts as whole)
  const sign = sizeof<T>() == 4 ? v128.and(x, i32x4.splat(1 << 31)) : v128.and(x, i64x2.splat(1 << 63));
  r = v128.xor(r, v128.and(sign, odd));
  const broken = v128.andnot(
    v128.and(v128.lt<T>(x, zero), v128.gt<T>(x, v128.splat<T>(<T>-Infinity))),
    whole,
  );
  r = v128.bitselect(v128.splat<T>(<T>NaN), r, broken);
  const ones = v128.or(v128.eq<T>(y, zero), v128.eq<T>(x, one));
  const edge = v128.and(v128.eq<T>(v128.abs<T>(x), one), v128.eq<T>(v128.abs<T>(y), v128.splat<T>(<T>Infinity)));
  return v128.bitselect(one, r, v128.or(ones, edge));
}

@inline
function powPositive(a: v128, y: v128, exact: bool): v128 {
  if (!exact) return exp64(f64x2.mul(y, log64(a)));
  return powExact(a, y);
}

function powExact(a: v128, y: v128): v128 {
  const l = logAny(a, true);
  const p = f64x2.mul(y, l);
  const rest = f64x2.add(productRest(y, l, p), f64x2.mul(y, logRest));
  // a rest that is not small, or no number, means nothing: the result is 0, infinite or NaN anyway
  return expOf(p, v128.and(rest, f64x2.lt(f64x2.abs(rest), f64x2.splat(1e-9))));
}
