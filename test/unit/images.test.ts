// Image files: other channels and sizes, files of classes read ahead and in order, and files that do not fit.
import * as assert from 'uvu/assert';
import {
  type Batch,
  decodeImage,
  encodePng,
  type Image,
  type ImageFile,
  type ImageOptions,
  imageFiles,
  imageFolder,
  kFold,
  resizeImage,
  trainTestSplit,
  withChannels,
} from '../../src/data/index.js';
import { DataError, FormatError, OptionError, StorageError } from '../../src/errors.js';
import { hasFiles, sha256 } from '../../src/platform.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('images');

const flat = (value: number, width = 4, height = 3, channels: Image['channels'] = 1): Image => ({
  width,
  height,
  channels,
  data: new Uint8Array(width * height * channels).fill(value),
});

/** Image i is all of value i; even ones are cats. */
async function files(count: number): Promise<ImageFile[]> {
  const pngs = await Promise.all(Array.from({ length: count }, (_, i) => encodePng(flat(i))));
  return pngs.map((bytes, i) => ({
    source: i % 3 === 0 ? new Blob([bytes]) : bytes,
    label: i % 2 === 0 ? 'cat' : 'ant',
    name: `${i}.png`,
  }));
}

async function collect(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

test('channels: grey, colours, alpha', () => {
  const colour: Image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0, 10, 200, 30) };
  assert.equal([...withChannels(colour, 1).data], [76, 124]);
  assert.equal([...withChannels(colour, 4).data], [255, 0, 0, 255, 10, 200, 30, 255]);
  const clear: Image = { width: 1, height: 1, channels: 2, data: Uint8Array.of(9, 5) };
  assert.equal([...withChannels(clear, 4).data], [9, 9, 9, 5]);
  assert.equal([...withChannels(clear, 3).data], [9, 9, 9]);
  assert.equal([...withChannels(clear, 1).data], [9]);
  assert.is(withChannels(colour, 3), colour);
});

test('resizing keeps flat images flat and means as they are, the same bits in every engine', async () => {
  assert.equal(resizeImage(flat(77, 9, 7, 3), 4, 5), flat(77, 5, 4, 3));
  const ramp: Image = {
    width: 8,
    height: 1,
    channels: 1,
    data: Uint8Array.from([0, 10, 20, 30, 40, 50, 60, 70]),
  };
  assert.equal([...resizeImage(ramp, 1, 4).data].slice(1, 3), [25, 45]);
  assert.equal([...resizeImage(ramp, 2, 16).data].slice(2, 6), [8, 13, 18, 23]);
  const busy: Image = {
    width: 40,
    height: 30,
    channels: 3,
    data: Uint8Array.from({ length: 3600 }, (_, i) => (i * i * 7 + i) % 256),
  };
  const sizes = [resizeImage(busy, 11, 17), resizeImage(busy, 64, 50), resizeImage(busy, 30, 13)];
  const all = Uint8Array.from(sizes.flatMap(({ data }) => [...data]));
  assert.is(await sha256(all), '2dab4c4f22a8bf09d0088cb838566e7a98bffcbfd622e10f0b7d42e10d832457');
  assert.throws(
    () => resizeImage(busy, 0, 3),
    (e: Error) => e instanceof OptionError,
  );
});

