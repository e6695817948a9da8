// Augmentation: what each distortion does to an image, that the same seed gives the same bits, and bad options.
import * as assert from 'uvu/assert';
import {
  ArrayDataset,
  type AugmentOptions,
  augment,
  type Batch,
  type BatchOptions,
  type Dataset,
  digits,
} from '../../src/data/index.js';
import type { HostArray, Shape } from '../../src/dtype.js';
import { OptionError, ShapeError } from '../../src/errors.js';
import { sha256 } from '../../src/platform.js';
import { suite } from '../helpers/suite.js';

const test = suite('augment');

/** `count` times the same float image. */
function images(count: number, inputShape: Shape, pixel: (i: number) => number): ArrayDataset {
  const size = inputShape.reduce((n, d) => n * d, 1);
  return new ArrayDataset({
    inputs: Float32Array.from({ length: count * size }, (_, i) => pixel(i % size)),
    inputShape,
    inputDType: 'float32',
    targets: Int32Array.from({ length: count }, (_, i) => i % 3),
    targetShape: [],
    targetDType: 'int32',
    classes: 3,
  });
}

async function batchesOf(data: Dataset, options: BatchOptions): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of data.batches(options)) batches.push(batch);
  return batches;
}

async function inputsOf(data: Dataset, epoch = 0, seed = 5): Promise<HostArray> {
  const [batch] = await batchesOf(data, { batchSize: 1000, seed, epoch });
  return batch!.inputs;
}

const dot = (i: number): number => Number(i === 12 * 25 + 12);
const one = async (options: AugmentOptions, pixel = dot, epoch = 0) =>
  inputsOf(augment(images(1, [25, 25], pixel), options), epoch);
const sum = (a: HostArray): number => (a as Float32Array).reduce((n, v) => n + v, 0);
/** Row and column of the centre of mass. */
const centre = (a: HostArray, width = 25): [number, number] => {
  let [y, x] = [0, 0];
  a.forEach((v, i) => {
    y += v * Math.floor(i / width);
    x += v * (i % width);
  });
  return [y / sum(a), x / sum(a)];
};

test('without any distortion the images stay, and labels and batches too', async () => {
  const base = images(7, [4, 4], (i) => i / 16);
  const data = augment(base, {});
  const batches = await batchesOf(data, { batchSize: 3 });
  assert.equal(
    batches.map(({ size }) => size),
    [3, 3, 1],
  );
  assert.equal([...batches[1]!.inputs], [...base.inputs.subarray(48, 96)]);
  assert.equal([data.length, data.classes, data.inputShape, data.name], [7, 3, [4, 4], 'dataset, augmented']);
});

test('shift moves the centre by at most so many pixels, and keeps the mass', async () => {
  const places = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((epoch) => one({ shift: 3 }, dot, epoch)));
  const moved = places.map((p) => centre(p).map((v) => Math.abs(v - 12)));
  assert.ok(moved.flat().every((v) => v <= 3));
  assert.ok(Math.max(...moved.flat()) > 1.5);
  for (const p of places) assert.ok(Math.abs(sum(p) - 1) < 1e-6);
});

test('rotation keeps the distance from the centre', async () => {
  const off = (i: number): number => Number(i === 4 * 25 + 12);
  for (const epoch of [1, 2, 3]) {
    const [y, x] = centre(await one({ rotate: 180 }, off, epoch));
    const radius = Math.sqrt((y - 12) ** 2 + (x - 12) ** 2);
    assert.ok(Math.abs(radius - 8) < 0.25, `radius ${radius}`);
    assert.ok(Math.abs(y - 4) > 0.01);
  }
});

test('scale and skew leave the centre where it is and change the mass of a block', async () => {
  const block = (i: number): number =>
    Number(Math.abs(Math.floor(i / 25) - 12) < 5 && Math.abs((i % 25) - 12) < 5);
  const scaled = await one({ scale: 0.3 }, block, 2);
  const skewed = await one({ skew: 0.5 }, block, 2);
  for (const image of [scaled, skewed]) {
    for (const v of centre(image)) assert.ok(Math.abs(v - 12) < 0.05);
  }
  assert.ok(Math.abs(sum(scaled) / 81 - 1) > 0.02);
  assert.ok(Math.abs(sum(skewed) / 81 - 1) < 0.01);
});

