// Random kernels against the host's Philox: bits, layout of the counters, Box and Muller, the shape of the result.
import * as assert from 'uvu/assert';
import { type Key, philox, uniformInto, type Words4 } from '../../src/philox.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, same, Zone } from '../helpers/zone.js';

const COUNTS = [0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 100, 1025];
const key: Key = [0xdeadbeef, 0x12345678];
/** Published (kat_vectors of Random123): with this key, the counter (0xffffffff, ...) has no place in a tensor. */
const known = { key: [0, 0] as Key, words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] };

let firstBits: string | undefined;

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels random ${build}`);

  const draw = (
    kernel: string,
    type: typeof Float32Array,
    n: number,
    [low, high]: Key,
    stream: number,
    step?: number,
  ): Float32Array<ArrayBuffer> => {
    zone.reset();
    const at = step === undefined ? 0 : zone.input(Int32Array.of(step));
    const dst = zone.output(n * type.BYTES_PER_ELEMENT);
    return zone.run(kernel, [dst, n, low, high, stream, at], type, dst, n);
  };

  test('published known answer', () => {
    const words = draw('randomBits_i32', arrays.i32, 4, known.key, 0);
    same(
      'words',
      words,
      known.words.map((w) => w | 0),
    );
  });

  test('the same bits as the host', () => {
    for (const n of COUNTS) {
      const words = draw('randomBits_i32', arrays.i32, n, key, 0xfffffffe, 77);
      const expected: Words4 = [0, 0, 0, 0];
      for (let i = 0; i < n; i++) {
        if (i % 4 === 0) philox([i / 4, 0xfffffffe, 77, 0], key, expected);
        assert.is(words[i], expected[i % 4]! | 0, `word ${i} of ${n}`);
      }
    }
  });

  test("uniform numbers are the host's, in f32 and f64", () => {
    for (const n of COUNTS) {
      for (const step of [undefined, 0, 3, -1]) {
        const host = uniformInto(new Float64Array(n), key, 9, (step ?? 0) >>> 0);
        same('f32', draw('randomUniform_f32', Float32Array, n, key, 9, step), host);
        same('f64', draw('randomUniform_f64', arrays.f64, n, key, 9, step), host);
      }
    }
  });

  test('normal numbers by Box and Muller; f64 is f32 widened', () => {
    for (const n of COUNTS) {
      const u = uniformInto(new Float64Array((n + 3) & ~3), key, 9, 5);
      const x = draw('randomNormal_f32', Float32Array, n, key, 9, 5);
      for (let i = 0; i < n; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - u[i & ~1]!));
        const angle = 2 * Math.PI * u[i | 1]!;
        const exact = radius * (i % 2 ? Math.sin(angle) : Math.cos(angle));
        assert.ok(Math.abs(x[i]! - exact) < 2e-6, `[${i}] is ${x[i]}, not ${exact}`);
      }
      same('f64', draw('randomNormal_f64', arrays.f64, n, key, 9, 5), x);
    }
  });

  test('normal numbers have mean 0, variance 1, kurtosis 3', () => {
    const x = draw('randomNormal_f32', Float32Array, 100_000, key, 1);
    const moment = (k: number) => x.reduce((sum, v) => sum + v ** k, 0) / x.length;
    assert.ok(Math.abs(moment(1)) < 0.01);
    assert.ok(Math.abs(moment(2) - 1) < 0.02);
    assert.ok(Math.abs(moment(4) - 3) < 0.15);
    const bits = new Uint32Array(x.buffer, 0, 4096).join();
    firstBits ??= bits;
    assert.is(bits, firstBits, 'each build has the same initial weights');
  });

  test.run();
}
