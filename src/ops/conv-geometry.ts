// Sizes of convolutions: what the options mean, what fits, and the errors where something does not.
import { type DType, requireDType, type Shape, showShape } from '../dtype.js';
import { DTypeError, OptionError, ShapeError } from '../errors.js';
import type { Spec } from '../graph.js';

/** How the filter is laid over the input, [along the height, along the width]. Plain data, as graphs hold it. */
export type ConvAttributes = {
  readonly strides: readonly number[];
  /** Zeros around the input: [top, bottom, left, right]. */
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly groups: number;
};

/**
 * Zeros around the input: the same on all sides, [above and below, left and right], [[top, bottom], [left, right]];
 * `'same'` as many as give ceil(input / stride) positions, the odd one at the end; `'valid'` none.
 */
export type Padding2d =
  | number
  | readonly [number, number]
  | readonly [readonly [number, number], readonly [number, number]]
  | 'same'
  | 'valid';

/** Options of `conv2d`. */
export interface Conv2dOptions {
  /** Steps from one position of the filter to the next; 1 where not said. */
  readonly stride?: number | readonly [number, number];
  readonly padding?: Padding2d;
  /** Steps from one element of the filter to the next; 1 where not said. */
  readonly dilation?: number | readonly [number, number];
  /** Parts of the channels that are convolved on their own; 1 where not said. */
  readonly groups?: number;
}

/** All the numbers of a convolution of (batch, height, width, channels) to (batch, outHeight, outWidth, filters). */
export interface ConvGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly filters: number;
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  readonly top: number;
  readonly left: number;
  readonly dh: number;
  readonly dw: number;
  readonly groups: number;
}

/** Input, filter and output of a convolution, by their shapes. */
export function geometryOf(
  [batch, height, width, channels]: Shape,
  [kh, kw]: Shape,
  [, outHeight, outWidth, filters]: Shape,
  { strides: [sh, sw], pads: [top, , left], dilations: [dh, dw], groups }: ConvAttributes,
): ConvGeometry {
  const numbers = {
    batch,
    height,
    width,
    channels,
    outHeight,
    outWidth,
    filters,
    kh,
    kw,
    sh,
    sw,
    top,
    left,
    dh,
    dw,
  };
  return { ...(numbers as Omit<ConvGeometry, 'groups'>), groups };
}

const whole = (n: unknown, least: number): n is number => Number.isInteger(n) && (n as number) >= least;

/** Two whole numbers, given as one for both or as a pair. */
export function pairOf(
  where: string,
  name: string,
  value: number | readonly number[],
  least: number,
): [number, number] {
  const list = typeof value === 'number' ? [value, value] : value;
  if (Array.isArray(list) && list.length === 2 && list.every((n) => whole(n, least)))
    return [list[0]!, list[1]!];
  throw new OptionError({
    where,
    problem: `${name} is ${JSON.stringify(value)}`,
    hint: `a whole number >= ${least}, or two of them: [along the height, along the width]`,
    values: { [name]: value },
  });
}

/** How far a filter of `k` elements reaches. */
const reach = (k: number, dilation: number): number => (k - 1) * dilation + 1;

/** Zeros before and after, so that there are ceil(size / stride) positions (TensorFlow's rule; PyTorch's for stride 1). */
function samePads(size: number, k: number, stride: number, dilation: number): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach(k, dilation) - size);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

function padsOf(
  where: string,
  padding: Padding2d,
  same: () => readonly [readonly [number, number], readonly [number, number]],
): number[] {
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding === 'same') return same().flat();
  const nested = Array.isArray(padding) && padding.length === 2 && padding.every((p) => Array.isArray(p));
  const sides = nested
    ? (padding as readonly (readonly number[])[]).flat()
    : [padding].flat().flatMap((p) => [p as number, p as number]);
  const pads = typeof padding === 'number' ? [padding, padding, padding, padding] : sides;
  if (pads.length === 4 && pads.every((p) => whole(p, 0))) return pads;
  throw new OptionError({
    where,
    problem: `padding is ${JSON.stringify(padding)}`,
    hint: "a whole number >= 0, [height, width], [[top, bottom], [left, right]], 'same' or 'valid'",
    values: { padding },
  });
}

/**
 * Options as attributes; 'same' needs the input's and the filter's sizes, which may still be of the wrong rank.
 * Sizes are checked where the op is recorded.
 */