test('files of classes are a data set, in order or shuffled, split and loaded', async () => {
  const data = await imageFiles(await files(10), { name: 'zoo' });
  assert.equal(
    [data.inputShape, data.inputDType, data.scale, data.classes],
    [[3, 4, 1], 'uint8', 1 / 255, 2],
  );
  assert.equal([data.classNames, data.length, data.name], [['ant', 'cat'], 10, 'zoo']);
  const batches = await collect(data.batches({ batchSize: 4 }));
  assert.equal(
    batches.map(({ size, targets }) => [size, ...targets]),
    [
      [4, 1, 0, 1, 0],
      [4, 1, 0, 1, 0],
      [2, 1, 0],
    ],
  );
  assert.equal([...batches[1]!.inputs.subarray(0, 24)], [...new Array(12).fill(4), ...new Array(12).fill(5)]);
  const order = async (seed: number, epoch: number) =>
    (await collect(data.batches({ batchSize: 1, shuffle: true, seed, epoch }))).map(
      ({ inputs }) => inputs[0]!,
    );
  assert.equal(await order(1, 0), await order(1, 0));
  assert.not.equal(await order(1, 0), await order(1, 1));
  assert.equal(
    (await order(2, 0)).sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  const { train, test: held } = trainTestSplit(data, { test: 0.4, stratify: true });
  assert.equal(
    [[...train.targets].sort(), [...held.targets].sort()],
    [
      [0, 0, 0, 1, 1, 1],
      [0, 0, 1, 1],
    ],
  );
  const loaded = await held.load();
  assert.equal([loaded.length, loaded.classes, [...loaded.targets]], [4, 2, [...held.targets]]);
  for (let i = 0; i < 4; i++) assert.is(loaded.inputs[12 * i]! % 2, loaded.targets[i] === 1 ? 0 : 1);
  assert.is(kFold(data, { folds: 3 })[0]!.validation.length, 3);
});

test('size and channels bring all images to one shape', async () => {
  const other = await encodePng(flat(200, 9, 9, 3));
  const mixed = [...(await files(2)), { source: other, label: 'cat', name: 'big.png' }];
  const data = await imageFiles(mixed, { size: [5, 6], channels: 3 });
  const [batch] = await collect(data.batches({ batchSize: 3 }));
  assert.equal([data.inputShape, batch!.inputs.length], [[5, 6, 3], 270]);
  assert.equal([batch!.inputs[0], batch!.inputs[90], batch!.inputs[180]], [0, 1, 200]);
  const strict = await imageFiles(mixed);
  await rejectsWith(
    () => collect(strict.batches({ batchSize: 3 })),
    DataError,
    /big\.png\] it is 9 x 9, the first image is 3 x 4/,
  );
});

test('files are read ahead, no further than prefetch says, and no more once the reader stops', async () => {
  let read = 0;
  const decode = () => {
    read++;
    return flat(1);
  };
  const sources = Array.from({ length: 50 }, () => ({ source: Uint8Array.of(1, 2), label: 'x' }));
  const data = await imageFiles(sources, { decode, prefetch: 6 });
  assert.is(read, 1, 'the shape is that of the first image');
  for await (const _ of data.batches({ batchSize: 4 })) break;
  await new Promise((done) => setTimeout(done, 5));
  assert.ok(read >= 8 && read <= 12, `${read} read`);
});

test('what is no PNG: by a decoder that is given, by the platform, or refused', async () => {
  const junk = Uint8Array.of(0xff, 0xd8, 0xff, 1, 2, 3);
  assert.equal(await decodeImage(junk, { decode: () => flat(3) }), flat(3));
  const failing = () => {
    throw new RangeError('bad marker');
  };
  await rejectsWith(
    () => decodeImage(junk, { file: 'a.jpg', decode: failing }),
    FormatError,
    /a\.jpg\] .*bad marker/,
  );
  await rejectsWith(
    () => decodeImage(junk, { file: 'a.jpg' }),
    FormatError,
    /a\.jpg\] it (cannot be decoded|is no PNG.*npm install @jsquash)/,
  );
  const canvas = typeof OffscreenCanvas === 'undefined' ? null : new OffscreenCanvas(16, 8);
  const context = canvas?.getContext('2d');
  if (!canvas || !context) {
    const webp = Uint8Array.of(0x52, 0x49, 0x46, 0x46, 0, 0);
    await rejectsWith(
      () => decodeImage(webp, { file: 'a.webp' }),
      FormatError,
      /a\.webp\] it is no PNG, .*pass decode/,
    );
    return;
  }
  context.fillStyle = 'rgb(200, 100, 50)';
  context.fillRect(0, 0, 16, 8);
  const jpeg = new Uint8Array(
    await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 1 })).arrayBuffer(),
  );
  const { width, height, channels, data } = await decodeImage(jpeg);
  assert.equal([jpeg[0], width, height, channels], [255, 16, 8, 3]);
  [200, 100, 50].forEach((v, s) => {
    assert.ok(Math.abs(data[3 * 40 + s]! - v) <= 4, `${data[3 * 40 + s]} for ${v}`);
  });
});

/** 16 x 8, its left half (200,100,50), its right one (20,60,220); made by MozJPEG at quality 95, without subsampling. */
const jpegFile =
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wCEAAICAgICAgICAgIDAwIDAwQDAwMDBAYEBAQEBAYJBQYFBQYFCQgJBwcHCQgOCwkJCw4QDQwNEBMRERMY' +
  'FxgfHyoBAgICAgICAgICAgMDAgMDBAMDAwMEBgQEBAQEBgkFBgUFBgUJCAkHBwcJCA4LCQkLDhANDA0QExERExgXGB8fKv/AABEIAAgAEAMBEQAC' +
  'EQEDEQH/xABNAAEBAAAAAAAAAAAAAAAAAAAFCBABAAAAAAAAAAAAAAAAAAAAAAEBAQEAAAAAAAAAAAAAAAAACAkKEQEAAAAAAAAAAAAAAAAAAAAA' +
  '/9oADAMBAAIRAxEAPwA8VzYQu0CJRv/Z';

