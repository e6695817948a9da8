// How each shader of gpu/ is called: plain data from sizes, no GPU needed. The .wgsl files say what the constants mean.
import type { Shape } from '../dtype.js';
import type { ShaderCall } from './define.js';

export type WgslType = 'f32' | 'i32' | 'u32';
export type ReduceKind = 'sum' | 'prod' | 'max' | 'min';

/** A tensor seen as (outer, reduce, inner); the middle axis goes. */
export interface ReduceView {
  readonly outer: number;
  readonly reduce: number;
  readonly inner: number;
}

const typeCodes: Record<WgslType, number> = { f32: 0, i32: 1, u32: 2 };
const maxGroups = 65535;

/** `count` workgroups in a line, folded into rows where the line is longer than a dispatch may be. */
export function spread(count: number): [number, number, number] {
  if (count <= maxGroups) return [count, 1, 1];
  const rows = Math.ceil(count / maxGroups);
  return [Math.ceil(count / rows), rows, 1];
}

/** Equal for calls that compute the same on operands of the same sizes. */
export const keyOf = ({ shader, constants }: ShaderCall): string => `${shader} ${JSON.stringify(constants)}`;

const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);
const powerOfTwoAbove = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));

const input = (index: number): { readonly input: number } => ({ input: index });

export interface MatmulSizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** A is stored (k, m). */
  readonly transA: boolean;
  /** B is stored (n, k). */
  readonly transB: boolean;
  /** Elements from one matrix of the batch to the next; 0 uses the same for all. */
  readonly strideA: number;
  readonly strideB: number;
}

/** Bindings: A, B; the epilogue stores the product. How it is computed is the backend's choice. */
export function matmulShader(sizes: MatmulSizes): ShaderCall[] {
  const { batch, m, n, k, transA, transB, strideA, strideB } = sizes;
  return [
    {
      shader: 'product',
      constants: {
        M: m,
        N: n,
        K: k,
        BATCH: batch,
        STRIDE0: strideA,
        STRIDE1: strideB,
        TRANS_A: Number(transA),
        TRANS_B: Number(transB),
        LANES: [transA ? m : k, transB ? k : n, n].every((d) => d % 4 === 0) ? 4 : 1,
        HALF: 0,
      },
      bindings: [input(0), input(1), 'output'],
      workgroups: [1, 1, 1],
    },
  ];
}

/** How the 256 invocations of a workgroup share outputs (TX) and the elements that go into each (TY). */
function reduceSplit({ outer, reduce, inner }: ReduceView): { TX: number; TY: number } {
  const outputs = outer * inner;
  // Enough outputs to fill a GPU, each from few elements: one invocation for each.
  if (reduce <= 8 || (inner > 1 && outputs >= 16384)) return { TX: 64, TY: 1 };
  const TX = inner === 1 ? 1 : Math.min(32, powerOfTwoAbove(inner));
  const TY = Math.min(256 / TX, powerOfTwoAbove(reduce / 2));
  return inner === 1 && TY < 32 ? { TX: 64 / TY, TY } : { TX, TY };
}

function reduction(shader: string, kind: number, view: ReduceView, type: WgslType): ShaderCall[] {
  const { outer, reduce, inner } = view;
  const split = reduceSplit(view);
  return [
    {
      shader,
      constants: {
        ...split,
        OUTER: outer,
        REDUCE: reduce,
        INNER: inner,
        PART: reduce,
        PARTS: 1,
        TYPE: typeCodes[type],
        KIND: kind,
      },
      types: { Value: type },
      bindings: [input(0), 'output'],
      workgroups: spread(ceilDiv(outer * inner, split.TX)),
    },
  ];
}

/** Bindings: input, output (outer, inner). NaN wins in max and min. */
export const reduceShader = (kind: ReduceKind, view: ReduceView, type: WgslType): ShaderCall[] =>
  reduction('reduce', ['sum', 'prod', 'max', 'min'].indexOf(kind), view, type);

/** Bindings: input, output (outer, inner) int32: the first index of the extreme. NaN wins. */
export const argReduceShader = (kind: 'argmax' | 'argmin', view: ReduceView, type: WgslType): ShaderCall[] =>
  reduction('argreduce', kind === 'argmax' ? 2 : 3, view, type);

/** Over the rows of a (rows, cols) matrix of float32. Bindings: input, output. */
export function softmaxShader({
  rows,
  cols,
  log,
}: {
  rows: number;
  cols: number;
  log: boolean;
}): ShaderCall[] {
  const LX = Math.min(256, powerOfTwoAbove(cols));
  const RY = Math.max(1, 64 / LX);
  return [
    {
      shader: 'softmax',
      constants: { ROWS: rows, COLUMNS: cols, LX, RY, LOG: Number(log) },
      bindings: [input(0), 'output'],
      workgroups: spread(ceilDiv(rows, RY)),
    },
  ];
}

/**
 * Cross-entropy of rows with labels. Bindings: logits (rows, cols), labels (rows) int32, output (rows); for the gradient
 * logits, labels, dy (rows), output (rows, cols).
 */
export function crossEntropyShader(rows: number, cols: number, gradient: boolean): ShaderCall[] {
  const LX = Math.min(256, powerOfTwoAbove(cols));
  const RY = Math.max(1, 64 / LX);
  return [
    {
      shader: 'cross_entropy',
      constants: { ROWS: rows, COLUMNS: cols, LX, RY, GRADIENT: Number(gradient) },
      bindings: [input(0), input(1), ...(gradient ? [input(2)] : []), 'output'],
      workgroups: spread(ceilDiv(rows, RY)),
    },
  ];
}

