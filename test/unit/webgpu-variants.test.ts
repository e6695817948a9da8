// Every row of the tables of GPU variants against the slow reference, on awkward sizes, outputs poisoned first.
// @suite devices=webgpu runtimes=node24,deno

import { createWebgpuBackend } from '../../src/backend/webgpu/index.js';
import { variants } from '../../src/backend/webgpu/variants.js';
import { sizeOf } from '../../src/dtype.js';
import type { Attributes } from '../../src/graph.js';
import { samplesOf } from '../../src/ops/conv-samples.js';
import type { KernelOp, Sample } from '../../src/ops/define.js';
import {
  addAlongAxis,
  argmax,
  argsort,
  conv2d,
  conv2dFilterGradient,
  conv2dFilterGradientHalf,
  conv2dHalf,
  conv2dInputGradient,
  conv2dInputGradientHalf,
  cumsum,
  matmul,
  matmulHalf,
  max,
  moments,
  pairSums,
  rowNorm,
  scatterAdd,
  softmax,
  sum,
} from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { extra, product, VariantRunner } from '../helpers/variants.js';
import { unlessAbsent } from '../helpers/webgpu.js';

const test = suite('webgpu variants');
let runner: VariantRunner | undefined;

/** (m, n, k) with edges in each tile, fours and odd ones, k in parts and without elements. */
const sizes: [number, number, number][] = [
  [1, 1, 1],
  [3, 5, 7],
  [33, 65, 19],
  [132, 68, 40],
  [12, 20, 1100],
  [7, 9, 777],
  [5, 4, 0],
  [0, 5, 700],
  [1, 70, 37],
  [67, 1, 130],
  [3, 70, 37],
  [66, 4, 130],
];

const transposes = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

/** Matrix units have a test of their own, and the row that leads to subgroups is these. */
const products = [
  ...variants.product!.filter(({ name }) => name !== 'subgroups'),
  ...extra.subgroups!.filter(({ name }) => name.startsWith('subgroup')),
];

for (const [i, variant] of products.entries()) {
  test(`product, ${variant.name}: transposes, edges, parts, an epilogue`, async () => {
    await runner!.only('product', variant, async () => {
      for (const [j, [m, n, k]] of sizes.entries()) {
        for (const [t, [transA, transB]] of transposes.entries()) {
          // Those that an odd and an even size meet with each transpose are enough: others take turns.
          const chosen = runner!.slow
            ? (i + j + t) % 8 === 0 ||
              (k === 1100 && t === 1) ||
              (variant.name === 'vectors' && (j + t) % 2 === 0)
            : j === 2 || j === 3 || variant.name === 'vectors' || t === (i + j) % 4;
          if (!chosen || variant.fits?.({ M: m, N: n, K: k }) === false) continue;
          const sample = product(transA ? [k, m] : [m, k], transB ? [n, k] : [k, n], transA, transB);
          const what = `${variant.name} ${m} ${n} ${k} ${transA} ${transB}`;
          await runner!.check(matmul.definition, sample, what, { chain: t % 2 === 0 });
        }
      }
      // As the device has shader-f16 or not, tiles are of halves or of floats.
      const [rows, columns] = variant.name === 'vectors' ? [1, 36] : [36, 68];
      for (const k of [28, 31]) {
        const sample = product([rows, k], [k, columns], false, false);
        await runner!.check(
          matmulHalf.definition,
          runner!.packed(sample),
          `${variant.name}, halves, k ${k}`,
          {
            chain: true,
          },
        );
      }
      const batches =
        variant.name === 'vectors' ? product([3, 1, 60], [1, 60, 8]) : product([3, 12, 600], [1, 600, 8]);
      await runner!.check(matmul.definition, batches, `${variant.name}, batch`);
    });
  });
}

