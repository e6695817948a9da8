// Convolutions of 3 x 3 by Winograd's way against plain loops in double precision: edges, groups, blocks, threads.
import * as assert from 'uvu/assert';
import { type ConvGeometry, geometryOf } from '../../src/ops/conv-geometry.js';
import { usesWinograd, winogradCalls, winogradFilterCalls } from '../../src/ops/conv-winograd.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { random, Zone } from '../helpers/zone.js';

const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));

function geometry(
  [batch, height, width]: readonly [number, number, number],
  [channels, filters]: readonly [number, number],
  { pads = [1, 1, 1, 1], groups = 1 } = {},
): ConvGeometry {
  const size = [height + pads[0]! + pads[1]! - 2, width + pads[2]! + pads[3]! - 2];
  return geometryOf(
    [batch, height, width, channels],
    [3, 3, channels / groups, filters],
    [batch, ...size, filters],
    {
      ...{ strides: [1, 1], pads, dilations: [1, 1], groups },
    },
  );
}

/** y of x and w, or x of y and w, and what bounds the errors: of each tile the sums of all that goes into it. */
function reference(g: ConvGeometry, gradient: boolean, a: Float32Array, w: Float32Array) {
  const [depth, count] = [g.channels / g.groups, g.filters / g.groups];
  const [height, width, written] = gradient
    ? [g.height, g.width, g.channels]
    : [g.outHeight, g.outWidth, g.filters];
  const out = new Float64Array(g.batch * height * width * written);
  const bound = new Float64Array(out.length);
  for (let n = 0; n < g.batch; n++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        for (let tap = 0; tap < 9; tap++) {
          const [y, x] = [oy + Math.trunc(tap / 3) - g.top, ox + (tap % 3) - g.left];
          if (y < 0 || y >= g.height || x < 0 || x >= g.width) continue;
          for (let f = 0; f < g.filters; f++) {
            for (let c = 0; c < depth; c++) {
              const i = ((n * g.height + y) * g.width + x) * g.channels + Math.trunc(f / count) * depth + c;
              const o = ((n * g.outHeight + oy) * g.outWidth + ox) * g.filters + f;
              const [from, to] = gradient ? [o, i] : [i, o];
              const product = a[from]! * w[(tap * depth + c) * g.filters + f]!;
              out[to]! += product;
              bound[to]! += Math.abs(product);
            }
          }
        }
      }
    }
  }
  return { out, bound, height, width, written };
}

function check(zone: Zone, g: ConvGeometry, gradient: boolean, block?: number): void {
  zone.reset();
  const draw = (n: number) => Float32Array.from({ length: n }, () => 2 * random() - 1);
  const a = draw(
    gradient ? g.batch * g.outHeight * g.outWidth * g.filters : g.batch * g.height * g.width * g.channels,
  );
  const w = draw((9 * g.channels * g.filters) / g.groups);
  const wanted = reference(g, gradient, a, w);
  const inputs = [zone.input(a), zone.input(w)];
  const out = zone.output(4 * wanted.out.length);
  const calls = winogradCalls(g, gradient);
  const { shared, each } = calls[0]!.scratch as { shared: number; each: number };
  const memory = zone.output(shared);
  const own = zone.output(8 * each);
  const args = calls[0]!.args.map((word, i) => {
    if (word === 'output') return out;
    if (word === 'scratch') return memory;
    if (word === 'ownScratch') return own;
    if (word === 'scratchBytes') return each;
    if (word === 'epilogue') return 0;
    if (typeof word === 'object' && 'input' in word) return inputs[word.input]!;
    assert.type(word, 'number');
    return i === blockPlace && block ? Math.min(block, word as number) : (word as number);
  });
  const floats = shared / 4;
  zone.run(calls[0]!.kernel, args, Float32Array, memory, floats);
  const got = zone.run(calls[1]!.kernel, args, Float32Array, out, wanted.out.length);
  const { height, width, written } = wanted;
  for (let i = 0; i < got.length; i++) {
    const [c, x, y] = [
      i % written,
      Math.trunc(i / written) % width,
      Math.trunc(i / (written * width)) % height,
    ];
    const image = Math.trunc(i / (written * width * height));
    let bound = 0;
    for (let dy = -(y % 2); dy <= 1 - (y % 2); dy++) {
      for (let dx = -(x % 2); dx <= 1 - (x % 2); dx++) {
        if (y + dy >= height || x + dx >= width) continue;
        bound = Math.max(bound, wanted.bound[((image * height + y + dy) * width + x + dx) * written + c]!);
      }
    }
    const allowed = 2 ** -24 * 12 * bound + 1e-12;
    if (!(Math.abs(got[i]! - wanted.out[i]!) <= allowed))
      assert.unreachable(`${JSON.stringify(g)} ${gradient}: [${i}] is ${got[i]}, not ${wanted.out[i]}`);
  }
}

