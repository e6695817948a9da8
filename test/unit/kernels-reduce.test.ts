// Reductions, argmax and softmax of the kernels against plain loops: shapes, NaN, accuracy, threads.
import * as assert from 'uvu/assert';
import type { HostArray } from '../../src/dtype.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, same, Zone } from '../helpers/zone.js';

type Suffix = 'f32' | 'f64' | 'i32';
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 33, 63, 64, 65, 127, 128, 129, 257, 1023, 1025, 2049];
/** outer, reduce, inner */
const SHAPES = [
  ...LENGTHS.map((n) => [1, n, 1] as const),
  ...[2, 3, 5, 10, 16, 17, 100].map((n) => [7, n, 1] as const),
  ...[2, 3, 4, 5, 8, 15, 16, 17, 18, 31, 32, 33, 100].flatMap((n) => [
    [1, 5, n] as const,
    [3, 4, n] as const,
  ]),
  [2, 0, 3],
  [0, 4, 3],
  [1, 300, 10],
  [2, 257, 21],
  [40, 3, 2],
] as const;

const folds: Record<string, { start: Record<Suffix, number>; step: (x: number, y: number) => number }> = {
  sum: { start: { f32: 0, f64: 0, i32: 0 }, step: (x, y) => x + y },
  prod: { start: { f32: 1, f64: 1, i32: 1 }, step: (x, y) => x * y },
  max: { start: { f32: -Infinity, f64: -Infinity, i32: -(2 ** 31) }, step: (x, y) => Math.max(x, y) },
  min: { start: { f32: Infinity, f64: Infinity, i32: 2 ** 31 - 1 }, step: (x, y) => Math.min(x, y) },
};

