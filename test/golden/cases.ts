// What is compared with PyTorch: every sample of the op table, functions made of ops, losses; inputs with fixed values.
import { dtypes, type HostArray, isFloat, sizeOf } from '../../src/dtype.js';
import { activeTrace, type Spec, type Tensor, traced } from '../../src/graph.js';
import * as loss from '../../src/loss/index.js';
import * as nn from '../../src/nn/index.js';
import { inference } from '../../src/nn/module.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { type Case, type Float, recordCase, specsOf, spread, takes } from '../ops/cases.js';

export interface GoldenCase {
  /** Finds the numbers: name, shapes, attributes. */
  readonly key: string;
  readonly op: string;
  readonly attributes: unknown;
  /** Inputs as they are with float32. */
  readonly specs: readonly Spec[];
  readonly values: readonly HostArray[];
  record(inputs: readonly Tensor[], float: Float): Tensor;
}

const fromTable: GoldenCase[] = ops.opTable.flatMap((op) =>
  op.samples
    .map((sample): Case => spread(op, sample))
    .filter((c) => takes(op, c.specs, c.attributes))
    .map((c) => ({
      key: c.name,
      op: op.name,
      attributes: c.attributes,
      specs: c.specs,
      values: c.values,
      record: (inputs, float) => recordCase(c, float, inputs),
    })),
);

interface Made {
  readonly name: string;
  readonly inputs: readonly (readonly number[])[];
  /** Labels below this instead of a last float input. */
  readonly labels?: number;
  readonly range?: readonly [number, number];
  f(this: void, ...xs: Tensor[]): Tensor;
}

/** A recurrent layer with the weights given, and first states if `state`; all that `run` gives, flat. */
function recurrent(
  name: string,
  make: (inputs: number, hidden: number, options: nn.RnnOptions) => nn.Recurrent,
  hidden: number,
  { lengths, state = false, ...options }: nn.RnnOptions & { lengths?: number[]; state?: boolean } = {},
): Made {
  const [batch, steps, inputs] = [3, 4, 3];
  const layer = (): nn.Recurrent => make(inputs, hidden, options);
  const parameters = layer().weights.map((w) => Object.keys(w));
  const count = layer().weights.length;
  const cell = name.startsWith('lstm');
  const shapes = [
    [batch, steps, inputs],
    ...layer()
      .parameters()
      .map((p) => p.shape),
    ...(state ? new Array<number[]>(cell ? 2 : 1).fill([count, batch, hidden]) : []),
  ];
  return {
    name,
    inputs: shapes,
    range: [-1, 1],
    f(x, ...rest) {
      const own = layer();
      for (const [i, names] of parameters.entries()) {
        for (const p of names) Object.assign(own.weights[i]!, { [p]: rest.shift()! });
      }
      const [h, c] = rest;
      const first = h && { state: c ? { h, c } : { h } };
      const { output, state: last } = own.run(x!, { ...(lengths && { lengths }), ...first });
      const all = [output, last.h, ...(last.c ? [last.c] : [])];
      return ops.concat(all.map((t) => ops.reshape(t, [-1])));
    },
  };
}

const shape = [3, 4, 5];
const on = (name: string, f: Made['f'], range?: readonly [number, number]): Made =>
  range ? { name, inputs: [shape], f, range } : { name, inputs: [shape], f };

const pair = [
  [6, 4],
  [6, 4],
] as const;
const classWeights = [0.5, 1, 2, 0.25];
const onLabels = (name: string, f: Made['f']): Made => ({ name, inputs: [[6, 4]], labels: 4, f });