/** The gradient of the filter. Errors are bounded by all that is added up for a pair of channels. */
function checkFilter(zone: Zone, g: ConvGeometry, block?: number): void {
  zone.reset();
  const draw = (n: number) => Float32Array.from({ length: n }, () => 2 * random() - 1);
  const x = draw(g.batch * g.height * g.width * g.channels);
  const dy = draw(g.batch * g.outHeight * g.outWidth * g.filters);
  const [depth, count] = [g.channels / g.groups, g.filters / g.groups];
  const wanted = new Float64Array(9 * depth * g.filters);
  for (let place = 0; place < g.batch * g.outHeight * g.outWidth; place++) {
    const ox = place % g.outWidth;
    const row = Math.trunc(place / g.outWidth);
    const [n, oy] = [Math.trunc(row / g.outHeight), row % g.outHeight];
    for (let tap = 0; tap < 9; tap++) {
      const [iy, ix] = [oy + Math.trunc(tap / 3) - g.top, ox + (tap % 3) - g.left];
      if (iy < 0 || iy >= g.height || ix < 0 || ix >= g.width) continue;
      const pixel = ((n * g.height + iy) * g.width + ix) * g.channels;
      for (let f = 0; f < g.filters; f++) {
        for (let c = 0; c < depth; c++) {
          const product = x[pixel + Math.trunc(f / count) * depth + c]! * dy[place * g.filters + f]!;
          wanted[(tap * depth + c) * g.filters + f]! += product;
        }
      }
    }
  }
  const inputs = [zone.input(x), zone.input(dy)];
  const out = zone.output(4 * wanted.length);
  const [call] = winogradFilterCalls(g);
  const { each } = call!.scratch as { each: number };
  const own = zone.output(8 * each);
  const args = call!.args.map((word, i) => {
    if (word === 'output') return out;
    if (word === 'ownScratch') return own;
    if (word === 'scratchBytes') return each;
    if (word === 'epilogue') assert.unreachable('gradients of filters have no epilogue');
    if (typeof word === 'object' && 'input' in word) return inputs[word.input]!;
    assert.type(word, 'number');
    return i === blockPlace - 1 && block ? Math.min(block, word as number) : (word as number);
  });
  const got = zone.run(call!.kernel, args, Float32Array, out, wanted.length);
  const allowed = 2 ** -24 * 8 * g.batch * g.outHeight * g.outWidth;
  for (const [i, v] of wanted.entries()) {
    if (!(Math.abs(got[i]! - v) <= allowed))
      assert.unreachable(`${JSON.stringify(g)}: [${i}] is ${got[i]}, not ${v}`);
  }
}

/** Place of the block's size among the arguments. */
const blockPlace = 14;

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels, 1 << 23);
  const test = suite(`winograd ${build}`);

  for (const gradient of [false, true]) {
    const name = gradient ? 'gradient of the input' : 'forward';
    test(`${name}: edges, padding, groups, blocks`, () => {
      check(zone, geometry([3, 7, 7], [32, 64]), gradient);
      check(zone, geometry([2, 14, 14], [16, 32]), gradient);
      check(zone, geometry([1, 3, 3], [16, 16], { pads: [0, 0, 0, 0] }), gradient);
      check(zone, geometry([1, 1, 1], [20, 28]), gradient);
      check(zone, geometry([2, 9, 6], [32, 48], { groups: 2 }), gradient, 7);
      check(zone, geometry([2, 6, 9], [36, 16], { pads: [2, 2, 2, 2] }), gradient, 1);
      check(zone, geometry([2, 6, 9], [16, 20], { pads: [0, 1, 2, 0] }), gradient, 13);
    });

    test(`${name}: any sizes`, () => {
      for (let i = 0; i < 25; i++) {
        const groups = between(1, 2);
        const pads = [between(0, 2), between(0, 2), between(0, 2), between(0, 2)];
        const channels = [4 * groups * between(1, 7), 4 * groups * between(1, 7)] as const;
        const size = [between(1, 3), between(3, 9), between(3, 9)] as const;
        check(zone, geometry(size, channels, { pads, groups }), gradient, between(1, 40));
      }
    });
  }

  test('gradient of the filter: edges, padding, groups, blocks', () => {
    checkFilter(zone, geometry([3, 7, 7], [32, 64]));
    checkFilter(zone, geometry([2, 14, 14], [16, 32]), 11);
    checkFilter(zone, geometry([1, 1, 1], [20, 28]));
    checkFilter(zone, geometry([2, 9, 6], [32, 48], { groups: 2 }), 7);
    checkFilter(zone, geometry([2, 6, 9], [36, 16], { pads: [2, 2, 2, 2] }), 1);
    for (let i = 0; i < 25; i++) {
      const groups = between(1, 2);
      const pads = [between(0, 2), between(0, 2), between(0, 2), between(0, 2)];
      const channels = [4 * groups * between(1, 7), 4 * groups * between(1, 7)] as const;
      const size = [between(1, 3), between(3, 9), between(3, 9)] as const;
      checkFilter(zone, geometry(size, channels, { pads, groups }), between(1, 40));
    }
  });

  test.run();
}

const test = suite('winograd');
test('when it is used', () => {
  const lenet = geometry([128, 14, 14], [16, 32]);
  assert.ok(usesWinograd(lenet, false) && usesWinograd(lenet, true));
  assert.not(usesWinograd(geometry([128, 28, 28], [1, 16]), false), 'one channel');
  assert.not(usesWinograd(geometry([1, 7, 7], [32, 64]), false), 'few tiles');
  assert.not(usesWinograd({ ...lenet, sh: 2 }, false), 'strides');
  assert.not(usesWinograd({ ...lenet, dw: 2 }, false), 'dilation');
  assert.not(usesWinograd({ ...lenet, kw: 5 }, false), 'other kernels');
});
test.run();