export function attributesOf(
  where: string,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv2dOptions,
  [, height = 1, width = 1]: Shape,
  [kh = 1, kw = 1]: Shape,
): ConvAttributes {
  const strides = pairOf(where, 'stride', stride, 1);
  const dilations = pairOf(where, 'dilation', dilation, 1);
  if (!whole(groups, 1)) {
    throw new OptionError({
      where,
      problem: `groups is ${groups}`,
      hint: 'a whole number >= 1 that divides the channels of input and output',
      values: { groups },
    });
  }
  const pads = padsOf(where, padding, () => [
    samePads(height, kh, strides[0], dilations[0]),
    samePads(width, kw, strides[1], dilations[1]),
  ]);
  return { strides, pads, dilations, groups };
}

/** Positions of the filter on an input of [height, width]; it must fit at least once. */
export function positions(
  where: string,
  input: Shape,
  kernel: Shape,
  { strides, pads, dilations }: ConvAttributes,
): [number, number] {
  const along = (axis: 0 | 1): number => {
    const padded = input[axis]! + pads[2 * axis]! + pads[2 * axis + 1]!;
    const covered = reach(kernel[axis]!, dilations[axis]!);
    if (kernel[axis]! >= 1 && covered <= padded) return Math.floor((padded - covered) / strides[axis]!) + 1;
    const [side, sides] = axis === 0 ? ['height', 'top, bottom'] : ['width', 'left, right'];
    throw new ShapeError({
      where,
      problem:
        `the kernel does not fit into the input's ${side}: ${kernel[axis]} elements at dilation ${dilations[axis]} ` +
        `cover ${covered}, the input has ${input[axis]} and padding [${pads.slice(2 * axis, 2 * axis + 2)}]: ${padded}`,
      hint: `1 <= covered <= ${side} + padding (${sides}); use a smaller kernel or more padding`,
      values: { input, kernel, pads, dilations },
    });
  };
  return [along(0), along(1)];
}

/** Checks that both operands are (.., .., .., ..) floats of one dtype. */
export function checkOperands(
  where: string,
  names: readonly [string, string],
  specs: readonly Spec[],
): DType {
  for (const [i, spec] of specs.entries()) {
    requireDType(where, spec.dtype, ['float32', 'float64']);
    if (spec.shape.length === 4) continue;
    const layout =
      names[i] === 'filter' ? '(kh, kw, channels / groups, filters)' : '(batch, height, width, channels)';
    throw new ShapeError({
      where,
      problem: `the ${names[i]} is ${showShape(spec.shape)}, ${spec.shape.length} axes instead of 4`,
      hint: `it is ${layout}`,
      values: { [names[i]!]: spec.shape },
    });
  }
  const [a, b] = specs as [Spec, Spec];
  if (a.dtype === b.dtype) return a.dtype;
  throw new DTypeError({
    where,
    problem: `${names[0]} and ${names[1]} have different dtypes: ${a.dtype} and ${b.dtype}`,
    hint: 'convert one with .cast(dtype)',
  });
}

/** Checks that `groups` divides the channels and the filters, and that a filter has as many channels as a group. */
export function checkChannels(
  where: string,
  channels: number,
  filters: number,
  inFilter: number,
  groups: number,
): void {
  const fail = (problem: string, hint: string): never => {
    throw new ShapeError({ where, problem, hint, values: { channels, filters, inFilter, groups } });
  };
  for (const [what, n] of [
    ['channels', channels],
    ['filters', filters],
  ] as const) {
    if (n % groups !== 0 || n === 0)
      fail(`${groups} groups do not divide ${n} ${what}`, `${what} must be a multiple of groups`);
  }
  if (inFilter * groups === channels) return;
  fail(
    `the filter takes ${inFilter} channels${groups > 1 ? ` in each of ${groups} groups` : ''}, the input has ${channels}: ` +
      `${inFilter} * ${groups} != ${channels}`,
    'the input is (batch, height, width, channels), the filter (kh, kw, channels / groups, filters)',
  );
}

/** Checks that dy is what comes out of an input of that size. */
export function checkOutput(where: string, dy: Shape, expected: readonly number[]): void {
  if (dy.length === 4 && expected.every((n, i) => n === dy[i])) return;
  throw new ShapeError({
    where,
    problem: `the gradient of the output is ${showShape(dy)}, the convolution gives ${showShape(expected)}`,
    hint: 'positions = floor((size + padding - (kernel - 1) * dilation - 1) / stride) + 1',
    values: { dy, expected },
  });
}