export interface StridedCopy {
  /** Which input is the source; 0 where not said. */
  readonly input?: number;
  readonly shape: Shape;
  /** Strides and offsets in elements; strides may be negative or 0. */
  readonly dstStrides: readonly number[];
  readonly dstOffset: number;
  readonly srcStrides: readonly number[];
  readonly srcOffset: number;
}

/** Copies elements of any dtype. Bindings: input, output, of which only the elements copied to are written. */
export function stridedCopyShader(copy: StridedCopy): ShaderCall[] {
  const count = copy.shape.reduce((n, d) => n * d, 1);
  if (count === 0) return [];
  const axes: { size: number; to: number; from: number }[] = []; // innermost first, neighbours joined
  for (let i = copy.shape.length - 1; i >= 0; i--) {
    const axis = { size: copy.shape[i]!, to: copy.dstStrides[i]!, from: copy.srcStrides[i]! };
    const last = axes.at(-1);
    if (axis.size === 1) continue;
    if (last && axis.to === last.to * last.size && axis.from === last.from * last.size)
      last.size *= axis.size;
    else axes.push(axis);
  }
  const constants: Record<string, number> = {
    RANK: axes.length,
    COUNT: count,
    TO_OFFSET: copy.dstOffset,
    FROM_OFFSET: copy.srcOffset,
  };
  axes.forEach(({ size, to, from }, d) => {
    constants[`SIZE${d}`] = size;
    constants[`TO${d}`] = to;
    constants[`FROM${d}`] = from;
  });
  return [
    {
      shader: 'copy',
      constants,
      bindings: [input(copy.input ?? 0), 'output'],
      workgroups: spread(ceilDiv(count, 256)),
    },
  ];
}

/** `n` elements of the same 32 bits. Bindings: output. */
export const fillShader = (n: number, bits: number): ShaderCall[] => [
  {
    shader: 'fill',
    constants: { COUNT: n, BITS: bits >>> 0 },
    bindings: ['output'],
    workgroups: spread(ceilDiv(n, 256)),
  },
];

/** start, start + step, ... Bindings: output. */
export const iotaShader = (n: number, start: number, step: number, type: WgslType): ShaderCall[] => [
  {
    shader: 'iota',
    constants: { COUNT: n, START: start, STEP: step },
    types: { Value: type },
    bindings: ['output'],
    workgroups: spread(ceilDiv(n, 256)),
  },
];

/** `count` rows of `inner` elements, picked from `axisSize` or added into them, `outer` times. */
export interface RowsView {
  readonly outer: number;
  readonly axisSize: number;
  readonly inner: number;
  readonly count: number;
}

export const rowConstants = ({ outer, axisSize, inner, count }: RowsView) => ({
  OUTER: outer,
  AXIS: axisSize,
  INNER: inner,
  COUNT: count,
});

/**
 * Elements of any dtype. Bindings: source (outer, axisSize, inner), indices (count) int32, or with `ALONG` (outer, count,
 * inner), output.
 */
export const gatherShader = (view: RowsView, ALONG = 0): ShaderCall[] => [
  {
    shader: 'gather',
    constants: { ...rowConstants(view), ALONG },
    bindings: [input(0), input(1), 'output'],
    workgroups: spread(ceilDiv(view.outer * view.count * view.inner, 256)),
  },
];

/** Bindings: updates (outer, count, inner), indices (count) int32, output (outer, axisSize, inner), all written. */
export const scatterAddShader = (view: RowsView, type: WgslType): ShaderCall[] => [
  {
    shader: 'scatter_add',
    constants: rowConstants(view),
    types: { Value: type },
    bindings: [input(0), input(1), 'output'],
    workgroups: spread(ceilDiv(view.outer * view.axisSize * view.inner, 64)),
  },
];

export interface RandomDraw {
  readonly n: number;
  readonly keyLow: number;
  readonly keyHigh: number;
  readonly stream: number;
}

const drawConstants = ({ n, keyLow, keyHigh, stream }: RandomDraw) => ({
  N: n,
  KEY_LOW: keyLow >>> 0,
  KEY_HIGH: keyHigh >>> 0,
  STREAM: stream >>> 0,
});

const randomShader = (draw: RandomDraw, normal: number): ShaderCall[] => [
  {
    shader: 'random',
    constants: { ...drawConstants(draw), NORMAL: normal, DROPOUT: 0 },
    bindings: ['output', input(0)],
    workgroups: spread(ceilDiv(draw.n, 256)),
  },
];

/** Uniform in [0, 1), the numbers of `src/philox.ts`. Bindings: output, step (one int32). */
export const randomUniformShader = (draw: RandomDraw): ShaderCall[] => randomShader(draw, 0);

/** Normal, by Box-Muller from the same numbers. Bindings: output, step (one int32). */
export const randomNormalShader = (draw: RandomDraw): ShaderCall[] => randomShader(draw, 1);

/** Float32, kept where a word's upper 24 bits are below the threshold. Bindings: output, step (one int32), input. */
export const dropoutShader = (draw: RandomDraw, threshold: number, scale: number): ShaderCall[] => [
  {
    shader: 'random',
    constants: { ...drawConstants(draw), NORMAL: 0, DROPOUT: 1, THRESHOLD: threshold, SCALE: scale },
    bindings: ['output', input(1), input(0)],
    workgroups: spread(ceilDiv(draw.n, 256)),
  },
];