/** The elements that go into output (o, i). */
const column = (x: HostArray, [, reduce, inner]: readonly number[], o: number, i: number): number[] =>
  Array.from({ length: reduce! }, (_, r) => x[(o * reduce! + r) * inner! + i]!);

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels reduce ${build}`);

  const run = (
    kernel: string,
    s: Suffix,
    Out: typeof Float32Array,
    shape: readonly number[],
    x: HostArray,
  ) => {
    const [outer, , inner] = shape as [number, number, number];
    zone.reset();
    const src = zone.input(x);
    const n = outer * inner;
    const dst = zone.output(n * Out.BYTES_PER_ELEMENT);
    return zone.run(`${kernel}_${s}`, [dst, src, ...shape], Out, dst, n);
  };

  for (const [name, { start, step }] of Object.entries(folds)) {
    for (const s of ['f32', 'f64', 'i32'] as const) {
      if (name === 'prod' && s === 'i32') continue;
      test(`${name}_${s}`, () => {
        for (const shape of SHAPES) {
          const [outer, reduce, inner] = shape;
          const x = new arrays[s](
            Array.from({ length: outer * reduce * inner }, () =>
              name === 'prod' ? 0.9 + random() / 5 : (random() - 0.5) * 1000,
            ),
          );
          const got = run(name, s, arrays[s], shape, x);
          for (let o = 0; o < outer; o++) {
            for (let i = 0; i < inner; i++) {
              const terms = column(x, shape, o, i);
              const exact = terms.reduce(step, start[s]);
              const size =
                name === 'prod' ? Math.abs(exact) * reduce : terms.reduce((a, b) => a + Math.abs(b), 0);
              const rounding =
                name === 'sum' || name === 'prod' ? { f32: 2 ** -24, f64: 2 ** -50, i32: 0 }[s] : 0;
              // two levels: the error grows slower than the number of terms
              const bound = rounding * size * (name === 'prod' ? 1 : 12);
              const y = got[o * inner + i]!;
              if (!(Math.abs(y - exact) <= bound) && y !== exact) {
                assert.unreachable(`${name}_${s} (${shape}) [${o}, ${i}] is ${y}, not ${exact}`);
              }
            }
          }
        }
      });
    }
  }

  test('NaN goes through max, min, sum and prod', () => {
    for (const name of Object.keys(folds)) {
      for (const s of ['f32', 'f64'] as const) {
        for (const shape of [
          [1, 37, 1],
          [1, 5, 6],
        ]) {
          const x = new arrays[s](shape[1]! * shape[2]!).fill(1);
          x[shape[2]! * 3] = NaN;
          assert.ok(Number.isNaN(run(name, s, arrays[s], shape, x)[0]!), `${name}_${s} (${shape})`);
        }
      }
    }
  });

  test('sums of 200,000 f32 stay accurate', () => {
    const wide = new Zone(kernels, 1 << 21);
    const x = Float32Array.from({ length: 200_000 }, () => random());
    for (const [reduce, inner] of [
      [200_000, 1],
      [100_000, 2],
    ] as const) {
      wide.reset();
      const src = wide.input(x);
      const dst = wide.output(4 * inner);
      const got = wide.run('sum_f32', [dst, src, 1, reduce, inner], Float32Array, dst, inner);
      const exact = column(x, [1, reduce, inner], 0, 0).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(got[0]! / exact - 1) < 2e-6, `${got[0]} instead of ${exact}`);
    }
  });

  for (const name of ['argmax', 'argmin'] as const) {
    for (const s of ['f32', 'f64', 'i32'] as const) {
      test(`${name}_${s}: first of equals, NaN wins`, () => {
        for (const shape of SHAPES.filter((d) => d[1] > 0)) {
          const [outer, reduce, inner] = shape;
          // few values, so many ties
          const any = () => (s !== 'i32' && random() < 0.01 ? NaN : Math.floor(random() * 9) - 4);
          const x = new arrays[s](Array.from({ length: outer * reduce * inner }, any));
          const expected = new Int32Array(outer * inner).map((_, at) => {
            const terms = column(x, shape, Math.floor(at / inner), at % inner);
            const nan = terms.findIndex(Number.isNaN);
            return nan >= 0 ? nan : terms.indexOf((name === 'argmax' ? Math.max : Math.min)(...terms));
          });
          same(`${name}_${s} (${shape})`, run(name, s, arrays.i32, shape, x), expected);
        }
      });
    }
  }

  for (const s of ['f32', 'f64'] as const) {
    const Type = arrays[s];
    const softmaxOf = (kernel: string, rows: number, cols: number, x: HostArray) => {
      zone.reset();
      const src = zone.input(x);
      const dst = zone.output(x.byteLength);
      return zone.run(`${kernel}_${s}`, [dst, src, rows, cols], Type, dst, rows * cols);
    };

    test(`softmax_${s} and logSoftmax_${s}`, () => {
      const tolerance = s === 'f32' ? 4e-7 : 4e-15;
      for (const [rows, cols] of [
        [1, 1],
        [5, 2],
        [3, 3],
        [2, 4],
        [9, 10],
        [3, 16],
        [2, 17],
        [1, 255],
        [2, 257],
        [1, 1030],
        [0, 5],
        [3, 0],
      ] as const) {
        const x = new Type(rows * cols).map(() => (random() < 0.05 ? -Infinity : random() * 20 - 10 + 500));
        for (let r = 0; r < rows && cols > 0; r++) x[r * cols] = 505;
        const soft = softmaxOf('softmax', rows, cols, x);
        const log = softmaxOf('logSoftmax', rows, cols, x);
        for (let r = 0; r < rows; r++) {
          const row = [...x.slice(r * cols, (r + 1) * cols)];
          const top = Math.max(...row);
          const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0);
          for (const [c, v] of row.entries()) {
            const p = Math.exp(v - top) / total;
            const i = r * cols + c;
            assert.ok(
              Math.abs(soft[i]! - p) <= tolerance * p + 1e-30,
              `softmax ${rows}x${cols} [${i}]: ${soft[i]} ${p}`,
            );
            const l = v - top - Math.log(total);
            assert.ok(
              l === log[i] || Math.abs(log[i]! - l) <= tolerance * (4 + Math.abs(l)),
              `logSoftmax [${i}]: ${log[i]} ${l}`,
            );
          }
        }
      }
    });

    test(`softmax_${s} of huge values`, () => {
      const x = new Type([1e30, 1e30, -1e30, 3e38, 3e38, 0]);
      same('softmax', softmaxOf('softmax', 2, 3, x), [0.5, 0.5, 0, 0.5, 0.5, 0]);
    });
  }

  test.run();
}
