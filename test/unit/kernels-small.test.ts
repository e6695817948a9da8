// Half precision and 8-bit numbers of the kernels and of files: all 65,536 halves, dense floats, exact products.
import * as assert from 'uvu/assert';
import { halfBits, halfValue } from '../../src/ops/half.js';
import { narrowFloat16, widenFloat16 } from '../../src/safetensors.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, same, Zone } from '../helpers/zone.js';

const allHalves = Uint16Array.from({ length: 65536 }, (_, i) => i);
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);
const fromBits = (word: number): number => {
  bits[0] = word;
  return float[0]!;
};

/** Every float16, the floats beside each and beside the middles between two, and floats of any bits. */
function denseFloats(): Float32Array<ArrayBuffer> {
  const list: number[] = [];
  for (const h of allHalves) {
    const value = halfValue(h);
    if (!Number.isFinite(value)) continue;
    const next = h % 0x8000 === 0x7bff ? Math.sign(value) * 65536 : halfValue(h + 1);
    for (const at of [value, (value + next) / 2]) {
      float[0] = at;
      const word = bits[0]!;
      list.push(at, fromBits(word + 1), fromBits(Math.max(word - 1, 0)));
    }
  }
  for (let i = 0; i < 100_000; i++) list.push(fromBits(Math.floor(random() * 2 ** 32)));
  for (const v of [Number.NaN, Infinity, -Infinity, 0, -0, 65519.996, 65520, 1e38]) list.push(v);
  return Float32Array.from(list);
}
const dense = denseFloats();
const denseBits = Uint16Array.from(dense, halfBits);

const files = suite('half precision on the host');

files('the slow reference is what Float16Array does, where there is one', () => {
  const Float16 = (globalThis as { Float16Array?: typeof Float32Array }).Float16Array;
  if (!Float16) return skip('Float16Array', 'this runtime has none');
  const known = new Float16(new Uint16Array(allHalves).buffer);
  same('halves', Float64Array.from(known), Float64Array.from(allHalves, halfValue));
  const rounded = Float64Array.from(Float16.from(dense));
  same('floats', rounded, Float64Array.from(denseBits, halfValue));
});

files('the slow reference is rounded by Math.fround alone', () => {
  // x + c has 2^-10 of x's power of two as its last place, so that the sum rounds as a half does.
  for (let i = 0; i < dense.length; i += 7) {
    const x = dense[i]!;
    const size = Math.abs(x);
    if (!(size < 65520)) continue;
    let power = 2 ** -14;
    while (power * 2 <= size) power *= 2;
    const c = power * 2 ** 13;
    const rounded = Math.fround(size + c) - c;
    assert.is(Math.abs(halfValue(halfBits(x))), rounded, `${x}`);
  }
});

files('all halves widen, and narrow to themselves', () => {
  for (const h of allHalves) {
    const value = halfValue(h);
    if (!Object.is(widenFloat16(h), value)) assert.unreachable(`${h} is ${widenFloat16(h)}, not ${value}`);
    const back = Number.isNaN(value) ? 0x7e00 : h;
    if (narrowFloat16(value) !== back) assert.unreachable(`${value} is ${narrowFloat16(value)}, not ${back}`);
  }
});

files(`${dense.length} floats narrow to the nearest half`, () => {
  assert.ok(dense.length > 400_000);
  same('narrowFloat16', Uint16Array.from(dense, narrowFloat16), denseBits);
});

