// Normalisation of the last axes (layer norm, RMS norm), and local response normalisation across channels.
import { requireDType, type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import { type Attributes, record, type Tensor } from '../graph.js';
import { add, div, mul, neg, reciprocal, sqrt, square, sub } from './arithmetic.js';
import { mean as meanOver, pow } from './compositions.js';
import { type KernelOp, type Site, streamingCost, suffix, type WasmArgument } from './define.js';
import { floats } from './elementwise.js';
import { reshape } from './movement.js';
import { checkEps } from './norm.js';
import { rowNormGradientShader, rowNormShader, windowSumShader } from './norm-shaders.js';

type RowAttributes = { readonly centred: boolean; readonly eps: number };

const rowsOf = (shape: Shape) => ({ rows: sizeOf(shape.slice(0, -1)), cols: shape.at(-1)! });

/** The two words of a number in double precision. */
const doubleWords = (value: number): number[] => [...new Int32Array(new Float64Array([value]).buffer)];

/** The words of the kernels of `assembly/rows.ts` that normalise. */
const rowWords = ({ output, inputs, attributes: { centred, eps } }: Site<RowAttributes>): WasmArgument[] => {
  const { rows, cols } = rowsOf(output.shape);
  return [
    'output',
    { input: 0 },
    rows,
    cols,
    Number(centred),
    { input: inputs.length - 1 },
    ...doubleWords(eps),
  ];
};

/** Mean (0 where it is not taken out) and 1 / sqrt(variance + eps) of a row. */
function statisticsOf(row: readonly number[], { centred, eps }: RowAttributes) {
  const mean = centred ? row.reduce((a, b) => a + b, 0) / row.length : 0;
  const variance = row.reduce((n, v) => n + (v - mean) ** 2, 0) / row.length;
  return { mean, factor: 1 / Math.sqrt(variance + eps) };
}

const rowCases: [number[], boolean][] = [
  [[3, 7], true],
  [[3, 7], false],
  [[2, 3, 16], true],
  [[5, 33], true],
  [[4, 6], false],
];
const eps = 1e-3;

const rowNormDefinition: KernelOp<RowAttributes> = {
  kind: 'kernel',
  name: 'rowNorm',
  infer([x]) {
    requireDType('rowNorm', x!.dtype, floats);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x], dy, attributes }) => [record(rowNormGradientDefinition, [x!, dy], attributes)],
  reference({ inputs: [x], values, out, attributes }) {
    const { rows, cols } = rowsOf(x!.shape);
    for (let r = 0; r < rows; r++) {
      const row = Array.from(values[0]!.subarray(r * cols, (r + 1) * cols));
      const { mean, factor } = statisticsOf(row, attributes);
      for (const [i, v] of row.entries()) out[r * cols + i] = (v - mean) * factor;
    }
  },
  cost: (site) => streamingCost(site, 6),
  samples: WITH_SAMPLES
    ? rowCases.map(([shape, centred]) => ({
        inputs: [{ shape }],
        attributes: { centred, eps },
      }))
    : [],
  wasm: { calls: (site) => [{ kernel: `rowNorm_${suffix(site.output.dtype)}`, args: rowWords(site) }] },
  webgpu: { calls: ({ output, attributes }) => rowNormShader({ ...rowsOf(output.shape), ...attributes }) },
};

/** Mean over the last axis, which stays with size 1; 0 where nothing is centred. */
const lastMean = (x: Tensor): Tensor => meanOver(x, -1, { keepDims: true });

