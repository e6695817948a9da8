// Sorting along an axis: indices that sort, sorted values, the k largest.
import { normalizeAxis, requireDType, sizeOf } from '../dtype.js';
import { OptionError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { takeAlongAxis } from './along.js';
import { argsortShader } from './axis-shaders.js';
import { type KernelOp, type Sample, streamingCost, suffix } from './define.js';

type SortAttributes = { readonly axis: number; readonly count: number; readonly descending: boolean };

const view = ({ shape }: Spec, axis: number) => ({
  outer: sizeOf(shape.slice(0, axis)),
  size: shape[axis]!,
  inner: sizeOf(shape.slice(axis + 1)),
});

const samples: Sample<SortAttributes>[] = WITH_SAMPLES
  ? [
      { inputs: [{ shape: [7] }], attributes: { axis: 0, count: 7, descending: false } },
      { inputs: [{ shape: [3, 5] }], attributes: { axis: 1, count: 5, descending: true } },
      { inputs: [{ shape: [4, 3, 2] }], attributes: { axis: 1, count: 2, descending: true } },
      { inputs: [{ shape: [2, 300] }], attributes: { axis: 1, count: 300, descending: true } },
      { inputs: [{ shape: [130, 3] }], attributes: { axis: 0, count: 40, descending: false } },
      // NaN is larger than anything, equal elements keep their order
      {
        inputs: [{ shape: [8], values: [1, Number.NaN, -Infinity, 1, Infinity, Number.NaN, -0, 0] }],
        attributes: { axis: 0, count: 8, descending: true },
      },
    ]
  : [];

/** Floats in order: NaN last. */
const compare = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a - b || 0;

const definition: KernelOp<SortAttributes> = {
  kind: 'kernel',
  name: 'argsort',
  infer([x], { axis, count }): Spec {
    requireDType('argsort', x!.dtype, ['float32', 'float64', 'int32']);
    return { shape: x!.shape.with(axis, count), dtype: 'int32' };
  },
  gradient: null,
  reference({ inputs: [x], values: [from], out, attributes: { axis, count, descending } }) {
    const { outer, size, inner } = view(x!, axis);
    for (let column = 0; column < outer * inner; column++) {
      const o = Math.trunc(column / inner);
      const i = column % inner;
      const at = (r: number): number => from![(o * size + r) * inner + i]!;
      const order = Array.from({ length: size }, (_, r) => r).sort((a, b) => {
        // Infinity minus itself is NaN, which `|| 0` takes for equal
        const way = compare(at(a), at(b));
        return (descending ? -way : way) || a - b;
      });
      for (let j = 0; j < count; j++) out[(o * count + j) * inner + i] = order[j]!;
    }
  },
  cost: (site) => ({ ...streamingCost(site, 0), flops: 40 * sizeOf(site.inputs[0]!.shape) }),
  samples,
  wasm: {
    calls({ inputs: [x], attributes: { axis, count, descending } }) {
      const { outer, size, inner } = view(x!, axis);
      const numbers = [outer, size, inner, count, Number(descending)];
      return [
        {
          kernel: `argsort_${suffix(x!.dtype)}`,
          args: ['output', { input: 0 }, ...numbers, 'scratch', 'scratchBytes'],
          scratch: { bytesFrom: 'argsortScratchBytes', args: [size, x!.dtype === 'float64' ? 8 : 4] },
        },
      ];
    },
  },
  webgpu: {
    calls: ({ inputs: [x], attributes: { axis, count, descending } }) =>
      argsortShader(view(x!, axis), count, descending, x!.dtype === 'int32' ? 'i32' : 'f32'),
  },
};

/** Options of `sort` and `argsort`. */
export interface SortOptions {
  /** The largest first; no where not said. */
  descending?: boolean;
}

/**
 * Indices (int32) that put x in order along the axis. Equal elements keep their order; NaN counts as larger than anything,
 * as in PyTorch, and -0 as 0. Errors: ShapeError, DTypeError.
 */
export const argsort = /* @__PURE__ */ Object.assign(
  (x: Tensor, axis = -1, { descending = false }: SortOptions = {}): Tensor => {
    const at = normalizeAxis('argsort', axis, x.rank);
    return record(definition, [x], { axis: at, count: x.shape[at]!, descending });
  },
  { definition: definition as unknown as KernelOp<Attributes> },
);

/** Values and where they were. */
export interface Sorted {
  values: Tensor;
  /** int32 */
  indices: Tensor;
}

/** The elements in order along the axis, and their indices; see `argsort`. The gradient goes back where values came from. */
export function sort(x: Tensor, axis = -1, options?: SortOptions): Sorted {
  const indices = argsort(x, axis, options);
  return { values: takeAlongAxis(x, indices, axis), indices };
}

/**
 * The k largest elements along the axis, the largest first, and their indices; of equal ones the first. NaN counts as
 * larger than anything. Errors: OptionError for a k that is not from 0 to the axis's size, ShapeError, DTypeError.
 */
export function topK(x: Tensor, k: number, axis = -1): Sorted {
  const at = normalizeAxis('topK', axis, x.rank);
  if (!Number.isInteger(k) || k < 0 || k > x.shape[at]!) {
    throw new OptionError({
      where: 'topK',
      problem: `k is ${k}, the axis has ${x.shape[at]} elements`,
      hint: 'a whole number from 0 to the size of the axis',
      values: { k, axis: at, shape: x.shape },
    });
  }
  const indices = record(definition, [x], { axis: at, count: k, descending: true });
  return { values: takeAlongAxis(x, indices, at), indices };
}
