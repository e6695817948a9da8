// Numbers as pictures: colour maps, weights and filters, many pictures as one. No file format lives here.
import { type HostArray, type Shape, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { read } from '../tensor.js';

/** Pixels row by row, four bytes each: red, green, blue, opacity. `new ImageData(data, width, height)` takes them. */
export interface Image {
  width: number;
  height: number;
  channels: 4;
  data: Uint8ClampedArray<ArrayBuffer>;
}

type Colour = readonly [number, number, number];

/** Colours at equal distances from 0 to 1; between them a straight line. */
const maps = {
  gray: [
    [0, 0, 0],
    [255, 255, 255],
  ],
  /** Black, red, yellow, white. */
  heat: [
    [0, 0, 0],
    [200, 0, 0],
    [255, 200, 0],
    [255, 255, 255],
  ],
  /** Blue below, white in the middle, red above: for numbers with signs. */
  diverging: [
    [20, 60, 160],
    [255, 255, 255],
    [180, 20, 40],
  ],
} as const satisfies Record<string, readonly Colour[]>;

/** Colours for numbers. */
export type ColourMap = keyof typeof maps;

/** How numbers become a picture. */
export interface ImageOptions {
  /** 'gray' where not said. */
  map?: ColourMap;
  /**
   * The numbers that become the first and the last colour; where not said the least and the greatest number, and for
   * 'diverging' minus and plus the greatest absolute one.
   */
  range?: readonly [number, number];
}

function rangeOf(values: ArrayLike<number>, map: ColourMap): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (!Number.isFinite(v)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  if (low > high) return [0, 1];
  const most = Math.max(Math.abs(low), Math.abs(high));
  return map === 'diverging' ? [-most, most] : [low, high];
}

/** The colour of a number from 0 to 1. NaN is transparent. */
function paint(data: Uint8ClampedArray, at: number, map: ColourMap, t: number): void {
  if (Number.isNaN(t)) return;
  const colours: readonly Colour[] = maps[map];
  const place = Math.max(0, Math.min(1, t)) * (colours.length - 1);
  const i = Math.min(colours.length - 2, Math.floor(place));
  for (let c = 0; c < 3; c++) {
    data[at + c] = colours[i]![c]! + (place - i) * (colours[i + 1]![c]! - colours[i]![c]!);
  }
  data[at + 3] = 255;
}

/**
 * An image of (height, width), (height, width, 1) or (height, width, 3) numbers, row-major. One channel goes through a
 * colour map, three are red, green and blue. Numbers outside of the range get the colour at its end, NaN is transparent.
 * Errors: ShapeError, OptionError.
 */
export function toImage(
  values: ArrayLike<number>,
  shape: Shape,
  { map = 'gray', range = rangeOf(values, map) }: ImageOptions = {},
): Image {
  const [height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || ![1, 3].includes(channels) || sizeOf(shape) !== values.length) {
    throw new ShapeError({
      where: 'toImage',
      problem: `${values.length} numbers in shape ${showShape(shape)}`,
      hint: 'it takes (height, width), (height, width, 1) or (height, width, 3)',
      values: { shape, length: values.length },
    });
  }
  if (!Object.hasOwn(maps, map)) {
    throw new OptionError({
      where: 'toImage',
      problem: `'${String(map)}' is not a colour map`,
      hint: `one of ${Object.keys(maps).join(', ')}`,
      values: { map },
    });
  }
  const data = new Uint8ClampedArray(height * width * 4);
  const [low, high] = range;
  // A picture of one number all over is in the middle of its colours.
  const scaled = (v: number): number => (high > low ? (v - low) / (high - low) : Number.isNaN(v) ? v : 0.5);
  for (let i = 0; i < height * width; i++) {
    if (channels === 1) paint(data, 4 * i, map, scaled(values[i]!));
    else {
      for (let c = 0; c < 3; c++) data[4 * i + c] = 255 * scaled(values[3 * i + c]!);
      data[4 * i + 3] = 255;
    }
  }
  return { width, height, channels: 4, data };
}

/**
 * Images side by side in rows, each in a cell of the largest one's size, with transparent gaps between.
 * @param options.columns about as many as rows where not said
 * @param options.gap pixels between them, 1 where not said
 */
export function tile(
  images: readonly Image[],
  { columns = Math.ceil(Math.sqrt(images.length)), gap = 1 }: { columns?: number; gap?: number } = {},
): Image {
  if (
    images.length === 0 ||
    !(Number.isInteger(columns) && columns >= 1) ||
    !(Number.isInteger(gap) && gap >= 0)
  ) {
    throw new OptionError({
      where: 'tile',
      problem: `${images.length} images in ${columns} columns with a gap of ${gap}`,
      hint: 'at least one image, a whole number of columns >= 1, a gap >= 0',
      values: { images: images.length, columns, gap },
    });
  }
  const [cellWidth, cellHeight] = [
    Math.max(...images.map(({ width }) => width)),
    Math.max(...images.map(({ height }) => height)),
  ];
  const across = Math.min(columns, images.length);
  const down = Math.ceil(images.length / columns);
  const width = across * (cellWidth + gap) - gap;
  const height = down * (cellHeight + gap) - gap;
  const data = new Uint8ClampedArray(width * height * 4);
  for (const [i, image] of images.entries()) {
    const x = (i % columns) * (cellWidth + gap);
    const y = Math.floor(i / columns) * (cellHeight + gap);
    for (let row = 0; row < image.height; row++) {
      const line = image.data.subarray(row * image.width * 4, (row + 1) * image.width * 4);
      data.set(line, ((y + row) * width + x) * 4);
    }
  }
  return { width, height, channels: 4, data };
}

/** Each pixel as a square of `factor` times `factor` pixels. */
export function enlarge({ width, height, data }: Image, factor: number): Image {
  if (!(Number.isInteger(factor) && factor >= 1)) {
    throw new OptionError({
      where: 'enlarge',
      problem: `factor is ${factor}`,
      hint: 'a whole number >= 1',
      values: { factor },
    });
  }
  const large = new Uint8ClampedArray(data.length * factor * factor);
  for (let y = 0; y < height * factor; y++) {
    for (let x = 0; x < width * factor; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * 4;
      large.set(data.subarray(from, from + 4), (y * width * factor + x) * 4);
    }
  }
  return { width: width * factor, height: height * factor, channels: 4, data: large };
}

/** Options of `weightImages`. */
export interface WeightImageOptions extends ImageOptions {
  /** For weights (inputs, outputs): how the inputs lie in a picture, as in [28, 28] or [32, 32, 3]. */
  shape?: Shape;
}

/**
 * The weights of a layer as pictures. Weights (inputs, outputs) give one of `shape` for each output. Filters (height, width,
 * channels, outputs) give one for each output if there are one or three channels, else one for each channel of each
 * output, output after output. Each picture has its own range unless one is given; the map is 'diverging' where not said.
 * Errors: ShapeError.
 */
export async function weightImages(weights: Tensor, options: WeightImageOptions = {}): Promise<Image[]> {
  const { shape, ...rest } = options;
  const settings: ImageOptions = { map: 'diverging', ...rest };
  const outputs = weights.shape.at(-1) ?? 0;
  const inputs = weights.shape.slice(0, -1);
  const wanted = weights.rank === 2 ? shape : inputs;
  if (!wanted || wanted.length < 2 || wanted.length > 3 || sizeOf(wanted) !== sizeOf(inputs)) {
    throw new ShapeError({
      where: 'weightImages',
      problem: `weights are ${showShape(weights.shape)}, the shape is ${shape ? showShape(shape) : 'not given'}`,
      hint: 'weights (inputs, outputs) need the shape of a picture with that many inputs; filters are (height, width, channels, outputs)',
      values: { weights: weights.shape, shape },
    });
  }
  const [data] = (await read([weights])) as [HostArray];
  const size = sizeOf(inputs);
  const [height, width, channels = 1] = wanted as [number, number, number?];
  const images: Image[] = [];
  for (let o = 0; o < outputs; o++) {
    const own = Float64Array.from({ length: size }, (_, i) => data[i * outputs + o]!);
    if (channels === 1 || channels === 3) {
      images.push(toImage(own, [height, width, channels], settings));
      continue;
    }
    for (let c = 0; c < channels; c++) {
      const one = Float64Array.from({ length: height * width }, (_, i) => own[i * channels + c]!);
      images.push(toImage(one, [height, width], settings));
    }
  }
  return images;
}