test('flip mirrors about half of the images', async () => {
  const left = (i: number): number => Number(i % 4 === 0);
  const inputs = await inputsOf(augment(images(200, [4, 4], left), { flip: 'horizontal' }));
  let mirrored = 0;
  for (let i = 0; i < 200; i++) {
    const row = [...inputs.subarray(16 * i, 16 * i + 4)];
    if (row[3] === 1) mirrored++;
    assert.equal(row, row[3] === 1 ? [0, 0, 0, 1] : [1, 0, 0, 0]);
  }
  assert.ok(mirrored > 70 && mirrored < 130, `${mirrored} of 200`);
});

test('crop cuts parts out of images with channels', async () => {
  const data = augment(
    images(50, [5, 6, 2], (i) => i),
    { crop: [3, 4] },
  );
  assert.equal(data.inputShape, [3, 4, 2]);
  const inputs = await inputsOf(data);
  const starts = new Set<number>();
  for (let i = 0; i < 50; i++) {
    const part = inputs.subarray(24 * i, 24 * (i + 1));
    starts.add(part[0]!);
    for (let row = 0; row < 3; row++)
      for (let k = 0; k < 8; k++) assert.is(part[8 * row + k], part[0]! + 12 * row + k);
  }
  assert.is(starts.size, 9, 'every place occurs');
});

test('elastic distortion bends smoothly: neighbours stay neighbours, and further apart it differs', async () => {
  // A ramp shows the displacement to the right directly.
  const ramp = (i: number): number => i % 25;
  const out = await one({ elastic: { alpha: 34, sigma: 4 } }, ramp);
  const displaced = (y: number, x: number): number => out[25 * y + x]! - x;
  const inner = Array.from({ length: 11 }, (_, k) => displaced(12, 7 + k));
  for (let k = 1; k < inner.length; k++) assert.ok(Math.abs(inner[k]! - inner[k - 1]!) < 0.8);
  assert.ok(Math.max(...inner.map(Math.abs)) > 0.1);
  assert.ok(Math.max(...inner.map(Math.abs)) < 12);
});

test('noise has the deviation that was asked for, and uint8 images stay within 0 to 255', async () => {
  const out = (await inputsOf(
    augment(
      images(40, [10, 10], () => 0.5),
      { noise: 0.2 },
    ),
  )) as Float32Array;
  const variance = out.reduce((n, v) => n + (v - 0.5) ** 2, 0) / out.length;
  assert.ok(Math.abs(Math.sqrt(variance) - 0.2) < 0.01, `${Math.sqrt(variance)}`);
  const { train } = await digits({ train: 5, test: 1 });
  const noisy = await inputsOf(augment(train, { noise: 1, elastic: true, rotate: 15 }));
  assert.instance(noisy, Uint8Array);
  assert.ok(new Set(noisy).size > 100);
});

test('decided by seed, epoch and place alone: the same bits in every engine', async () => {
  const { train } = await digits({ train: 20, test: 1 });
  const all: AugmentOptions = { shift: 2, rotate: 10, scale: 0.1, skew: 0.1, elastic: true, noise: 0.02 };
  const data = augment(train, all);
  const first = (await inputsOf(data, 1)) as Uint8Array<ArrayBuffer>;
  assert.equal(await inputsOf(data, 1), first);
  assert.not.equal(await inputsOf(data, 2), first);
  assert.not.equal(await inputsOf(data, 1, 6), first);
  const batched: number[] = [];
  for await (const { inputs, size } of data.batches({ batchSize: 7, seed: 5, epoch: 1 }))
    batched.push(...inputs.subarray(0, 784 * size));
  assert.equal(batched, [...first], 'whatever the batch size');
  assert.is(await sha256(first), '0a4724b912b5621d3801b9dedf5347eef8072983fea925e5340f22be12aa3a31');
});

test('bad options name the option, the value and the range', () => {
  const base = images(1, [4, 4], () => 0);
  const bad: [AugmentOptions, RegExp][] = [
    [{ shift: -1 }, /shift is -1 \(a number from 0/],
    [{ rotate: 200 }, /rotate is 200/],
    [{ scale: Number.NaN }, /scale is NaN/],
    [{ crop: [5, 4] }, /crop has height 5, the images have 4/],
    [{ crop: [1, 0] }, /crop has width 0/],
    [{ elastic: { sigma: 0 } }, /sigma 0/],
    [{ spin: 3 } as AugmentOptions, /spin/],
  ];
  for (const [options, message] of bad) {
    assert.throws(
      () => augment(base, options),
      (error: Error) => error instanceof OptionError && message.test(error.message),
      JSON.stringify(options),
    );
  }
  assert.throws(
    () =>
      augment(
        images(1, [7], () => 0),
        { shift: 1 },
      ),
    (error: Error) => error instanceof ShapeError && /give imageShape/.test(error.message),
  );
});

test.run();
