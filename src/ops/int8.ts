// Rows of 8-bit whole numbers with a scale each, for inference: x[r, k] is about scale[r] * q[r, k], |q| <= 127.
// Four lie in an int32, the first in its low bits, and a row takes a multiple of two words, zeros after its last element:
// an int32 is four bytes on every backend (a uint8 takes four on a GPU), and kernels need no case for a rest.
import { type DType, requireDType, showShape } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { abs, div, maximum, mul } from './arithmetic.js';
import { type KernelOp, type ReferenceContext, streamingCost, suffix } from './define.js';
import { nearestEven } from './half.js';
import { dequantizeRowsShader, matmulInt8Shader, quantizeRowsShader } from './quantize-shaders.js';
import { max } from './reduce.js';

const floats: readonly DType[] = ['float32', 'float64'];

/** Words of a row of so many elements. */
export const wordsOfRow = (cols: number): number => 2 * Math.ceil(cols / 8);

/** Element k of a packed row that begins at word `start`. */
export const byteAt = (words: ArrayLike<number>, start: number, k: number): number =>
  (words[start + (k >> 2)]! << (24 - 8 * (k & 3))) >> 24;

/** Packed bytes of a sample, any bits. */
const packed = { dtype: 'int32', range: [-(2 ** 31), 2 ** 31] } as const;

/** `n` rows and one float for each of them. */
function checkRows(where: string, rows: Spec, perRow: Spec, what: string): void {
  if (rows.shape.length === 2 && perRow.shape.length === 1 && perRow.shape[0] === rows.shape[0]) return;
  throw new ShapeError({
    where,
    problem: `${what} of ${showShape(rows.shape)} has shape ${showShape(perRow.shape)}`,
    hint: '(rows, columns) takes (rows)',
    values: { rows: rows.shape, perRow: perRow.shape },
  });
}

const quantizeDefinition: KernelOp = {
  kind: 'kernel',
  name: 'quantizeRows',
  infer([x, factor]) {
    requireDType('quantizeRows', x!.dtype, floats);
    requireDType('quantizeRows', factor!.dtype, [x!.dtype]);
    checkRows('quantizeRows', x!, factor!, 'factor');
    return { shape: [x!.shape[0]!, wordsOfRow(x!.shape[1]!)], dtype: 'int32' };
  },
  gradient: null,
  reference({ inputs: [x], values: [values, factor], out }) {
    const [rows, cols] = x!.shape as [number, number];
    out.fill(0);
    for (let r = 0; r < rows; r++) {
      for (let k = 0; k < cols; k++) {
        const scaled = values![r * cols + k]! * factor![r]!;
        const q = Number.isNaN(scaled) ? 0 : Math.min(Math.max(nearestEven(scaled), -127), 127);
        out[r * wordsOfRow(cols) + (k >> 2)]! |= (q & 255) << (8 * (k & 3));
      }
    }
  },
  cost: (site) => streamingCost({ ...site, output: site.inputs[0]! }, 4),
  samples: WITH_SAMPLES
    ? [
        [1, 5],
        [3, 8],
        [4, 13],
      ].map(([rows, cols]) => ({
        inputs: [{ shape: [rows!, cols!] }, { shape: [rows!], range: [20, 90] }],
        attributes: {},
      }))
    : [],
  wasm: {
    calls({ inputs: [x] }) {
      const [rows, cols] = x!.shape as [number, number];
      const args = ['output' as const, { input: 0 }, { input: 1 }, rows, cols, wordsOfRow(cols)];
      return [{ kernel: `quantizeRows_${suffix(x!.dtype)}`, args }];
    },
  },
  webgpu: {
    calls: ({ inputs: [x] }) => quantizeRowsShader(x!.shape[0]!, x!.shape[1]!, wordsOfRow(x!.shape[1]!)),
  },
};

type DequantizeAttributes = { readonly cols: number };

/** `q` is rows of `cols` elements, packed. */
function checkPacked(where: string, q: Spec, cols: number): void {
  requireDType(where, q.dtype, ['int32']);
  if (q.shape.length === 2 && q.shape[1] === wordsOfRow(cols)) return;
  throw new ShapeError({
    where,
    problem: `rows of ${cols} elements lie in ${showShape(q.shape)}`,
    hint: `a row of ${cols} takes ${wordsOfRow(cols)} words, as quantizeRows packs it`,
    values: { words: q.shape, cols },
  });
}

const dequantizeDefinition: KernelOp<DequantizeAttributes> = {
  kind: 'kernel',
  name: 'dequantizeRows',
  infer([q, scale], { cols }) {
    checkPacked('dequantizeRows', q!, cols);
    requireDType('dequantizeRows', scale!.dtype, floats);
    checkRows('dequantizeRows', q!, scale!, 'scale');
    return { shape: [q!.shape[0]!, cols], dtype: scale!.dtype };
  },
  gradient: null,
  reference({ inputs: [q], values: [words, scale], out, attributes: { cols } }) {
    const step = q!.shape[1]!;
    for (let i = 0; i < out.length; i++) {
      const row = Math.trunc(i / cols);
      out[i] = byteAt(words!, row * step, i % cols) * scale![row]!;
    }
  },
  cost: (site) => streamingCost(site, 2),
  samples: WITH_SAMPLES
    ? [
        [1, 5],
        [3, 8],
        [2, 13],
      ].map(([rows, cols]) => ({
        inputs: [{ ...packed, shape: [rows!, wordsOfRow(cols!)] }, { shape: [rows!] }],
        attributes: { cols: cols! },
      }))
    : [],
  wasm: {
    calls({ inputs: [q], output: { shape, dtype } }) {
      const [rows, cols] = shape as [number, number];
      const args = ['output' as const, { input: 0 }, { input: 1 }, rows, cols, q!.shape[1]!];
      return [{ kernel: `dequantizeRows_${suffix(dtype)}`, args }];
    },
  },
  webgpu: {
    calls: ({ inputs: [q], output: { shape } }) => dequantizeRowsShader(shape[0]!, shape[1]!, q!.shape[1]!),
  },
};

