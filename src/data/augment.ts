// Augmentation on the fly: each time an image is drawn it is moved, bent and disturbed anew.
// Only + - * / sqrt and floor touch the values, so every engine makes the same bits.
import { dtypes, type HostArray, type Shape, showShape } from '../dtype.js';
import { checkOptionNames, OptionError, ShapeError } from '../errors.js';
import { cosPi, exponential } from '../exact.js';
import { RandomStream, streams } from '../philox.js';
import type { Batch, BatchOptions, Dataset } from './spec.js';

/** Elastic distortion (Simard, Steinkraus and Platt 2003): a random field of shifts, smoothed. */
export interface Elastic {
  /** How far, in pixels before smoothing; 34 where not said. */
  alpha?: number;
  /** Standard deviation of the smoothing Gaussian, in pixels; 4 where not said. */
  sigma?: number;
}

/** Options of `augment`: what is done to an image, each by a new random amount in every epoch. */
export interface AugmentOptions {
  /** Up to so many pixels in each direction. */
  shift?: number;
  /** Up to so many degrees in each direction. */
  rotate?: number;
  /** Height and width by a factor of up to 1 +- this, each on its own. */
  scale?: number;
  /** Shear: a pixel further down moves by up to this to the side. */
  skew?: number;
  /**
   * A random smooth displacement field (Simard, Steinkraus and Platt, "Best practices for convolutional neural networks
   * applied to visual document analysis", 2003).
   */
  elastic?: Elastic | boolean;
  /** Mirrors half of the images. */
  flip?: 'horizontal' | 'vertical' | 'both';
  /** [height, width] of a part that is cut out at random; the examples get that shape. */
  crop?: readonly [number, number];
  /** Standard deviation of a normal noise, as a part of the largest value (255 for uint8, 1 for floats). */
  noise?: number;
  /** What lies outside of an image; 0 where not said. */
  fill?: number;
  /** [height, width] or [height, width, channels] of an example; its inputShape where not said, a square if that is flat. */
  imageShape?: readonly number[];
}

const optionNames = [
  'shift',
  'rotate',
  'scale',
  'skew',
  'elastic',
  'flip',
  'crop',
  'noise',
  'fill',
  'imageShape',
];

/** Upper bounds that keep an image recognisable as one. */
const ranges: Readonly<Record<'shift' | 'rotate' | 'scale' | 'skew' | 'noise', number>> = {
  shift: 1e4,
  rotate: 180,
  scale: 0.99,
  skew: 10,
  noise: 10,
};

/** A data set that shows another version of each image in every epoch; decided by seed, epoch and place in the epoch. */
export function augment(base: Dataset, options: AugmentOptions): Dataset {
  checkOptionNames('augment', options, optionNames);
  return new AugmentedDataset(base, options);
}

class AugmentedDataset implements Dataset {
  readonly inputShape: Shape;
  readonly inputDType;
  readonly targetShape: Shape;
  readonly targetDType;
  readonly scale: number;
  readonly classes: number | undefined;
  readonly name: string;
  readonly length: number | undefined;
  readonly #base: Dataset;
  readonly #distorter: Distorter;

  constructor(base: Dataset, options: AugmentOptions) {
    for (const [name, most] of Object.entries(ranges)) {
      const value = options[name as keyof typeof ranges] ?? 0;
      if (!(value >= 0 && value <= most)) {
        throw new OptionError({
          where: 'augment',
          problem: `${name} is ${value}`,
          hint: `a number from 0 to ${most}`,
          values: { [name]: value },
        });
      }
    }
    const { inputShape, inputDType } = base;
    this.#base = base;
    const image = imageShapeOf(base, options.imageShape);
    this.#distorter = new Distorter(image, inputDType === 'uint8', options);
    this.inputShape = options.crop ? [...options.crop, ...(image.length > 2 ? [image[2]!] : [])] : inputShape;
    this.inputDType = inputDType;
    this.targetShape = base.targetShape;
    this.targetDType = base.targetDType;
    this.scale = base.scale;
    this.classes = base.classes;
    this.name = `${base.name}, augmented`;
    this.length = base.length;
  }

