// Sizes that kernels get wrong first: nothing, one element, odd numbers, more than one block of 1024.
import type { Attributes } from '../../src/graph.js';
import type { OpDefinition, Sample } from '../../src/ops/define.js';
import { maxPool2d } from '../../src/ops/index.js';
import { gradientSample, sequenceSample } from '../../src/ops/recurrent.js';
import { cells } from '../../src/ops/recurrent-cells.js';
import { convolutions, halfConvolutions, int8Convolutions } from './convolutions.js';

const sample = (attributes: Attributes, ...shapes: number[][]): Sample => ({
  inputs: shapes.map((shape) => ({ shape })),
  attributes,
});

const one = [[0], [1], [], [2, 0, 3], [1, 1], [31], [1023], [2049], [3, 343]];
const two = [
  [[0], [0]],
  [[0], [1]],
  [[], []],
  [[1], [1]],
  [[2049], [1]],
  [
    [1, 1027],
    [3, 1],
  ],
  [
    [5, 1, 3],
    [1, 7, 1],
  ],
  [
    [3, 0],
    [1, 1],
  ],
];
const three = [
  [[0], [0], [0]],
  [[], [], []],
  [
    [1, 1027],
    [3, 1],
    [3, 1027],
  ],
];

const reduced: [number[], number, number][] = [
  [[1], 0, 1],
  [[1, 1, 1], 1, 2],
  [[0, 4], 1, 2],
  [[4, 0], 1, 2],
  [[1025], 0, 1],
  [[2, 1031, 3], 1, 2],
  [[2049, 2], 1, 2],
  [[3, 1030], 0, 1],
  [[5, 1, 7], 0, 3],
];

const products: [number[], number[], boolean, boolean][] = [
  [[0, 3], [3, 4], false, false],
  [[3, 0], [0, 4], false, false],
  [[3, 4], [4, 0], false, false],
  [[1, 1], [1, 1], true, true],
  [[1, 130], [130, 67], false, false],
  [[67, 130], [130, 1], false, false],
  [[65, 129], [129, 67], false, false],
  [[129, 65], [67, 129], true, true],
  [[65, 1030], [1030, 5], false, false],
  [[3, 65, 33], [3, 35, 33], false, true],
  [[3, 1, 33], [1, 33, 1], false, false],
];

/** Rows of bytes, any bits. */
const bytes = (...shape: number[]) => ({
  shape,
  dtype: 'int32' as const,
  range: [-(2 ** 31), 2 ** 31] as const,
});
const scales = (n: number) => ({ shape: [n], range: [1e-4, 0.1] as const });

const index = (values: number[]) => ({ shape: [values.length], dtype: 'int32' as const, values });
const rows = (shape: number[], axis: number, top: number) => {
  const n = shape.reduce((a, b) => a * b, 1);
  return {
    shape,
    dtype: 'int32' as const,
    values: Array.from({ length: n }, (_, i) => (i * (7 + axis)) % top),
  };
};
const resampled = [
  [[1], { axis: 0, size: 1, to: 1, linear: true, alignCorners: true }],
  [[1, 1, 2], { axis: 1, size: 1, to: 5, linear: true, alignCorners: false }],
  [[3, 5, 1], { axis: 1, size: 5, to: 1, linear: true, alignCorners: true }],
  [[0, 4, 2], { axis: 1, size: 4, to: 3, linear: false, alignCorners: false }],
  [[2, 4, 0], { axis: 1, size: 4, to: 3, linear: true, alignCorners: false }],
  [[3, 33, 7], { axis: 1, size: 33, to: 65, linear: true, alignCorners: false }],
  [[1, 65, 18], { axis: 1, size: 65, to: 31, linear: true, alignCorners: true }],
  [[1027], { axis: 0, size: 1027, to: 300, linear: true, alignCorners: false }],
  [[2, 31, 5], { axis: 1, size: 31, to: 100, linear: false, alignCorners: false }],
] as const;

const step = { shape: [], dtype: 'int32' as const, values: [12] };

