// Windows that slide over an image: their options, their checks, how many there are.
import { type Shape, showShape } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';

/** One number for both axes, or height and width. */
export type Pair = number | readonly [number, number];

/** Options of all poolings. */
export interface PoolOptions {
  /** Steps from one window to the next; the kernel where not said. */
  stride?: Pair;
  /** Pixels added around the image: for both axes, [height, width], or [top, bottom, left, right]; at most half of the kernel. */
  padding?: Pair | readonly [number, number, number, number];
  /** Whether a last window that ends outside of the padded image counts too, as long as it starts inside. */
  ceilMode?: boolean;
}

/** Options with nothing left out; padding is top, bottom, left, right. */
export type Window = {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly ceilMode: boolean;
};

const both = (value: Pair): readonly number[] => (typeof value === 'number' ? [value, value] : value);

function checkNumbers(where: string, name: string, values: readonly number[], least: number, count: number) {
  if (values.length === count && values.every((v) => Number.isInteger(v) && v >= least)) return;
  throw new OptionError({
    where,
    problem: `${name} is ${values.length === 1 ? values[0] : `[${values}]`}`,
    hint: `whole numbers >= ${least}: one for both axes, or one for each${name === 'padding' ? ', or [top, bottom, left, right]' : ''}`,
    values: { [name]: values },
  });
}

/** Checks the options of a pooling op, with whatever does not depend on the image. */
export function windowOf(
  where: string,
  kernel: Pair,
  { stride = kernel, padding = 0, ceilMode = false, dilation = 1 }: PoolOptions & { dilation?: Pair },
): Window {
  const sizes = both(kernel);
  checkNumbers(where, 'kernel', sizes, 1, 2);
  checkNumbers(where, 'stride', both(stride), 1, 2);
  checkNumbers(where, 'dilation', both(dilation), 1, 2);
  const some: readonly number[] = typeof padding === 'number' ? [padding, padding] : padding;
  const around = some.length === 2 ? [some[0]!, some[0]!, some[1]!, some[1]!] : some;
  checkNumbers(where, 'padding', around, 0, 4);
  const wide = around.findIndex((p, i) => 2 * p > sizes[i >> 1]!);
  if (wide >= 0) {
    throw new OptionError({
      where,
      problem: `padding ${around[wide]} is more than half of the kernel, ${sizes[wide >> 1]}`,
      hint: 'at most half of the kernel, so that every window has pixels of the image',
      values: { padding: around, kernel: sizes },
    });
  }
  return { kernel: sizes, stride: both(stride), padding: around, dilation: both(dilation), ceilMode };
}

/** Windows on one axis (0: height, 1: width) of `size` pixels; an error where none fits. */
function windowsOn(where: string, axis: number, size: number, w: Window): number {
  const [kernel, stride, dilation] = [w.kernel[axis]!, w.stride[axis]!, w.dilation[axis]!];
  const [before, after] = [w.padding[2 * axis]!, w.padding[2 * axis + 1]!];
  const reach = (kernel - 1) * dilation + 1;
  const free = size + before + after - reach;
  if (free < 0) {
    const name = ['height', 'width'][axis]!;
    throw new ShapeError({
      where,
      problem: `a window of ${reach} does not fit into a ${name} of ${size} with padding ${before} and ${after}: ${reach} > ${size + before + after}`,
      hint: 'use a smaller kernel or dilation, or larger images',
      values: { [name]: size, kernel, dilation, padding: [before, after] },
    });
  }
  let count = Math.floor(free / stride) + 1;
  // The last window must start in the image or in the padding before it.
  if (w.ceilMode && free % stride !== 0 && count * stride < size + before) count++;
  for (let i = 0; i < count; i++) {
    const start = i * stride - before;
    const first = start < 0 ? start + Math.ceil(-start / dilation) * dilation : start;
    if (first < size && first < start + reach) continue;
    throw new ShapeError({
      where,
      problem: `window ${i}, pixels ${start} to ${start + reach - 1} by ${dilation}, has no pixel of the ${size} of its axis`,
      hint: 'use less padding or dilation',
      values: { size, kernel, dilation, padding: [before, after] },
    });
  }
  return count;
}

/** Height and width of what the windows over (N, H, W, C) give. */
export function windowsOver(where: string, shape: Shape, w: Window): [number, number] {
  if (shape.length !== 4) {
    throw new ShapeError({
      where,
      problem: `takes images (batch, height, width, channels), got ${showShape(shape)}`,
      hint: 'reshape: the last axis holds the channels',
      values: { shape },
    });
  }
  return [windowsOn(where, 0, shape[1]!, w), windowsOn(where, 1, shape[2]!, w)];
}