  async *batches(options: BatchOptions): AsyncGenerator<Batch> {
    const { seed = 0, epoch = 0 } = options;
    const { inputSize, outputSize } = this.#distorter;
    let place = 0;
    for await (const { inputs, targets, size } of this.#base.batches(options)) {
      const distorted = new dtypes[this.inputDType].array(size * outputSize);
      for (let i = 0; i < size; i++) {
        const random = new RandomStream(seed, streams.augmentation + (epoch & 0xffff), place++);
        this.#distorter.distort(
          inputs.subarray(i * inputSize, (i + 1) * inputSize),
          distorted.subarray(i * outputSize, (i + 1) * outputSize),
          random,
        );
      }
      yield { inputs: distorted, targets, size };
    }
  }
}

function imageShapeOf({ inputShape, name }: Dataset, given?: readonly number[]): number[] {
  const size = inputShape.reduce((n, d) => n * d, 1);
  const side = Math.round(Math.sqrt(size));
  const shape = given ?? (inputShape.length === 1 && side * side === size ? [side, side] : inputShape);
  if ((shape.length === 2 || shape.length === 3) && shape.reduce((n, d) => n * d, 1) === size)
    return [...shape];
  throw new ShapeError({
    where: 'augment',
    problem: `the examples of ${name} are ${showShape(inputShape)}, images ${showShape(shape)}`,
    hint: 'give imageShape as [height, width] or [height, width, channels] with as many values as an example has',
    values: { inputShape, imageShape: shape },
  });
}

/** In [-size, size). */
const around = (random: RandomStream, size: number): number => (2 * random.uniform() - 1) * size;

/** Draws one version of an image. Keeps its working memory from image to image. */
class Distorter {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly #height: number;
  readonly #width: number;
  readonly #channels: number;
  readonly #outHeight: number;
  readonly #outWidth: number;
  readonly #whole: boolean;
  readonly #options: AugmentOptions;
  readonly #moves: boolean;
  readonly #kernel: Float64Array | null;
  readonly #alpha: number;
  /** The image with a frame of `fill`, one pixel wide. */
  readonly #framed: Float64Array;
  /** Displacements of all pixels downwards and to the right, and places to smooth in. */
  readonly #down: Float64Array;
  readonly #right: Float64Array;
  readonly #half: Float64Array;
  readonly #line: Float64Array;