const convolutions = samplesOf([
  [[2, 7, 6, 3], [3, 2, 3, 5], { padding: 1 }],
  [[1, 9, 8, 4], [3, 3, 4, 8], { stride: 2, padding: [1, 0] }],
  [[1, 8, 9, 8], [2, 3, 4, 8], { groups: 2, dilation: [2, 1], padding: 'same' }],
  [[1, 6, 5, 1], [5, 5, 1, 6], { padding: 2 }],
  [[3, 20, 17, 4], [3, 3, 4, 4], {}],
  [[1, 7, 8, 6], [2, 2, 1, 12], { groups: 6, stride: [1, 3] }],
  [[2, 3, 3, 5], [1, 1, 5, 18], {}],
]);
const ops: Record<string, [KernelOp<Attributes>, KernelOp<Attributes>, Sample[]]> = {
  conv2d: [conv2d.definition, conv2dHalf.definition, convolutions.conv],
  conv2dInput: [conv2dInputGradient.definition, conv2dInputGradientHalf.definition, convolutions.input],
  conv2dFilter: [conv2dFilterGradient.definition, conv2dFilterGradientHalf.definition, convolutions.filter],
};

for (const [table, [op, half, samples]] of Object.entries(ops)) {
  // All three fill the same tiles: one with subgroups is enough.
  const ordinary = table === 'conv2d' ? /^(?!matrix)/ : /^(?!matrix|subgroup)/;
  const rows = extra[table]!.filter(({ name }) => ordinary.test(name));
  for (const [i, variant] of rows.entries()) {
    test(`${table}, ${variant.name}: strides, padding, dilation, groups, an epilogue`, async () => {
      variants[table] = extra[table]!;
      await runner!.only(table, variant, async () => {
        for (const [j, sample] of samples.entries()) {
          if (runner!.slow && (i + j) % 4) continue;
          if (variant.fits && !variant.fits(op.webgpu.calls({ ...siteOf(op, sample) })![0]!.constants))
            continue;
          const what = `${table} ${variant.name} ${JSON.stringify(sample)}`;
          await runner!.check(op, sample, what, { chain: true });
          if (j === 3 || j === 4) await runner!.check(half, runner!.packed(sample), `${what} of halves`);
        }
      });
    });
  }
}

/** Indices with repeats, some outside of the axis; keys with repeats, zeros of both signs, infinities and NaN. */
const keys = (n: number): number[] =>
  Array.from({ length: n }, () => {
    const special = [0, -0, Number.NaN, Infinity, -Infinity, 1];
    return runner!.random.uniform() < 0.3
      ? special[runner!.random.integer(6)]!
      : Math.round(8 * runner!.random.uniform() - 4) / 4;
  });
const indices = (n: number, axis: number): number[] =>
  Array.from({ length: n }, () => runner!.random.integer(axis));

const axisSamples: Record<string, () => [KernelOp<Attributes>, Sample[]]> = {
  argsort: () => [
    argsort.definition as KernelOp<Attributes>,
    [[1], [2], [7, 5], [3, 1025, 2], [2600], [2, 33, 3]].flatMap((shape) =>
      shape.map((_, axis) => ({
        inputs: [{ shape, values: keys(sizeOf(shape)) }],
        attributes: {
          axis,
          descending: axis % 2 === 0,
          count: axis === 0 ? shape[axis]! : Math.ceil(shape[axis]! / 2),
        },
      })),
    ),
  ],
  cumsum: () => [
    cumsum.definition as KernelOp<Attributes>,
    [[1], [700, 2], [3, 1100], [2, 513, 3], [512]].flatMap((shape, n) =>
      shape.map((_, axis) => ({
        inputs: [{ shape, dtype: axis === 1 ? 'int32' : 'float32' }],
        attributes: { axis, reverse: (n + axis) % 2 === 1, exclusive: (n >> 1) % 2 === 1 },
      })),
    ),
  ],
  scatter_add: () => [
    scatterAdd.definition as KernelOp<Attributes>,
    [
      [9, 1, 40],
      [100, 5, 300],
      [7, 3, 1500],
    ].map(([size, inner, count]) => ({
      inputs: [
        { shape: [2, count!, inner!] },
        { shape: [count!], dtype: 'int32', values: indices(count!, size!) },
      ],
      attributes: { axis: 1, size: size! },
    })),
  ],
  add_along: () => [
    addAlongAxis.definition as KernelOp<Attributes>,
    [
      [9, 1, 40],
      [70, 3, 130],
      [5, 1, 1100],
    ].map(([size, inner, count]) => {
      const shape = [2, count!, inner!];
      const at = indices(sizeOf(shape), size!);
      return {
        inputs: [{ shape }, { shape, dtype: 'int32', values: at }],
        attributes: { axis: 1, size: size! },
      };
    }),
  ],
};

