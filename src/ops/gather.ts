// Ops that pick by index: gather along an axis, its gradient, the whole numbers in a row, one-hot rows.
import { type DType, dtypes, normalizeAxis, requireDType, type Shape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { equal } from './arithmetic.js';
import { cast } from './cast.js';
import { type KernelOp, streamingCost, suffix } from './define.js';
import { reshape } from './movement.js';
import { gatherShader, iotaShader, scatterAddShader } from './shader-calls.js';

type GatherAttributes = { readonly axis: number };
type ScatterAttributes = { readonly axis: number; readonly size: number };

/** A tensor whose axis `axis` has `axisSize` rows of `inner` elements, `outer` times. */
const rows = (shape: Shape, axis: number) => ({
  outer: sizeOf(shape.slice(0, axis)),
  axisSize: shape[axis]!,
  inner: sizeOf(shape.slice(axis + 1)),
});

const indexInput = { shape: [5], dtype: 'int32' as const, values: [2, 0, 2, 1, 1] };

const gatherDefinition: KernelOp<GatherAttributes> = {
  kind: 'kernel',
  name: 'gather',
  infer([input, indices], { axis }): Spec {
    requireDType('gather', indices!.dtype, ['int32']);
    return { shape: input!.shape.with(axis, sizeOf(indices!.shape)), dtype: input!.dtype };
  },
  gradient: ({ inputs: [x, indices], dy, attributes: { axis } }) => [
    record(scatterDefinition, [dy, indices!], { axis, size: x!.shape[axis]! }),
    null,
  ],
  reference({ inputs: [input], values: [x, indices], out, attributes: { axis } }) {
    const { outer, axisSize, inner } = rows(input!.shape, axis);
    const count = indices!.length;
    for (let o = 0; o < outer; o++) {
      for (let j = 0; j < count; j++) {
        for (let i = 0; i < inner; i++) {
          out[(o * count + j) * inner + i] = x![(o * axisSize + indices![j]!) * inner + i]!;
        }
      }
    }
  },
  cost: (site) => streamingCost({ ...site, inputs: [site.output, site.inputs[1]!] }, 0),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [3] }, indexInput], attributes: { axis: 0 } },
        { inputs: [{ shape: [3, 7] }, indexInput], attributes: { axis: 0 } },
        { inputs: [{ shape: [2, 3, 4] }, indexInput], attributes: { axis: 1 } },
      ]
    : [],
  wasm: {
    calls({ inputs: [input, indices], output, attributes: { axis } }) {
      const { outer, axisSize, inner } = rows(input!.shape, axis);
      const args = [
        'output' as const,
        { input: 0 },
        { input: 1 },
        outer,
        axisSize,
        inner,
        sizeOf(indices!.shape),
      ];
      return [{ kernel: `gatherRows_${dtypes[output.dtype].bytes * 8}`, args }];
    },
  },
  webgpu: {
    calls: ({ inputs: [input, indices], attributes: { axis } }) =>
      gatherShader({ ...rows(input!.shape, axis), count: sizeOf(indices!.shape) }),
  },
};

const scatterDefinition: KernelOp<ScatterAttributes> = {
  kind: 'kernel',
  name: 'scatterAdd',
  infer([updates, indices], { axis, size }): Spec {
    requireDType('scatterAdd', updates!.dtype, ['float32', 'float64', 'int32']);
    requireDType('scatterAdd', indices!.dtype, ['int32']);
    if (updates!.shape[axis] !== sizeOf(indices!.shape)) {
      throw new ShapeError({
        where: 'scatterAdd',
        problem: `axis ${axis} of ${showShape(updates!.shape)} does not have one row for each of ${sizeOf(indices!.shape)} indices`,
        hint: 'as many rows as indices',
      });
    }
    return { shape: updates!.shape.with(axis, size), dtype: updates!.dtype };
  },
  gradient: ({ inputs: [, indices], dy, attributes: { axis } }) => [
    record(gatherDefinition, [dy, indices!], { axis }),
    null,
  ],
  reference({ inputs: [updates], values: [x, indices], out, attributes: { axis, size } }) {
    const { outer, axisSize: count, inner } = rows(updates!.shape, axis);
    out.fill(0);
    for (let o = 0; o < outer; o++) {
      for (let j = 0; j < count; j++) {
        for (let i = 0; i < inner; i++)
          out[(o * size + indices![j]!) * inner + i]! += x![(o * count + j) * inner + i]!;
      }
    }
  },
  cost: (site) => streamingCost(site, 1),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [5] }, indexInput], attributes: { axis: 0, size: 3 } },
        { inputs: [{ shape: [5, 7] }, indexInput], attributes: { axis: 0, size: 4 } },
        { inputs: [{ shape: [2, 5, 4] }, indexInput], attributes: { axis: 1, size: 3 } },
      ]
    : [],
  wasm: {
    calls({ inputs: [updates], output, attributes: { axis, size } }) {
      const { outer, axisSize: count, inner } = rows(updates!.shape, axis);
      const args = ['output' as const, { input: 0 }, { input: 1 }, outer, size, inner, count];
      return [{ kernel: `scatterAddRows_${suffix(output.dtype)}`, args }];
    },
  },
  webgpu: {
    calls({ inputs: [updates], output, attributes: { axis, size } }) {
      const { outer, axisSize: count, inner } = rows(updates!.shape, axis);
      return scatterAddShader(
        { outer, axisSize: size, inner, count },
        output.dtype === 'int32' ? 'i32' : 'f32',
      );
    },
  },
};

