// The fused loop: chains of block kernels with scalars, broadcasts and in-place steps against one scalar loop.
import { broadcastStrides } from '../../src/dtype.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, SIZES, same, Zone } from '../helpers/zone.js';

const STREAM = 1;
const SCRATCH = 2;
const ROW = 3;
const none = [0, 0, 0];
const stream = (address: number, bytes: number) => [STREAM, address, bytes];
const scratch = (offset: number) => [SCRATCH, offset, 0];
const f32 = (n: number) => Float32Array.from({ length: n }, () => random() * 4 - 2);
const { fround } = Math;

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels fused ${build}`);
  const indices = new Map<string, number>();
  const index = (name: string) => {
    if (!indices.has(name)) indices.set(name, zone.index(name));
    return indices.get(name)!;
  };

  test('a chain with a scalar, a comparison and a selection', () => {
    for (const n of SIZES) {
      for (const block of [16, 64, 1024]) {
        zone.reset();
        const [x, y] = [f32(n), f32(n)];
        const px = zone.input(x);
        const py = zone.input(y);
        const scalar = zone.input(Float32Array.of(0.75));
        const dst = zone.output(4 * n);
        const part = 3 * 4 * block;
        const memory = zone.output(8 * part);
        // t0 = 0.75 (prologue), t1 = x * t0, t2 = t1 < y (bytes), t1 = t1 + y in place, dst = t2 ? t1 : x
        const args = [
          ...[n, block, 4, 1, memory, part],
          ...[index('splat_32'), 0, scalar, block, 0],
          ...[index('mul_f32'), ...scratch(4 * block), ...stream(px, 4), ...scratch(0), ...none, 0],
          ...[index('less_f32'), ...scratch(8 * block), ...scratch(4 * block), ...stream(py, 4), ...none, 0],
          ...[index('add_f32'), ...scratch(4 * block), ...scratch(4 * block), ...stream(py, 4), ...none, 0],
          ...[
            index('where_f32'),
            ...stream(dst, 4),
            ...scratch(8 * block),
            ...scratch(4 * block),
            ...stream(px, 4),
            0,
          ],
        ];
        const got = zone.run('fusedLoop', args, Float32Array, dst, n);
        const expected = x.map((v, i) => {
          const t = fround(v * 0.75);
          return t < y[i]! ? fround(t + y[i]!) : v;
        });
        same(`n = ${n}, block = ${block}`, got, expected);
      }
    }
  });

  test('operands of other widths stream beside each other', () => {
    const n = 1000;
    zone.reset();
    const x = Float64Array.from({ length: n }, () => random() - 0.5);
    const px = zone.input(x);
    const dst = zone.output(n);
    const block = 48;
    const memory = zone.output(8 * 4 * block);
    const args = [
      ...[n, block, 2, 0, memory, 4 * block],
      ...[index('cast_f64_f32'), ...scratch(0), ...stream(px, 8), ...none, ...none, 0],
      ...[index('cast_f32_bool'), ...stream(dst, 1), ...scratch(0), ...none, ...none, 0],
    ];
    same('bool', zone.run('fusedLoop', args, arrays.u8, dst, n), new Uint8Array(n).fill(1));
  });

  test('broadcasts of every kind', () => {
    const cases: [number[], number[]][] = [
      [[7, 5], [5]],
      [
        [7, 5],
        [7, 1],
      ],
      [[100, 130], [130]],
      [
        [100, 130],
        [100, 1],
      ],
      [[3, 700], [700]],
      [[1, 1], [1]],
      [
        [4, 3, 5],
        [4, 1, 5],
      ],
      [
        [4, 3, 5],
        [1, 3, 1],
      ],
      [
        [4, 3, 5],
        [4, 3, 1],
      ],
      [
        [2, 3, 4, 5, 2, 3],
        [2, 1, 4, 1, 2, 1],
      ],
      [
        [2, 3, 4, 5, 2, 3],
        [3, 1, 5, 1, 3],
      ],
      [[2, 0, 3], [3]],
    ];
    for (const [bits, type] of [
      [8, arrays.u8],
      [32, arrays.f32],
      [64, arrays.f64],
    ] as const) {
      const width = type.BYTES_PER_ELEMENT;
      for (const [shape, own] of cases) {
        for (const block of [16, 96]) {
          const n = shape.reduce((a, b) => a * b, 1);
          const strides = broadcastStrides(own, shape);
          const source = type.from({ length: own.reduce((a, b) => a * b, 1) }, (_, i) => i + 1);
          zone.reset();
          const src = zone.input(source);
          const dst = zone.output(n * width);
          const descriptor = zone.words([shape.length, ...shape, ...strides]);
          const memory = zone.output(8 * width * block);
          const args = [
            ...[n, block, 2, 0, memory, width * block],
            ...[-1, ...scratch(0).slice(0, 2), width, 0, src, 0, 0, descriptor, 0, ...none, 0],
            ...[index(`copy_${bits}`), ...stream(dst, width), ...scratch(0), ...none, ...none, 0],
          ];
          const got = zone.run('fusedLoop', args, type, dst, n);
          const expected = new type(n).map((_, i) => {
            let at = 0;
            for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
              at += (rest % shape[axis]!) * strides[axis]!;
              rest = Math.floor(rest / shape[axis]!);
            }
            return source[at]!;
          });
          same(`(${own}) to (${shape}), block ${block}`, got, expected);
        }
      }
    }
  });

  test('a row repeated without end, at every phase', () => {
    for (const [bits, type] of [
      [8, arrays.u8],
      [32, arrays.f32],
      [64, arrays.f64],
    ] as const) {
      const width = type.BYTES_PER_ELEMENT;
      for (const [rows, length] of [
        [7, 5],
        [3, 16],
        [40, 7],
        [2, 100],
        [90, 2],
      ] as const) {
        for (const block of [16, 96]) {
          const n = rows * length;
          zone.reset();
          const source = type.from({ length }, (_, i) => i + 1);
          const src = zone.input(source);
          const dst = zone.output(n * width);
          const repeated = block + length;
          const part = (width * repeated + 15) & -16;
          const memory = zone.output(8 * part);
          const args = [
            ...[n, block, 1, 1, memory, part],
            ...[-width, 0, src, repeated, length],
            ...[
              index(`copy_${bits}`),
              ...stream(dst, width),
              ROW + 4 * length,
              0,
              width,
              ...none,
              ...none,
              0,
            ],
          ];
          const got = zone.run('fusedLoop', args, type, dst, n);
          const expected = new type(n).map((_, i) => source[i % length]!);
          same(`${rows} rows of ${length}, block ${block}`, got, expected);
        }
      }
    }
  });

  test.run();
}
