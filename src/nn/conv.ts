// Convolution layers, channels last.
import { type Shape, showShape, sizeOf } from '../dtype.js';
import { checkOptionNames, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { checkUnits, linearOptions } from './check.js';
import { fanInUniform } from './init.js';
import type { LinearOptions } from './layers.js';
import { Module, Parameter } from './module.js';

/** Sizes of a kernel of `axes` axes, given as one for all or as one each. */
function kernelOf(where: string, size: number | readonly number[], axes: number): number[] {
  const list = typeof size === 'number' ? new Array<number>(axes).fill(size) : size;
  if (Array.isArray(list) && list.length === axes && list.every((n) => Number.isInteger(n) && n >= 1))
    return [...list];
  throw new OptionError({
    where,
    problem: `kernelSize is ${JSON.stringify(size)}`,
    hint: axes === 1 ? 'a whole number >= 1' : 'a whole number >= 1, or two of them: [height, width]',
    values: { kernelSize: size },
  });
}

/** Options of `conv1d`. */
export interface Conv1dLayerOptions extends ops.Conv1dOptions, LinearOptions {}
/** Options of `conv2d`. */
export interface Conv2dLayerOptions extends ops.Conv2dOptions, LinearOptions {}
/** Options of `convTranspose2d`. */
export interface ConvTranspose2dLayerOptions extends ops.ConvTranspose2dOptions, LinearOptions {}

/** What the convolution layers share: the channels, the filter, the bias. */
abstract class Convolution extends Module {
  /** (kernel, inChannels / groups, outChannels); (kernel, outChannels / groups, inChannels) if transposed. */
  readonly weight: Parameter;
  /** (outChannels), or null without bias. */
  readonly bias: Parameter | null;
  readonly #where: string;
  readonly #axes: number;

  constructor(
    where: string,
    readonly inChannels: number,
    readonly outChannels: number,
    kernel: Shape,
    groups: number,
    transposed: boolean,
    options: LinearOptions,
  ) {
    super();
    const { bias = true, weightInit = fanInUniform, biasInit = fanInUniform } = options;
    checkOptionNames(where, options, [
      ...['stride', 'padding', 'dilation', 'groups', ...(transposed ? ['outputPadding'] : [])],
      ...linearOptions,
    ]);
    this.#where = where;
    this.#axes = kernel.length;
    checkUnits(where, 'inChannels', inChannels);
    checkUnits(where, 'outChannels', outChannels);
    checkUnits(where, 'groups', groups);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new OptionError({
        where,
        problem: `${groups} groups do not divide ${inChannels} and ${outChannels} channels`,
        hint: 'inChannels and outChannels must be multiples of groups',
        values: { inChannels, outChannels, groups },
      });
    }
    // As PyTorch counts: the filter's second axis is the fan in, and that is the output's in a transposed layer.
    const [inner, outer] = transposed ? [outChannels, inChannels] : [inChannels, outChannels];
    const fans = { fanIn: (inner / groups) * sizeOf(kernel), fanOut: outer * sizeOf(kernel) };
    this.weight = new Parameter([...kernel, inner / groups, outer], weightInit, fans, true);
    this.bias = bias ? new Parameter([outChannels], biasInit, fans, false) : null;
  }

  protected abstract convolve(x: Tensor, weight: Tensor): Tensor;

  forward(x: Tensor): Tensor {
    if (x.rank !== this.#axes + 2 || x.shape.at(-1) !== this.inChannels) {
      const layout = this.#axes === 1 ? '(batch, length, channels)' : '(batch, height, width, channels)';
      throw new ShapeError({
        where: this.#where,
        problem: `input is ${showShape(x.shape)}, the layer takes ${this.#axes + 2} axes with ${this.inChannels} channels`,
        hint: `the input is ${layout}; channels come last`,
        values: { input: x.shape, inChannels: this.inChannels },
      });
    }
    const y = this.convolve(x, this.weight);
    return this.bias ? ops.add(y, this.bias) : y;
  }
}

/** y = conv1d(x, w) + b. */
export class Conv1d extends Convolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    readonly options: Conv1dLayerOptions = {},
  ) {
    const kernel = kernelOf('conv1d', kernelSize, 1);
    super('conv1d', inChannels, outChannels, kernel, options.groups ?? 1, false, options);
  }

  protected convolve(x: Tensor, weight: Tensor): Tensor {
    return ops.conv1d(x, weight, this.options);
  }
}

/** y = conv2d(x, w) + b. */
export class Conv2d extends Convolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [number, number],
    readonly options: Conv2dLayerOptions = {},
  ) {
    const kernel = kernelOf('conv2d', kernelSize, 2);
    super('conv2d', inChannels, outChannels, kernel, options.groups ?? 1, false, options);
  }

  protected convolve(x: Tensor, weight: Tensor): Tensor {
    return ops.conv2d(x, weight, this.options);
  }
}

/** y = convTranspose2d(x, w) + b. */
export class ConvTranspose2d extends Convolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [number, number],
    readonly options: ConvTranspose2dLayerOptions = {},
  ) {
    const kernel = kernelOf('convTranspose2d', kernelSize, 2);
    super('convTranspose2d', inChannels, outChannels, kernel, options.groups ?? 1, true, options);
  }

  protected convolve(x: Tensor, weight: Tensor): Tensor {
    return ops.convTranspose2d(x, weight, this.options);
  }
}

/** Convolution along one axis: (batch, length, inChannels) gives (batch, length', outChannels). */
export const conv1d = (
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  options?: Conv1dLayerOptions,
): Conv1d => new Conv1d(inChannels, outChannels, kernelSize, options);

/** Convolution of images: (batch, height, width, inChannels) gives (batch, height', width', outChannels). */
export const conv2d = (
  inChannels: number,
  outChannels: number,
  kernelSize: number | readonly [number, number],
  options?: Conv2dLayerOptions,
): Conv2d => new Conv2d(inChannels, outChannels, kernelSize, options);

/** Transposed convolution of images: (batch, height, width, inChannels) gives larger ones with outChannels. */
export const convTranspose2d = (
  inChannels: number,
  outChannels: number,
  kernelSize: number | readonly [number, number],
  options?: ConvTranspose2dLayerOptions,
): ConvTranspose2d => new ConvTranspose2d(inChannels, outChannels, kernelSize, options);
