// Running sums along an axis.
import { normalizeAxis, requireDType, sizeOf } from '../dtype.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { cumsumShader } from './axis-shaders.js';
import { type KernelOp, streamingCost, suffix } from './define.js';

type CumsumAttributes = { readonly axis: number; readonly reverse: boolean; readonly exclusive: boolean };

const view = ({ shape }: Spec, axis: number) => ({
  outer: sizeOf(shape.slice(0, axis)),
  size: shape[axis]!,
  inner: sizeOf(shape.slice(axis + 1)),
});

const definition: KernelOp<CumsumAttributes> = {
  kind: 'kernel',
  name: 'cumsum',
  infer([x]): Spec {
    requireDType('cumsum', x!.dtype, ['float32', 'float64', 'int32']);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  gradient: ({ dy, attributes }) => [
    record(definition, [dy], { ...attributes, reverse: !attributes.reverse }),
  ],
  reference({ inputs: [x], values: [from], out, attributes: { axis, reverse, exclusive } }) {
    const { outer, size, inner } = view(x!, axis);
    for (let column = 0; column < outer * inner; column++) {
      const first = Math.trunc(column / inner) * size * inner + (column % inner);
      let total = 0;
      for (let n = 0; n < size; n++) {
        const at = first + (reverse ? size - 1 - n : n) * inner;
        const next = total + from![at]!;
        out[at] = exclusive ? total : next;
        total = next;
      }
    }
  },
  cost: (site) => streamingCost(site, 4),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [7] }], attributes: { axis: 0, reverse: false, exclusive: false } },
        { inputs: [{ shape: [3, 5] }], attributes: { axis: 1, reverse: true, exclusive: false } },
        { inputs: [{ shape: [5, 6] }], attributes: { axis: 0, reverse: false, exclusive: true } },
        { inputs: [{ shape: [2, 4, 3] }], attributes: { axis: 1, reverse: true, exclusive: true } },
      ]
    : [],
  wasm: {
    calls({ inputs: [x], attributes: { axis, reverse, exclusive } }) {
      const { outer, size, inner } = view(x!, axis);
      const numbers = [outer, size, inner, Number(reverse), Number(exclusive)];
      return [{ kernel: `cumsum_${suffix(x!.dtype)}`, args: ['output', { input: 0 }, ...numbers] }];
    },
  },
  webgpu: {
    calls: ({ inputs: [x], attributes: { axis, reverse, exclusive } }) =>
      cumsumShader(view(x!, axis), reverse, exclusive, x!.dtype === 'int32' ? 'i32' : 'f32'),
  },
};

/** Options of `cumsum`. */
export interface CumsumOptions {
  /** Sum up from the end. */
  reverse?: boolean;
  /** Sums of what comes before an element, without it; they begin with 0. */
  exclusive?: boolean;
}

/**
 * y[j] = x[0] + ... + x[j] along the axis. On WASM float32 is summed in double precision. Its gradient is the running sum
 * from the other end. Errors: ShapeError, DTypeError.
 */
export const cumsum = /* @__PURE__ */ Object.assign(
  (x: Tensor, axis = -1, { reverse = false, exclusive = false }: CumsumOptions = {}): Tensor =>
    record(definition, [x], { axis: normalizeAxis('cumsum', axis, x.rank), reverse, exclusive }),
  { definition: definition as unknown as KernelOp<Attributes> },
);
