// Half precision as storage: float32 values packed as IEEE 754 binary16, two to an int32, and back. There is no dtype
// float16 because nothing computes in it: a dtype would ask every op, cast and backend what they do with it, and WASM
// has no arithmetic for it. An int32 has four bytes on every backend, so that packed weights are half as large on each.
import { type DType, requireDType, type Shape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Tensor } from '../graph.js';
import { type KernelOp, streamingCost, suffix } from './define.js';
import { fromHalfShader, toHalfShader } from './quantize-shaders.js';

const floats: readonly DType[] = ['float32', 'float64'];

/** Rounds to the nearest whole number, ties to even, as IEEE 754 does. */
export function nearestEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** The bits of the half nearest to x, ties to even; any NaN is 0x7e00. Slow and obvious. */
export function halfBits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00; // halfway from the largest half to the next power of two
  let exponent = -14;
  while (size >= 2 ** (exponent + 1)) exponent++;
  // Counted in last places; 1024 of them reach into the next exponent, which is what the bits do as well.
  const steps = nearestEven(size / 2 ** (exponent - 10));
  return sign | (steps + (exponent + 14) * 1024);
}

/** The value of a half. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const words = (shape: Shape): number => Math.ceil(sizeOf(shape) / 2);

const toHalfDefinition: KernelOp = {
  kind: 'kernel',
  name: 'toHalf',
  infer([x]) {
    requireDType('toHalf', x!.dtype, floats);
    return { shape: [words(x!.shape)], dtype: 'int32' };
  },
  gradient: null,
  reference({ values: [x], out }) {
    out.fill(0);
    x!.forEach((v, i) => {
      out[i >> 1]! |= halfBits(v) << (16 * (i & 1));
    });
  },
  cost: (site) => streamingCost(site, 16),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [5] }], attributes: {} },
        { inputs: [{ shape: [3, 8], range: [-70000, 70000] }], attributes: {} },
        { inputs: [{ shape: [2, 9], range: [-1e-4, 1e-4] }], attributes: {} },
      ]
    : [],
  wasm: {
    calls: ({ inputs: [x] }) => [
      { kernel: `toHalf_${suffix(x!.dtype)}`, args: ['output', { input: 0 }, sizeOf(x!.shape)] },
    ],
  },
  webgpu: { epilogue: true, prologue: true, calls: ({ inputs: [x] }) => toHalfShader(sizeOf(x!.shape)) },
};

type FromHalfAttributes = { readonly shape: Shape; readonly dtype: DType };

const fromHalfDefinition: KernelOp<FromHalfAttributes> = {
  kind: 'kernel',
  name: 'fromHalf',
  infer([x], { shape, dtype }) {
    requireDType('fromHalf', x!.dtype, ['int32']);
    requireDType('fromHalf', dtype, floats);
    if (sizeOf(x!.shape) !== words(shape)) {
      throw new ShapeError({
        where: 'fromHalf',
        problem: `${showShape(x!.shape)} words do not hold ${showShape(shape)}: ${sizeOf(x!.shape)} != ${words(shape)}`,
        hint: 'two elements to a word, as toHalf packs them',
        values: { words: x!.shape, shape },
      });
    }
    return { shape, dtype };
  },
  gradient: null,
  reference({ values: [x], out }) {
    for (let i = 0; i < out.length; i++) out[i] = halfValue((x![i >> 1]! >> (16 * (i & 1))) & 0xffff);
  },
  cost: (site) => streamingCost(site, 12),
  samples: WITH_SAMPLES
    ? [
        {
          inputs: [{ shape: [3], dtype: 'int32', values: [0x3c00c000, 0x00018400 | 0, 0x0000_7bff] }],
          attributes: { shape: [5], dtype: 'float32' },
        },
        // All bits but those of the largest exponent, infinity's and NaN's, of which sizes.ts has some.
        {
          inputs: [{ shape: [12], dtype: 'int32', range: [0, 0x7bff] }],
          attributes: { shape: [2, 3, 4], dtype: 'float32' },
        },
      ]
    : [],
  wasm: {
    calls: ({ output: { shape, dtype } }) => [
      { kernel: `fromHalf_${suffix(dtype)}`, args: ['output', { input: 0 }, sizeOf(shape)] },
    ],
  },
  webgpu: { calls: ({ output: { shape } }) => fromHalfShader(sizeOf(shape)) },
};

/**
 * The elements rounded to half precision (nearest, ties to even; beyond 65504 infinite), two to an int32, the first in the
 * low bits: x of n elements gives (ceil(n / 2)) int32. No gradient.
 */
export const toHalf = /* @__PURE__ */ Object.assign(
  (x: Tensor): Tensor => record(toHalfDefinition, [x], {}),
  {
    definition: toHalfDefinition as KernelOp<Attributes>,
  },
);

/** What `toHalf` packed, as float32 of a shape. Exact. No gradient. */
export const fromHalf = /* @__PURE__ */ Object.assign(
  (words: Tensor, shape: Shape, dtype: DType = 'float32'): Tensor =>
    record(fromHalfDefinition, [words], { shape, dtype }),
  { definition: fromHalfDefinition as unknown as KernelOp<Attributes> },
);
