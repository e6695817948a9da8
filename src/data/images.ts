// Images from files: decoding, other sizes and channels, and folders of classes as a data set that is read as it is used.
import { type HostArray, type Shape, sizeOf } from '../dtype.js';
import { checkOptionNames, DataError, EverygradError, FormatError, OptionError } from '../errors.js';
import { RandomStream, streams } from '../philox.js';
import { readBytes, runtime } from '../platform.js';
import { listFolder } from '../platform-files.js';
import { decodeByPlatform, decodeJpegByPackage } from '../platform-images.js';
import { ArrayDataset } from './dataset.js';
import { decodePng, type Image, isPng } from './png.js';
import { type Batch, type BatchOptions, batchOptions, checkCount, type Dataset } from './spec.js';
import { type Example, Stream } from './stream.js';

/** A decoder of one's own; `file` is for errors. */
export type ImageDecoder = (bytes: Uint8Array, file: string) => Image | Promise<Image>;

/** Options of `decodeImage`. */
export interface DecodeOptions {
  /** The file's name in errors. */
  file?: string;
  /** Decodes what is no PNG, instead of the platform. */
  decode?: ImageDecoder | undefined;
}

const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/** JPEG, WebP and the like: by the browser, or JPEG by an optional package; null where there is neither. */
const decodeOther = async (bytes: Uint8Array) =>
  (await decodeByPlatform(bytes)) ?? (isJpeg(bytes) ? decodeJpegByPackage(bytes) : null);

/**
 * Decodes an image file. PNG is decoded here, to the same bits everywhere; JPEG, WebP and what else a browser knows by the
 * browser, where engines differ in the last bits. Node, Deno and Bun have no decoder of their own: JPEG is decoded there
 * where the optional package @jsquash/jpeg is installed; for others give `decode`. Throws FormatError for a file that
 * cannot be decoded.
 */
