// sin and cos of f32 and f64 for every angle: reduction by parts of π/2, or by the bits of 2/π where it is large.
import { step } from './math';
import { highHalf, SHIFTER } from './math64';

const INVERSE: f64 = 0.6366197723675814; // 2/π
const LARGE: f64 = 1048576; // n up to 2^20 has exact products with 33 bits of π/2

// What a reduction leaves besides its result: n in the low bits, and the rest of the angle below its last bit.
let quadrants: v128 = i64x2.splat(0);
let angleRest: v128 = i64x2.splat(0);
let largeQuadrant: i64 = 0;

/** x - n π/2 in [-π/4, π/4]; `exact` asks for angleRest. */
@inline
function reduce(x: v128, exact: bool): v128 {
  const t = step<f64>(x, f64x2.splat(INVERSE), SHIFTER);
  const n = f64x2.sub(t, f64x2.splat(SHIFTER));
  quadrants = t;
  let r = f64x2.sub(x, f64x2.mul(n, f64x2.splat(1.57079632673412561417)));
  if (exact) {
    const a = r;
    const w = f64x2.mul(n, f64x2.splat(6.07710050630396597660e-11));
    const b = f64x2.sub(a, w);
    const lost = f64x2.sub(f64x2.sub(a, b), w);
    const e = f64x2.sub(f64x2.mul(n, f64x2.splat(2.02226624879595063154e-21)), lost);
    r = f64x2.sub(b, e);
    angleRest = f64x2.sub(f64x2.sub(b, r), e);
  } else r = f64x2.sub(r, f64x2.mul(n, f64x2.splat(6.07710050650619224932e-11)));
  const large = f64x2.ge(f64x2.abs(x), f64x2.splat(LARGE));
  if (v128.any_true(large)) r = reduceLargeLanes(x, r, large);
  return r;
}

function reduceLargeLanes(x: v128, r: v128, large: v128): v128 {
  angleRest = v128.andnot(angleRest, large);
  if (i64x2.extract_lane(large, 0)) {
    r = f64x2.replace_lane(r, 0, reduceLarge(f64x2.extract_lane(x, 0)));
    quadrants = i64x2.replace_lane(quadrants, 0, largeQuadrant);
  }
  if (i64x2.extract_lane(large, 1)) {
    r = f64x2.replace_lane(r, 1, reduceLarge(f64x2.extract_lane(x, 1)));
    quadrants = i64x2.replace_lane(quadrants, 1, largeQuadrant);
  }
  return r;
}

/** Payne and Hanek: multiplies by those 256 bits of 2/π that decide n mod 4 and the fraction. */
function reduceLarge(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  const exponent = <i32>((bits >> 52) & 0x7ff) - 1075;
  if (exponent > 971) return NaN;
  const m = (bits & 0x000fffffffffffff) | 0x0010000000000000;
  // x = m 2^exponent; the words begin with 64 zero bits, so that the offset is positive
  const offset = exponent + 62;
  const i = offset >> 6;
  const shift = <u64>(offset & 63);
  let top: u64 = 0;
  let middle: u64 = 0;
  let bottom: u64 = 0;
  let next: u64 = 0;
  let carry: u64 = 0;
  for (let j = 3; j >= 0; j--) {
    const word = twoOverPi(i + j);
    const w = (word << shift) | ((next >> 1) >> (63 - shift));
    const product = m * w;
    bottom = middle;
    middle = top;
    top = product + carry;
    carry = multiplyHigh(m, w) + u64(top < product);
    next = word;
  }
  const high = (top << 2) | (middle >> 62);
  const low = (middle << 2) | (bottom >> 62);
  const n = <i64>((top >> 62) + (high >> 63));
  const a = <f64>(<i64>high);
  const b = <f64>(<i64>high - <i64>a) + <f64>low * 5.421010862427522e-20;
  const r = (a + b) * 5.421010862427522e-20 * 1.5707963267948966;
  largeQuadrant = x < 0 ? -n : n;
  return x < 0 ? -r : r;
}

/** Word i of 64 zero bits and then 2/π. */
function twoOverPi(i: i32): u64 {
  switch (i) {
    case 1:
      return 0xa2f9836e4e441529;
    case 2:
      return 0xfc2757d1f534ddc0;
    case 3:
      return 0xdb6295993c439041;
    case 4:
      return 0xfe5163abdebbc561;
    case 5:
      return 0xb7246e3a424dd2e0;
    case 6:
      return 0x06492eea09d1921c;
    case 7:
      return 0xfe1deb1cb129a73e;
    case 8:
      return 0xe88235f52ebb4484;
    case 9:
      return 0xe99c7026b45f7e41;
    case 10:
      return 0x3991d639835339f4;
    case 11:
      return 0x9c845f8bbdf9283b;
    case 12:
      return 0x1ff897ffde05980f;
    case 13:
      return 0xef2f118b5a0a6d1f;
    case 14:
      return 0x6d367ecf27cb09b7;
    case 15:
      return 0x4f463f669e5fea2d;
    case 16:
      return 0x7527bac7ebe5f17b;
    case 17:
      return 0x3d0739f78a5292ea;
    case 18:
      return 0x6bfb5fb11f8d5d08;
    case 19:
      return 0x56033046fc7b6bab;
  }
  return 0;
}

