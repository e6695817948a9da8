// Normalisation layers; the last axis holds the channels. Scale and shift do not decay.
import { type Shape, sameShape, showShape } from '../dtype.js';
import { checkOptionNames, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { checkEps } from '../ops/norm.js';
import { checkUnits } from './check.js';
import { constant } from './init.js';
import { type Lambda, lambda } from './layers.js';
import { Buffer, type Context, Module, Parameter } from './module.js';

/** Options of the normalisation layers. */
export interface NormLayerOptions {
  /** Added to the variance; 1e-5 where not said. */
  eps?: number;
  /** Whether scale and shift are learned. */
  affine?: boolean;
}

/** Options of `batchNorm`. */
export interface BatchNormOptions extends NormLayerOptions {
  /** How much of each batch goes into the running statistics; 0.1 where not said. */
  momentum?: number;
}

const optionNames = ['eps', 'affine'];

const filled = (shape: Shape, value: number): Parameter =>
  new Parameter(shape, constant(value), { fanIn: 1, fanOut: 1 }, false);

function checkFeatures(where: string, x: Tensor, features: number): void {
  if (x.shape.at(-1) === features) return;
  throw new ShapeError({
    where,
    problem: `input is ${showShape(x.shape)}, the layer takes ${features} channels: ${x.shape.at(-1)} != ${features}`,
    hint: 'the last axis holds the channels',
    values: { input: x.shape, features },
  });
}

/** What layers with one scale and one shift for each channel share. */
abstract class ChannelNorm extends Module {
  /** (features), 1 at first; null where it is not learned. */
  readonly scale: Parameter | null;
  /** (features), 0 at first; null where it is not learned. */
  readonly shift: Parameter | null;
  readonly eps: number;

  constructor(
    protected readonly where: string,
    readonly features: number,
    options: NormLayerOptions,
    known: readonly string[] = optionNames,
  ) {
    super();
    const { eps = 1e-5, affine = true } = options;
    checkOptionNames(where, options, known);
    checkUnits(where, 'features', features);
    checkEps(where, eps);
    this.eps = eps;
    this.scale = affine ? filled([features], 1) : null;
    this.shift = affine ? filled([features], 0) : null;
  }

  forward(x: Tensor, context: Context): Tensor {
    checkFeatures(this.where, x, this.features);
    return this.normalized(x, context);
  }

  protected abstract normalized(x: Tensor, context: Context): Tensor;
}

/**
 * Batch normalisation (Ioffe and Szegedy 2015). In training with the statistics of the batch, which also go into the
 * running ones: running = (1 - momentum) running + momentum batch, the variance unbiased; otherwise with the running ones.
 */
export class BatchNorm extends ChannelNorm {
  readonly runningMean: Buffer;
  readonly runningVariance: Buffer;
  readonly momentum: number;

  constructor(features: number, options: BatchNormOptions = {}) {
    super('batchNorm', features, options, [...optionNames, 'momentum']);
    const { momentum = 0.1 } = options;
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new OptionError({
        where: 'batchNorm',
        problem: `momentum is ${momentum}`,
        hint: 'the part of each batch in the running statistics, from 0 to 1',
        values: { momentum },
      });
    }
    this.momentum = momentum;
    this.runningMean = new Buffer([features], 0);
    this.runningVariance = new Buffer([features], 1);
  }

  protected normalized(x: Tensor, { training }: Context): Tensor {
    const { scale, shift, eps, momentum, runningMean, runningVariance } = this;
    if (!training) return ops.normalize(x, runningMean, runningVariance, { scale, shift, eps });
    const { output, mean, variance } = ops.batchNorm(x, { scale, shift, eps });
    const count = x.size / this.features;
    const follow = (running: Buffer, value: Tensor, part: number): void => {
      const next = ops.add(ops.mul(running, 1 - momentum), ops.mul(value, part));
      void running.assign(next);
    };
    follow(runningMean, mean, momentum);
    follow(runningVariance, variance, (momentum * count) / (count - 1));
    return output;
  }
}

/** Instance normalisation (Ulyanov et al. 2016): each channel of each example by itself. */
export class InstanceNorm extends ChannelNorm {
  constructor(features: number, options: NormLayerOptions = {}) {
    super('instanceNorm', features, { ...options, affine: options.affine ?? false });
  }

  protected normalized(x: Tensor): Tensor {
    return ops.instanceNorm(x, this);
  }
}

