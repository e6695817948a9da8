// Reductions over any axes: sum, product, maximum, minimum, and the index of the largest or smallest element.
import { type DType, normalizeAxis, requireDType, type Shape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Tensor } from '../graph.js';
import { div, equal, mul } from './arithmetic.js';
import { broadcastTo, cast } from './cast.js';
import { type KernelOp, type Sample, streamingCost, suffix } from './define.js';
import { reshape } from './movement.js';
import { argReduceShader, type ReduceKind, reduceShader } from './shader-calls.js';

/** Neighbouring axes `start` (included) to `end` (excluded) go. */
type ReduceAttributes = { readonly start: number; readonly end: number; readonly keepDims: boolean };

/** The tensor seen as (outer, reduce, inner). */
function threeAxes(shape: Shape, { start, end }: ReduceAttributes) {
  return {
    outer: sizeOf(shape.slice(0, start)),
    reduce: sizeOf(shape.slice(start, end)),
    inner: sizeOf(shape.slice(end)),
  };
}

const without = (shape: Shape, { start, end, keepDims }: ReduceAttributes): number[] => [
  ...shape.slice(0, start),
  ...(keepDims ? new Array<number>(end - start).fill(1) : []),
  ...shape.slice(end),
];

/** `y`, the result of a reduction of a tensor of shape `full`, with its lost axes back as 1. */
const restored = (y: Tensor, full: Shape, attributes: ReduceAttributes): Tensor =>
  reshape(y, without(full, { ...attributes, keepDims: true }));

const samples: Sample<ReduceAttributes>[] = WITH_SAMPLES
  ? [
      { inputs: [{ shape: [5] }], attributes: { start: 0, end: 1, keepDims: false } },
      { inputs: [{ shape: [4, 7] }], attributes: { start: 1, end: 2, keepDims: false } },
      { inputs: [{ shape: [4, 7] }], attributes: { start: 0, end: 1, keepDims: true } },
      { inputs: [{ shape: [3, 4, 5] }], attributes: { start: 1, end: 2, keepDims: false } },
      { inputs: [{ shape: [3, 37, 29] }], attributes: { start: 0, end: 2, keepDims: false } },
      { inputs: [{ shape: [2, 1500] }], attributes: { start: 1, end: 2, keepDims: true } },
    ]
  : [];

interface Entry {
  name: ReduceKind | 'argmax' | 'argmin';
  dtypes: readonly DType[];
  indices?: boolean;
  gradient: KernelOp<ReduceAttributes>['gradient'];
  /** Result of reducing one row of values. */
  row(values: number[], dtype: DType): number;
  samples?: Sample<ReduceAttributes>[];
}

function reduction(entry: Entry): KernelOp<ReduceAttributes> {
  const { name, dtypes: allowed, indices = false } = entry;
  return {
    kind: 'kernel',
    name,
    infer([input], attributes) {
      requireDType(name, input!.dtype, allowed);
      const { reduce } = threeAxes(input!.shape, attributes);
      if (reduce === 0 && name !== 'sum' && name !== 'prod') {
        throw new ShapeError({
          where: name,
          problem: 'there is nothing to reduce: an axis has size 0',
          hint: 'check the shape',
        });
      }
      return { shape: without(input!.shape, attributes), dtype: indices ? 'int32' : input!.dtype };
    },
    gradient: entry.gradient,
    reference({ inputs, attributes, values: [x], out }) {
      const { reduce, inner } = threeAxes(inputs[0]!.shape, attributes);
      for (let i = 0; i < out.length; i++) {
        const first = Math.trunc(i / inner) * reduce * inner + (i % inner);
        out[i] = entry.row(
          Array.from({ length: reduce }, (_, r) => x![first + r * inner] as number),
          inputs[0]!.dtype,
        );
      }
    },
    cost: (site) =>
      streamingCost(site, sizeOf(site.inputs[0]!.shape) / Math.max(1, sizeOf(site.output.shape))),
    samples: entry.samples ?? samples,
    wasm: {
      calls({ inputs: [input], attributes }) {
        const { outer, reduce, inner } = threeAxes(input!.shape, attributes);
        return [
          { kernel: `${name}_${suffix(input!.dtype)}`, args: ['output', { input: 0 }, outer, reduce, inner] },
        ];
      },
    },
    webgpu: {
      epilogue: true,
      prologue: true,
      calls({ inputs: [input], attributes }) {
        const view = threeAxes(input!.shape, attributes);
        const type = input!.dtype === 'int32' ? 'i32' : 'f32';
        return name === 'argmax' || name === 'argmin'
          ? argReduceShader(name, view, type)
          : reduceShader(name, view, type);
      },
    },
  };
}

const numbers: readonly DType[] = ['float32', 'float64', 'int32'];

const sumDefinition = /* @__PURE__ */ reduction({
  name: 'sum',
  dtypes: numbers,
  row: (values) => values.reduce((a, b) => a + b, 0),
  gradient: ({ inputs: [x], dy, attributes }) => [broadcastTo(restored(dy, x!.shape, attributes), x!.shape)],
});

