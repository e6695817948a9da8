// Strided copies, fills, ranges, gather and scatter of the kernels against index arithmetic.
import * as assert from 'uvu/assert';
import { stridesOf } from '../../src/dtype.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, SIZES, same, Zone } from '../helpers/zone.js';

const widths = [
  [8, arrays.u8],
  [32, arrays.i32],
  [64, arrays.f64],
] as const;

interface Copy {
  shape: number[];
  from: number[];
  to: number[];
  /** Elements of both arrays, and where element (0, 0, ...) lies. */
  source: number;
  start: number;
  target: number;
}

const size = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);
const contiguous = (shape: number[], from: number[], source: number, start = 0): Copy => ({
  shape,
  from,
  to: stridesOf(shape),
  source,
  start,
  target: size(shape),
});

/** The copy of a transposed array: output axis i is input axis order[i]. */
function permuted(shape: number[], order: number[]): Copy {
  const own = stridesOf(shape);
  return contiguous(
    order.map((a) => shape[a]!),
    order.map((a) => own[a]!),
    size(shape),
  );
}

function copies(): Copy[] {
  const list: Copy[] = [contiguous([], [], 1), contiguous([0, 3], [3, 1], 1), contiguous([3, 0], [1, 1], 3)];
  for (const n of SIZES)
    list.push(contiguous([n], [1], n), contiguous([n], [0], 1), contiguous([n], [-1], n, Math.max(n - 1, 0)));
  for (const [m, n] of [
    [1, 1],
    [3, 5],
    [4, 4],
    [5, 4],
    [4, 5],
    [8, 8],
    [33, 7],
    [37, 66],
    [1, 70],
    [70, 1],
  ] as const) {
    list.push(permuted([m, n], [1, 0]), permuted([m, n], [0, 1]));
    list.push(contiguous([m, n], [0, 1], n), contiguous([m, n], [1, 0], m));
  }
  for (const order of [
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    list.push(permuted([3, 5, 7], order), permuted([6, 9, 4], order), permuted([2, 16, 12], order));
  }
  list.push(
    permuted([2, 3, 4, 5], [0, 3, 1, 2]),
    permuted([2, 5, 6, 3], [3, 1, 0, 2]),
    permuted([2, 3, 2, 3, 2], [4, 2, 0, 3, 1]),
  );
  list.push(permuted([2, 2, 2, 2, 2, 2, 2, 3], [7, 6, 5, 4, 3, 2, 1, 0]));
  // a slice, a flip, a piece of a larger target (pad, concat), every second column
  list.push(contiguous([3, 4], [10, 1], 50, 12));
  list.push(contiguous([3, 4], [-4, -1], 12, 11));
  list.push({ shape: [3, 4], from: [4, 1], to: [9, 1], source: 12, start: 0, target: 27 });
  list.push({ shape: [5, 6], from: [1, 5], to: [12, 2], source: 30, start: 0, target: 60 });
  // overlapping windows, as for a convolution
  list.push(contiguous([6, 5, 3], [2, 2, 1], 40));
  return list;
}

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels movement ${build}`);

  for (const [bits, type] of widths) {
    test(`stridedCopy_${bits}`, () => {
      for (const c of copies()) {
        const { shape, from, to, source, start, target } = c;
        zone.reset();
        const x = type.from({ length: source }, () => random() * 2 ** 31);
        const width = type.BYTES_PER_ELEMENT;
        const src = zone.input(x) + start * width;
        const dst = zone.output(target * width);
        const expected = zone.read(type, dst, target);
        const own = stridesOf(shape);
        for (let i = 0; i < size(shape); i++) {
          const at = (strides: number[]) =>
            strides.reduce((n, s, a) => n + s * (Math.floor(i / own[a]!) % shape[a]!), 0);
          expected[at(to)] = x[start + at(from)]!;
        }
        const got = zone.run(
          `stridedCopy_${bits}`,
          [dst, src, shape.length, ...shape, ...to, ...from],
          type,
          dst,
          target,
        );
        same(`stridedCopy_${bits} (${shape}) from (${from}) to (${to})`, got, expected);
      }
    });

    test(`fill_${bits}`, () => {
      const value = bits === 8 ? 200 : bits === 32 ? -123456 : -1.5e300;
      const words = new Int32Array(new type([value, 0, 0, 0, 0, 0, 0, 0]).buffer);
      for (const n of SIZES) {
        zone.reset();
        const dst = zone.output(n * type.BYTES_PER_ELEMENT);
        const got = zone.run(`fill_${bits}`, [dst, n, words[0]!, words[1]!], type, dst, n);
        same(`fill_${bits}, n = ${n}`, got, new Array(n).fill(value));
      }
    });

    test(`gatherRows_${bits}`, () => {
      for (const [outer, axis, inner] of [
        [1, 5, 1],
        [3, 4, 2],
        [2, 7, 5],
        [1, 3, 16],
        [2, 2, 33],
        [1, 1, 100],
      ] as const) {
        const indices = Int32Array.from({ length: 9 }, () => Math.floor(random() * (axis + 2)) - 1);
        indices[4] = -(2 ** 31);
        indices[5] = 2 ** 31 - 1;
        zone.reset();
        const x = type.from({ length: outer * axis * inner }, () => random() * 2 ** 31);
        const n = outer * 9 * inner;
        const dst = zone.output(n * type.BYTES_PER_ELEMENT);
        const args = [dst, zone.input(x), zone.input(indices), outer, axis, inner, 9];
        const got = zone.run(`gatherRows_${bits}`, args, type, dst, n);
        // NaN, of which the bits are these for an i32
        const missing = bits === 8 ? 0 : bits === 32 ? 0x7fc00000 : NaN;
        for (let i = 0; i < n; i++) {
          const row = indices[Math.floor(i / inner) % 9]!;
          const o = Math.floor(i / inner / 9);
          const expected = row < 0 || row >= axis ? missing : x[(o * axis + row) * inner + (i % inner)];
          assert.ok(Object.is(got[i], expected), `[${i}] is ${got[i]}, not ${expected}`);
        }
      }
    });
  }

  for (const suffix of ['f32', 'f64', 'i32'] as const) {
    const type = arrays[suffix];
    test(`scatterAddRows_${suffix}`, () => {
      for (const [outer, axis, inner] of [
        [1, 5, 1],
        [3, 4, 2],
        [9, 7, 5],
        [1, 3, 16],
        [2, 2, 33],
        [1, 40, 3],
        [2, 0, 3],
      ] as const) {
        const count = 21;
        const indices = Int32Array.from({ length: count }, () => Math.floor(random() * (axis + 2)) - 1);
        zone.reset();
        const x = type.from({ length: outer * count * inner }, () => random() * 1000);
        const n = outer * axis * inner;
        const dst = zone.output(n * type.BYTES_PER_ELEMENT);
        const args = [dst, zone.input(x), zone.input(indices), outer, axis, inner, count];
        const got = zone.run(`scatterAddRows_${suffix}`, args, type, dst, n);
        const expected = new type(n);
        for (let o = 0; o < outer; o++) {
          for (let j = 0; j < count; j++) {
            const row = indices[j]!;
            if (row < 0 || row >= axis) continue;
            for (let i = 0; i < inner; i++)
              expected[(o * axis + row) * inner + i]! += x[(o * count + j) * inner + i]!;
          }
        }
        same(`scatterAddRows_${suffix} ${outer},${axis},${inner}`, got, expected);
      }
    });

    test(`iota_${suffix}`, () => {
      for (const n of SIZES) {
        zone.reset();
        const dst = zone.output(n * type.BYTES_PER_ELEMENT);
        const [start, step] = suffix === 'i32' ? [-7, 3] : [{ f32: 0.25 }, { f32: -1.5 }];
        const got = zone.run(`iota_${suffix}`, [dst, n, start!, step!], type, dst, n);
        same(
          `iota_${suffix}`,
          got,
          new type(n).map((_, i) => (suffix === 'i32' ? -7 + 3 * i : 0.25 - 1.5 * i)),
        );
      }
    });
  }

  test.run();
}