const rowNormGradientDefinition: KernelOp<RowAttributes> = {
  kind: 'kernel',
  name: 'rowNormGradient',
  infer([x, dy]) {
    requireDType('rowNormGradient', x!.dtype, floats);
    if (sameShape(x!.shape, dy!.shape)) return { shape: x!.shape, dtype: x!.dtype };
    throw new ShapeError({
      where: 'rowNormGradient',
      problem: `operands do not fit: ${showShape(x!.shape)} and ${showShape(dy!.shape)}`,
      hint: 'x and dy have one shape',
    });
  },
  // With z = (x - mean) r: F(x, g) = r (g - mean(g) - z mean(g z)) is symmetric in g and w of <w, F(x, g)>, and
  // d<w, F> / dx = -z r mean(w g - mean(w) mean(g) - a b) r - r (b F(x, g) + a F(x, w)), a = mean(g z), b = mean(w z).
  gradient({ inputs: [x, g], dy: w, attributes }) {
    const z = record(rowNormDefinition, [x!], attributes);
    const centre = attributes.centred ? sub(x!, lastMean(x!)) : x!;
    const r = reciprocal(sqrt(add(lastMean(square(centre)), attributes.eps)));
    const ofG = record(rowNormGradientDefinition, [x!, g!], attributes);
    const ofW = record(rowNormGradientDefinition, [x!, w], attributes);
    const [a, b] = [lastMean(mul(g!, z)), lastMean(mul(w, z))];
    const products = sub(lastMean(mul(w, g!)), mul(a, b));
    const q = attributes.centred ? sub(products, mul(lastMean(w), lastMean(g!))) : products;
    const byScale = mul(z, mul(q, square(r)));
    return [neg(add(byScale, mul(r, add(mul(b, ofG), mul(a, ofW))))), ofW];
  },
  reference({ inputs: [x], values, out, attributes }) {
    const { rows, cols } = rowsOf(x!.shape);
    for (let r = 0; r < rows; r++) {
      const row = Array.from(values[0]!.subarray(r * cols, (r + 1) * cols));
      const dy = Array.from(values[1]!.subarray(r * cols, (r + 1) * cols));
      const { mean, factor } = statisticsOf(row, attributes);
      const z = row.map((v) => (v - mean) * factor);
      const middle = attributes.centred ? dy.reduce((s, v) => s + v, 0) / cols : 0;
      const slope = dy.reduce((s, v, i) => s + v * z[i]!, 0) / cols;
      for (let i = 0; i < cols; i++) out[r * cols + i] = factor * (dy[i]! - middle - z[i]! * slope);
    }
  },
  cost: (site) => streamingCost(site, 10),
  samples: WITH_SAMPLES
    ? rowCases.map(([shape, centred]) => ({
        inputs: [{ shape }, { shape }],
        attributes: { centred, eps },
      }))
    : [],
  wasm: {
    calls: (site) => [{ kernel: `rowNormGradient_${suffix(site.output.dtype)}`, args: rowWords(site) }],
  },
  webgpu: {
    calls: ({ output, attributes }) => rowNormGradientShader({ ...rowsOf(output.shape), ...attributes }),
  },
};

/**
 * (x - mean) / sqrt(variance + eps) of each row of the last axis; not `centred`: x / sqrt(mean(x^2) + eps). One pass that
 * reads and writes, as a row stays in the cache.
 */
export const rowNorm = /* @__PURE__ */ Object.assign(
  (x: Tensor, { centred = true, eps = 1e-5 }: Partial<RowAttributes> = {}): Tensor => {
    checkEps('rowNorm', eps);
    return record(rowNormDefinition, [x], { centred, eps });
  },
  { definition: rowNormDefinition as unknown as KernelOp<Attributes> },
);

/** The gradient of `rowNorm` by x. */
export const rowNormGradient = /* @__PURE__ */ Object.assign(
  (x: Tensor, dy: Tensor, { centred = true, eps = 1e-5 }: Partial<RowAttributes> = {}): Tensor =>
    record(rowNormGradientDefinition, [x, dy], { centred, eps }),
  { definition: rowNormGradientDefinition as unknown as KernelOp<Attributes> },
);

/** Options of `layerNorm` and `rmsNorm`. */
export interface RowNormOptions {
  /** Multiplies the normalised values; has the shape of the axes that are normalised. */
  scale?: Tensor | null;
  /** Is added to them. */
  shift?: Tensor | null;
  eps?: number;
}

/** Normalises over the last axes, as many as `axes`, and applies scale and shift. */
function overLastAxes(
  where: string,
  x: Tensor,
  axes: number,
  centred: boolean,
  { scale, shift, eps = 1e-5 }: RowNormOptions,
): Tensor {
  if (!Number.isInteger(axes) || axes < 1 || axes > x.rank) {
    throw new ShapeError({
      where,
      problem: `${axes} axes of ${showShape(x.shape)} cannot be normalised`,
      hint: `a whole number from 1 to ${x.rank}`,
      values: { axes, shape: x.shape },
    });
  }
  const own = x.shape.slice(x.rank - axes);
  for (const [name, t] of [
    ['scale', scale],
    ['shift', shift],
  ] as const) {
    if (!t || sameShape(t.shape, own)) continue;
    throw new ShapeError({
      where,
      problem: `${name} is ${showShape(t.shape)}, the axes that are normalised are ${showShape(own)} of ${showShape(x.shape)}`,
      hint: 'one number for each of their elements',
      values: { [name]: t.shape, input: x.shape },
    });
  }
  const y = reshape(
    rowNorm(reshape(x, [sizeOf(x.shape.slice(0, -axes)), sizeOf(own)]), { centred, eps }),
    x.shape,
  );
  const scaled = scale ? mul(y, scale) : y;
  return shift ? add(scaled, shift) : scaled;
}