for (const [table, make] of Object.entries(axisSamples)) {
  for (const variant of extra[table]!) {
    test(`${table}, ${variant.name}: awkward sizes, any axis`, async () => {
      Object.assign(variants, extra);
      await runner!.only(table, variant, async () => {
        const [op, samples] = make();
        for (const sample of samples)
          await runner!.check(op, sample, `${table} ${variant.name} ${JSON.stringify(sample.attributes)}`);
      });
    });
  }
}

const floats = (attributes: Attributes, ...shapes: number[][]): Sample => ({
  inputs: shapes.map((shape) => ({ shape })),
  attributes,
});
const range = (start: number, end: number) => ({ start, end, keepDims: false });
const reductions: [KernelOp<Attributes>, Sample[]][] = [
  [
    sum.definition,
    [
      floats(range(0, 1), [20000]),
      floats(range(0, 1), [8193, 3]),
      floats(range(1, 2), [2, 9000, 33]),
      floats(range(0, 1), [100, 10]),
      floats(range(1, 2), [5, 37]),
    ],
  ],
  [
    max.definition,
    [floats(range(0, 1), [30000]), floats(range(1, 2), [3, 8200, 2]), floats(range(1, 2), [9, 70])],
  ],
  [argmax.definition, [floats(range(1, 2), [9, 70])]],
  [softmax.definition, [floats({}, [5, 3]), floats({}, [3, 257]), floats({}, [70, 10])]],
  [rowNorm.definition, [floats({ centred: true, eps: 1e-5 }, [5, 70])]],
  [
    moments.definition,
    [
      floats({ start: 0, end: 1 }, [3000, 5]),
      floats({ start: 1, end: 2 }, [2, 700, 40]),
      floats({ start: 0, end: 1 }, [4097]),
      floats({ start: 1, end: 2 }, [3, 9, 2]),
    ],
  ],
  [
    pairSums.definition,
    [
      floats({ start: 0, end: 1 }, [3000, 5], [3000, 5], [5]),
      floats({ start: 1, end: 2 }, [2, 700, 40], [2, 700, 40], [2, 40]),
      floats({ start: 1, end: 2 }, [3, 9, 2], [3, 9, 2], [3, 2]),
    ],
  ],
];

for (const subgroups of [true, false]) {
  test(`reductions and normalisation ${subgroups ? 'with' : 'without'} subgroups, long ones in parts`, async () => {
    const { variants: kind } = runner!.backend;
    runner!.backend.variants = subgroups ? 'hardware' : 'software';
    if (subgroups && runner!.backend.capabilities.subgroup === 0) {
      runner!.backend.variants = kind;
      return skip('reductions and normalisation with subgroups', 'this adapter has none');
    }
    Object.assign(variants, extra);
    for (const [op, samples] of reductions) {
      for (const sample of samples) await runner!.check(op, sample, `${op.name} ${JSON.stringify(sample)}`);
    }
    runner!.backend.variants = kind;
  });
}

const siteOf = (op: KernelOp, { inputs, attributes }: Sample) => {
  const specs = inputs.map(({ shape, dtype = 'float32' as const }) => ({ shape, dtype }));
  return { inputs: specs, output: op.infer(specs, attributes), attributes };
};

runner = await unlessAbsent('webgpu variants', async () => new VariantRunner(await createWebgpuBackend()));
if (runner) {
  test.before.each(() => {
    runner!.random = new RandomStream(1, 0);
  });
  test.after(() => runner!.backend.dispose());
  test.run();
}