const pairOf = (v: number | number[]): number[] => (typeof v === 'number' ? [v, v] : v);
/** Pooling: the images, kernel, stride, padding (top, bottom, left, right), dilation, ceilMode. */
type PoolCase = [number[], number | number[], number | number[], number[]?, (number | number[])?, boolean?];
const maxPools: PoolCase[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17].map((c): PoolCase => [[2, 5, 7, c], 2, 2]),
  ...[1, 3, 4, 6, 16, 17, 33].map((c): PoolCase => [[1, 9, 8, c], 3, 2]),
  [[0, 4, 4, 3], 2, 2],
  [[2, 4, 4, 0], 2, 2],
  [[1, 1, 1, 5], 1, 1],
  [[9, 3, 3, 2], 3, 1],
  [[3, 8, 8, 20], 2, 2],
  [[1, 7, 8, 5], 3, 2, [1, 1, 1, 1], 1, true],
  [
    [1, 5, 6, 3],
    [3, 4],
    [2, 3],
    [0, 1, 2, 0],
  ],
  [[2, 6, 6, 3], 3, 3, [0, 0, 0, 0], 1, true],
  [[1, 9, 9, 4], 3, 1, [1, 1, 1, 1], 2],
  [[1, 6, 7, 18], 2, 3],
  [[1, 1, 50, 6], [1, 5], [1, 2], [0, 0, 2, 1], 1, true],
];
const avgPools: PoolCase[] = [
  ...[1, 2, 3, 4, 5, 7, 16, 17].map((c): PoolCase => [[2, 5, 7, c], 2, 2]),
  ...[1, 3, 16, 18].map((c): PoolCase => [[1, 9, 8, c], 3, 2, [1, 1, 1, 1], 1, true]),
  [[0, 4, 4, 3], 2, 2],
  [[1, 1, 1, 5], 1, 1],
  [
    [1, 5, 6, 3],
    [3, 4],
    [2, 3],
    [0, 1, 2, 0],
  ],
  [[1, 6, 7, 5], 2, 3],
];
const windowAttributes = ([
  ,
  kernel,
  stride,
  padding = [0, 0, 0, 0],
  dilation = 1,
  ceilMode = false,
]: PoolCase) => ({
  kernel: pairOf(kernel),
  stride: pairOf(stride),
  padding,
  dilation: pairOf(dilation),
  ceilMode,
});
const pooledShape = (c: PoolCase): number[] =>
  maxPool2d.definition.infer([{ shape: c[0], dtype: 'float32' }], windowAttributes(c)).shape.slice();

/** Statistics over axes start to end: the widths of wide rows, chunks of rows, rows that are left. */
const columns: [number[], number, number][] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33].map((c): [number[], number, number] => [[37, c], 0, 1]),
  [[0, 3, 4], 1, 2],
  [[2, 3, 0], 1, 2],
  [[1, 1], 0, 1],
  [[3, 1, 5], 1, 2],
  [[600, 16], 0, 1],
  [[1100, 3], 0, 1],
  [[9, 5, 5, 6], 1, 3],
  [[2, 40, 130], 1, 2],
  [[50], 0, 1],
  [[5, 70], 1, 2],
];

const normRows = [
  [0, 4],
  [2, 0],
  [1, 1],
  [3, 2],
  [5, 3],
  [2, 4],
  [2, 5],
  [7, 15],
  [2, 17],
  [3, 64],
  [2, 1027],
  [600, 6],
];