/** Group normalisation (Wu and He 2018): in each example over all positions and groups of neighbouring channels. */
export class GroupNorm extends ChannelNorm {
  constructor(
    readonly groups: number,
    features: number,
    options: NormLayerOptions = {},
  ) {
    super('groupNorm', features, options);
    checkUnits('groupNorm', 'groups', groups);
    if (features % groups === 0) return;
    throw new OptionError({
      where: 'groupNorm',
      problem: `${groups} groups do not divide ${features} channels`,
      hint: 'a divisor of the number of channels',
      values: { groups, features },
    });
  }

  protected normalized(x: Tensor): Tensor {
    return ops.groupNorm(x, this.groups, this);
  }
}

/** Batch normalisation of `features` channels, with running statistics for when the model is used. */
export const batchNorm = (features: number, options?: BatchNormOptions): BatchNorm =>
  new BatchNorm(features, options);
/** Instance normalisation of `features` channels; without scale and shift where not said, as in PyTorch. */
export const instanceNorm = (features: number, options?: NormLayerOptions): InstanceNorm =>
  new InstanceNorm(features, options);
/** Group normalisation: `groups` groups of `features` channels. */
export const groupNorm = (groups: number, features: number, options?: NormLayerOptions): GroupNorm =>
  new GroupNorm(groups, features, options);

/** What layers that normalise the last axes share. */
abstract class LastAxesNorm extends Module {
  /** Of the shape of the axes, 1 at first; null where it is not learned. */
  readonly scale: Parameter | null;
  readonly eps: number;

  constructor(
    protected readonly where: string,
    readonly shape: Shape,
    options: NormLayerOptions,
  ) {
    super();
    const { eps = 1e-5, affine = true } = options;
    checkOptionNames(where, options, optionNames);
    if (shape.length === 0) {
      throw new OptionError({
        where,
        problem: 'no axis is named',
        hint: 'the sizes of the last axes, such as 64',
      });
    }
    for (const size of shape) checkUnits(where, 'size', size);
    checkEps(where, eps);
    this.eps = eps;
    this.scale = affine ? filled(shape, 1) : null;
  }

  forward(x: Tensor): Tensor {
    const { shape, where } = this;
    if (sameShape(x.shape.slice(-shape.length), shape)) return this.normalized(x);
    throw new ShapeError({
      where,
      problem: `input is ${showShape(x.shape)}, the layer normalises last axes ${showShape(shape)}`,
      hint: 'the sizes of the last axes must be those of the layer',
      values: { input: x.shape, shape },
    });
  }

  protected abstract normalized(x: Tensor): Tensor;
}

/** Layer normalisation (Ba et al. 2016) of the last axes of each example. */
export class LayerNorm extends LastAxesNorm {
  /** Of the shape of the axes, 0 at first; null where it is not learned. */
  readonly shift: Parameter | null;

  constructor(shape: Shape, options: NormLayerOptions = {}) {
    super('layerNorm', shape, options);
    this.shift = this.scale && filled(shape, 0);
  }

  protected normalized(x: Tensor): Tensor {
    return ops.layerNorm(x, this.shape.length, this);
  }
}

/** RMS normalisation (Zhang and Sennrich 2019) of the last axes of each example. */
export class RmsNorm extends LastAxesNorm {
  constructor(shape: Shape, options: NormLayerOptions = {}) {
    super('rmsNorm', shape, options);
  }

  protected normalized(x: Tensor): Tensor {
    return ops.rmsNorm(x, this.shape.length, this);
  }
}

const asShape = (sizes: number | Shape): Shape => (typeof sizes === 'number' ? [sizes] : sizes);

/** Layer normalisation of the last axis of this size, or of the last axes of these sizes. */
export const layerNorm = (sizes: number | Shape, options?: NormLayerOptions): LayerNorm =>
  new LayerNorm(asShape(sizes), options);
/** RMS normalisation of the last axis of this size, or of the last axes of these sizes. */
export const rmsNorm = (sizes: number | Shape, options?: NormLayerOptions): RmsNorm =>
  new RmsNorm(asShape(sizes), options);
/** Local response normalisation over `size` neighbouring channels, as in AlexNet. */
export function localResponseNorm(size: number, options?: ops.LocalResponseOptions): Lambda {
  checkOptionNames('localResponseNorm', options, ['alpha', 'beta', 'k']);
  return lambda('localResponseNorm', (x) => ops.localResponseNorm(x, size, options));
}
