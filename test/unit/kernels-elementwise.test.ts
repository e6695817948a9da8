// The exact block kernels against scalar code: arithmetic, comparisons, selection, casts, in place and not.
import * as assert from 'uvu/assert';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, SIZES, type Suffix, same, Zone } from '../helpers/zone.js';

const special = {
  f32: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    2.5,
    -2.5,
    1e-45,
    -1e-45,
    3e38,
    -3e38,
    Infinity,
    -Infinity,
    NaN,
    3e9,
    -3e9,
    2 ** 31,
  ],
  f64: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    2.5,
    -2.5,
    5e-324,
    1e300,
    -1e300,
    Infinity,
    -Infinity,
    NaN,
    3e9,
    -3e9,
    2147483647.5,
  ],
  i32: [0, 1, -1, 2147483647, -2147483648, 65536, -65537, 46341],
  u8: [0, 1, 2, 127, 128, 255],
  bool: [0, 1],
};

/** Random numbers with many special ones among them, so that all pairs of these come up. */
function data(suffix: Suffix, n: number): Float32Array {
  const list = special[suffix];
  const scale = suffix === 'i32' ? 100000 : suffix === 'u8' ? 255 : 20;
  const any = () =>
    suffix === 'bool' ? Math.floor(random() * 2) : (random() - (suffix === 'u8' ? 0 : 0.5)) * scale;
  return new arrays[suffix](
    Array.from({ length: n }, () => (random() < 0.5 ? list[Math.floor(random() * list.length)]! : any())),
  );
}

const wrap = (suffix: Suffix, f: (...x: number[]) => number) =>
  suffix === 'i32' ? (...x: number[]) => f(...x) | 0 : f;
const numeric = ['f32', 'f64', 'i32'] as const;
const floats = ['f32', 'f64'] as const;

interface Case {
  kernel: string;
  inputs: Suffix[];
  output: Suffix;
  scalar: (...x: number[]) => number;
}
const cases: Case[] = [];
const add = (
  name: string,
  suffixes: readonly Suffix[],
  arity: number,
  scalar: (...x: number[]) => number,
) => {
  for (const s of suffixes) {
    cases.push({ kernel: `${name}_${s}`, inputs: Array(arity).fill(s), output: s, scalar: wrap(s, scalar) });
  }
};
add('neg', numeric, 1, (a) => -a!);
add('abs', numeric, 1, (a) => Math.abs(a!));
add('sign', numeric, 1, (a) => Math.sign(a!));
add('relu', numeric, 1, (a) => Math.max(a!, 0));
add('floor', floats, 1, (a) => Math.floor(a!));
add('ceil', floats, 1, (a) => Math.ceil(a!));
add('sqrt', floats, 1, (a) => Math.sqrt(a!));
add('reciprocal', floats, 1, (a) => 1 / a!);
add('add', numeric, 2, (a, b) => a! + b!);
add('sub', numeric, 2, (a, b) => a! - b!);
add('div', floats, 2, (a, b) => a! / b!);
add('maximum', numeric, 2, (a, b) => Math.max(a!, b!));
add('minimum', numeric, 2, (a, b) => Math.min(a!, b!));
add('mul', floats, 2, (a, b) => a! * b!);
add('mul', ['i32'], 2, (a, b) => Math.imul(a!, b!));
add('square', floats, 1, (a) => a! * a!);
add('square', ['i32'], 1, (a) => Math.imul(a!, a!));
for (const s of [...numeric, 'bool'] as const) {
  const compare = (name: string, scalar: (a: number, b: number) => boolean) =>
    cases.push({ kernel: `${name}_${s}`, inputs: [s, s], output: 'bool', scalar: (a, b) => +scalar(a!, b!) });
  compare('equal', (a, b) => a === b);
  if (s !== 'bool') compare('less', (a, b) => a < b);
  if (s !== 'bool') compare('lessEqual', (a, b) => a <= b);
  cases.push({ kernel: `where_${s}`, inputs: ['bool', s, s], output: s, scalar: (a, b, c) => (a ? b! : c!) });
}
add('logicalAnd', ['bool'], 2, (a, b) => a! & b!);
add('logicalOr', ['bool'], 2, (a, b) => a! | b!);
add('logicalNot', ['bool'], 1, (a) => a! ^ 1);
for (const from of Object.keys(arrays) as Suffix[]) {
  for (const to of ['f32', 'f64', 'i32', 'bool'] as const) {
    if (from === to) continue;
    const toInteger = (x: number) =>
      Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), -(2 ** 31)), 2 ** 31 - 1) | 0;
    const scalar =
      to === 'bool' ? (x: number) => Number(x !== 0) : to === 'i32' ? toInteger : (x: number) => x;
    cases.push({ kernel: `cast_${from}_${to}`, inputs: [from], output: to, scalar: (x) => scalar(x!) });
  }
}

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels elementwise ${build}`);

  for (const { kernel, inputs, output, scalar } of cases) {
    test(kernel, () => {
      const Out = arrays[output];
      const width = Out.BYTES_PER_ELEMENT;
      for (const n of SIZES) {
        const operands = inputs.map((s) => data(s, n));
        const expected = new Out(n).map((_, i) => scalar(...operands.map((o) => o[i]!)));
        const missing = Array(3 - inputs.length).fill(0);
        zone.reset();
        const addresses = operands.map((o) => zone.input(o));
        const dst = zone.output(n * width);
        zone.call(kernel, dst, ...addresses, ...missing, n);
        zone.verify(`${kernel}, n = ${n}`);
        same(`${kernel}, n = ${n}`, zone.read(Out, dst, n), expected);
        for (const [place, own] of inputs.entries()) {
          if (arrays[own].BYTES_PER_ELEMENT !== width) continue;
          zone.reset();
          const at = operands.map((o, i) => (i === place ? zone.output(n * width, o) : zone.input(o)));
          zone.call(kernel, at[place]!, ...at, ...missing, n);
          zone.verify(`${kernel} in place, n = ${n}`);
          same(`${kernel} over operand ${place}, n = ${n}`, zone.read(Out, at[place]!, n), expected);
        }
      }
    });
  }

  test('splat and copy', () => {
    for (const [bits, type] of [
      [8, arrays.u8],
      [32, arrays.i32],
      [64, arrays.f64],
    ] as const) {
      for (const n of SIZES) {
        zone.reset();
        const source = type.from({ length: Math.max(n, 1) }, (_, i) => 7 + i);
        const at = zone.input(source);
        const dst = zone.output(n * type.BYTES_PER_ELEMENT);
        zone.call(`splat_${bits}`, dst, at, 0, 0, n);
        same(`splat_${bits}`, zone.read(type, dst, n), new Array(n).fill(7));
        zone.call(`copy_${bits}`, dst, at, 0, 0, n);
        same(`copy_${bits}`, zone.read(type, dst, n), source.slice(0, n));
        zone.verify(`splat and copy ${bits}, n = ${n}`);
      }
    }
  });

  test('the table of kernels is what the module exports', () => {
    for (const { kernel } of cases) assert.type(kernels.exports[kernel], 'function', kernel);
  });

  test.run();
}