/** By the op's name: what its samples do not have. */
const byName: Record<string, Sample[]> = {
  conv2d: convolutions.conv,
  conv2dInputGradient: convolutions.input,
  conv2dFilterGradient: convolutions.filter,
  conv2dInt8: int8Convolutions,
  conv2dHalf: halfConvolutions.conv,
  conv2dInputGradientHalf: halfConvolutions.input,
  conv2dFilterGradientHalf: halfConvolutions.filter,
  cast: (['float32', 'int32', 'bool', 'uint8'] as const).flatMap((from) =>
    (['float32', 'int32', 'bool'] as const)
      .filter((to) => to !== from)
      .flatMap((dtype) =>
        [[0], [], [1029]].map((shape) => ({ inputs: [{ shape, dtype: from }], attributes: { dtype } })),
      ),
  ),
  broadcastTo: [
    sample({ shape: [0] }, [1]),
    sample({ shape: [1, 1] }, []),
    sample({ shape: [3, 1027] }, [3, 1]),
    sample({ shape: [3, 0, 2] }, [1, 1, 2]),
    sample({ shape: [1027] }, [1027]),
  ],
  matmul: products.map(([a, b, transA, transB]) => sample({ transA, transB }, a, b)),
  softmax: [[1], [3, 1], [0, 5], [3, 1027], [2049, 3]].map((shape) => sample({}, shape)),
  reshape: [sample({ shape: [0, 7] }, [3, 0]), sample({ shape: [2049, 1] }, [2049])],
  transpose: [
    sample({ axes: [1, 0] }, [1, 1]),
    sample({ axes: [1, 0] }, [0, 3]),
    sample({ axes: [1, 0] }, [1027, 3]),
    sample({ axes: [0, 2, 1] }, [3, 33, 35]),
    sample({ axes: [3, 1, 2, 0] }, [2, 3, 5, 7]),
  ],
  slice: [
    sample({ starts: [0], sizes: [0], steps: [1] }, [4]),
    sample({ starts: [3], sizes: [1], steps: [1] }, [4]),
    sample({ starts: [1], sizes: [683], steps: [3] }, [2049]),
    sample({ starts: [1, 1, 0], sizes: [2, 9, 3], steps: [1, 3, 2] }, [3, 27, 5]),
  ],
  pad: [
    sample({ low: [0], high: [3], interior: [0], value: 0.5 }, [0]),
    sample({ low: [2], high: [1], interior: [4], value: 0 }, [1]),
    sample({ low: [1, 0], high: [0, 3], interior: [2, 1], value: 7 }, [35, 31]),
  ],
  concat: [
    sample({ axis: 0 }, [3]),
    sample({ axis: 0 }, [0], [2], [0]),
    sample({ axis: 1 }, [1, 1], [1, 0], [1, 3]),
    sample({ axis: 0 }, [513, 2], [515, 2], [1, 2]),
    sample({ axis: 2 }, [2, 3, 5], [2, 3, 1]),
  ],
  flip: [
    sample({ axes: [0] }, [1]),
    sample({ axes: [1] }, [2, 0]),
    sample({ axes: [0] }, [1027]),
    sample({ axes: [0, 2] }, [3, 5, 7]),
  ],
  gather: [
    { inputs: [{ shape: [3, 5] }, index([])], attributes: { axis: 0 } },
    { inputs: [{ shape: [1, 1] }, index([0])], attributes: { axis: 1 } },
    { inputs: [{ shape: [33, 65] }, index([32, 0, 0, 7])], attributes: { axis: 0 } },
    { inputs: [{ shape: [33, 65] }, index([64, 0, 0, 7, 63])], attributes: { axis: 1 } },
  ],
  scatterAdd: [
    { inputs: [{ shape: [0, 3] }, index([])], attributes: { axis: 0, size: 2 } },
    { inputs: [{ shape: [1, 1] }, index([0])], attributes: { axis: 1, size: 1 } },
    { inputs: [{ shape: [4, 65] }, index([32, 0, 0, 7])], attributes: { axis: 0, size: 33 } },
    { inputs: [{ shape: [33, 5] }, index([64, 0, 0, 7, 63])], attributes: { axis: 1, size: 65 } },
  ],
  columnAffine: columns.map(([shape, start, end]) => {
    const own = [...shape.slice(0, start), ...shape.slice(end)];
    return sample({ start, end }, shape, own, own, own);
  }),
  columnAffinePair: columns.map(([shape, start, end]) => {
    const own = [...shape.slice(0, start), ...shape.slice(end)];
    return sample({ start, end }, shape, shape, own, own, own, own);
  }),
  rowNorm: normRows.map((shape, i) => sample({ centred: i % 2 === 0, eps: 0.1 }, shape)),
  rowNormGradient: normRows.map((shape, i) => sample({ centred: i % 2 === 0, eps: 0.1 }, shape, shape)),
  windowSum: normRows.map((shape, i) => sample({ before: i % 4, after: (i * 3) % 5 }, shape)),
  crossEntropyLogits: [
    { inputs: [{ shape: [0, 3] }, index([])], attributes: {} },
    { inputs: [{ shape: [2, 1] }, index([0, 0])], attributes: {} },
    { inputs: [{ shape: [3, 1027] }, index([1026, 0, 511])], attributes: {} },
    { inputs: [{ shape: [65, 10] }, rows([65], 0, 10)], attributes: {} },
  ],
  crossEntropyLogitsGradient: [
    { inputs: [{ shape: [0, 3] }, index([]), { shape: [0] }], attributes: {} },
    { inputs: [{ shape: [2, 1] }, index([0, 0]), { shape: [2] }], attributes: {} },
    { inputs: [{ shape: [3, 1027] }, index([1026, 0, 511]), { shape: [3] }], attributes: {} },
    { inputs: [{ shape: [65, 10] }, rows([65], 0, 10), { shape: [65] }], attributes: {} },
  ],
  takeAlongAxis: [
    { inputs: [{ shape: [3, 5] }, rows([3, 0], 1, 1)], attributes: { axis: 1 } },
    { inputs: [{ shape: [1] }, rows([1], 0, 1)], attributes: { axis: 0 } },
    { inputs: [{ shape: [7, 33, 5] }, rows([7, 65, 5], 1, 33)], attributes: { axis: 1 } },
    { inputs: [{ shape: [1027] }, rows([9], 0, 1027)], attributes: { axis: 0 } },
  ],
  addAlongAxis: [
    { inputs: [{ shape: [3, 0] }, rows([3, 0], 1, 1)], attributes: { axis: 1, size: 5 } },
    { inputs: [{ shape: [1] }, rows([1], 0, 1)], attributes: { axis: 0, size: 1 } },
    { inputs: [{ shape: [7, 65, 5] }, rows([7, 65, 5], 1, 33)], attributes: { axis: 1, size: 33 } },
    { inputs: [{ shape: [9] }, rows([9], 0, 1027)], attributes: { axis: 0, size: 1027 } },
  ],
  argsort: [
    sample({ axis: 0, count: 0, descending: false }, [0]),
    sample({ axis: 1, count: 0, descending: true }, [3, 5]),
    sample({ axis: 0, count: 1, descending: true }, [1]),
    sample({ axis: 1, count: 5, descending: true }, [0, 5, 2]),
    sample({ axis: 0, count: 32, descending: false }, [33, 3]),
    sample({ axis: 0, count: 33, descending: true }, [33, 3]),
    sample({ axis: 1, count: 1027, descending: false }, [3, 1027]),
    sample({ axis: 1, count: 3, descending: true }, [3, 1027]),
  ],
  cumsum: [
    sample({ axis: 0, reverse: false, exclusive: false }, [0]),
    sample({ axis: 1, reverse: true, exclusive: true }, [3, 0, 2]),
    sample({ axis: 0, reverse: false, exclusive: true }, [1]),
    sample({ axis: 0, reverse: true, exclusive: false }, [1027]),
    sample({ axis: 1, reverse: false, exclusive: false }, [3, 65, 7]),
    sample({ axis: 1, reverse: true, exclusive: true }, [5, 33, 18]),
  ],
  resample: resampled.map(([shape, attributes]) => sample(attributes, [...shape])),
  resampleGradient: resampled.map(([shape, attributes]) =>
    sample(
      attributes,
      shape.map((d, i) => (i === attributes.axis ? attributes.to : d)),
    ),
  ),
  maxPool: maxPools.map((c) => sample(windowAttributes(c), c[0])),
  maxPoolGradient: maxPools.map((c) => sample(windowAttributes(c), c[0], pooledShape(c))),
  maxPoolPick: maxPools.map((c) => sample(windowAttributes(c), c[0], c[0])),
  avgPool: avgPools.map((c, i) => sample({ ...windowAttributes(c), countIncludePad: i % 2 === 0 }, c[0])),
  avgPoolGradient: avgPools.map((c, i) => {
    const attributes = { ...windowAttributes(c), countIncludePad: i % 2 === 0, size: c[0].slice(1, 3) };
    return sample(attributes, pooledShape(c));
  }),
  moments: columns.map(([shape, start, end]) => sample({ start, end }, shape)),
  pairSums: columns.map(([shape, start, end]) =>
    sample({ start, end }, shape, shape, [...shape.slice(0, start), ...shape.slice(end)]),
  ),
  arange: [0, 1, 1027].flatMap((size) => [
    { inputs: [], attributes: { size, start: 5, step: -2, dtype: 'int32' } },
    { inputs: [], attributes: { size, start: -3, step: 0.25, dtype: 'float32' } },
  ]),
  dropout: [[0], [], [1], [15], [17], [1027]].map((shape) => ({
    inputs: [{ shape }, step],
    attributes: { seedLow: -1, seedHigh: 0, stream: -5, threshold: 8388608, scale: 2 },
  })),
  toHalf: [
    ...[[0], [1], [], [2, 0, 3], [63], [64], [65], [1027]].map((shape) => sample({}, shape)),
    // subnormal results, and what is too small for them
    { inputs: [{ shape: [1031], range: [-1e-7, 1e-7] }], attributes: {} },
    { inputs: [{ shape: [515], range: [-65600, 65600] }], attributes: {} },
    {
      inputs: [{ shape: [7], values: [Number.NaN, Infinity, -Infinity, 65520, 65519.99, -0, -1e30] }],
      attributes: {},
    },
  ],
  fromHalf: [0, 1, 2, 63, 64, 65, 1027].map((n) => ({
    inputs: [bytes(Math.ceil(n / 2))], // NaN and infinity among them
    attributes: { shape: [n], dtype: 'float32' },
  })),
  quantizeRows: [
    ...[
      [0, 5],
      [3, 0],
      [1, 1],
      [2, 7],
      [3, 16],
      [5, 33],
      [9, 1029],
    ].map(([rows, cols]) => ({
      inputs: [{ shape: [rows!, cols!] }, { shape: [rows!], range: [0, 100] as const }],
      attributes: {},
    })),
    {
      inputs: [
        {
          shape: [2, 5],
          values: [Number.NaN, Infinity, -Infinity, 1e30, -1e30, 0.5, 1.5, -0.5, -2.5, 127.5],
        },
        { shape: [2], values: [1, 1] },
      ],
      attributes: {},
    },
  ],
  dequantizeRows: [
    [0, 5],
    [3, 0],
    [1, 1],
    [2, 7],
    [3, 16],
    [9, 1029],
  ].map(([rows, cols]) => ({
    inputs: [bytes(rows!, 2 * Math.ceil(cols! / 8)), scales(rows!)],
    attributes: { cols: cols! },
  })),
  matmulInt8: [
    [0, 3, 2],
    [3, 0, 2],
    [3, 4, 0],
    [1, 1, 2],
    [1, 130, 98],
    [2, 3, 4],
    [67, 2, 34],
    [33, 35, 66],
    [5, 9, 1030],
  ].map(([m, n, words]) => ({
    inputs: [bytes(m!, words!), bytes(n!, words!), scales(m!), scales(n!)],
    attributes: {},
  })),
  randomUniform: [[0], [], [1], [1027]].map((shape) => ({
    inputs: [step],
    attributes: { shape, seedLow: -1, seedHigh: 0, stream: -5, dtype: 'float32' },
  })),
};

