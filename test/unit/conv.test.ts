// The convolution kernels against a plain reference: forward, gradients of input and filter; threads, guard zones.
import * as assert from 'uvu/assert';
import { type Kernels, kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, Zone } from '../helpers/zone.js';

interface Geometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filters: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  /** top, bottom, left, right */
  readonly pads: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Square ones; what is not said is 1, or 0 for padding. */
const square = (
  [batch, size, channels, filters, k]: readonly [number, number, number, number, number],
  { stride = 1, pad = 0, dilation = 1, groups = 1, width = size } = {},
): Geometry => ({
  ...{ batch, height: size, width, channels, filters, groups },
  ...{ kernel: [k, k], stride: [stride, stride], pads: [pad, pad, pad, pad], dilation: [dilation, dilation] },
});

const outputSize = (g: Geometry): [number, number] => {
  const along = (axis: 0 | 1, size: number): number => {
    const padded = size + g.pads[2 * axis]! + g.pads[2 * axis + 1]!;
    return Math.floor((padded - (g.kernel[axis] - 1) * g.dilation[axis] - 1) / g.stride[axis]) + 1;
  };
  return [along(0, g.height), along(1, g.width)];
};

type Op = 'conv2d' | 'conv2dInput' | 'conv2dFilter';
const ops: readonly Op[] = ['conv2d', 'conv2dInput', 'conv2dFilter'];

/** The result of an op, and the sum of the products' magnitudes, by which rounding errors are bounded. */
function reference(op: Op, g: Geometry, x: Float64Array, w: Float64Array, y: Float64Array) {
  const [oh, ow] = outputSize(g);
  const [depth, count] = [g.channels / g.groups, g.filters / g.groups];
  const n = { conv2d: y, conv2dInput: x, conv2dFilter: w }[op].length;
  const [out, bound, terms] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const add = (at: number, product: number): void => {
    out[at]! += product;
    bound[at]! += Math.abs(product);
    terms[at]! += 1;
  };
  for (let place = 0; place < g.batch * oh * ow; place++) {
    const [image, oy, ox] = [Math.trunc(place / (oh * ow)), Math.trunc(place / ow) % oh, place % ow];
    for (let tap = 0; tap < g.kernel[0] * g.kernel[1]; tap++) {
      const row = oy * g.stride[0] + Math.trunc(tap / g.kernel[1]) * g.dilation[0] - g.pads[0];
      const column = ox * g.stride[1] + (tap % g.kernel[1]) * g.dilation[1] - g.pads[2];
      if (row < 0 || row >= g.height || column < 0 || column >= g.width) continue;
      const pixel = ((image * g.height + row) * g.width + column) * g.channels;
      for (let f = 0; f < g.filters; f++) {
        const first = Math.trunc(f / count) * depth;
        for (let c = 0; c < depth; c++) {
          const [i, k, o] = [pixel + first + c, (tap * depth + c) * g.filters + f, place * g.filters + f];
          if (op === 'conv2d') add(o, x[i]! * w[k]!);
          else if (op === 'conv2dInput') add(i, y[o]! * w[k]!);
          else add(k, x[i]! * y[o]!);
        }
      }
    }
  }
  return { out, bound, terms };
}

function scratchBytes({ exports }: Kernels, op: Op, g: Geometry): number {
  const [oh, ow] = outputSize(g);
  const [kh, kw] = g.kernel;
  const args =
    op === 'conv2dFilter'
      ? [g.batch, oh, ow, g.filters, kh, g.stride[0], g.dilation[0], g.groups]
      : [g.channels, g.filters, kh, kw, g.groups];
  return exports[`${op}ScratchBytes`]!(...args);
}

/** Runs the three kernels on a convolution with 1, 2, 3 and 8 threads and checks values, bits and guard zones. */
function check(kernels: Kernels, zone: Zone, type: 'f32' | 'f64', g: Geometry): void {
  const Floats = arrays[type];
  const [oh, ow] = outputSize(g);
  const [kh, kw] = g.kernel;
  const sizes = {
    x: g.batch * g.height * g.width * g.channels,
    w: (kh * kw * g.channels * g.filters) / g.groups,
    y: g.batch * oh * ow * g.filters,
  };
  const draw = (n: number) => new Floats(n).map(() => 2 * random() - 1);
  const [x, w, y] = [draw(sizes.x), draw(sizes.w), draw(sizes.y)];
  for (const op of ops) {
    zone.reset();
    const [a, b, n] = {
      conv2d: [x, w, sizes.y] as const,
      conv2dInput: [y, w, sizes.x] as const,
      conv2dFilter: [x, y, sizes.w] as const,
    }[op];
    const inputs = [zone.input(a), zone.input(b)];
    const out = zone.output(n * Floats.BYTES_PER_ELEMENT);
    const bytes = type === 'f32' ? scratchBytes(kernels, op, g) : 0;
    const scratch = zone.output(8 * bytes);
    const geometry = [g.batch, g.height, g.width, g.channels, oh, ow, g.filters, kh, kw];
    const rest = [...g.stride, g.pads[0], g.pads[2], ...g.dilation, g.groups];
    const words = [out, ...inputs, ...geometry, ...rest, scratch, bytes, 0];
    const got = zone.run(`${op}_${type}`, words, Floats, out, n);
    const wide = [x, w, y].map((values) => Float64Array.from(values)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const wanted = reference(op, g, ...wide);
    const epsilon = type === 'f64' ? 2 ** -53 : 2 ** -24;
    for (let i = 0; i < n; i++) {
      const allowed = epsilon * (wanted.terms[i]! + 2) * wanted.bound[i]!;
      if (!(Math.abs(got[i]! - wanted.out[i]!) <= allowed))
        assert.unreachable(`${op}_${type} ${JSON.stringify(g)}: [${i}] is ${got[i]}, not ${wanted.out[i]}`);
    }
  }
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));