/**
 * Rows of `x` along `axis` by index: indices (int32) of any shape S give x.shape with the axis replaced by S. An index
 * out of range gives NaN, not another row's values.
 */
export const gather = /* @__PURE__ */ Object.assign(
  (x: Tensor, indices: Tensor, axis = 0): Tensor => {
    const at = normalizeAxis('gather', axis, x.rank);
    const flat = record(gatherDefinition, [x, reshape(indices, [indices.size])], { axis: at });
    return reshape(flat, [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)]);
  },
  { definition: gatherDefinition as unknown as KernelOp<Attributes> },
);

/** Adds the rows of `updates` into zeros of `size` rows along `axis`, row j where `indices[j]` says. */
export const scatterAdd = /* @__PURE__ */ Object.assign(
  (updates: Tensor, indices: Tensor, size: number, axis = 0): Tensor =>
    record(scatterDefinition, [updates, indices], {
      axis: normalizeAxis('scatterAdd', axis, updates.rank),
      size,
    }),
  { definition: scatterDefinition as unknown as KernelOp<Attributes> },
);

type IotaAttributes = {
  readonly size: number;
  readonly start: number;
  readonly step: number;
  readonly dtype: DType;
};

const iotaDefinition: KernelOp<IotaAttributes> = {
  kind: 'kernel',
  name: 'arange',
  infer(_, { size, dtype }) {
    requireDType('arange', dtype, ['float32', 'float64', 'int32']);
    return { shape: [size], dtype };
  },
  gradient: null,
  reference({ out, attributes: { start, step } }) {
    for (let i = 0; i < out.length; i++) out[i] = start + i * step;
  },
  cost: (site) => streamingCost(site, 1),
  samples: WITH_SAMPLES
    ? [
        { inputs: [], attributes: { size: 11, start: 0, step: 1, dtype: 'int32' } },
        { inputs: [], attributes: { size: 5, start: -2, step: 0.5, dtype: 'float32' } },
      ]
    : [],
  wasm: {
    calls({ attributes: { size, start, step, dtype } }) {
      const word = (value: number) => (dtype === 'int32' ? value : { float32: value });
      return [{ kernel: `iota_${suffix(dtype)}`, args: ['output', size, word(start), word(step)] }];
    },
  },
  webgpu: {
    calls: ({ attributes: { size, start, step, dtype } }) =>
      iotaShader(size, start, step, dtype === 'int32' ? 'i32' : 'f32'),
  },
};

/** start, start + step, ... below `end`; int32 unless said otherwise. */
export const arange = /* @__PURE__ */ Object.assign(
  (end: number, { start = 0, step = 1, dtype = 'int32' as DType } = {}): Tensor =>
    record(iotaDefinition, [], { size: Math.max(0, Math.ceil((end - start) / step)), start, step, dtype }),
  { definition: iotaDefinition as unknown as KernelOp<Attributes> },
);

/** Rows with a 1 at the index and 0 elsewhere: indices (...) int32 give (..., classes) float32. */
export const oneHot = (indices: Tensor, classes: number, dtype: DType = 'float32'): Tensor =>
  cast(equal(reshape(indices, [...indices.shape, 1]), arange(classes)), dtype);
