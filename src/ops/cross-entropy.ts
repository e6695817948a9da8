// Cross-entropy of logits with labels, from the logits in one kernel, and so its gradient.
import { requireDType, type Shape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { mul, sub } from './arithmetic.js';
import { ones } from './compositions.js';
import { type KernelOp, type SampleInput, type Site, streamingCost, suffix } from './define.js';
import { reshape } from './movement.js';
import { sum } from './reduce.js';
import { crossEntropyShader } from './shader-calls.js';
import { softmax } from './softmax.js';

const where = 'crossEntropyLogits';

function check([logits, labels]: readonly Spec[]): void {
  requireDType(where, logits!.dtype, ['float32', 'float64']);
  requireDType(where, labels!.dtype, ['int32']);
}

/** Rows, columns, and dy and labels as the kernels take them. */
const sizes = ({ inputs: [logits] }: Pick<Site, 'inputs'>): [number, number] => {
  const { shape } = logits!;
  return [sizeOf(shape.slice(0, -1)), shape.at(-1)!];
};

const names = [
  { shape: [1], dtype: 'int32' as const, values: [0] },
  { shape: [5], dtype: 'int32' as const, values: [2, 0, 6, 3, 3] },
  { shape: [3], dtype: 'int32' as const, values: [299, 17, 0] },
];
const logitShapes = [
  [1, 4],
  [5, 7],
  [3, 300],
];

/** The row's terms exp(z - largest) and their sum. */
function terms(row: number[]): { terms: number[]; total: number; top: number } {
  const top = row.reduce((a, b) => Math.max(a, b));
  const list = row.map((z) => Math.exp(z - top));
  return { terms: list, total: list.reduce((a, b) => a + b), top };
}

const definition: KernelOp = {
  kind: 'kernel',
  name: where,
  infer(inputs): Spec {
    check(inputs);
    return { shape: inputs[0]!.shape.slice(0, -1), dtype: inputs[0]!.dtype };
  },
  gradient: ({ inputs: [logits, labels], dy }) => [
    record(gradientDefinition, [logits!, labels!, dy], {}),
    null,
  ],
  reference({ inputs, values: [z, labels], out }) {
    const [rows, cols] = sizes({ inputs });
    for (let i = 0; i < rows; i++) {
      const row = Array.from(z!.subarray(i * cols, (i + 1) * cols));
      const { total, top } = terms(row);
      out[i] = Math.log(total) + top - (row[labels![i]!] ?? Number.NaN);
    }
  },
  cost: (site) => ({ ...streamingCost(site, 1), flops: 24 * sizeOf(site.inputs[0]!.shape) }),
  samples: WITH_SAMPLES
    ? logitShapes.map((shape, i) => ({
        inputs: [{ shape }, names[i]!],
        attributes: {},
      }))
    : [],
  wasm: {
    calls: (site) => [
      {
        kernel: `crossEntropy_${suffix(site.output.dtype)}`,
        args: ['output', { input: 0 }, { input: 1 }, ...sizes(site)],
      },
    ],
  },
  webgpu: { calls: (site) => crossEntropyShader(...sizes(site), false) },
};

/** dy (softmax(z) - 1 at the label): inputs are logits, labels, dy. */
const gradientDefinition: KernelOp = {
  kind: 'kernel',
  name: 'crossEntropyLogitsGradient',
  infer(inputs): Spec {
    check(inputs);
    return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype };
  },
  gradient({ inputs: [logits, labels, dy], dy: u }) {
    const column = (t: Tensor): Tensor => reshape(t, [...t.shape, 1]);
    const p = softmax(logits!);
    const weighted = mul(u, p);
    const own = sub(weighted, mul(p, sum(weighted, -1, { keepDims: true })));
    const unit = record(gradientDefinition, [logits!, labels!, ones(dy!.shape, dy!.dtype)], {});
    return [mul(own, column(dy!)), null, sum(mul(u, unit), -1)];
  },
  reference({ inputs, values: [z, labels, dy], out }) {
    const [rows, cols] = sizes({ inputs });
    for (let i = 0; i < rows; i++) {
      const { terms: list, total } = terms(Array.from(z!.subarray(i * cols, (i + 1) * cols)));
      const label = labels![i]!;
      const factor = label >= 0 && label < cols ? dy![i]! : Number.NaN;
      for (const [j, e] of list.entries()) out[i * cols + j] = factor * (e / total - Number(j === label));
    }
  },
  cost: (site) => streamingCost(site, 24),
  samples: WITH_SAMPLES
    ? logitShapes.map((shape, i) => {
        const dy: SampleInput = { shape: shape.slice(0, -1) };
        return { inputs: [{ shape }, names[i]!, dy], attributes: {} };
      })
    : [],
  wasm: {
    calls: (site) => [
      {
        kernel: `crossEntropyGradient_${suffix(site.output.dtype)}`,
        args: ['output', { input: 0 }, { input: 1 }, { input: 2 }, ...sizes(site)],
      },
    ],
  },
  webgpu: { calls: (site) => crossEntropyShader(...sizes(site), true) },
};

/**
 * -log softmax(z) at the label, for logits (..., classes) and labels (...) int32; (...). A label that is none of the
 * classes gives NaN, and gradients of NaN in its row. Errors: ShapeError, DTypeError.
 */
export const crossEntropyLogits = /* @__PURE__ */ Object.assign(
  (logits: Tensor, labels: Tensor): Tensor => {
    const rows: Shape = logits.shape.slice(0, -1);
    if (logits.rank === 0 || `${labels.shape}` !== `${rows}` || logits.shape.at(-1) === 0) {
      throw new ShapeError({
        where,
        problem: `logits are ${showShape(logits.shape)}, labels ${showShape(labels.shape)}`,
        hint: 'logits are (..., classes) with at least one class, labels (...)',
        values: { logits: logits.shape, labels: labels.shape },
      });
    }
    return record(definition, [logits, labels], {});
  },
  { definition: definition as KernelOp<Attributes> },
);

/** The gradient of `crossEntropyLogits` by the logits, for dy (...): dy (softmax(z) - 1 at the label). */
export const crossEntropyLogitsGradient = /* @__PURE__ */ Object.assign(
  (logits: Tensor, labels: Tensor, dy: Tensor): Tensor =>
    record(gradientDefinition, [logits, labels, dy], {}),
  { definition: gradientDefinition as KernelOp<Attributes> },
);