test('JPEG is decoded: by the browser, or by the optional package', async () => {
  const bytes = Uint8Array.from(atob(jpegFile), (c) => c.charCodeAt(0));
  if (!hasFiles && typeof OffscreenCanvas === 'undefined')
    return skip('JPEG', 'this browser has no canvas apart from a page');
  if (environment.runtime === 'deno')
    return skip(
      'JPEG',
      'without package.json, as here, Deno finds no packages; the guide on images runs there',
    );
  const { width, height, channels, data } = await decodeImage(bytes, { file: 'halves.jpg' });
  assert.equal([width, height, channels, data.length], [16, 8, 3, 384]);
  for (const [pixel, colour] of [
    [17, [200, 100, 50]],
    [62, [20, 60, 220]],
  ] as const) {
    const found = Array.from(data.slice(3 * pixel, 3 * pixel + 3));
    assert.ok(
      colour.every((v, i) => Math.abs(found[i]! - v) <= 4),
      `pixel ${pixel} is ${found}`,
    );
  }
  await rejectsWith(
    () => decodeImage(bytes.slice(0, 60), { file: 'torn.jpg' }),
    FormatError,
    /torn\.jpg\] it cannot be decoded/,
  );
});

test('a folder of classes', async () => {
  if (!hasFiles) {
    await rejectsWith(() => imageFolder('zoo'), StorageError, /cannot list a folder .*webkitdirectory/);
    const picked = await Promise.all(
      [3, 1, 2].map(async (i) => {
        const file = new File([await encodePng(flat(i))], `${i}.png`);
        Object.defineProperty(file, 'webkitRelativePath', {
          value: `zoo/${i === 3 ? 'ant' : 'cat'}/${i}.png`,
        });
        return file;
      }),
    );
    const data = await imageFolder([...picked, new File(['x'], 'notes.txt')]);
    const [batch] = await collect(data.batches({ batchSize: 9 }));
    assert.equal([data.classNames, [...batch!.targets], batch!.inputs[0]], [['ant', 'cat'], [0, 1, 1], 3]);
    return;
  }
  const { mkdir, mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const folder = await mkdtemp(`${tmpdir()}/everygrad-images-`);
  try {
    await rejectsWith(() => imageFolder(folder), DataError, /there is no image/);
    for (const label of ['dog', 'cat']) {
      await mkdir(`${folder}/${label}`);
      for (const i of [2, 1])
        await writeFile(`${folder}/${label}/${i}.PNG`, await encodePng(flat(i + label.length)));
      await writeFile(`${folder}/${label}/Thumbs.db`, 'no image');
    }
    await writeFile(`${folder}/readme.txt`, 'no image');
    const data = await imageFolder(folder);
    const [batch] = await collect(data.batches({ batchSize: 9 }));
    assert.equal(
      [data.classNames, [...batch!.targets]],
      [
        ['cat', 'dog'],
        [0, 0, 1, 1],
      ],
    );
    assert.equal(
      [0, 1, 2, 3].map((i) => batch!.inputs[12 * i]),
      [4, 5, 4, 5],
    );
    await writeFile(`${folder}/dog/2.PNG`, 'broken');
    await rejectsWith(
      () => collect(data.batches({ batchSize: 2 })),
      FormatError,
      /dog\/2\.PNG\] it is no PNG/,
    );
    await rm(`${folder}/dog/2.PNG`);
    await rejectsWith(
      () => collect(data.batches({ batchSize: 2 })),
      StorageError,
      /dog\/2\.PNG\] cannot be read/,
    );
    await rejectsWith(() => imageFolder(`${folder}/bird`), StorageError, /bird\] cannot be read/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('bad options', async () => {
  const one = await files(1);
  const bad: [ImageOptions, RegExp][] = [
    [{ size: [0, 4] }, /size is 0/],
    [{ channels: 5 as never }, /channels is 5/],
    [{ prefetch: 0 }, /prefetch is 0/],
    [{ sizes: [1, 1] } as never, /unknown option sizes/],
  ];
  for (const [options, pattern] of bad)
    await rejectsWith(() => imageFiles(one, options), OptionError, pattern);
  await rejectsWith(() => imageFiles([]), DataError, /there is no image/);
  const data = await imageFiles(one);
  await rejectsWith(async () => data.select([1]), DataError, /index 1 is not an image of 1/);
});

test.run();
