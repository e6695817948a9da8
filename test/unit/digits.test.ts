// The digits that the library draws: the same bits everywhere, framed as MNIST, legible but not trivial.

import * as assert from 'uvu/assert';
import type { ArrayDataset } from '../../src/data/dataset.js';
import { digits } from '../../src/data/digits.js';
import { EverygradError, OptionError } from '../../src/errors.js';
import { sha256 } from '../../src/platform.js';
import { suite } from '../helpers/suite.js';

const test = suite('digits');

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const image = (set: ArrayDataset, i: number) => set.inputs.subarray(784 * i, 784 * (i + 1));

test('the same bits in every engine', async () => {
  const { train, test: held } = await digits({ train: 1000, test: 200, seed: 0 });
  assert.is(
    await sha256(bytesOf(train.inputs)),
    '117597fe1cbe689854b03949abc9a8afedef2b4a4e068f1a6e7b400d771a2d59',
  );
  assert.is(
    await sha256(bytesOf(train.targets)),
    'e02385cd04c891e9ad6cd38795ea5ddf0fd482e0968d546a9d4cbc8a17ce6960',
  );
  assert.is(
    await sha256(bytesOf(held.inputs)),
    'e010e1d1d476153adefea0e18096f6080745fbe391853c2bc5a71f703b1a8825',
  );
});

test('shapes, dtypes, and 10,000 and 2,000 images', async () => {
  const { train, test: held } = await digits();
  assert.equal([train.length, held.length], [10_000, 2_000]);
  assert.equal(
    [train.inputShape, train.inputDType, train.targetShape, train.targetDType],
    [[784], 'uint8', [], 'int32'],
  );
  assert.equal([train.scale, train.classes], [1 / 255, 10]);
  const counts = new Array<number>(10).fill(0);
  for (const label of train.targets) counts[label] = (counts[label] as number) + 1;
  // Standard deviation 30.
  for (const [label, count] of counts.entries())
    assert.ok(Math.abs(count - 1000) < 150, `${label}: ${count}`);
});

test('an image depends on the seed and its number only; train and test differ', async () => {
  const few = await digits({ train: 10, test: 10, seed: 3 });
  const more = await digits({ train: 40, test: 1, seed: 3 });
  const other = await digits({ train: 10, test: 1, seed: 4 });
  assert.equal(few.train.inputs, more.train.slice(0, 10).inputs);
  assert.not.equal(few.train.inputs, other.train.inputs);
  assert.not.equal(few.train.inputs, few.test.inputs);
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) seen.add(image(more.train, i).join());
  assert.is(seen.size, 40);
});

test('framed as in MNIST: black border, centre of mass in the middle, bright strokes', async () => {
  const { train } = await digits({ train: 2000, test: 1 });
  let mean = 0;
  for (let i = 0; i < train.length; i++) {
    const pixels = image(train, i);
    let [mass, x, y, left, right, top, bottom] = [0, 0, 0, 28, -1, 28, -1];
    pixels.forEach((value: number, at: number) => {
      mass += value;
      x += value * ((at % 28) + 0.5);
      y += value * (Math.floor(at / 28) + 0.5);
      if (value < 128) return;
      left = Math.min(left, at % 28);
      right = Math.max(right, at % 28);
      top = Math.min(top, Math.floor(at / 28));
      bottom = Math.max(bottom, Math.floor(at / 28));
    });
    mean += mass / 784 / train.length;
    assert.ok(
      Math.abs(x / mass - 14) < 2.5 && Math.abs(y / mass - 14) < 2.5,
      `image ${i}: ${x / mass}, ${y / mass}`,
    );
    const size = Math.max(right - left, bottom - top) + 1;
    assert.ok(size >= 17 && size <= 22, `image ${i} is ${size} pixels large`);
    assert.ok(Math.max(...pixels) >= 200);
  }
  // MNIST's mean is 33.3.
  assert.ok(mean > 25 && mean < 42, `mean ${mean}`);
});

test('class means tell most digits apart, but not all', async () => {
  const { train, test: held } = await digits({ train: 3000, test: 1000 });
  const means = Array.from({ length: 10 }, () => new Float64Array(784));
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < train.length; i++) {
    const label = train.targets[i] as number;
    counts[label] = (counts[label] as number) + 1;
    image(train, i).forEach((v: number, at: number) => {
      (means[label] as Float64Array)[at]! += v;
    });
  }
  let right = 0;
  for (let i = 0; i < held.length; i++) {
    const pixels = image(held, i);
    const distances = means.map((sum, label) =>
      sum.reduce(
        (d, v, at) => d + (v / counts[label]! - pixels[at]!) * (v / counts[label]! - pixels[at]!),
        0,
      ),
    );
    if (distances.indexOf(Math.min(...distances)) === held.targets[i]) right++;
  }
  // 82% for MNIST itself.
  assert.ok(right > 650 && right < 930, `${right} of 1000`);
});

test('bad options are refused', async () => {
  const bad = [{ train: 0 }, { test: -1 }, { train: 1.5 }, { seed: -1 }, { trian: 5 }, { train: Number.NaN }];
  for (const options of bad) {
    const error = await digits(options as never).catch((e: unknown) => e);
    assert.instance(error, OptionError);
    assert.instance(error, EverygradError);
  }
});

test.run();
