// MNIST and data sets in its form (Fashion-MNIST, ...): four IDX files in a folder or below an address.
import { sizeOf } from '../dtype.js';
import { checkOptionNames, DataError, FormatError, StorageError } from '../errors.js';
import { type Bytes, cache, isUrl, readBytes, sha256 } from '../platform.js';
import { ArrayDataset } from './dataset.js';
import { type IdxData, parseIdx } from './idx.js';

/** Options of `mnist`. */
export interface MnistOptions {
  signal?: AbortSignal;
  /** Called as each of the four files arrives; `total` is undefined when the server does not say. */
  onProgress?: (progress: { file: string; loaded: number; total: number | undefined }) => void;
  /** Keeps what was fetched for the next time. Default true; files from a folder are never kept. */
  cache?: boolean;
  /** Expected SHA-256 by file name as stored, e.g. `{ 'train-images-idx3-ubyte.gz': '440fcabf…' }`. */
  sha256?: Record<string, string>;
}

/** The parts of MNIST. */
export interface Mnist {
  train: ArrayDataset;
  validation: ArrayDataset;
  test: ArrayDataset;
}

const files = {
  trainImages: 'train-images-idx3-ubyte',
  trainLabels: 'train-labels-idx1-ubyte',
  testImages: 't10k-images-idx3-ubyte',
  testLabels: 't10k-labels-idx1-ubyte',
};
const optionNames = ['signal', 'onProgress', 'cache', 'sha256'];
const classes = 10;

/**
 * Images (height * width), uint8, scale 1/255, and labels 0 to 9, int32. Of the train files the first 50,000
 * examples are for training and the last 10,000 (a sixth, if there are fewer than 60,000) for validation.
 * Throws StorageError for a file that is missing, FormatError for one that is damaged or fails its checksum,
 * DataError for images and labels that do not fit each other, and the signal's reason.
 */
export async function mnist(directory: string | URL, options: MnistOptions = {}): Promise<Mnist> {
  checkOptionNames('mnist', options, optionNames);
  const base = String(directory).replace(/\/*$/, '/');
  const trainImages = await load(base, files.trainImages, options);
  const trainLabels = await load(base, files.trainLabels, options);
  const testImages = await load(base, files.testImages, options);
  const testLabels = await load(base, files.testLabels, options);
  const whole = combine('mnist.train', trainImages, trainLabels);
  const test = combine('mnist.test', testImages, testLabels);
  if (sizeOf(whole.inputShape) !== sizeOf(test.inputShape)) {
    throw new DataError({
      where: 'mnist',
      problem: `train images have ${sizeOf(whole.inputShape)} pixels, test images ${sizeOf(test.inputShape)}`,
      hint: 'the files belong to different data sets',
      values: { train: whole.inputShape, test: test.inputShape },
    });
  }
  const validation = Math.min(10_000, Math.max(1, Math.floor(whole.length / 6)));
  return {
    train: whole.slice(0, whole.length - validation),
    validation: whole.slice(whole.length - validation),
    test,
  };
}

/** One file, kept or else fetched, under the first of its usual names that is there. */
async function load(base: string, name: string, options: MnistOptions): Promise<IdxData> {
  const dotted = name.replace('-idx', '.idx');
  const names = [`${name}.gz`, name, dotted, `${dotted}.gz`];
  for (const file of names) {
    const kept = await loadKept(base, file, options);
    if (kept) return kept;
  }
  for (const file of names) {
    try {
      return await loadFresh(base, file, options);
    } catch (error) {
      if (!(error instanceof StorageError && error.values.missing)) throw error;
    }
  }
  throw new StorageError({
    where: `${base}${name}`,
    problem: `there is no ${names.join(', ')} in ${base}`,
    hint: 'mnist(dirOrUrl) needs the four IDX files of the data set, packed by gzip or not',
    values: { path: base, names, missing: true },
  });
}

const isKept = (path: string, options: MnistOptions) => isUrl(path) && options.cache !== false;
const expectedSum = (file: string, options: MnistOptions) => options.sha256?.[file]?.toLowerCase();

async function loadKept(base: string, file: string, options: MnistOptions): Promise<IdxData | undefined> {
  if (!isKept(base, options)) return undefined;
  options.signal?.throwIfAborted();
  const kept = await cache.get(base + file);
  const expected = expectedSum(file, options);
  if (!kept || (expected !== undefined && (await sha256(kept)) !== expected)) return undefined;
  options.onProgress?.({ file, loaded: kept.length, total: kept.length });
  return parseIdx(kept, { file });
}

async function loadFresh(base: string, file: string, options: MnistOptions): Promise<IdxData> {
  const { signal, onProgress } = options;
  const bytes = await readBytes(base + file, {
    signal,
    onProgress: onProgress && ((progress) => onProgress({ file, ...progress })),
  });
  const expected = expectedSum(file, options);
  if (expected !== undefined) await checkSum(bytes, file, expected);
  const parsed = await parseIdx(bytes, { file });
  if (isKept(base, options)) await cache.put(base + file, bytes);
  return parsed;
}

async function checkSum(bytes: Bytes, file: string, expected: string): Promise<void> {
  const found = await sha256(bytes);
  if (found === expected) return;
  throw new FormatError({
    where: file,
    problem: `SHA-256 is ${found}, expected ${expected}`,
    hint: 'the file is damaged or another version; a server that unpacks .gz on the way also changes it',
    values: { file, found, expected, bytes: bytes.length },
  });
}

function combine(name: string, images: IdxData, labels: IdxData): ArrayDataset {
  const [count = 0, ...imageShape] = images.shape;
  const fits = images.dtype === 'uint8' && imageShape.length === 2;
  if (!fits || labels.dtype !== 'uint8' || labels.shape.length !== 1) {
    throw new DataError({
      where: name,
      problem: `images are ${images.dtype} of ${images.shape}, labels ${labels.dtype} of ${labels.shape}`,
      hint: 'images are uint8 of (count, height, width), labels uint8 of (count)',
      values: { images: images.shape, labels: labels.shape },
    });
  }
  if (labels.shape[0] !== count || count < 2) {
    throw new DataError({
      where: name,
      problem: `${count} images and ${labels.shape[0]} labels`,
      hint: 'there must be as many labels as images, and at least two',
      values: { images: count, labels: labels.shape[0] },
    });
  }
  return new ArrayDataset({
    name,
    inputs: images.data,
    inputShape: [sizeOf(imageShape)],
    inputDType: 'uint8',
    targets: Int32Array.from(labels.data),
    targetShape: [],
    targetDType: 'int32',
    scale: 1 / 255,
    classes,
  });
}