/** Their second derivatives are compositions of hundreds of ops, which have kernels of their own: samples are enough. */
export const composedTwice = new Set(
  Object.values(cells).flatMap(({ name }) => [`${name}Sequence`, `${name}Gradient`]),
);

/** Recurrent networks: steps, batch, units around the tiles of 5 or 6 rows and 8 units; lengths, both directions. */
for (const cell of Object.values(cells)) {
  const forward = { initial: false, reverse: false };
  byName[`${cell.name}Sequence`] = [
    sequenceSample(cell, 1, 1, 8, { initial: true, reverse: false }),
    sequenceSample(cell, 5, 3, 17, forward),
    sequenceSample(cell, 2, 0, 3, forward),
    sequenceSample(cell, 3, 7, 9, { initial: true, reverse: true }, [3, 1, 2, 2, 3, 1, 3]),
    sequenceSample(
      cell,
      2,
      13,
      24,
      { initial: true, reverse: false },
      [2, 2, 1, 2, 1, 1, 2, 2, 2, 1, 2, 1, 2],
    ),
  ];
  const dCell = cell.states > 1;
  const all = { dKept: cell.kept > 0, dHidden: true, dCell };
  const some = { dKept: false, dHidden: true, dCell: false };
  byName[`${cell.name}Gradient`] = [
    gradientSample(cell, 1, 1, 8, { initial: true, reverse: false }, all),
    gradientSample(cell, 5, 3, 17, forward, some),
    gradientSample(cell, 2, 0, 3, forward, some),
    gradientSample(cell, 3, 7, 9, { initial: true, reverse: true }, all, [3, 1, 2, 2, 3, 1, 3]),
    gradientSample(
      cell,
      2,
      13,
      24,
      { initial: true, reverse: false },
      some,
      [2, 2, 1, 2, 1, 1, 2, 2, 2, 1, 2, 1, 2],
    ),
  ];
}
byName.logSoftmax = byName.softmax!;
byName.randomNormal = byName.randomUniform!;

/** For ops without attributes and reductions the sizes are made from what a first sample shows. */
export function extraSamples(op: OpDefinition): Sample[] {
  const first = op.samples[0];
  const named = byName[op.name];
  if (named || !first) return named ?? [];
  if ('keepDims' in first.attributes) {
    return reduced.map(([shape, start, end], i) => ({
      inputs: [{ ...first.inputs[0]!, shape }],
      attributes: { start, end, keepDims: i % 2 === 0 },
    }));
  }
  if (op.kind !== 'elementwise') return [];
  const lists = first.inputs.length === 1 ? one.map((s) => [s]) : first.inputs.length === 2 ? two : three;
  return lists.map((shapes) => ({
    ...first,
    inputs: first.inputs.map((input, i) => ({ ...input, shape: shapes[i]! })),
  }));
}