/**
 * Layer normalisation (Ba et al. 2016) over the last `axes` axes: (x - mean) / sqrt(variance + eps) * scale + shift.
 * Throws ShapeError where scale or shift do not have the shape of these axes.
 */
export const layerNorm = (x: Tensor, axes = 1, options: RowNormOptions = {}): Tensor =>
  overLastAxes('layerNorm', x, axes, true, options);

/** RMS normalisation (Zhang and Sennrich 2019) over the last `axes` axes: x / sqrt(mean(x^2) + eps) * scale. */
export const rmsNorm = (x: Tensor, axes = 1, options: Omit<RowNormOptions, 'shift'> = {}): Tensor =>
  overLastAxes('rmsNorm', x, axes, false, options);

type WindowAttributes = { readonly before: number; readonly after: number };

const windowSumDefinition: KernelOp<WindowAttributes> = {
  kind: 'kernel',
  name: 'windowSum',
  infer([x]) {
    requireDType('windowSum', x!.dtype, floats);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  // Element j is in the windows of j - after to j + before.
  gradient: ({ dy, attributes: { before, after } }) => [
    record(windowSumDefinition, [dy], { before: after, after: before }),
  ],
  reference({ inputs: [x], values, out, attributes: { before, after } }) {
    const { cols } = rowsOf(x!.shape);
    for (let i = 0; i < out.length; i++) {
      const start = i - (i % cols);
      const from = Math.max(start, i - before);
      const end = Math.min(start + cols, i + after + 1);
      out[i] = Array.from(values[0]!.subarray(from, end)).reduce((a, b) => a + b, 0);
    }
  },
  cost: (site) => streamingCost(site, site.attributes.before + site.attributes.after),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [3, 7] }], attributes: { before: 2, after: 2 } },
        { inputs: [{ shape: [2, 3, 16] }], attributes: { before: 2, after: 1 } },
        { inputs: [{ shape: [2, 3] }], attributes: { before: 4, after: 5 } },
      ]
    : [],
  wasm: {
    calls({ output, attributes: { before, after } }) {
      const { rows, cols } = rowsOf(output.shape);
      const args = ['output' as const, { input: 0 }, rows, cols, before, after];
      return [{ kernel: `windowSum_${suffix(output.dtype)}`, args }];
    },
  },
  webgpu: { calls: ({ output, attributes }) => windowSumShader({ ...rowsOf(output.shape), ...attributes }) },
};

/** Along the last axis: element c becomes the sum of elements c - before to c + after, as far as there are any. */
export const windowSum = /* @__PURE__ */ Object.assign(
  (x: Tensor, before: number, after: number): Tensor => record(windowSumDefinition, [x], { before, after }),
  { definition: windowSumDefinition as unknown as KernelOp<Attributes> },
);

/** Options of `localResponseNorm`. */
export interface LocalResponseOptions {
  /** 1e-4 where not said. */
  alpha?: number;
  /** 0.75 where not said. */
  beta?: number;
  /** 1 where not said. */
  k?: number;
}

/**
 * Local response normalisation across channels (Krizhevsky et al. 2012), by PyTorch's definition:
 * x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta. Throws OptionError for a size below 1.
 */
export function localResponseNorm(
  x: Tensor,
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseOptions = {},
): Tensor {
  if (!Number.isInteger(size) || size < 1) {
    throw new OptionError({
      where: 'localResponseNorm',
      problem: `size is ${size}`,
      hint: 'a whole number >= 1 of channels, such as 5',
      values: { size },
    });
  }
  const before = Math.floor(size / 2);
  const squares = windowSum(square(x), before, size - 1 - before);
  const s = add(mul(squares, alpha / size), k);
  if (beta === 1) return div(x, s);
  const root = sqrt(s);
  if (beta === 0.5) return div(x, root);
  return beta === 0.75 ? div(x, mul(root, sqrt(root))) : div(x, pow(s, beta));
}