/** The upper half of a 128-bit product. */
function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const middle = ah * bl + ((al * bl) >> 32);
  return ah * bh + (middle >> 32) + ((al * bh + (middle & 0xffffffff)) >> 32);
}

/** sin(x + turns π/2), turns = 0 or 1; no fused arithmetic, since random numbers are made with it. */
export function sinCos32(x: v128, turns: i32): v128 {
  const low = f32x4.demote_f64x2_zero(reduce(f64x2.promote_low_f32x4(x), false));
  const q = quadrants;
  const high = f32x4.demote_f64x2_zero(reduce(f64x2.promote_low_f32x4(highHalf(x)), false));
  const r = v128.shuffle<i64>(low, high, 0, 2);
  const n = i32x4.add(v128.shuffle<i32>(q, quadrants, 0, 2, 4, 6), i32x4.splat(turns));
  const z = f32x4.mul(r, r);
  let s = f32x4.add(f32x4.mul(z, f32x4.splat(-0.00019518787)), f32x4.splat(0.008332192));
  s = f32x4.add(f32x4.mul(z, s), f32x4.splat(-0.16666655));
  s = f32x4.add(f32x4.mul(f32x4.mul(s, z), r), r);
  s = v128.bitselect(r, s, f32x4.eq(r, f32x4.splat(0))); // keeps -0
  let c = f32x4.add(f32x4.mul(z, f32x4.splat(2.443237e-5)), f32x4.splat(-0.001388731));
  c = f32x4.add(f32x4.mul(z, c), f32x4.splat(0.041666646));
  c = f32x4.sub(f32x4.mul(z, f32x4.splat(0.5)), f32x4.mul(f32x4.mul(z, z), c));
  c = f32x4.sub(f32x4.splat(1), c);
  const y = v128.bitselect(c, s, i32x4.shr_s(i32x4.shl(n, 31), 31));
  return v128.xor(y, v128.and(i32x4.shl(n, 30), i32x4.splat(1 << 31)));
}

export function sinCos64(x: v128, turns: i32): v128 {
  const r = reduce(x, true);
  const rest = angleRest;
  const n = i64x2.add(quadrants, i64x2.splat(turns));
  const z = f64x2.mul(r, r);
  const cube = f64x2.mul(z, r);
  const half = f64x2.splat(0.5);
  let s = step<f64>(f64x2.splat(1.5896802078302782e-10), z, -2.505075822212042e-8);
  s = step<f64>(s, z, 2.755731369254076e-6);
  s = step<f64>(s, z, -0.0001984126982980923);
  s = step<f64>(s, z, 0.008333333333322415);
  // r + (s z - 1/6) r³ + rest (1 - z/2)
  s = f64x2.sub(f64x2.mul(z, f64x2.sub(f64x2.mul(half, rest), f64x2.mul(cube, s))), rest);
  s = f64x2.sub(r, f64x2.add(s, f64x2.mul(cube, f64x2.splat(0.16666666666666632))));
  s = v128.bitselect(r, s, f64x2.eq(r, f64x2.splat(0))); // keeps -0
  let c = step<f64>(f64x2.splat(-1.1359649653226956e-11), z, 2.0875723305222776e-9);
  c = step<f64>(c, z, -2.755731435254934e-7);
  c = step<f64>(c, z, 2.4801587289482886e-5);
  c = step<f64>(c, z, -0.0013888888888874125);
  c = step<f64>(c, z, 0.0416666666666666);
  const h = f64x2.mul(half, z);
  const w = f64x2.sub(f64x2.splat(1), h);
  c = f64x2.sub(f64x2.mul(f64x2.mul(z, z), c), f64x2.mul(r, rest));
  c = f64x2.add(w, f64x2.add(f64x2.sub(f64x2.sub(f64x2.splat(1), w), h), c));
  const y = v128.bitselect(c, s, i64x2.shr_s(i64x2.shl(n, 63), 63));
  return v128.xor(y, v128.and(i64x2.shl(n, 62), i64x2.splat(1 << 63)));
}
