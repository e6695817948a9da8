// Softmax and its logarithm over the last axis, stable, in one pass over each row.
import { type DType, normalizeAxis, requireDType, sizeOf } from '../dtype.js';
import { type Attributes, record, type Tensor } from '../graph.js';
import { exp, mul, sub } from './arithmetic.js';
import { type GradientContext, type KernelOp, streamingCost, suffix } from './define.js';
import { transpose } from './movement.js';
import { sum } from './reduce.js';
import { softmaxShader } from './shader-calls.js';

const floats: readonly DType[] = ['float32', 'float64'];

function rowOp(name: 'softmax' | 'logSoftmax', gradient: (context: GradientContext) => Tensor): KernelOp {
  const view = (shape: readonly number[]) => ({ rows: sizeOf(shape.slice(0, -1)), cols: shape.at(-1)! });
  return {
    kind: 'kernel',
    name,
    infer([input]) {
      requireDType(name, input!.dtype, floats);
      return { shape: input!.shape, dtype: input!.dtype };
    },
    gradient: (context) => [gradient(context)],
    reference({ values: [x], inputs, out }) {
      const { cols } = view(inputs[0]!.shape);
      for (let start = 0; start < out.length; start += cols) {
        const row = Array.from(x!.subarray(start, start + cols));
        const top = row.reduce((a, b) => Math.max(a, b));
        const total = row.reduce((n, v) => n + Math.exp(v - top), 0);
        row.forEach((v, i) => {
          out[start + i] = name === 'softmax' ? Math.exp(v - top) / total : v - top - Math.log(total);
        });
      }
    },
    cost: (site) => streamingCost(site, 24),
    samples: WITH_SAMPLES
      ? [[5], [4, 10], [3, 2, 7], [2, 300]].map((shape) => ({ inputs: [{ shape }], attributes: {} }))
      : [],
    wasm: {
      calls({ output }) {
        const { rows, cols } = view(output.shape);
        return [{ kernel: `${name}_${suffix(output.dtype)}`, args: ['output', { input: 0 }, rows, cols] }];
      },
    },
    webgpu: { calls: ({ output }) => softmaxShader({ ...view(output.shape), log: name === 'logSoftmax' }) },
  };
}

const softmaxDefinition = /* @__PURE__ */ rowOp('softmax', ({ output: y, dy }) => {
  const weighted = mul(dy, y);
  return sub(weighted, mul(y, sum(weighted, -1, { keepDims: true })));
});

const logSoftmaxDefinition = /* @__PURE__ */ rowOp('logSoftmax', ({ output, dy }) =>
  sub(dy, mul(exp(output), sum(dy, -1, { keepDims: true }))),
);

/** Records a row op over any axis by moving that axis to the end and back. */
function overAxis(definition: KernelOp) {
  const apply = (x: Tensor, axis = -1): Tensor => {
    const at = normalizeAxis(definition.name, axis, x.rank);
    if (at === x.rank - 1) return record(definition, [x], {});
    const order = x.shape.map((_, i) => i);
    [order[at], order[x.rank - 1]] = [x.rank - 1, at];
    return transpose(record(definition, [transpose(x, order)], {}), order);
  };
  return Object.assign(apply, { definition: definition as KernelOp<Attributes> });
}

/** exp(x) / sum(exp(x)) along the axis (the last where not said). */
export const softmax = /* @__PURE__ */ overAxis(softmaxDefinition);
/** x - log(sum(exp(x))) along the axis (the last where not said). */
export const logSoftmax = /* @__PURE__ */ overAxis(logSoftmaxDefinition);
