// Elements by index along an axis where every column has indices of its own, and the gradient of that.
import { dtypes, normalizeAxis, requireDType, sameShape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { addAlongShader } from './axis-shaders.js';
import { type KernelOp, type Sample, type Site, streamingCost, suffix } from './define.js';
import { gatherShader } from './shader-calls.js';

type TakeAttributes = { readonly axis: number };
type AddAttributes = { readonly axis: number; readonly size: number };

/** `size` rows of `inner` elements, `count` of which are named by indices, `outer` times. */
function view(indices: Spec, axis: number, size: number) {
  const { shape } = indices;
  return {
    outer: sizeOf(shape.slice(0, axis)),
    axisSize: size,
    inner: sizeOf(shape.slice(axis + 1)),
    count: shape[axis]!,
  };
}

function check(where: string, x: Spec, indices: Spec, axis: number): void {
  requireDType(where, indices.dtype, ['int32']);
  const rank = x.shape.length;
  if (
    indices.shape.length === rank &&
    sameShape(x.shape.toSpliced(axis, 1), indices.shape.toSpliced(axis, 1))
  )
    return;
  throw new ShapeError({
    where,
    problem: `x is ${showShape(x.shape)}, indices are ${showShape(indices.shape)}`,
    hint: `all sizes but that of axis ${axis} must be equal`,
    values: { x: x.shape, indices: indices.shape, axis },
  });
}

const index = (shape: number[], values: number[]) => ({ shape, dtype: 'int32' as const, values });
const pairs: [number[], Sample['inputs'][number], number][] = WITH_SAMPLES
  ? [
      [[3], index([5], [2, 0, 2, 1, 1]), 0],
      [[2, 4], index([2, 3], [3, 0, 0, 1, 2, 3]), 1],
      [[3, 2], index([2, 2], [2, 0, 0, 1]), 0],
      [[2, 3, 2], index([2, 2, 2], [0, 2, 1, 2, 2, 2, 1, 0]), 1],
    ]
  : [];

const takeDefinition: KernelOp<TakeAttributes> = {
  kind: 'kernel',
  name: 'takeAlongAxis',
  infer([x, indices], { axis }): Spec {
    check('takeAlongAxis', x!, indices!, axis);
    return { shape: indices!.shape, dtype: x!.dtype };
  },
  gradient: ({ inputs: [x, indices], dy, attributes: { axis } }) => [
    record(addDefinition, [dy, indices!], { axis, size: x!.shape[axis]! }),
    null,
  ],
  reference({ inputs: [x, own], values: [from, indices], out, attributes: { axis } }) {
    const { axisSize, inner, count } = view(own!, axis, x!.shape[axis]!);
    for (let at = 0; at < out.length; at++) {
      const o = Math.trunc(at / (inner * count));
      out[at] = from![(o * axisSize + indices![at]!) * inner + (at % inner)]!;
    }
  },
  cost: (site) => streamingCost({ ...site, inputs: [site.output, site.inputs[1]!] }, 1),
  samples: WITH_SAMPLES
    ? pairs.map(([shape, indices, axis]) => ({
        inputs: [{ shape }, indices],
        attributes: { axis },
      }))
    : [],
  wasm: {
    calls({ inputs: [x, indices], output, attributes: { axis } }) {
      const { outer, axisSize, inner, count } = view(indices!, axis, x!.shape[axis]!);
      const args = ['output' as const, { input: 0 }, { input: 1 }, outer, axisSize, inner, count];
      return [{ kernel: `takeAlong_${dtypes[output.dtype].bytes * 8}`, args }];
    },
  },
  webgpu: {
    calls: ({ inputs: [x, indices], attributes: { axis } }) =>
      gatherShader(view(indices!, axis, x!.shape[axis]!), 1),
  },
};

const addDefinition: KernelOp<AddAttributes> = {
  kind: 'kernel',
  name: 'addAlongAxis',
  infer([updates, indices], { axis, size }): Spec {
    requireDType('addAlongAxis', updates!.dtype, ['float32', 'float64', 'int32']);
    requireDType('addAlongAxis', indices!.dtype, ['int32']);
    if (!sameShape(updates!.shape, indices!.shape)) {
      throw new ShapeError({
        where: 'addAlongAxis',
        problem: `updates are ${showShape(updates!.shape)}, indices are ${showShape(indices!.shape)}`,
        hint: 'one index for each element',
        values: { updates: updates!.shape, indices: indices!.shape },
      });
    }
    return { shape: updates!.shape.with(axis, size), dtype: updates!.dtype };
  },
  gradient: ({ inputs: [, indices], dy, attributes: { axis } }) => [
    record(takeDefinition, [dy, indices!], { axis }),
    null,
  ],
  reference({ inputs: [, own], values: [from, indices], out, attributes: { axis, size } }) {
    const { inner, count } = view(own!, axis, size);
    out.fill(0);
    for (let at = 0; at < from!.length; at++) {
      const o = Math.trunc(at / (inner * count));
      out[(o * size + indices![at]!) * inner + (at % inner)]! += from![at]!;
    }
  },
  cost: (site) => streamingCost(site, 1),
  samples: WITH_SAMPLES
    ? pairs.map(([{ length }, indices, axis]) => ({
        inputs: [{ shape: indices.shape }, indices],
        attributes: { axis, size: 3 + length },
      }))
    : [],
  wasm: {
    calls({ inputs: [, indices], output, attributes: { axis, size } }: Site<AddAttributes>) {
      const { outer, inner, count } = view(indices!, axis, size);
      const args = ['output' as const, { input: 0 }, { input: 1 }, outer, size, inner, count];
      return [{ kernel: `addAlong_${suffix(output.dtype)}`, args }];
    },
  },
  webgpu: {
    calls: ({ inputs: [, indices], output, attributes: { axis, size } }) =>
      addAlongShader(view(indices!, axis, size), output.dtype === 'int32' ? 'i32' : 'f32'),
  },
};

/**
 * out[.., j, ..] = x[.., indices[.., j, ..], ..] along the axis: indices (int32) have the shape of x but for that axis
 * (PyTorch's gather). An index out of range gives NaN. Errors: ShapeError, DTypeError.
 */
export const takeAlongAxis = /* @__PURE__ */ Object.assign(
  (x: Tensor, indices: Tensor, axis = -1): Tensor =>
    record(takeDefinition, [x, indices], { axis: normalizeAxis('takeAlongAxis', axis, x.rank) }),
  { definition: takeDefinition as unknown as KernelOp<Attributes> },
);

/**
 * Adds the elements of `updates` into zeros with `size` places along the axis, each where its index says (PyTorch's
 * scatter_add on zeros). Those of one place are added in their order. Errors: ShapeError, DTypeError.
 */
export const addAlongAxis = /* @__PURE__ */ Object.assign(
  (updates: Tensor, indices: Tensor, size: number, axis = -1): Tensor =>
    record(addDefinition, [updates, indices], {
      axis: normalizeAxis('addAlongAxis', axis, updates.rank),
      size,
    }),
  { definition: addDefinition as unknown as KernelOp<Attributes> },
);
