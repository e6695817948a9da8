// Kernels of normalisation and pooling against plain loops, with 1, 2, 3 and 8 threads: same bits, nothing beside.
import * as assert from 'uvu/assert';
import type { HostArray } from '../../src/dtype.js';
import { maxPoolGradient } from '../../src/ops/index.js';
import { windowOf } from '../../src/ops/window.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { random, same, Zone } from '../helpers/zone.js';

/** outer, reduce, inner: wide rows of several rows, rows that are left, chunks of 256 wide rows and of 16. */
const SHAPES = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100].map((n) => [1, 75, n] as const),
  [3, 41, 6],
  [2, 1, 5],
  [1, 600, 16],
  [1, 5000, 1],
  [2, 300, 3],
  [1, 70, 1024],
  [9, 4, 20],
] as const;

const floats = (n: number, offset: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: n }, () => offset + 4 * random() - 2);

function near(actual: HostArray, wanted: readonly number[], allowed: number, what: string): void {
  for (const [i, w] of wanted.entries()) {
    if (!(Math.abs(actual[i]! - w) <= allowed * Math.max(1, Math.abs(w))))
      assert.unreachable(`${what}: element ${i} is ${actual[i]} instead of ${w}`);
  }
}

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels, 1 << 21);
  const test = suite(`kernels of normalisation ${build}`);

  /** The elements of x that belong to column i. */
  const column = (x: HostArray, [, reduce, inner]: readonly number[], i: number): number[] =>
    Array.from(
      { length: reduce! },
      (_, r) => x[(Math.trunc(i / inner!) * reduce! + r) * inner! + (i % inner!)]!,
    );

  test('moments', () => {
    for (const offset of [0, 500]) {
      for (const shape of SHAPES) {
        const [outer, reduce, inner] = shape;
        const columns = outer * inner;
        const values = floats(outer * reduce * inner, offset);
        zone.reset();
        const x = zone.input(values);
        const bytes = kernels.exports.columnPartsBytes!(...shape);
        const parts = zone.output(bytes);
        const dst = zone.output(8 * columns);
        zone.run('momentParts_f32', [parts, x, ...shape], Float32Array, parts, bytes / 4);
        const got = zone.run('moments_f32', [dst, parts, x, ...shape], Float32Array, dst, 2 * columns);
        const own = Array.from({ length: columns }, (_, i) => column(values, shape, i));
        const means = own.map((c) => c.reduce((a, b) => a + b, 0) / reduce);
        const variances = own.map((c, i) => c.reduce((n, v) => n + (v - means[i]!) ** 2, 0) / reduce);
        near(got, [...means, ...variances], 4e-6, `${shape} from ${offset}`);
      }
    }
  });

  test('pairSums', () => {
    for (const shape of SHAPES) {
      const [outer, reduce, inner] = shape;
      const columns = outer * inner;
      const [y, x, centre] = [
        floats(outer * reduce * inner, 0),
        floats(outer * reduce * inner, 1),
        floats(columns, 1),
      ];
      zone.reset();
      const operands = [y, x, centre].map((a) => zone.input(a));
      const bytes = kernels.exports.columnPartsBytes!(...shape);
      const parts = zone.output(bytes);
      const dst = zone.output(8 * columns);
      zone.run('pairParts_f32', [parts, ...operands, ...shape], Float32Array, parts, bytes / 4);
      const got = zone.run('pairSums_f32', [dst, parts, ...shape], Float32Array, dst, 2 * columns);
      const sums = Array.from({ length: columns }, (_, i) => column(y, shape, i).reduce((a, b) => a + b, 0));
      const products = Array.from({ length: columns }, (_, i) => {
        const other = column(x, shape, i);
        return column(y, shape, i).reduce((n, v, r) => n + v * (other[r]! - centre[i]!), 0);
      });
      near(got, [...sums, ...products], 2e-6 * Math.sqrt(reduce) * 8, `${shape}`);
    }
  });

  test('columnAffine and columnAffinePair', () => {
    for (const shape of SHAPES) {
      const [outer, reduce, inner] = shape;
      const n = outer * reduce * inner;
      const [p, q] = [floats(n, 0), floats(n, 1)];
      const own = Array.from({ length: 4 }, () => floats(outer * inner, 0));
      const columnOf = (i: number): number => Math.trunc(i / (reduce * inner)) * inner + (i % inner);
      zone.reset();
      const scratch = zone.output(8 * 256);
      const [at, other] = [zone.input(p), zone.input(q)];
      const [f, c, g, h] = own.map((a) => zone.input(a));
      const dst = zone.output(4 * n);
      const sizes = [...shape, scratch, 256];
      const one = zone.run('columnAffine_f32', [dst, at, f!, c!, g!, ...sizes], Float32Array, dst, n);
      const affine = Array.from(p, (v, i) => {
        const k = columnOf(i);
        return (v - own[0]![k]!) * own[1]![k]! + own[2]![k]!;
      });
      near(one, affine, 4e-6, `${shape}`);
      const args = [dst, at, other, f!, c!, g!, h!, ...sizes];
      const both = zone.run('columnAffinePair_f32', args, Float32Array, dst, n);
      const pair = Array.from(p, (v, i) => {
        const k = columnOf(i);
        return v * own[0]![k]! + ((q[i]! - own[1]![k]!) * own[2]![k]! + own[3]![k]!);
      });
      near(both, pair, 8e-6, `${shape}`);
    }
  });

  test('maxPoolGradient: images or channels for the threads, bands that are set to 0', () => {
    for (const [shape, kernel, options] of [
      [[1, 9, 7, 20], 3, { stride: 2 }],
      [[5, 6, 6, 3], 3, { stride: 1, padding: 1 }],
      [[2, 7, 9, 5], 2, {}],
      [[3, 8, 6, 16], 2, {}],
      [[1, 8, 8, 33], 2, { stride: 3 }],
    ] as const) {
      const attributes = windowOf('test', kernel, options);
      const spec = { shape: [...shape], dtype: 'float32' as const };
      const { definition } = maxPoolGradient;
      const [N, H, W, C] = shape;
      const x = floats(N * H * W * C, 0);
      // Every third element repeats the one before it: ties go to the first.
      for (let i = C; i < x.length; i += 3) x[i] = x[i - C]!;
      const [PT, , PL] = attributes.padding as [number, number, number, number];
      const count = (size: number, axis: number): number =>
        Math.floor((size + 2 * PT - kernel) / attributes.stride[axis]!) + 1;
      const [OH, OW] = [count(H, 0), count(W, 1)];
      const dy = Float32Array.from({ length: N * OH * OW * C }, (_, i) => (i % 17) - 8);
      const dySpec = { shape: [N, OH, OW, C], dtype: 'float32' as const };
      const wanted = new Float32Array(x.length);
      const inputs = [spec, dySpec];
      definition.reference({ inputs, output: spec, attributes, values: [x, dy], out: wanted });
      zone.reset();
      const [from, by] = [zone.input(x), zone.input(dy)];
      const dst = zone.output(4 * x.length);
      const [sh, sw] = attributes.stride as [number, number];
      const args = [dst, from, by, N, H, W, C, OH, OW, kernel, kernel, sh, sw, PT, PL, 1, 1];
      const got = zone.run('maxPoolGradient_f32', args, Float32Array, dst, x.length);
      same(
        `${shape} by ${kernel}`,
        Array.from(got, (v) => v + 0),
        Array.from(wanted, (v) => v + 0),
      );
    }
  });

  test.run();
}