/** A convolution of small odd sizes, whose kernel fits. */
function anyGeometry(): Geometry {
  const groups = pick([1, 1, 1, 2, 3]);
  const g: Geometry = {
    batch: between(1, 4),
    height: between(1, 12),
    width: between(1, 15),
    channels: groups * between(1, 17),
    filters: groups * between(1, 17),
    kernel: [between(1, 4), between(1, 4)],
    stride: [between(1, 3), between(1, 3)],
    pads: [between(0, 3), between(0, 3), between(0, 3), between(0, 3)],
    dilation: [pick([1, 1, 2, 3]), pick([1, 1, 2, 3])],
    groups,
  };
  return Math.min(...outputSize(g)) >= 1 ? g : anyGeometry();
}

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels, 24 << 20);
  const test = suite(`conv ${build}`);

  for (let channels = 1; channels <= 17; channels++) {
    test(`f32: ${channels} channels, 1 to 17 filters`, () => {
      for (let filters = 1; filters <= 17; filters += 2)
        check(kernels, zone, 'f32', square([2, 5, channels, filters, 3], { pad: 1 }));
      check(kernels, zone, 'f32', square([1, 6, channels, 18 - channels, 2], { stride: 2, width: 7 }));
    });
  }

  test('f32: random sizes, strides, padding, dilation, groups', () => {
    for (let i = 0; i < 120; i++) check(kernels, zone, 'f32', anyGeometry());
  });

  test('f64: random sizes, strides, padding, dilation, groups', () => {
    for (let i = 0; i < 60; i++) check(kernels, zone, 'f64', anyGeometry());
  });

  test('f32: depthwise', () => {
    for (const m of [1, 1, 2, 3, 4, 7, 8]) {
      for (let i = 0; i < 6; i++) {
        const groups = pick([2, 3, 4, 5, 7, 16, 21, 35]);
        check(kernels, zone, 'f32', { ...anyGeometry(), channels: groups, filters: m * groups, groups });
      }
    }
  });

  test('f32: no images give no output and filter gradients of 0', () => {
    check(kernels, zone, 'f32', square([0, 5, 3, 4, 3]));
    check(kernels, zone, 'f32', square([0, 5, 4, 4, 3], { groups: 4 }));
    check(kernels, zone, 'f64', square([0, 5, 3, 4, 3]));
  });

  test('f32: images of all widths, tiles across several images', () => {
    for (let width = 1; width <= 20; width++)
      check(kernels, zone, 'f32', square([5, 3, 3, 10, 3], { pad: 1, width }));
  });

  test('f32: several blocks of each kind', () => {
    // channels and taps beyond a block; filters; positions along a row; rows of a band; positions of a filter gradient
    check(kernels, zone, 'f32', square([1, 5, 50, 9, 3], { pad: 1 }));
    check(kernels, zone, 'f32', square([1, 3, 9, 270, 3], { pad: 1 }));
    check(kernels, zone, 'f32', square([1, 3, 270, 9, 2]));
    check(kernels, zone, 'f32', square([2, 4, 5, 8, 3], { width: 130, pad: 1 }));
    check(kernels, zone, 'f32', square([1, 60, 40, 7, 3], { width: 9, pad: 1 }));
    check(kernels, zone, 'f32', square([3, 14, 6, 10, 3], { pad: 1 }));
    check(kernels, zone, 'f32', square([2, 2, 5, 9, 2], { width: 900, pad: 1 }));
    check(kernels, zone, 'f32', square([2, 1, 2, 5, 1], { width: 1203, stride: 2 }));
    check(kernels, zone, 'f32', square([1, 31, 5, 6, 5], { stride: 2, pad: 2 }));
    check(kernels, zone, 'f32', square([1, 9, 100, 12, 3], { dilation: 2, pad: 2 }));
  });

  test.run();
}
