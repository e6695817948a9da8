// What normalisation needs of a tensor: means and variances over some axes, and two sums for its gradient.
import { requireDType, type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { type KernelOp, type Sample, type Site, streamingCost, suffix, type WasmCall } from './define.js';
import { floats } from './elementwise.js';
import { reshape, slice } from './movement.js';
import { momentsShader, pairSumsShader } from './norm-shaders.js';

/** The neighbouring axes `start` (included) to `end` (excluded) are reduced. */
export type Middle = { readonly start: number; readonly end: number };

export const middleView = (shape: Shape, { start, end }: Middle) => ({
  outer: sizeOf(shape.slice(0, start)),
  reduce: sizeOf(shape.slice(start, end)),
  inner: sizeOf(shape.slice(end)),
});

export const withoutMiddle = (shape: Shape, { start, end }: Middle): number[] => [
  ...shape.slice(0, start),
  ...shape.slice(end),
];

/** Row `i` of a pair (2, ...), with the axes that were reduced back as 1. */
export function rowOfPair(pair: Tensor, i: 0 | 1, { start, end }: Middle): Tensor {
  const lost = new Array<number>(end - start).fill(1);
  const own = pair.shape.slice(1);
  return reshape(slice(pair, [i], [i + 1]), [...own.slice(0, start), ...lost, ...own.slice(start)]);
}

function checkReduced(where: string, shape: Shape, axes: Middle): void {
  if (middleView(shape, axes).reduce > 0) return;
  throw new ShapeError({
    where,
    problem: `there is nothing to take the mean of: axes ${axes.start} to ${axes.end - 1} of ${showShape(shape)} are empty`,
    hint: 'check the shape',
    values: { shape },
  });
}

const isEmpty = ({ output }: Site<Middle>): boolean => sizeOf(output.shape) === 0;

/** The two kernels of single precision: parts by chunks of rows, then their sums. */
function inTwoSteps(
  parts: string,
  sums: string,
  operands: readonly (readonly number[])[],
  sizes: readonly number[],
): WasmCall[] {
  const [first, second] = operands.map((list) => list.map((input) => ({ input }))) as [
    { input: number }[],
    { input: number }[],
  ];
  return [
    {
      kernel: `${parts}_f32`,
      args: ['scratch', ...first, ...sizes],
      scratch: { bytesFrom: 'columnPartsBytes', args: sizes },
    },
    { kernel: `${sums}_f32`, args: ['output', 'scratch', ...second, ...sizes] },
  ];
}

/** Samples: a shape, and its axes `start` to `end`. */
export const middleCases: [number[], number, number][] = [
  [[5, 3], 0, 1],
  [[4, 7], 1, 2],
  [[3, 4, 5], 1, 2],
  [[2, 3, 5, 4], 1, 3],
  [[37, 6], 0, 1],
  [[40, 16], 0, 1],
];

const momentsDefinition: KernelOp<Middle> = {
  kind: 'kernel',
  name: 'moments',
  infer([x], axes): Spec {
    requireDType('moments', x!.dtype, floats);
    checkReduced('moments', x!.shape, axes);
    return { shape: [2, ...withoutMiddle(x!.shape, axes)], dtype: x!.dtype };
  },
  // d mean = dx / n; d variance = 2 (x - mean) dx / n
  gradient({ inputs: [x], output, dy, attributes: axes }) {
    const { reduce } = middleView(x!.shape, axes);
    const [dMean, dVariance] = [rowOfPair(dy, 0, axes), rowOfPair(dy, 1, axes)];
    const centred = sub(x!, rowOfPair(output, 0, axes));
    return [add(mul(centred, mul(dVariance, 2 / reduce)), mul(dMean, 1 / reduce))];
  },
  reference({ inputs: [x], attributes, values, out }) {
    const { outer, reduce, inner } = middleView(x!.shape, attributes);
    for (let i = 0; i < outer * inner; i++) {
      const first = Math.trunc(i / inner) * reduce * inner + (i % inner);
      const column = Array.from({ length: reduce }, (_, r) => values[0]![first + r * inner]!);
      const mean = column.reduce((a, b) => a + b, 0) / reduce;
      out[i] = mean;
      out[outer * inner + i] = column.reduce((n, v) => n + (v - mean) ** 2, 0) / reduce;
    }
  },
  cost: (site) =>
    streamingCost(site, (4 * sizeOf(site.inputs[0]!.shape)) / Math.max(1, sizeOf(site.output.shape))),
  samples: WITH_SAMPLES
    ? middleCases.map(([shape, start, end]) => ({
        inputs: [{ shape }],
        attributes: { start, end },
      }))
    : [],
  wasm: {
    calls(site) {
      if (isEmpty(site)) return [];
      const { outer, reduce, inner } = middleView(site.inputs[0]!.shape, site.attributes);
      const sizes = [outer, reduce, inner];
      if (suffix(site.output.dtype) === 'f32') return inTwoSteps('momentParts', 'moments', [[0], [0]], sizes);
      return [{ kernel: 'moments_f64', args: ['output', { input: 0 }, ...sizes] }];
    },
  },
  webgpu: {
    calls: (site) => (isEmpty(site) ? [] : momentsShader(middleView(site.inputs[0]!.shape, site.attributes))),
  },
};

const pairSumsDefinition: KernelOp<Middle> = {
  kind: 'kernel',
  name: 'pairSums',
  infer([y, x, centre], axes): Spec {
    requireDType('pairSums', y!.dtype, floats);
    const own = withoutMiddle(x!.shape, axes);
    if (!sameShape(y!.shape, x!.shape) || !sameShape(centre!.shape, own)) {
      throw new ShapeError({
        where: 'pairSums',
        problem: `operands do not fit: ${showShape(y!.shape)}, ${showShape(x!.shape)}, centre ${showShape(centre!.shape)}`,
        hint: `y and x of one shape, the centre of that shape without the axes that go: ${showShape(own)}`,
      });
    }
    return { shape: [2, ...own], dtype: y!.dtype };
  },
  // Sums s of y and p of y (x - c): ds = sum dy; dp = sum (x - c) dy + y dx - y dc
  gradient({ inputs: [y, x, centre], output, dy: w, attributes: axes }) {
    const middle = reshape(centre!, rowOfPair(output, 0, axes).shape);
    const [ofSum, ofProduct] = [rowOfPair(w, 0, axes), rowOfPair(w, 1, axes)];
    return [
      add(mul(sub(x!, middle), ofProduct), ofSum),
      mul(y!, ofProduct),
      reshape(neg(mul(ofProduct, rowOfPair(output, 0, axes))), centre!.shape),
    ];
  },
  reference({ inputs: [y], attributes, values, out }) {
    const { outer, reduce, inner } = middleView(y!.shape, attributes);
    for (let i = 0; i < outer * inner; i++) {
      let [total, products] = [0, 0];
      for (let r = 0; r < reduce; r++) {
        const at = (Math.trunc(i / inner) * reduce + r) * inner + (i % inner);
        total += values[0]![at]!;
        products += values[0]![at]! * (values[1]![at]! - values[2]![i]!);
      }
      out[i] = total;
      out[outer * inner + i] = products;
    }
  },
  cost: (site) =>
    streamingCost(site, (4 * sizeOf(site.inputs[0]!.shape)) / Math.max(1, sizeOf(site.output.shape))),
  samples: WITH_SAMPLES
    ? middleCases.map(
        ([shape, start, end]): Sample<Middle> => ({
          inputs: [{ shape }, { shape }, { shape: withoutMiddle(shape, { start, end }) }],
          attributes: { start, end },
        }),
      )
    : [],
  wasm: {
    calls(site) {
      if (isEmpty(site)) return [];
      const { outer, reduce, inner } = middleView(site.inputs[0]!.shape, site.attributes);
      const sizes = [outer, reduce, inner];
      if (suffix(site.output.dtype) === 'f32')
        return inTwoSteps('pairParts', 'pairSums', [[0, 1, 2], []], sizes);
      const inputs = [{ input: 0 }, { input: 1 }, { input: 2 }];
      return [{ kernel: 'pairSums_f64', args: ['output', ...inputs, ...sizes] }];
    },
  },
  webgpu: {
    calls: (site) =>
      isEmpty(site) ? [] : pairSumsShader(middleView(site.inputs[0]!.shape, site.attributes)),
  },
};

/** Means and variances (of the population) of `x` over the axes from `start` to before `end`: (2, ...the other axes). */
export const moments = /* @__PURE__ */ Object.assign(
  (x: Tensor, start: number, end: number): Tensor => record(momentsDefinition, [x], { start, end }),
  { definition: momentsDefinition as unknown as KernelOp<Attributes> },
);

/** Sums of `y`, and of `y (x - centre)`, over the axes from `start` to before `end`: (2, ...the other axes). */
export const pairSums = /* @__PURE__ */ Object.assign(
  (y: Tensor, x: Tensor, centre: Tensor, start: number, end: number): Tensor =>
    record(pairSumsDefinition, [y, x, centre], { start, end }),
  { definition: pairSumsDefinition as unknown as KernelOp<Attributes> },
);
