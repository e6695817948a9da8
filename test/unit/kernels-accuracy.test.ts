// exp, log, tanh, ... of the kernels in single precision against JavaScript's in double: 8 million numbers of all
// exponents and both signs, for each function and build. No angle of sin and cos is too large.
import * as assert from 'uvu/assert';
import { references } from '../helpers/functions.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';

/** A block of numbers; bit patterns are `stride` apart, an odd number, so that each place of a vector gets all kinds. */
const block = 1 << 16;
const stride = 1021;
/** Around what is interesting also those between: results that are neither their argument nor a constant. */
const dense = { from: 2 ** -6, to: 128, stride: 61 };
const allowed = 2;

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);
const double = new Float64Array(1);
const doubleBits = new Uint32Array(double.buffer);

function bitsOf(x: number): number {
  single[0] = x;
  return singleBits[0]!;
}

/** 2^(e - 23) by e + 126: the distance of neighbours of float32 numbers of exponent e. */
const spacings = Float64Array.from({ length: 254 }, (_, i) => 2 ** (i - 149));

/** Error in units in the last place of the exact result; 0 for the same special value, infinite for another one. */
function error(got: number, exact: number): number {
  single[0] = exact;
  const rounded = single[0]!;
  if (got === rounded) return 0;
  if (Number.isNaN(rounded)) return Number.isNaN(got) ? 0 : Number.POSITIVE_INFINITY;
  double[0] = exact;
  const exponent = ((doubleBits[1]! >>> 20) & 2047) - 1023;
  if (exponent > 127) return Number.POSITIVE_INFINITY;
  return Math.abs(got - exact) / spacings[Math.max(exponent, -126) + 126]!;
}

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const source = kernels.alloc(block * 4);
  const target = kernels.alloc(block * 4);
  const test = suite(`kernels accuracy ${build}`);

  for (const [name, reference] of Object.entries(references)) {
    test(`${name}_f32 is within ${allowed} ulp`, () => {
      const { buffer } = kernels.memory;
      const bits = new Uint32Array(buffer, source, block);
      const x = new Float32Array(buffer, source, block);
      const y = new Float32Array(buffer, target, block);
      const kernel = kernels.exports[`${name}_f32`]!;
      let [worst, at, count] = [0, 0, 0];
      const over = (from: number, to: number, step: number): void => {
        for (let next = from; next < to; next += step * block) {
          const n = Math.min(block, Math.ceil((to - next) / step));
          for (let i = 0; i < n; i++) bits[i] = next + i * step;
          kernel(target, source, 0, 0, n);
          count += n;
          for (let i = 0; i < n; i++) {
            const e = error(y[i]!, reference(x[i]!));
            if (!(e <= worst)) [worst, at] = [e, x[i]!];
          }
        }
      };
      over(0, 2 ** 32, stride);
      for (const sign of [0, 2 ** 31]) {
        over(sign + bitsOf(dense.from), sign + bitsOf(dense.to), dense.stride);
      }
      console.log(`NOTE ${name}_f32 ${build}: at most ${worst.toFixed(3)} ulp, at ${at} (${count} numbers)`);
      assert.ok(worst <= allowed, `${worst} ulp at ${at}`);
    });
  }

  test('the measure of errors', () => {
    assert.is(error(1, 1), 0);
    assert.is(error(1 + 2 ** -23, 1), 1);
    assert.is(error(1 - 2 ** -24, 1), 0.5);
    assert.is(error(2 ** -149, 2 ** -149 * 1.5), 0.5);
    assert.is(error(0, Number.NaN), Number.POSITIVE_INFINITY);
    assert.is(error(Number.NaN, Number.NaN), 0);
    assert.is(error(Number.NaN, 1) <= allowed, false);
    assert.is(error(Number.POSITIVE_INFINITY, 1e39), 0);
    assert.is(error(3.4028234663852886e38, 1e39), Number.POSITIVE_INFINITY);
  });

  test.run();
}
