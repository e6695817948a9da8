// ONNX Runtime, in WASM or native: it has no training, so products, models in use, and the passes of a convolution that
// its operators can express.
import * as numbers from '../numbers.mjs';
import { onnxModel } from '../onnx.mjs';
import { NotAvailable } from '../session.mjs';

const { convOperands, convShapes, matrix, modelInput, parameters, permuted, sample, sizeOf } = numbers;

/** Makes a competitor from one of the two packages; they have the same interface. */
export const competitor = (ort, executionProvider, start) => {
  let options;
  return {
    async start(settings) {
      options = {
        executionProviders: [executionProvider],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: settings.threads,
        interOpNumThreads: 1,
      };
      return start(settings);
    },

    async prepare(workload) {
      if (!graphs[workload.kind]) throw new NotAvailable('ONNX Runtime has no training');
      const { input, read = (values) => values, ...model } = graphs[workload.kind](workload);
      const session = await ort.InferenceSession.create(
        onnxModel({ ...model, inputShape: input.shape }),
        options,
      );
      const output = model.nodes.at(-1).output;
      const once = async () => {
        const results = await session.run({ x: new ort.Tensor('float32', input.values, input.shape) });
        return results[output];
      };
      const run = async (count) => {
        for (let i = 0; i < count; i++) await once();
      };
      return { check: sample(read((await once()).data)), run };
    },
  };
};

function gemm({ m, n, transposed, products }) {
  const names = Array.from({ length: products }, (_, i) => (i === 0 ? 'x' : `c${i}`));
  const nodes = names.map((name, i) => {
    const output = names[i + 1] ?? 'y';
    return transposed
      ? { op: 'Gemm', inputs: [name, 'b'], output, attributes: { transA: 1 } }
      : { op: 'MatMul', inputs: [name, 'b'], output };
  });
  return {
    nodes,
    constants: { b: { values: matrix(2, n, n, n), shape: [n, n] } },
    input: { values: matrix(1, m, n, n), shape: [m, n] },
    outputShape: [m, n],
  };
}

const twice = (n) => [n, n];
const four = (n) => [n, n, n, n];

/** Nodes by layer; `names` are those of its parameters. */
const forms = {
  linear: (_, names) => ({ op: 'Gemm', names }),
  conv: ({ stride, padding }, names) => ({
    op: 'Conv',
    names,
    attributes: { strides: twice(stride), pads: four(padding) },
  }),
  batchNorm: (_, names) => ({ op: 'BatchNormalization', names, attributes: { epsilon: 1e-5 } }),
  relu: () => ({ op: 'Relu' }),
  sigmoid: () => ({ op: 'Sigmoid' }),
  maxPool: ({ size, stride }) => ({
    op: 'MaxPool',
    attributes: { kernel_shape: twice(size), strides: twice(stride) },
  }),
  flatten: () => ({ op: 'Flatten' }),
};

function infer({ batch, input, layers }) {
  const values = parameters(layers, { channelsFirst: true });
  const constants = {};
  const nodes = layers.map((layer, i) => {
    const filled = (value) => ({
      values: new Float32Array(layer.features).fill(value),
      shape: [layer.features],
    });
    const own = layer.type === 'batchNorm' ? [1, 0, 0, 1].map(filled) : values[i];
    const made = own.map((_, j) => `p${i}_${j}`);
    for (const [j, p] of own.entries()) constants[made[j]] = p;
    const { op, names = [], attributes } = forms[layer.type](layer, made);
    return { op, inputs: [i === 0 ? 'x' : `t${i - 1}`, ...names], output: `t${i}`, attributes };
  });
  return {
    nodes,
    constants,
    input: numbers.channelsFirst(modelInput({ batch, input }), [batch, ...input]),
    outputShape: [batch, layers.at(-1).outputs],
  };
}

function conv(workload) {
  const { pass, padding } = workload;
  if (pass === 'filter') throw new NotAvailable('no operator for the gradient of a filter');
  const shapes = convShapes(workload);
  const operands = convOperands(workload);
  const from = pass === 'forward' ? 'x' : 'dy';
  const to = shapes[pass === 'forward' ? 'dy' : 'x'];
  const outputShape = [to[0], to[3], to[1], to[2]];
  return {
    nodes: [
      {
        op: pass === 'forward' ? 'Conv' : 'ConvTranspose',
        inputs: ['x', 'w'],
        output: 'y',
        attributes: { pads: four(padding), strides: [1, 1] },
      },
    ],
    constants: { w: permuted(operands.w, shapes.w, [3, 2, 0, 1]) },
    input: numbers.channelsFirst(operands[from], shapes[from]),
    outputShape,
    read: (values) => numbers.channelsLast(values.subarray(0, sizeOf(outputShape)), outputShape).values,
  };
}

const graphs = { gemm, infer, conv };
