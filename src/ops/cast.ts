// Ops that pass values on: to another dtype, to a larger shape.
import {
  broadcastShapes,
  type DType,
  isFloat,
  requireDType,
  type Shape,
  sameShape,
  showShape,
} from '../dtype.js';
import { ShapeError } from '../errors.js';
import { record, type Spec, type Tensor } from '../graph.js';
import { type ElementwiseOp, streamingCost, suffix } from './define.js';
import { anything, referenceLoop } from './elementwise.js';

type CastAttributes = { readonly dtype: DType };

const wgslTypes: Record<DType, string> = {
  float32: 'f32',
  float64: '',
  int32: 'i32',
  uint8: '',
  bool: 'bool',
};

const castDefinition: ElementwiseOp<CastAttributes> = {
  kind: 'elementwise',
  name: 'cast',
  infer([input], { dtype }) {
    requireDType('cast', dtype, anything);
    return { shape: input!.shape, dtype };
  },
  gradient: ({ inputs: [x], dy }) => [isFloat(x!.dtype) && isFloat(dy.dtype) ? cast(dy, x!.dtype) : null],
  reference: (context) =>
    referenceLoop((a, _b, _c, { output: { dtype } }) => {
      if (dtype === 'bool') return Number(a !== 0);
      if (dtype !== 'int32') return a;
      return Number.isNaN(a) ? 0 : Math.min(Math.max(Math.trunc(a), -(2 ** 31)), 2 ** 31 - 1);
    }, context),
  cost: (site) => streamingCost(site, 1),
  samples: WITH_SAMPLES
    ? (['float32', 'int32', 'bool', 'uint8'] as const).flatMap((from) =>
        (['float32', 'int32', 'bool'] as const)
          .filter((to) => to !== from)
          .map((dtype) => ({ inputs: [{ shape: [5, 7], dtype: from }], attributes: { dtype } })),
      )
    : [],
  wasm: { kernel: ({ inputs: [x], output }) => `cast_${suffix(x!.dtype)}_${suffix(output.dtype)}` },
  webgpu: { expression: ({ output }) => `${wgslTypes[output.dtype]}(a)` },
};

/** Converts the elements: floats to whole numbers by truncation (NaN gives 0), anything to bool by `!= 0`. */
export const cast = /* @__PURE__ */ Object.assign(
  (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : record(castDefinition, [x], { dtype })),
  { definition: castDefinition as unknown as ElementwiseOp },
);

type BroadcastAttributes = { readonly shape: Shape };

const broadcastDefinition: ElementwiseOp<BroadcastAttributes> = {
  kind: 'elementwise',
  name: 'broadcastTo',
  infer([input], { shape }): Spec {
    if (!sameShape(broadcastShapes('broadcastTo', input!.shape, shape), shape)) {
      throw new ShapeError({
        where: 'broadcastTo',
        problem: `${showShape(input!.shape)} does not stretch to ${showShape(shape)}`,
        hint: 'only axes of size 1 are stretched',
        values: { from: input!.shape, to: shape },
      });
    }
    return { shape, dtype: input!.dtype };
  },
  gradient: ({ dy }) => [dy],
  reference: (context) => referenceLoop((a) => a, context),
  cost: (site) => streamingCost(site, 0),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [5] }], attributes: { shape: [3, 5] } },
        { inputs: [{ shape: [4, 1, 2] }], attributes: { shape: [4, 3, 2] } },
        { inputs: [{ shape: [] }], attributes: { shape: [2, 6] } },
      ]
    : [],
  wasm: { kernel: () => null },
  webgpu: { expression: () => 'a' },
};

/** Stretches axes of size 1 (and adds leading axes) to `shape`. */
export const broadcastTo = /* @__PURE__ */ Object.assign(
  (x: Tensor, shape: Shape): Tensor =>
    sameShape(x.shape, shape) && x.source.kind !== 'constant'
      ? x
      : record(broadcastDefinition, [x], { shape }),
  { definition: broadcastDefinition as unknown as ElementwiseOp },
);