const prodDefinition = /* @__PURE__ */ reduction({
  name: 'prod',
  dtypes: numbers,
  row: (values, dtype) => values.reduce((a, b) => (dtype === 'int32' ? Math.imul(a, b) : a * b), 1),
  // Holds where no factor is 0, like the logarithmic derivative that it is.
  gradient: ({ inputs: [x], output, dy, attributes }) => [
    div(broadcastTo(restored(mul(dy, output), x!.shape, attributes), x!.shape), x!),
  ],
  samples: WITH_SAMPLES
    ? samples
        .slice(0, 4)
        .map((s) => ({ ...s, inputs: s.inputs.map((i) => ({ ...i, range: [0.5, 1.5] as const })) }))
    : [],
});

/** The gradient goes to the extreme elements, in equal parts where there are several. */
const extremeGradient: KernelOp<ReduceAttributes>['gradient'] = ({ inputs: [x], output, dy, attributes }) => {
  const is = cast(equal(x!, restored(output, x!.shape, attributes)), x!.dtype);
  const count = record(sumDefinition, [is], { ...attributes, keepDims: true });
  return [mul(is, div(restored(dy, x!.shape, attributes), count))];
};

const extreme = (better: (a: number, b: number) => boolean) => (values: number[]) =>
  values.reduce((a, b) => (Number.isNaN(a) || better(a, b) ? a : b));
const extremeAt = (better: (a: number, b: number) => boolean) => (values: number[]) => {
  const best = extreme(better)(values);
  return values.findIndex((v) => v === best || Number.isNaN(v));
};

const maxDefinition = /* @__PURE__ */ reduction({
  name: 'max',
  dtypes: numbers,
  row: extreme((a, b) => a >= b),
  gradient: extremeGradient,
});
const minDefinition = /* @__PURE__ */ reduction({
  name: 'min',
  dtypes: numbers,
  row: extreme((a, b) => a <= b),
  gradient: extremeGradient,
});
const argmaxDefinition = /* @__PURE__ */ reduction({
  name: 'argmax',
  dtypes: numbers,
  indices: true,
  row: extremeAt((a, b) => a >= b),
  gradient: null,
});
const argminDefinition = /* @__PURE__ */ reduction({
  name: 'argmin',
  dtypes: numbers,
  indices: true,
  row: extremeAt((a, b) => a <= b),
  gradient: null,
});

/** Axes to reduce over, negative from the end; all of them where not said. */
export interface ReduceOptions {
  /** Whether the reduced axes stay, with size 1. */
  keepDims?: boolean;
}
/** One axis or several, from the end if negative; all where not said. */
export type Axes = number | readonly number[];

/** Runs of neighbouring axes, last first, so that dropping one leaves the others where they are. */
function runsOf(where: string, axes: Axes | undefined, rank: number): [number, number][] {
  const list =
    axes === undefined ? Array.from({ length: rank }, (_, i) => i) : typeof axes === 'number' ? [axes] : axes;
  const sorted = [...new Set(list.map((a) => normalizeAxis(where, a, rank)))].sort((a, b) => a - b);
  if (sorted.length !== list.length) {
    throw new ShapeError({ where, problem: `axes [${list}] name one axis twice`, hint: 'each axis once' });
  }
  const runs: [number, number][] = [];
  for (const axis of sorted) {
    const last = runs.at(-1);
    if (last?.[1] === axis) last[1]++;
    else runs.push([axis, axis + 1]);
  }
  return runs.reverse();
}

function reducer(definition: KernelOp<ReduceAttributes>) {
  const reduce = (x: Tensor, axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor => {
    const runs = runsOf(definition.name, axes, x.rank);
    return runs.reduce((t, [start, end]) => record(definition, [t], { start, end, keepDims }), x);
  };
  return Object.assign(reduce, { definition: definition as unknown as KernelOp<Attributes> });
}

/** Sum over the axes; of nothing it is 0. */
export const sum = /* @__PURE__ */ reducer(sumDefinition);
/** Product over the axes; of nothing it is 1. Its gradient needs factors that are not 0. */
export const prod = /* @__PURE__ */ reducer(prodDefinition);
/** Largest element over the axes; NaN wins. The gradient is shared by equal elements. */
export const max = /* @__PURE__ */ reducer(maxDefinition);
/** Smallest element over the axes; NaN wins. The gradient is shared by equal elements. */
export const min = /* @__PURE__ */ reducer(minDefinition);

function indexReducer(definition: KernelOp<ReduceAttributes>) {
  const reduce = (x: Tensor, axis?: number, { keepDims = false }: ReduceOptions = {}): Tensor => {
    const start = axis === undefined ? 0 : normalizeAxis(definition.name, axis, x.rank);
    return record(definition, [x], { start, end: axis === undefined ? x.rank : start + 1, keepDims });
  };
  return Object.assign(reduce, { definition: definition as unknown as KernelOp<Attributes> });
}

/** Index (int32) of the first largest element along the axis, or in the flattened tensor where none is given. */
export const argmax = /* @__PURE__ */ indexReducer(argmaxDefinition);
/** Index (int32) of the first smallest element along the axis, or in the flattened tensor where none is given. */
export const argmin = /* @__PURE__ */ indexReducer(argminDefinition);