/** Elements of which 2^14 (that is 128 * 128) each certainly fit an int32. */
export const mostWords = 2 ** 17 / 4 - 1;

function productReference({ inputs: [a, b], values, out }: ReferenceContext): void {
  const [rows, words] = a!.shape as [number, number];
  const cols = b!.shape[0]!;
  const [qa, qb, scaleA, scaleB] = values;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      let total = 0;
      for (let k = 0; k < 4 * words; k++) total += byteAt(qa!, i * words, k) * byteAt(qb!, j * words, k);
      out[i * cols + j] = total * (scaleA![i]! * scaleB![j]!);
    }
  }
}

const productDefinition: KernelOp = {
  kind: 'kernel',
  name: 'matmulInt8',
  infer(inputs) {
    const [a, b, scaleA, scaleB] = inputs as [Spec, Spec, Spec, Spec];
    const where = 'matmulInt8';
    requireDType(where, a.dtype, ['int32']);
    requireDType(where, b.dtype, ['int32']);
    requireDType(where, scaleA.dtype, floats);
    if (scaleB.dtype !== scaleA.dtype) {
      throw new DTypeError({
        where,
        problem: `scales have different dtypes: ${scaleA.dtype} and ${scaleB.dtype}`,
        hint: 'convert one with .cast(dtype)',
      });
    }
    checkRows(where, a, scaleA, "scale of the left side's rows");
    checkRows(where, b, scaleB, "scale of the right side's rows");
    const words = a.shape[1]!;
    if (words !== b.shape[1] || words % 2 !== 0 || words > mostWords) {
      throw new ShapeError({
        where,
        problem: `rows of ${words} and ${b.shape[1]} words`,
        hint: `both sides are rows over k, packed by quantizeRows: the same even number of words, at most ${mostWords}`,
        values: { a: a.shape, b: b.shape },
      });
    }
    return { shape: [a.shape[0]!, b.shape[0]!], dtype: scaleA.dtype };
  },
  gradient: null,
  reference: productReference,
  // Two multiply-adds of 8 bits cost about what one of a float does.
  cost: (site) => streamingCost(site, 4 * site.inputs[0]!.shape[1]!),
  samples: WITH_SAMPLES
    ? [
        [1, 1, 5],
        [1, 10, 24],
        [3, 5, 8],
        [4, 7, 40],
      ].map(([m, n, k]) => ({
        inputs: [
          { ...packed, shape: [m!, wordsOfRow(k!)] },
          { ...packed, shape: [n!, wordsOfRow(k!)] },
          { shape: [m!], range: [0.001, 0.01] },
          { shape: [n!], range: [0.001, 0.01] },
        ],
        attributes: {},
      }))
    : [],
  wasm: {
    calls({ inputs: [a, b], output: { dtype } }) {
      const operands = ['output' as const, ...[0, 1, 2, 3].map((input) => ({ input }))];
      const args = [...operands, a!.shape[0]!, b!.shape[0]!, a!.shape[1]!];
      return [{ kernel: `matmulInt8_${suffix(dtype)}`, args }];
    },
  },
  webgpu: { calls: ({ inputs: [a, b] }) => matmulInt8Shader(a!.shape[0]!, b!.shape[0]!, a!.shape[1]!) },
};

/**
 * round(x * factor) of each row, ties to even, held within -127 to 127, NaN as 0: x (rows, columns) and factor (rows)
 * give (rows, 2 ceil(columns / 8)) int32 of four numbers each. No gradient.
 */
export const quantizeRows = /* @__PURE__ */ Object.assign(
  (x: Tensor, factor: Tensor): Tensor => record(quantizeDefinition, [x, factor], {}),
  { definition: quantizeDefinition as KernelOp<Attributes> },
);

/** q * scale of each row: packed rows and scale (rows) give (rows, cols) floats. No gradient. */
export const dequantizeRows = /* @__PURE__ */ Object.assign(
  (q: Tensor, scale: Tensor, cols: number): Tensor => record(dequantizeDefinition, [q, scale], { cols }),
  { definition: dequantizeDefinition as unknown as KernelOp<Attributes> },
);

/**
 * A B^T of packed rows over k, (M, words) and (N, words), times the scales of both, (M) and (N): (M, N) floats. The sums
 * are exact whole numbers. No gradient.
 */
export const matmulInt8 = /* @__PURE__ */ Object.assign(
  (a: Tensor, b: Tensor, scaleA: Tensor, scaleB: Tensor): Tensor =>
    record(productDefinition, [a, b, scaleA, scaleB], {}),
  { definition: productDefinition as KernelOp<Attributes> },
);

/** Packed rows, and what each number in a row stands for. */
export interface QuantizedRows {
  /** (rows, words) int32 */
  readonly q: Tensor;
  /** (rows) */
  readonly scale: Tensor;
}

/**
 * Symmetric quantisation of the rows of x (rows, columns) by their largest magnitude: scale = max|x| / 127. A row of zeros
 * stays one; a row with NaN or infinity in it gives NaN, whatever it is multiplied with.
 */
export function quantizeByRow(x: Tensor): QuantizedRows {
  // From below, so that neither the scale nor its reciprocal leaves the range of normal floats.
  const top = maximum(max(abs(x), 1), 1e-30);
  return { q: quantizeRows(x, div(127, top)), scale: mul(top, 1 / 127) };
}
