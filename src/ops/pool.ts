// Pooling of images (N, H, W, C) and sequences (N, L, C): largest, mean, and root of the sum of squares of each window.
import { requireDType, type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { less, mul, sqrt, square, where } from './arithmetic.js';
import { mean } from './compositions.js';
import { hostBytes, type KernelOp, type ReferenceContext, type Sample, type Site, suffix } from './define.js';
import { floats } from './elementwise.js';
import { reshape } from './movement.js';
import {
  avgPoolGradientShader,
  avgPoolShader,
  maxPoolGradientShader,
  maxPoolPickShader,
  maxPoolShader,
  type PoolSizes,
} from './pool-shaders.js';
import { max } from './reduce.js';
import { type Pair, type PoolOptions, type Window, windowOf, windowsOver } from './window.js';

type MaxAttributes = Window;
type AvgAttributes = Window & { readonly countIncludePad: boolean };
/** With the height and width of the images, which the windows' gradients do not show. */
type AvgGradientAttributes = AvgAttributes & { readonly size: readonly number[] };

/** All sizes of a use, from the shape of the images. */
function sizes(shape: Shape, w: Window, countIncludePad = false): PoolSizes {
  const [N, H, W, C] = shape as [number, number, number, number];
  const [OH, OW] = windowsOver('pool', shape, w);
  const [KH, KW] = w.kernel as [number, number];
  const [SH, SW] = w.stride as [number, number];
  const [PT, PB, PL, PR] = w.padding as [number, number, number, number];
  const [DH, DW] = w.dilation as [number, number];
  return { N, H, W, C, OH, OW, KH, KW, SH, SW, PT, PL, DH, DW, PB, PR, PADDED: Number(countIncludePad) };
}

/** The words of `assembly/pool.ts` and `avg-pool.ts` after dst, x and a second operand. */
const sizeWords = (s: PoolSizes): number[] => [
  s.N,
  s.H,
  s.W,
  s.C,
  s.OH,
  s.OW,
  s.KH,
  s.KW,
  s.SH,
  s.SW,
  s.PT,
  s.PL,
  s.DH,
  s.DW,
  s.PB,
  s.PR,
  s.PADDED,
];

const kernelCall = (name: string, { output, inputs }: Site, s: PoolSizes) => [
  {
    kernel: `${name}_${suffix(output.dtype)}`,
    args: ['output' as const, { input: 0 }, { input: inputs.length - 1 }, ...sizeWords(s)],
  },
];

/** Calls `f` with the window's place in the output and those of its pixels in the image, in order. */
function eachWindow(s: PoolSizes, f: (window: number, pixels: number[], counted: number) => void): void {
  const ends = (start: number, kernel: number, size: number, after: number): number =>
    Math.min(start + kernel, size + after) - start;
  for (let at = 0; at < s.N * s.OH * s.OW * s.C; at++) {
    const c = at % s.C;
    const left = (Math.trunc(at / s.C) % s.OW) * s.SW - s.PL;
    const top = (Math.trunc(at / (s.C * s.OW)) % s.OH) * s.SH - s.PT;
    const n = Math.trunc(at / (s.C * s.OW * s.OH));
    const pixels: number[] = [];
    for (let y = top; y < top + s.KH * s.DH; y += s.DH) {
      for (let x = left; x < left + s.KW * s.DW; x += s.DW) {
        if (y >= 0 && y < s.H && x >= 0 && x < s.W) pixels.push(((n * s.H + y) * s.W + x) * s.C + c);
      }
    }
    const padded = ends(top, s.KH, s.H, s.PB) * ends(left, s.KW, s.W, s.PR);
    f(at, pixels, s.PADDED ? padded : pixels.length);
  }
}

/** Index of the first maximum; a NaN is larger than anything before it. */
const argmaxOf = (x: ArrayLike<number>, pixels: readonly number[]): number =>
  pixels.reduce((best, at) => (x[at]! <= x[best]! ? best : at));

const cost = (name: string, { inputs, output, attributes }: Site<Window>) => ({
  flops: sizeOf(output.shape) * (name.endsWith('Gradient') ? 2 : 1) * sizeOf(attributes.kernel),
  bytes: inputs.reduce((n, s) => n + hostBytes(s), hostBytes(output)),
});

/** An op on images `x`, with what all of them share. */
function poolOp<A extends Window>(
  name: string,
  op: Pick<KernelOp<A>, 'infer' | 'gradient' | 'samples'> & {
    sizes(site: Site<A>): PoolSizes;
    reference(context: ReferenceContext<A>, s: PoolSizes): void;
    shader(s: PoolSizes): ReturnType<KernelOp['webgpu']['calls']>;
  },
): KernelOp<A> {
  return {
    kind: 'kernel',
    name,
    infer(inputs, attributes) {
      for (const { dtype } of inputs) requireDType(name, dtype, floats);
      return op.infer(inputs, attributes);
    },
    gradient: op.gradient,
    reference: (context) => op.reference(context, op.sizes(context)),
    cost: (site) => cost(name, site),
    samples: op.samples,
    wasm: { calls: (site) => kernelCall(name, site, op.sizes(site)) },
    webgpu: { calls: (site) => op.shader(op.sizes(site)) },
  };
}

const pooled = (where: string, { shape, dtype }: Spec, w: Window): Spec => {
  const [height, width] = windowsOver(where, shape, w);
  return { shape: [shape[0]!, height, width, shape[3]!], dtype };
};

function checkSame(where: string, what: string, actual: Shape, wanted: Shape): void {
  if (sameShape(actual, wanted)) return;
  throw new ShapeError({
    where,
    problem: `${what} is ${showShape(actual)}, the windows need ${showShape(wanted)}`,
    hint: 'shapes of the pooling that this belongs to',
    values: { actual, wanted },
  });
}

const windowSample = (shape: number[], kernel: Pair, options: Parameters<typeof windowOf>[2] = {}) => ({
  shape,
  attributes: windowOf('pool', kernel, options),
});

const maxCases = WITH_SAMPLES
  ? [
      windowSample([1, 4, 4, 1], 2),
      windowSample([2, 6, 4, 5], 2),
      windowSample([2, 7, 7, 4], 3, { stride: 2 }),
      windowSample([1, 5, 7, 3], 2),
      windowSample([1, 6, 5, 2], [3, 2], { stride: [2, 1], padding: [1, 1] }),
      windowSample([1, 6, 6, 2], 3, { stride: 2, ceilMode: true }),
      windowSample([1, 7, 6, 2], 2, { stride: 1, dilation: [2, 3] }),
    ]
  : [];
const withSecond = (
  second: 'windows' | 'pixels',
  { shape, attributes }: { shape: number[]; attributes: Window },
): Sample<MaxAttributes> => {
  const other =
    second === 'pixels' ? shape : [...pooled('pool', { shape, dtype: 'float32' }, attributes).shape];
  return { inputs: [{ shape }, { shape: other }], attributes };
};

const maxDefinition: KernelOp<MaxAttributes> = /* @__PURE__ */ poolOp('maxPool', {
  infer: ([x], w) => pooled('maxPool', x!, w),
  gradient: ({ inputs: [x], dy, attributes }) => [record(maxGradientDefinition, [x!, dy], attributes)],
  sizes: ({ inputs: [x], attributes }) => sizes(x!.shape, attributes),
  reference: ({ values: [x], out }, s) =>
    eachWindow(s, (window, pixels) => {
      out[window] = pixels.map((at) => x![at]!).reduce((a, b) => Math.max(a, b));
    }),
  shader: maxPoolShader,
  samples: WITH_SAMPLES ? maxCases.map(({ shape, attributes }) => ({ inputs: [{ shape }], attributes })) : [],
});

const maxGradientDefinition: KernelOp<MaxAttributes> = /* @__PURE__ */ poolOp('maxPoolGradient', {
  infer([x, dy], w) {
    checkSame('maxPoolGradient', 'dy', dy!.shape, pooled('maxPoolGradient', x!, w).shape);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  // Linear in dy; x only says where.
  gradient: ({ inputs: [x], dy, attributes }) => [null, record(maxPickDefinition, [x!, dy], attributes)],
  sizes: ({ inputs: [x], attributes }) => sizes(x!.shape, attributes),
  reference({ values: [x, dy], out }, s) {
    const total = new Float64Array(out.length);
    eachWindow(s, (window, pixels) => {
      total[argmaxOf(x!, pixels)]! += dy![window]!;
    });
    out.set(total);
  },
  shader: maxPoolGradientShader,
  samples: WITH_SAMPLES ? maxCases.map((c) => withSecond('windows', c)) : [],
});

const maxPickDefinition: KernelOp<MaxAttributes> = /* @__PURE__ */ poolOp('maxPoolPick', {
  infer([x, v], w) {
    checkSame('maxPoolPick', 'the second operand', v!.shape, x!.shape);
    return pooled('maxPoolPick', x!, w);
  },
  gradient: ({ inputs: [x], dy, attributes }) => [null, record(maxGradientDefinition, [x!, dy], attributes)],
  sizes: ({ inputs: [x], attributes }) => sizes(x!.shape, attributes),
  reference: ({ values: [x, v], out }, s) =>
    eachWindow(s, (window, pixels) => {
      out[window] = v![argmaxOf(x!, pixels)]!;
    }),
  shader: maxPoolPickShader,
  samples: WITH_SAMPLES ? maxCases.map((c) => withSecond('pixels', c)) : [],
});

const avgCases = WITH_SAMPLES
  ? [
      windowSample([1, 4, 4, 1], 2),
      windowSample([2, 7, 7, 4], 3, { stride: 2 }),
      windowSample([1, 5, 7, 3], 2),
      windowSample([1, 6, 5, 2], [3, 2], { stride: [2, 1], padding: [1, 1] }),
      windowSample([1, 6, 6, 2], 3, { stride: 2, padding: 1, ceilMode: true }),
      windowSample([1, 7, 5, 1], 2, { stride: 3 }),
    ].flatMap(({ shape, attributes }) =>
      [true, false].map((countIncludePad) => ({ shape, attributes: { ...attributes, countIncludePad } })),
    )
  : [];

const avgDefinition: KernelOp<AvgAttributes> = /* @__PURE__ */ poolOp('avgPool', {
  infer: ([x], w) => pooled('avgPool', x!, w),
  gradient: ({ inputs: [x], dy, attributes }) => [
    record(avgGradientDefinition, [dy], { ...attributes, size: x!.shape.slice(1, 3) }),
  ],
  sizes: ({ inputs: [x], attributes }) => sizes(x!.shape, attributes, attributes.countIncludePad),
  reference: ({ values: [x], out }, s) =>
    eachWindow(s, (window, pixels, counted) => {
      out[window] = pixels.reduce((total, at) => total + x![at]!, 0) / counted;
    }),
  shader: avgPoolShader,
  samples: WITH_SAMPLES ? avgCases.map(({ shape, attributes }) => ({ inputs: [{ shape }], attributes })) : [],
});

const imageOf = ({ shape }: Spec, [height, width]: readonly number[]): number[] => [
  shape[0]!,
  height!,
  width!,
  shape[3]!,
];

const avgGradientDefinition: KernelOp<AvgGradientAttributes> = /* @__PURE__ */ poolOp<AvgGradientAttributes>(
  'avgPoolGradient',
  {
    infer([dy], { size, ...w }) {
      const shape = imageOf(dy!, size);
      checkSame('avgPoolGradient', 'dy', dy!.shape, pooled('avgPoolGradient', { ...dy!, shape }, w).shape);
      return { shape, dtype: dy!.dtype };
    },
    gradient: ({ dy, attributes: { size: _, ...w } }) => [record(avgDefinition, [dy], w)],
    sizes: ({ output, attributes }) => sizes(output.shape, attributes, attributes.countIncludePad),
    reference({ values: [dy], out }, s) {
      const total = new Float64Array(out.length);
      eachWindow(s, (window, pixels, counted) => {
        for (const at of pixels) total[at]! += dy![window]! / counted;
      });
      out.set(total);
    },
    shader: avgPoolGradientShader,
    samples: WITH_SAMPLES
      ? avgCases.map(({ shape, attributes }) => ({
          inputs: [{ shape: [...pooled('pool', { shape, dtype: 'float32' }, attributes).shape] }],
          attributes: { ...attributes, size: shape.slice(1, 3) },
        }))
      : [],
  },
);

/** Options of `maxPool2d`. */
export interface MaxPoolOptions extends PoolOptions {
  /** Steps from one pixel of a window to the next; 1 where not said. */
  dilation?: Pair;
}
/** Options of `avgPool2d`. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts as pixels of value 0; yes where not said. */
  countIncludePad?: boolean;
}

/**
 * Largest pixel of each window: images (N, H, W, C) give (N, OH, OW, C), OH = floor((H + padding - kernel) / stride) + 1.
 * The gradient goes to the first of equal ones; NaN wins. Throws ShapeError where no window fits.
 */
export const maxPool2d = /* @__PURE__ */ Object.assign(
  (x: Tensor, kernel: Pair, options: MaxPoolOptions = {}): Tensor =>
    record(maxDefinition, [x], windowOf('maxPool', kernel, options)),
  { definition: maxDefinition as unknown as KernelOp<Attributes> },
);

/** The gradient of `maxPool2d`: `dy` of each window to its first maximum, 0 elsewhere. */
export const maxPoolGradient = /* @__PURE__ */ Object.assign(
  (x: Tensor, dy: Tensor, kernel: Pair, options: MaxPoolOptions = {}): Tensor =>
    record(maxGradientDefinition, [x, dy], windowOf('maxPoolGradient', kernel, options)),
  { definition: maxGradientDefinition as unknown as KernelOp<Attributes> },
);

/** The elements of `v` that lie where `maxPool2d` finds its maxima of `x`. */
export const maxPoolPick = /* @__PURE__ */ Object.assign(
  (x: Tensor, v: Tensor, kernel: Pair, options: MaxPoolOptions = {}): Tensor =>
    record(maxPickDefinition, [x, v], windowOf('maxPoolPick', kernel, options)),
  { definition: maxPickDefinition as unknown as KernelOp<Attributes> },
);

/** Mean of each window: images (N, H, W, C) give (N, OH, OW, C). Throws ShapeError where no window fits. */
export const avgPool2d = /* @__PURE__ */ Object.assign(
  (x: Tensor, kernel: Pair, { countIncludePad = true, ...options }: AvgPoolOptions = {}): Tensor =>
    record(avgDefinition, [x], { ...windowOf('avgPool', kernel, options), countIncludePad }),
  { definition: avgDefinition as unknown as KernelOp<Attributes> },
);

/** The gradient of `avgPool2d` on images of `size` [H, W]. */
export const avgPoolGradient = /* @__PURE__ */ Object.assign(
  (
    dy: Tensor,
    size: readonly [number, number],
    kernel: Pair,
    { countIncludePad = true, ...options }: AvgPoolOptions = {},
  ): Tensor =>
    record(avgGradientDefinition, [dy], {
      ...windowOf('avgPoolGradient', kernel, options),
      countIncludePad,
      size,
    }),
  { definition: avgGradientDefinition as unknown as KernelOp<Attributes> },
);

/** Root of the sum of squares of each window (L2 pooling). Its gradient where all are 0 is 0. */
export function lpPool2d(x: Tensor, kernel: Pair, options: PoolOptions = {}): Tensor {
  const { kernel: k } = windowOf('lpPool', kernel, options);
  const total = mul(avgPool2d(square(x), kernel, { ...options, countIncludePad: true }), sizeOf(k));
  const some = less(0, total);
  return where(some, sqrt(where(some, total, 1)), 0);
}

/** A pooling of sequences as one of images of height 1. */
function alongLength(where: string, x: Tensor, pool: (image: Tensor) => Tensor): Tensor {
  if (x.rank !== 3) {
    throw new ShapeError({
      where,
      problem: `takes sequences (batch, length, channels), got ${showShape(x.shape)}`,
      hint: 'reshape: the last axis holds the channels',
      values: { shape: x.shape },
    });
  }
  const [n, length, channels] = x.shape as [number, number, number];
  const y = pool(reshape(x, [n, 1, length, channels]));
  return reshape(y, [n, y.shape[2]!, channels]);
}

/** Options of a window on one axis; padding may be [before, after]. */
export interface PoolOptions1d {
  stride?: number;
  padding?: number | readonly [number, number];
  ceilMode?: boolean;
}

const flatOptions = (kernel: number, { stride = kernel, padding = 0, ceilMode = false }: PoolOptions1d) => {
  const [before, after] = typeof padding === 'number' ? [padding, padding] : padding;
  return { stride: [1, stride] as const, padding: [0, 0, before, after] as const, ceilMode };
};

/** Largest element of each window: sequences (N, L, C) give (N, OL, C). */
export const maxPool1d = (
  x: Tensor,
  kernel: number,
  { dilation = 1, ...options }: PoolOptions1d & { dilation?: number } = {},
): Tensor =>
  alongLength('maxPool1d', x, (image) =>
    maxPool2d(image, [1, kernel], { ...flatOptions(kernel, options), dilation: [1, dilation] }),
  );

/** Mean of each window: sequences (N, L, C) give (N, OL, C). */
export const avgPool1d = (
  x: Tensor,
  kernel: number,
  { countIncludePad = true, ...options }: PoolOptions1d & { countIncludePad?: boolean } = {},
): Tensor =>
  alongLength('avgPool1d', x, (image) =>
    avgPool2d(image, [1, kernel], { ...flatOptions(kernel, options), countIncludePad }),
  );

/** The axes between the batch and the channels. */
function positions(where: string, x: Tensor): number[] {
  if (x.rank >= 3) return x.shape.slice(1, -1).map((_, i) => i + 1);
  throw new ShapeError({
    where,
    problem: `takes (batch, ..., channels) with positions between, got ${showShape(x.shape)}`,
    hint: 'put it before what flattens the images',
    values: { shape: x.shape },
  });
}

/** Mean over all positions: (N, ..., C) gives (N, C). */
export const globalAvgPool = (x: Tensor): Tensor => mean(x, positions('globalAvgPool', x));

/** Largest over all positions: (N, ..., C) gives (N, C). The gradient is shared by equal elements. */
export const globalMaxPool = (x: Tensor): Tensor => max(x, positions('globalMaxPool', x));