export async function decodeImage(
  bytes: Uint8Array,
  { file = 'image', decode }: DecodeOptions = {},
): Promise<Image> {
  if (isPng(bytes)) return decodePng(bytes, { file });
  let found: Image | Awaited<ReturnType<typeof decodeOther>>;
  try {
    found = await (decode ? decode(bytes, file) : decodeOther(bytes));
  } catch (cause) {
    if (cause instanceof EverygradError) throw cause;
    throw new FormatError({
      where: file,
      problem: `it cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'is it an image, and whole?',
      values: { file, bytes: bytes.length },
      cause,
    });
  }
  if (!found) {
    throw new FormatError({
      where: file,
      problem: `it is no PNG, and ${runtime().name} decodes nothing else by itself`,
      hint: `${isJpeg(bytes) ? 'npm install @jsquash/jpeg, ' : ''}convert it to PNG, or pass decode: (bytes) => ({ width, height, channels, data })`,
      values: { file, bytes: bytes.length },
    });
  }
  if ('channels' in found) return found;
  const { width, height, data } = found;
  const image: Image = { width, height, channels: 4, data: new Uint8Array(data) };
  return isJpeg(bytes) ? withChannels(image, 3) : image; // JPEG has no alpha
}

/**
 * With other channels: grey is 0.299 r + 0.587 g + 0.114 b, rounded; a new alpha is 255, and one that is left out is
 * forgotten. The same image where nothing changes.
 */
export function withChannels(image: Image, channels: Image['channels']): Image {
  if (image.channels === channels) return image;
  const { width, height, channels: from, data } = image;
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const at = i * from;
    const to = i * channels;
    const r = data[at]!;
    const g = from > 2 ? data[at + 1]! : r;
    const b = from > 2 ? data[at + 2]! : r;
    const alpha = from % 2 === 0 ? data[at + from - 1]! : 255;
    if (channels < 3) out[to] = from > 2 ? Math.floor((299 * r + 587 * g + 114 * b + 500) / 1000) : r;
    else [out[to], out[to + 1], out[to + 2]] = [r, g, b];
    if (channels % 2 === 0) out[to + channels - 1] = alpha;
  }
  return { width, height, channels, data: out };
}

/**
 * With another height and width: each pixel is the mean of those around its place, weighted by a triangle as wide as two
 * pixels of the coarser of both images. The same image where nothing changes.
 */
export function resizeImage(image: Image, height: number, width: number): Image {
  checkCount('resizeImage', 'height', height);
  checkCount('resizeImage', 'width', width);
  if (image.height === height && image.width === width) return image;
  const { channels } = image;
  const down = weightsOf(image.height, height);
  const across = weightsOf(image.width, width);
  const half = new Float64Array(height * image.width * channels);
  const row = image.width * channels;
  down.forEach(({ first, weights }, y) => {
    for (let i = 0; i < row; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * image.data[(first + k) * row + i]!;
      half[y * row + i] = sum;
    }
  });
  const data = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    across.forEach(({ first, weights }, x) => {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++)
          sum += weights[k]! * half[y * row + (first + k) * channels + c]!;
        data[(y * width + x) * channels + c] = Math.floor(sum + 0.5);
      }
    });
  }
  return { width, height, channels, data };
}

/** For each of `to` places the pixels of `from` that it is made of; weights sum to 1. */
function weightsOf(from: number, to: number): { first: number; weights: number[] }[] {
  const ratio = from / to;
  const reach = Math.max(1, ratio);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * ratio - 0.5;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(from - 1, Math.floor(centre + reach));
    const raw = Array.from({ length: last - first + 1 }, (_, k) => 1 - Math.abs(first + k - centre) / reach);
    const total = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((w) => w / total) };
  });
}

/** An image file and the class that it belongs to. */
export interface ImageFile {
  source: string | URL | Blob | Uint8Array;
  label: string;
  /** For errors; the path or the File's own name where not said. */
  name?: string;
}

/** Options of `imageFolder` and `imageFiles`. */
export interface ImageOptions {
  /** [height, width] that all images are brought to; otherwise all must have that of the first. */
  size?: readonly [number, number];
  /** 1 grey, 3 colours, 4 colours and alpha. Default: those of the first image. */
  channels?: 1 | 2 | 3 | 4;
  /** Files that are read and decoded ahead of their use. Default 8. */
  prefetch?: number;
  /** Decodes what is no PNG, instead of the platform. */
  decode?: ImageDecoder;
  name?: string;
}

const optionNames = ['size', 'channels', 'prefetch', 'decode', 'name'];
const extensions = /\.(png|jpe?g|webp|gif|bmp|avif)$/i;

/**
 * A folder with a sub-folder of images for each class, in Node, Deno and Bun; or the files of
 * `<input type="file" webkitdirectory>`. Classes and files are ordered by name. Only names are read here, and the first
 * image; the images are read and decoded as batches are drawn, and never held all together.
 * Throws StorageError for a folder that is not there, DataError for one without images, OptionError.
 */
export async function imageFolder(
  folder: string | URL | Iterable<File>,
  options: ImageOptions = {},
): Promise<ImageDataset> {
  if (typeof folder !== 'string' && !(folder instanceof URL)) {
    const files = [...folder].filter((file) => extensions.test(file.name));
    const path = (file: File) => file.webkitRelativePath || file.name;
    const labelled = files.map((file) => ({
      source: file,
      name: path(file),
      label: path(file).split('/').at(-2) ?? '',
    }));
    return imageFiles(
      labelled.sort((a, b) => (a.name < b.name ? -1 : 1)),
      { name: 'images', ...options },
    );
  }
  const classes = (await listFolder(folder)).filter(({ isFolder }) => isFolder);
  const files: ImageFile[] = [];
  for (const { name: label, path } of classes) {
    for (const entry of await listFolder(path)) {
      if (!entry.isFolder && extensions.test(entry.name)) files.push({ source: entry.path, label });
    }
  }
  return imageFiles(files, { name: String(folder), ...options });
}

/** Images of any source with their labels, as `imageFolder`. */
export async function imageFiles(
  files: Iterable<ImageFile>,
  options: ImageOptions = {},
): Promise<ImageDataset> {
  checkOptionNames('imageFolder', options, optionNames);
  const { name = 'images', size, prefetch = 8 } = options;
  checkCount(name, 'prefetch', prefetch);
  for (const side of size ?? []) checkCount(name, 'size', side);
  if (options.channels !== undefined && ![1, 2, 3, 4].includes(options.channels)) {
    throw new OptionError({
      where: name,
      problem: `channels is ${options.channels}`,
      hint: '1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha',
      values: { channels: options.channels },
    });
  }
  const all = [...files];
  const [first] = all;
  if (!first) {
    throw new DataError({
      where: name,
      problem: 'there is no image',
      hint: 'a folder has a sub-folder for each class, with .png, .jpg, .jpeg, .webp, .gif, .bmp or .avif files',
    });
  }
  const classNames = [...new Set(all.map(({ label }) => label))].sort();
  const codes = new Map(classNames.map((label, code) => [label, code]));
  const targets = Int32Array.from(all, ({ label }) => codes.get(label)!);
  const image = await readImage(first, options.decode);
  const [height, width] = size ?? [image.height, image.width];
  const shape = [height, width, options.channels ?? image.channels];
  return new ImageDataset(all, targets, { name, shape, classNames, prefetch, ...options });
}

async function readImage({ source, name }: ImageFile, decode: ImageDecoder | undefined): Promise<Image> {
  const file =
    name ??
    (source as File).name ??
    (typeof source === 'object' && !(source instanceof URL) ? 'image' : String(source));
  const bytes =
    source instanceof Uint8Array
      ? source
      : source instanceof Blob
        ? new Uint8Array(await source.arrayBuffer())
        : await readBytes(source);
  return decodeImage(bytes, { file, decode });
}

interface ImageSettings extends ImageOptions {
  name: string;
  prefetch: number;
  /** (height, width, channels) */
  shape: Shape;
  classNames: readonly string[];
}

/**
 * Images that are read as they are used: inputs (height, width, channels), uint8, scale 1/255, and labels, int32, from 0.
 * Shuffling reorders all files. An image of another size is a DataError that names its file.
 */
export class ImageDataset implements Dataset {
  readonly inputShape: Shape;
  readonly inputDType = 'uint8' as const;
  readonly targetShape: Shape = [];
  readonly targetDType = 'int32' as const;
  readonly scale = 1 / 255;
  readonly classes: number;
  readonly name: string;
  readonly length: number;
  /** Names of the labels. */
  readonly classNames: readonly string[];
  /** The label of each image. */
  readonly targets: Int32Array;
  readonly #files: readonly ImageFile[];
  readonly #settings: ImageSettings;

  /** Use `imageFolder` or `imageFiles`. */
  constructor(files: readonly ImageFile[], targets: Int32Array, settings: ImageSettings) {
    this.inputShape = settings.shape;
    this.classes = settings.classNames.length;
    this.name = settings.name;
    this.length = files.length;
    this.classNames = settings.classNames;
    this.targets = targets;
    this.#files = files;
    this.#settings = settings;
  }

  /** The images `indices[0]`, `indices[1]`, ... with the same classes; nothing is read. For `split` and `kFold`. */
  select(indices: ArrayLike<number>): ImageDataset {
    const rows = Array.from(indices);
    const wrong = rows.find((i) => this.#files[i] === undefined);
    if (rows.length === 0 || wrong !== undefined) {
      throw new DataError({
        where: `${this.name}.select`,
        problem:
          rows.length === 0 ? 'no image is chosen' : `index ${wrong} is not an image of ${this.length}`,
        values: { index: wrong, length: this.length },
      });
    }
    const files = rows.map((i) => this.#files[i]!);
    return new ImageDataset(
      files,
      Int32Array.from(rows, (i) => this.targets[i]!),
      this.#settings,
    );
  }

  /** Images of an epoch, read and decoded ahead. */
  batches(options: BatchOptions): Stream<Batch> {
    const { batchSize, shuffle, seed, epoch, dropLast } = batchOptions(this.name, options);
    const order = shuffle
      ? new RandomStream(seed, streams.shuffle, epoch).permutation(this.length)
      : Int32Array.from({ length: this.length }, (_, i) => i);
    return new Stream<Example>(() => this.#examples(order)).batch(batchSize, { dropLast });
  }

  /** All images in memory, for data that fits there and is read again and again. */
  async load(): Promise<ArrayDataset> {
    const { name, scale, classes, inputShape, inputDType, targetShape, targetDType } = this;
    const spec = { name, scale, classes, inputShape, inputDType, targetShape, targetDType };
    const inputs = new Uint8Array(this.length * sizeOf(inputShape));
    let at = 0;
    for await (const batch of this.batches({ batchSize: 64 })) {
      inputs.set(batch.inputs as Uint8Array, at);
      at += batch.inputs.length;
    }
    return new ArrayDataset({ ...spec, inputs, targets: this.targets });
  }

  /** Reads ahead, several files at the same time; gives the images in order. */
  async *#examples(order: Int32Array): AsyncGenerator<Example> {
    const waiting: Promise<HostArray>[] = [];
    let next = 0;
    for (const index of order) {
      while (next < order.length && waiting.length <= this.#settings.prefetch) {
        const pixels = this.#pixels(this.#files[order[next++]!]!);
        pixels.catch(() => {}); // raised where it is awaited below, or dropped when the reader stops early
        waiting.push(pixels);
      }
      yield { inputs: await waiting.shift()!, targets: this.targets.slice(index, index + 1) };
    }
  }

  async #pixels(file: ImageFile): Promise<Uint8Array> {
    const [height, width, channels] = this.#settings.shape as [number, number, Image['channels']];
    const image = await readImage(file, this.#settings.decode);
    if (this.#settings.size) return withChannels(resizeImage(image, height, width), channels).data;
    if (image.height === height && image.width === width) return withChannels(image, channels).data;
    throw new DataError({
      where: file.name ?? (file.source as File).name ?? String(file.source),
      problem: `it is ${image.height} x ${image.width}, the first image is ${height} x ${width}`,
      hint: 'size: [height, width] brings all images to one',
      values: { height: image.height, width: image.width, expected: [height, width] },
    });
  }
}