/** Names are what make.py knows. */
const made: readonly Made[] = [
  on('mean', (x) => ops.mean(x)),
  on('mean 1', (x) => ops.mean(x, 1, { keepDims: true })),
  on('sum 0,2', (x) => ops.sum(x, [0, 2])),
  on('max 0,2', (x) => ops.max(x, [0, 2])),
  on('variance', (x) => ops.variance(x)),
  on('variance 0,2 population', (x) => ops.variance(x, [0, 2], { correction: 0, keepDims: true })),
  on('logSumExp', (x) => ops.logSumExp(x)),
  on('logSumExp 0', (x) => ops.logSumExp(x, 0, { keepDims: true })),
  on('softplus', ops.softplus, [-8, 8]),
  on('leakyRelu', (x) => ops.leakyRelu(x, 0.1)),
  on('elu', (x) => ops.elu(x, 1.5)),
  on('gelu', ops.gelu, [-4, 4]),
  on('silu', ops.silu, [-6, 6]),
  on('hardTanh', ops.hardTanh),
  on('mish', ops.mish, [-6, 6]),
  on('selu', ops.selu, [-4, 4]),
  on('hardSigmoid', ops.hardSigmoid, [-5, 5]),
  on('hardSwish', ops.hardSwish, [-5, 5]),
  { name: 'prelu', inputs: [shape, [5]], f: (x, a) => ops.prelu(x!, a!) },
  { name: 'maxout', inputs: [[3, 12]], f: (x) => ops.maxout(x!, 3) },
  {
    name: 'radialBasis',
    inputs: [[4, 3], [3, 5], [5]],
    range: [-1, 1],
    f: (x, c, p) => ops.radialBasis(x!, c!, p!),
  },
  on('softmax temperature', (x) => ops.softmaxWithTemperature(x, 2.5)),
  on('clamp', (x) => ops.clamp(x, -0.7, 1.2)),
  on('pow 2', (x) => ops.pow(x, 2)),
  on('pow 3', (x) => ops.pow(x, 3)),
  on('pow 0.5', (x) => ops.pow(x, 0.5), [0.2, 3]),
  on('pow -1', (x) => ops.pow(x, -1), [0.2, 3]),
  on('pow 2.5', (x) => ops.pow(x, 2.5), [0.2, 3]),
  on('pow -2', (x) => ops.pow(x, -2), [0.5, 3]),
  on('pow 4 of negatives', (x) => ops.pow(x, 4)),
  on('softmax 0', (x) => ops.softmax(x, 0)),
  on('softmax 1', (x) => ops.softmax(x, 1)),
  on('logSoftmax 0', (x) => ops.logSoftmax(x, 0)),
  on('stack', (x) => ops.stack([x, ops.neg(x)], 1)),
  on('slice by 2 from the end', (x) => ops.slice(x, [0, -3, null], [null, null, -1], [1, 2, 1])),
  { name: 'matmul vector', inputs: [[5], [5, 3]], f: (a, b) => ops.matmul(a, b) },
  { name: 'matmul dot', inputs: [[5], [5]], f: (a, b) => ops.matmul(a, b) },
  {
    name: 'matmul batches',
    inputs: [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
    f: (a, b) => ops.matmul(a, b),
  },
  { name: 'linear', inputs: [[4, 3], [3, 5], [5]], f: (x, w, b) => ops.add(ops.matmul(x!, w!), b!) },
  {
    name: 'conv2d same',
    inputs: [
      [2, 5, 6, 3],
      [2, 4, 3, 4],
    ],
    f: (x, w) => ops.conv2d(x!, w!, { padding: 'same' }),
  },
  {
    name: 'conv1d',
    inputs: [
      [2, 7, 3],
      [3, 3, 4],
    ],
    f: (x, w) => ops.conv1d(x!, w!, { stride: 2, padding: 1 }),
  },
  {
    name: 'convTranspose2d',
    inputs: [
      [2, 3, 4, 4],
      [3, 2, 3, 4],
    ],
    f: (x, w) =>
      ops.convTranspose2d(x!, w!, { stride: [2, 3], padding: [1, 0], outputPadding: [1, 2], groups: 2 }),
  },
  {
    name: 'convTranspose1d',
    inputs: [
      [2, 5, 3],
      [4, 2, 3],
    ],
    f: (x, w) => ops.convTranspose1d(x!, w!, { stride: 3, padding: 1, dilation: 2, outputPadding: 1 }),
  },
  { name: 'oneHot', inputs: [[6, 4]], labels: 4, f: (x, y) => ops.mul(x!, ops.oneHot(y!, 4, x!.dtype)) },
  { name: 'gather rows', inputs: [[4, 3]], labels: 4, f: (x, y) => ops.gather(x!, y!) },
  { name: 'crossEntropy', inputs: [[6, 4]], labels: 4, f: loss.crossEntropy() },
  { name: 'crossEntropy smooth', inputs: [[6, 4]], labels: 4, f: loss.crossEntropy({ labelSmoothing: 0.1 }) },
  {
    name: 'crossEntropy of distributions',
    inputs: [
      [6, 4],
      [6, 4],
    ],
    range: [0, 1],
    f: loss.crossEntropy(),
  },
  {
    name: 'binaryCrossEntropy',
    inputs: [
      [6, 4],
      [6, 4],
    ],
    range: [0, 1],
    f: loss.binaryCrossEntropy(),
  },
  {
    name: 'quadratic',
    inputs: [
      [6, 4],
      [6, 4],
    ],
    f: loss.quadratic(),
  },
  {
    name: 'meanSquaredError',
    inputs: [
      [6, 4],
      [6, 4],
    ],
    f: loss.meanSquaredError(),
  },
  onLabels('crossEntropy classWeights', loss.crossEntropy({ classWeights, labelSmoothing: 0.1 })),
  onLabels('crossEntropy ignoreLabel', loss.crossEntropy({ classWeights, ignoreLabel: 2 })),
  {
    name: 'crossEntropy of distributions, classWeights',
    inputs: pair,
    range: [0, 1],
    f: loss.crossEntropy({ classWeights }),
  },
  {
    name: 'crossEntropy weights',
    inputs: [[6, 4], [6]],
    labels: 4,
    range: [0, 2],
    f: (x, w, y) => loss.crossEntropy()(x!, y!, w!),
  },
  {
    name: 'crossEntropy of sequences',
    inputs: [[24, 4]],
    labels: 4,
    f: (x, y) => loss.crossEntropy()(ops.reshape(x!, [6, 4, 4]), ops.reshape(y!, [6, 4])),
  },
  onLabels('nll', (x, y) => loss.nll()(ops.logSoftmax(x!), y!)),
  {
    name: 'binaryCrossEntropy positiveWeight',
    inputs: pair,
    range: [0, 1],
    f: loss.binaryCrossEntropy({ positiveWeight: 3 }),
  },
  {
    name: 'binaryCrossEntropy weights',
    inputs: [...pair, [6]],
    range: [0, 1],
    f: (x, t, w) => loss.binaryCrossEntropy()(x!, t!, w!),
  },
  { name: 'huber', inputs: pair, f: loss.huber({ delta: 0.8 }) },
  { name: 'huber weights', inputs: [...pair, [6]], f: (x, t, w) => loss.huber()(x!, t!, ops.abs(w!)) },
  { name: 'l1', inputs: pair, f: loss.l1() },
  {
    name: 'gaussianNll',
    inputs: [
      [6, 8],
      [6, 4],
    ],
    f: loss.gaussianNll({ full: true }),
  },
  { name: 'perceptron', inputs: pair, f: (x, t) => loss.perceptron()(x!, ops.sign(t!)) },
  onLabels('perceptron of classes', loss.perceptron()),
  { name: 'hinge', inputs: pair, f: (x, t) => loss.hinge()(x!, ops.sign(t!)) },
  {
    name: 'hinge squared',
    inputs: pair,
    f: (x, t) => loss.hinge({ margin: 0.5, squared: true })(x!, ops.sign(t!)),
  },
  onLabels('multiClassHinge', loss.multiClassHinge({ margin: 0.7 })),
  onLabels('multiClassHinge squared', loss.multiClassHinge({ squared: true })),
  { name: 'klDivergence', inputs: pair, range: [0.01, 1], f: loss.klDivergence() },
  on('sort', (x) => ops.sort(x, 1).values),
  on('topK', (x) => ops.topK(x, 3, 1).values),
  ...(
    [
      ['nearest', [7, 3], {}],
      ['bilinear', [7, 3], { mode: 'bilinear' }],
      ['bilinear corners', [5, 9], { mode: 'bilinear', alignCorners: true }],
    ] as const
  ).map(
    ([name, sizes, options]): Made => ({
      name: `resize ${name}`,
      inputs: [[2, 4, 5, 3]],
      f: (x) => ops.resize(x!, sizes, options),
    }),
  ),
  on('padEdges reflect', (x) =>
    ops.padEdges(
      x,
      [
        [0, 0],
        [2, 1],
        [1, 2],
      ],
      'reflect',
    ),
  ),
  on('padEdges replicate', (x) =>
    ops.padEdges(
      x,
      [
        [0, 0],
        [5, 1],
        [1, 7],
      ],
      'replicate',
    ),
  ),
  {
    name: 'attention',
    inputs: [
      [2, 3, 4, 6],
      [2, 3, 5, 6],
      [2, 3, 5, 7],
    ],
    f: (q, k, v) => ops.scaledDotProductAttention(q!, k!, v!),
  },
  {
    name: 'attention causal',
    inputs: [
      [2, 6, 3],
      [2, 6, 3],
      [2, 6, 3],
    ],
    f: (q, k, v) => ops.scaledDotProductAttention(q!, k!, v!, { causal: true }),
  },
  {
    name: 'attention mask',
    inputs: [
      [2, 4, 3],
      [2, 5, 3],
      [2, 5, 3],
      [4, 5],
    ],
    f: (q, k, v, mask) => ops.scaledDotProductAttention(q!, k!, v!, { mask: mask! }),
  },
  {
    name: 'multiHeadAttention',
    inputs: [[2, 5, 4], [4, 12], [12], [4, 4], [4]],
    f: (x, ...own) =>
      withParameters(nn.multiHeadAttention(4, 2), own, (layer) => layer.forward(x!, inference())),
  },
  {
    name: 'embedding',
    inputs: [[4, 3]],
    labels: 4,
    f: (table, y) =>
      withParameters(nn.embedding(4, 3, { paddingIndex: 1 }), [table!], (layer) => layer.forward(y!)),
  },
  recurrent('rnn', nn.rnn, 5),
  recurrent('rnn relu', nn.rnn, 5, { nonlinearity: 'relu', lengths: [4, 1, 3] }),
  recurrent('rnn stacked', nn.rnn, 2, { lengths: [2, 4, 4], layers: 2, bidirectional: true, state: true }),
  recurrent('gru', nn.gru, 5),
  recurrent('gru lengths', nn.gru, 5, { lengths: [4, 1, 3], state: true }),
  recurrent('gru stacked', nn.gru, 2, { lengths: [2, 4, 4], layers: 2, bidirectional: true }),
  recurrent('lstm', nn.lstm, 5, { state: true }),
  recurrent('lstm lengths', nn.lstm, 5, { lengths: [4, 1, 3] }),
  recurrent('lstm stacked', nn.lstm, 2, { lengths: [2, 4, 4], layers: 2, bidirectional: true, state: true }),
];

/** Records what `f` does with a layer whose parameters have the given values. */
function withParameters<M extends nn.Module>(
  layer: M,
  values: readonly Tensor[],
  f: (layer: M) => Tensor,
): Tensor {
  return traced(() => {
    for (const [i, p] of layer.parameters().entries()) activeTrace()!.assignments.set(p, values[i]!);
    return f(layer);
  }).result;
}
const image = [2, 4, 3, 6];
const byChannel = (name: string, f: (x: Tensor, options: ops.NormOptions) => Tensor): Made => ({
  name,
  inputs: [image, [6], [6]],
  f: (x, scale, shift) => f(x!, { scale: scale!, shift: shift! }),
});
const pooling = (name: string, f: Made['f']): Made => ({ name, inputs: [[2, 7, 6, 3]], f });
const sequence = (name: string, f: Made['f']): Made => ({ name, inputs: [[2, 9, 3]], f });

/** Normalisation and pooling as functions of ops. */
const normsAndPools: readonly Made[] = [
  byChannel('batchNorm', (x, options) => ops.batchNorm(x, options).output),
  { name: 'batchNorm plain', inputs: [[7, 5]], f: (x) => ops.batchNorm(x, { eps: 0.1 }).output },
  byChannel('instanceNorm', ops.instanceNorm),
  byChannel('groupNorm 2', (x, options) => ops.groupNorm(x, 2, options)),
  byChannel('groupNorm 6', (x, options) => ops.groupNorm(x, 6, options)),
  { name: 'groupNorm of vectors', inputs: [[3, 8]], f: (x) => ops.groupNorm(x, 2) },
  {
    name: 'normalize',
    inputs: [image, [6], [6], [6], [6]],
    range: [0.2, 2],
    f: (x, mean, variance, scale, shift) =>
      ops.normalize(x!, mean!, variance!, { scale: scale!, shift: shift! }),
  },
  {
    name: 'layerNorm',
    inputs: [image, [6], [6]],
    f: (x, scale, shift) => ops.layerNorm(x!, 1, { scale: scale!, shift: shift! }),
  },
  {
    name: 'layerNorm 2',
    inputs: [image, [3, 6], [3, 6]],
    f: (x, scale, shift) => ops.layerNorm(x!, 2, { scale: scale!, shift: shift!, eps: 0.1 }),
  },
  { name: 'rmsNorm', inputs: [image, [6]], f: (x, scale) => ops.rmsNorm(x!, 1, { scale: scale! }) },
  {
    name: 'localResponseNorm 5',
    inputs: [image],
    f: (x) => ops.localResponseNorm(x!, 5, { alpha: 0.5, k: 2 }),
  },
  {
    name: 'localResponseNorm 4',
    inputs: [image],
    f: (x) => ops.localResponseNorm(x!, 4, { alpha: 0.5, beta: 0.6 }),
  },
  pooling('lpPool2d', (x) => ops.lpPool2d(x, 3, { stride: 2 })),
  pooling('globalAvgPool', ops.globalAvgPool),
  pooling('globalMaxPool', ops.globalMaxPool),
  sequence('maxPool1d', (x) => ops.maxPool1d(x, 3, { stride: 2, padding: 1, dilation: 2 })),
  sequence('avgPool1d', (x) => ops.avgPool1d(x, 3, { stride: 2, padding: 1, countIncludePad: false })),
];

function fromFunction({ name, inputs, labels, range = [-2, 2], f }: Made): GoldenCase {
  const specs: Spec[] = inputs.map((own) => ({ shape: own, dtype: 'float32' }));
  if (labels !== undefined) specs.push({ shape: inputs[0]!.slice(0, 1), dtype: 'int32' });
  const random = new RandomStream(15, 0);
  const values = specs.map(({ shape: own, dtype }): HostArray => {
    const n = sizeOf(own);
    const at = random.permutation(n);
    if (dtype === 'int32') return Int32Array.from({ length: n }, () => random.integer(labels!));
    return Float64Array.from(at, (k) => Math.fround(range[0] + ((range[1] - range[0]) * (k + 0.3)) / n));
  });
  return { key: name, op: name, attributes: {}, specs, values, record: (xs) => f(...xs) };
}

export const goldenCases: readonly GoldenCase[] = [
  ...fromTable,
  ...[...made, ...normsAndPools].map(fromFunction),
];

export const specsAs = ({ specs }: GoldenCase, float: Float): Spec[] =>
  specsOf({ specs } as unknown as Case, float);

/** A number that changes with the inputs, so that old golden numbers are noticed. */
export function fingerprint({ specs, values, attributes }: GoldenCase): number {
  let hash = 17;
  const mix = (word: number): void => {
    hash = (Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15)) | 0;
  };
  for (const text of [JSON.stringify(attributes), JSON.stringify(specs)]) {
    for (let i = 0; i < text.length; i++) mix(text.charCodeAt(i));
  }
  for (const [i, list] of values.entries()) {
    const floats = isFloat(specs[i]!.dtype);
    const words = floats ? new Int32Array(Float32Array.from(list).buffer) : new dtypes.int32.array(list);
    for (let k = 0; k < words.length; k++) mix(words[k]!);
  }
  return hash;
}

/** Of a long result not all elements are kept: these, and the sum. */
export const keptElements = (n: number): number[] => {
  const step = Math.max(1, Math.ceil(n / 40));
  return Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step);
};