  constructor([height, width, channels = 1]: readonly number[], whole: boolean, options: AugmentOptions) {
    this.#height = height!;
    this.#width = width!;
    this.#channels = channels;
    [this.#outHeight, this.#outWidth] = options.crop ?? [height!, width!];
    for (const [name, part, all] of [
      ['height', this.#outHeight, height!],
      ['width', this.#outWidth, width!],
    ] as const) {
      if (Number.isInteger(part) && part >= 1 && part <= all) continue;
      throw new OptionError({
        where: 'augment',
        problem: `crop has ${name} ${part}, the images have ${all}`,
        hint: `a whole number from 1 to ${all}`,
        values: { crop: options.crop },
      });
    }
    this.#whole = whole;
    this.#options = options;
    const { shift, rotate, scale, skew, elastic, flip, crop } = options;
    this.#moves = Boolean(shift || rotate || scale || skew || elastic || flip || crop);
    const { alpha = 34, sigma = 4 } = typeof elastic === 'object' ? elastic : {};
    if (!(sigma > 0 && sigma <= 100 && Number.isFinite(alpha))) {
      throw new OptionError({
        where: 'augment',
        problem: `elastic has alpha ${alpha} and sigma ${sigma}`,
        hint: 'alpha is a number, sigma above 0 and at most 100',
        values: { alpha, sigma },
      });
    }
    this.#alpha = alpha;
    this.#kernel = elastic ? gaussian(sigma) : null;
    this.inputSize = height! * width! * channels;
    this.outputSize = this.#outHeight * this.#outWidth * channels;
    const pixels = elastic ? height! * width! : 0;
    this.#down = new Float64Array(pixels);
    this.#right = new Float64Array(pixels);
    this.#half = new Float64Array(pixels);
    this.#line = new Float64Array(Math.max(height!, width!) + 2 * (this.#kernel?.length ?? 0) + 2);
    this.#framed = new Float64Array((height! + 2) * (width! + 2) * channels).fill(options.fill ?? 0);
  }

  /** image and out are (height, width, channels). */
  distort(image: HostArray, out: HostArray, random: RandomStream): void {
    if (this.#moves) this.#resample(image, out, random);
    else out.set(image);
    const { noise = 0 } = this.#options;
    if (noise > 0) this.#disturb(out, noise * (this.#whole ? 255 : 1), random);
  }

  #resample(image: HostArray, out: HostArray, random: RandomStream): void {
    const { shift = 0, rotate = 0, scale = 0, skew = 0, flip } = this.#options;
    const [height, width, channels] = [this.#height, this.#width, this.#channels];
    const turns = around(random, rotate) / 180;
    const [cosine, sine] = [cosPi(turns), cosPi(turns - 0.5)];
    const tall = 1 + around(random, scale);
    const wide = 1 + around(random, scale);
    const shear = around(random, skew);
    const up = around(random, shift);
    const left = around(random, shift);
    const mirrored = random.uniform() < 0.5;
    const turned = random.uniform() < 0.5;
    const signX = (flip === 'horizontal' || flip === 'both') && mirrored ? -1 : 1;
    const signY = (flip === 'vertical' || flip === 'both') && turned ? -1 : 1;
    // From a pixel of the result back to where it comes from, around the centre: rotation, shear, factors.
    const yy = (signY * cosine) / tall;
    const yx = (signY * sine) / tall;
    const xy = (signX * (shear * cosine - sine)) / wide;
    const xx = (signX * (shear * sine + cosine)) / wide;
    const cutY = random.integer(height - this.#outHeight + 1);
    const cutX = random.integer(width - this.#outWidth + 1);
    const bent = this.#kernel !== null;
    if (bent) {
      this.#field(this.#down, random);
      this.#field(this.#right, random);
    }
    const middleY = (height - 1) / 2;
    const middleX = (width - 1) / 2;
    const framed = this.#frame(image);
    const down = channels * (width + 2);
    let at = 0;
    for (let row = 0; row < this.#outHeight; row++) {
      for (let column = 0; column < this.#outWidth; column++) {
        const y = row + cutY;
        const x = column + cutX;
        const v = y - middleY;
        const u = x - middleX;
        let fromY = yy * v + yx * u + middleY + up;
        let fromX = xy * v + xx * u + middleX + left;
        if (bent) {
          fromY += this.#down[y * width + x]!;
          fromX += this.#right[y * width + x]!;
        }
        // In the framed image, where everything outside looks like the frame.
        fromY = Math.max(0, Math.min(height + 0.999999, fromY + 1));
        fromX = Math.max(0, Math.min(width + 0.999999, fromX + 1));
        const top = Math.floor(fromY);
        const start = Math.floor(fromX);
        const below = fromY - top;
        const beside = fromX - start;
        let p = top * down + start * channels;
        for (const end = p + channels; p < end; p++) {
          const upper = framed[p]! + (framed[p + channels]! - framed[p]!) * beside;
          const q = p + down;
          const lower = framed[q]! + (framed[q + channels]! - framed[q]!) * beside;
          const value = upper + (lower - upper) * below;
          out[at++] = this.#whole ? Math.floor(value + 0.5) : value;
        }
      }
    }
  }

  #frame(image: HostArray): Float64Array {
    const row = this.#width * this.#channels;
    const framedRow = row + 2 * this.#channels;
    for (let y = 0; y < this.#height; y++) {
      const to = (y + 1) * framedRow + this.#channels;
      for (let i = 0; i < row; i++) this.#framed[to + i] = image[y * row + i]!;
    }
    return this.#framed;
  }

  /** A smooth random field: uniform in [-1, 1), convolved with a Gaussian along both axes, times alpha. */
  #field(field: Float64Array, random: RandomStream): void {
    const [height, width] = [this.#height, this.#width];
    // A field takes more random numbers than all else: a small generator, started anew by the large one.
    let state = random.bits();
    for (let i = 0; i < field.length; i++) {
      state = (state + 0x6d2b79f5) | 0;
      field[i] = scrambled(state) * 2 ** -31 * this.#alpha;
    }
    smooth(field, this.#half, this.#kernel!, this.#line, {
      lines: height,
      length: width,
      step: 1,
      stride: width,
    });
    smooth(this.#half, field, this.#kernel!, this.#line, {
      lines: width,
      length: height,
      step: width,
      stride: 1,
    });
  }

  /** Adds noise of the given standard deviation: twelve uniform numbers are nearly normal. */
  #disturb(out: HostArray, deviation: number, random: RandomStream): void {
    for (let i = 0; i < out.length; i++) {
      let normal = -6;
      for (let n = 0; n < 12; n++) normal += random.uniform();
      const value = (out[i] as number) + deviation * normal;
      out[i] = this.#whole ? Math.max(0, Math.min(255, Math.floor(value + 0.5))) : value;
    }
  }
}

/** A whole number in [-2^31, 2^31) that looks random: the mixing function of Mulberry32 (T. Ettinger). */
function scrambled(state: number): number {
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return t ^ (t >>> 14);
}

/** Weights 0, 1, ... steps from the middle, up to three standard deviations; together with their mirror they sum to 1. */
function gaussian(sigma: number): Float64Array {
  const reach = Math.ceil(3 * sigma);
  const weights = Float64Array.from({ length: reach + 1 }, (_, i) =>
    exponential((-i * i) / (2 * sigma * sigma)),
  );
  let total = weights[0]!;
  for (let i = 1; i <= reach; i++) total += 2 * weights[i]!;
  return weights.map((w) => w / total);
}

/** `lines` lines of `length` values, `step` apart; the next line starts `stride` further. */
interface Lines {
  readonly lines: number;
  readonly length: number;
  readonly step: number;
  readonly stride: number;
}

/**
 * Convolves lines with a symmetric kernel; outside there are zeros. `line` is room for one with both its margins and two
 * values more. Three neighbours at a time: they share what is loaded, and fit the registers.
 */
function smooth(
  from: Float64Array,
  to: Float64Array,
  kernel: Float64Array,
  line: Float64Array,
  { lines, length, step, stride }: Lines,
): void {
  const reach = kernel.length - 1;
  const weight = kernel[0]!;
  line.fill(0);
  for (let n = 0; n < lines; n++) {
    const first = n * stride;
    for (let i = 0; i < length; i++) line[reach + i] = from[first + i * step]!;
    for (let i = 0; i < length; i += 3) {
      const middle = reach + i;
      let left0 = line[middle]!;
      let left1 = line[middle + 1]!;
      let left2 = line[middle + 2]!;
      let [right0, right1, right2] = [left0, left1, left2];
      let sum0 = left0 * weight;
      let sum1 = left1 * weight;
      let sum2 = left2 * weight;
      for (let k = 1; k <= reach; k++) {
        const w = kernel[k]!;
        left2 = left1;
        left1 = left0;
        left0 = line[middle - k]!;
        right0 = right1;
        right1 = right2;
        right2 = line[middle + 2 + k]!;
        sum0 += (left0 + right0) * w;
        sum1 += (left1 + right1) * w;
        sum2 += (left2 + right2) * w;
      }
      const at = first + i * step;
      to[at] = sum0;
      if (i + 1 < length) to[at + step] = sum1;
      if (i + 2 < length) to[at + 2 * step] = sum2;
    }
  }
}