files.run();

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const test = suite(`kernels of small weights ${build}`);

  for (const s of ['f32', 'f64'] as const) {
    const Type = arrays[s];
    const size = Type.BYTES_PER_ELEMENT;

    test(`fromHalf_${s}: all halves, and ends`, () => {
      for (const n of [65536, 0, 1, 2, 7, 8, 9, 63, 64, 65, 129]) {
        const zone = new Zone(kernels, 4096 + 2 * n + size * n);
        const src = zone.input(allHalves.slice(0, n) as never);
        const dst = zone.output(size * n);
        const got = zone.run(`fromHalf_${s}`, [dst, src, n], Type, dst, n);
        same(`${n} halves`, got, Type.from(allHalves.subarray(0, n), halfValue));
      }
    });

    test(`toHalf_${s}: dense floats, and ends`, () => {
      for (const n of [dense.length, 0, 1, 2, 7, 8, 9, 63, 64, 65, 129]) {
        const words = Math.ceil(n / 2);
        const zone = new Zone(kernels, 4096 + size * n + 4 * words);
        const src = zone.input(Type.from(dense.subarray(0, n)));
        const dst = zone.output(4 * words);
        const got = zone.run(`toHalf_${s}`, [dst, src, n], arrays.i32, dst, words);
        const halves = new Uint16Array(got.buffer as ArrayBuffer);
        const wanted = new Uint16Array(2 * words);
        wanted.set(denseBits.subarray(0, n));
        same(`${n} floats`, halves, wanted);
      }
    });
  }

  test('toHalf_f64 rounds once', () => {
    // Just beside the middle of two halves: rounded to float32 first, they would lie on it.
    const list: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const h = Math.floor(random() * 0x7bff);
      const middle = (halfValue(h) + halfValue(h + 1)) / 2;
      for (const e of [2 ** -40, -(2 ** -40)]) list.push(middle * (1 + e), -middle * (1 + e));
    }
    const zone = new Zone(kernels);
    const src = zone.input(Float64Array.from(list));
    const dst = zone.output(2 * list.length);
    const got = zone.run('toHalf_f64', [dst, src, list.length], arrays.i32, dst, list.length / 2);
    same('halves', new Uint16Array(got.buffer as ArrayBuffer), Uint16Array.from(list, halfBits));
  });

  test('quantizeRows_f32: ties to even, limits, NaN', () => {
    const values = Array.from({ length: 600 }, (_, i) => (i - 300) / 2);
    values.push(Number.NaN, Infinity, -Infinity, 1e30, -1e30, 126.5, 127.5, -127.5, -128.5);
    const words = 2 * Math.ceil(values.length / 8);
    const zone = new Zone(kernels);
    const x = zone.input(Float32Array.from(values));
    const factor = zone.input(Float32Array.of(1));
    const dst = zone.output(4 * words);
    const block = [dst, x, factor, 1, values.length, words];
    const got = zone.run('quantizeRows_f32', block, arrays.i32, dst, words);
    const wanted = new Int8Array(4 * words).map((_, i) => {
      const v = values[i] ?? 0;
      const even = 2 * Math.round(v / 2);
      const q =
        Math.abs(v % 1) === 0.5 ? (Math.abs(v - even) === 0.5 ? even : v + Math.sign(v) / 2) : Math.round(v);
      return Number.isNaN(v) ? 0 : Math.min(Math.max(q, -127), 127);
    });
    same('bytes', new Int8Array(got.buffer as ArrayBuffer), wanted);
  });

  test('matmulInt8_f32: exact at the largest sums', () => {
    const words = 1024;
    for (const byte of [127, -127, -128]) {
      const zone = new Zone(kernels);
      const rows = (n: number) => zone.input(new Int8Array(n * words * 4).fill(byte) as never);
      const [m, n] = [3, 5];
      const a = rows(m);
      const b = rows(n);
      const scaleA = zone.input(Float32Array.from({ length: m }, (_, i) => 2 ** -i));
      const scaleB = zone.input(Float32Array.from({ length: n }, (_, i) => 2 ** i));
      const dst = zone.output(4 * m * n);
      const block = [dst, a, b, scaleA, scaleB, m, n, words];
      const got = zone.run('matmulInt8_f32', block, arrays.f32, dst, m * n);
      const wanted = got.map((_, i) => byte * byte * 4 * words * 2 ** ((i % n) - Math.floor(i / n)));
      same(`of ${byte}`, got, wanted);
    }
  });

  test('matmulInt8_f32: random bytes', () => {
    for (const [m, n, words] of [
      [1, 9, 2],
      [1, 800, 196],
      [2, 4, 6],
      [7, 10, 26],
      [40, 3, 10],
      [300, 6, 250], // more rows than a block of A holds
    ] as const) {
      const zone = new Zone(kernels);
      const bytes = (count: number) =>
        Int8Array.from({ length: 4 * words * count }, () => random() * 256 - 128);
      const [qa, qb] = [bytes(m), bytes(n)];
      const a = zone.input(qa as never);
      const b = zone.input(qb as never);
      const ones = zone.input(new Float32Array(Math.max(m, n)).fill(1));
      const dst = zone.output(4 * m * n);
      const got = zone.run('matmulInt8_f32', [dst, a, b, ones, ones, m, n, words], arrays.f32, dst, m * n);
      const wanted = got.map((_, i) => {
        const [row, column] = [Math.floor(i / n), i % n];
        let sum = 0;
        for (let k = 0; k < 4 * words; k++) sum += qa[row * 4 * words + k]! * qb[column * 4 * words + k]!;
        return sum;
      });
      same(`${m} x ${n} x ${words}`, got, wanted);
    }
  });

  test.run();
}
