// exp, log, tanh, ... of the kernels in f64 against JavaScript's, tails, and pow; kernels-accuracy has those in f32.
import * as assert from 'uvu/assert';
import { references } from '../helpers/functions.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, Zone } from '../helpers/zone.js';

const N = 1 << 14;
/** Distance of two neighbours at x, for numbers with that many bits and smallest normal exponent. */
function ulp(x: number, bits: number, smallest: number): number {
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  return 2 ** (Math.max(Number.isFinite(exponent) ? exponent : smallest, smallest) - bits + 1);
}

/** Error in ULP; 0 where both are the same special value, infinite where only one is. */
function distance(got: number, exact: number, bits: number): number {
  const rounded = bits === 24 ? Math.fround(exact) : exact;
  if (Object.is(got, rounded) || (Number.isNaN(got) && Number.isNaN(rounded))) return 0;
  if (!Number.isFinite(rounded) && Number.isFinite(got) && bits === 24)
    return Math.abs(exact) < 3.41e38 ? 1 : Infinity;
  return Math.abs(got - exact) / ulp(exact, bits, bits === 24 ? -126 : -1022);
}

const ranges64: Record<string, [number, number]> = {
  exp: [-744, 709.7],
  log: [1e-3, 50],
  tanh: [-20, 20],
  sigmoid: [-50, 50],
  erf: [-6, 6],
  sin: [-1000, 1000],
  cos: [-1000, 1000],
};

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels math ${build}`);
  const apply = (
    kernel: string,
    x: Float32Array | Float64Array,
    y?: Float32Array | Float64Array,
  ): Float32Array => {
    zone.reset();
    const dst = zone.output(x.byteLength);
    zone.call(kernel, dst, zone.input(x), y ? zone.input(y) : 0, 0, x.length);
    zone.verify(kernel);
    return zone.read(kernel.endsWith('f32') ? arrays.f32 : arrays.f64, dst, x.length);
  };

  for (const [name, reference] of Object.entries(references)) {
    test(`${name}_f64`, () => {
      const [low, high] = ranges64[name]!;
      const edges = [
        0,
        -0,
        NaN,
        Infinity,
        -Infinity,
        5e-324,
        -5e-324,
        1e-310,
        1e300,
        -1e300,
        1e22,
        0.625,
        -1,
        1,
        2,
        6,
      ];
      const x = Float64Array.from(
        { length: N },
        (_, i) => edges[i] ?? (i % 3 ? low + random() * (high - low) : random() * 2 - 1),
      );
      const y = apply(`${name}_f64`, x);
      let worst = 0;
      let at = 0;
      for (let i = 0; i < N; i++) {
        const error = distance(y[i]!, reference(x[i]!), 53);
        if (!(error <= worst)) [worst, at] = [error, x[i]!];
      }
      console.log(
        `  ${name}_f64 ${build}: worst difference from JavaScript ${worst.toFixed(2)} ULP at ${at}`,
      );
      // The references are not exact to the last bit either, that of erf not to the last two.
      assert.ok(worst <= (name === 'erf' ? 8 : 4), `${worst} ULP at ${at}`);
    });

    test(`${name}: the same bits in every lane and tail`, () => {
      for (const type of [arrays.f32, arrays.f64]) {
        const kernel = `${name}_${type === arrays.f32 ? 'f32' : 'f64'}`;
        const x = type.from({ length: 1025 }, () => (random() - 0.3) * 30);
        const whole = apply(kernel, x);
        for (const n of [1, 2, 3, 4, 5, 15, 16, 17, 1023, 1024]) {
          const y = apply(kernel, x.slice(1025 - n));
          for (let i = 0; i < n; i++)
            assert.ok(Object.is(y[i], whole[1025 - n + i]), `n = ${n}, element ${i}`);
        }
      }
    });
  }

  test('pow: special values as in C', () => {
    const list = [
      0,
      -0,
      1,
      -1,
      0.5,
      -0.5,
      2,
      -2,
      3,
      -3,
      1e9,
      NaN,
      Infinity,
      -Infinity,
      2.5,
      -2.5,
      5,
      -1e9,
      1e-3,
    ];
    const pairs = list.flatMap((x) => list.map((y) => [x, y] as const));
    for (const type of [arrays.f32, arrays.f64]) {
      const kernel = `pow_${type === arrays.f32 ? 'f32' : 'f64'}`;
      const x = type.from(pairs, ([a]) => a);
      const y = type.from(pairs, ([, b]) => b);
      const got = apply(kernel, x, y);
      for (const [i, a] of x.entries()) {
        const b = y[i]!;
        // JavaScript alone has NaN for 1 and -1 to the power of infinity, and for 1 to the power of NaN
        const exact = a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
        const error = distance(got[i]!, exact, type === arrays.f32 ? 24 : 53);
        assert.ok(error <= 2, `${kernel}(${a}, ${b}) = ${got[i]}, expected ${exact}`);
      }
    }
  });

  test('pow: accuracy', () => {
    for (const [type, kernel, bits, top] of [
      [arrays.f32, 'pow_f32', 24, 88],
      [arrays.f64, 'pow_f64', 53, 700],
    ] as const) {
      const x = type.from({ length: N }, () => Math.exp((random() - 0.5) * 20));
      const y = type.from(x, (v) => ((random() * 2 - 1) * top) / Math.max(Math.abs(Math.log(v)), 0.01));
      const got = apply(kernel, x, y);
      let worst = 0;
      for (let i = 0; i < N; i++) worst = Math.max(worst, distance(got[i]!, x[i]! ** y[i]!, bits));
      console.log(`  ${kernel} ${build}: worst difference from JavaScript ${worst.toFixed(2)} ULP`);
      assert.ok(worst <= 32, `${kernel}: ${worst} ULP`);
    }
  });

  test('pow_f64 of whole numbers is exact', () => {
    const pairs = Array.from({ length: 12 }, (_, x) =>
      Array.from({ length: 12 }, (_, y) => [x - 3, y] as const),
    ).flat();
    const got = apply(
      'pow_f64',
      Float64Array.from(pairs, ([x]) => x),
      Float64Array.from(pairs, ([, y]) => y),
    );
    for (const [i, [x, y]] of pairs.entries()) assert.is(got[i], x ** y, `${x} ** ${y}`);
  });

  test.run();
}
