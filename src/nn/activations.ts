// Units beyond the common ones: activations without parameters, with learned ones, and layers that are units of a kind.
import { checkOptionNames, OptionError } from '../errors.js';
import { logarithm } from '../exact.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { checkFinite, checkInputs, checkUnits, linearOptions } from './check.js';
import { constant, fanInNormal, fanInUniform, type Initializer, normal } from './init.js';
import { Lambda, Linear, type LinearOptions } from './layers.js';
import { Module, Parameter } from './module.js';

/** |x|, as for rectified outputs of both signs (Jarrett et al. 2009). */
export const absolute = (): Lambda => new Lambda('absolute', (x) => ops.abs(x));
/** cos(x). */
export const cosine = (): Lambda => new Lambda('cosine', (x) => ops.cos(x));
/** x cut to [-1, 1] (Collobert 2004). */
export const hardTanh = (): Lambda => new Lambda('hardTanh', (x) => ops.hardTanh(x));
/** x / 6 + 1/2 cut to [0, 1] (Howard et al., "Searching for MobileNetV3", 2019). */
export const hardSigmoid = (): Lambda => new Lambda('hardSigmoid', (x) => ops.hardSigmoid(x));
/** x hardSigmoid(x) (Howard et al. 2019). */
export const hardSwish = (): Lambda => new Lambda('hardSwish', (x) => ops.hardSwish(x));
/** x tanh(log(1 + exp(x))) (Misra 2019). */
export const mish = (): Lambda => new Lambda('mish', (x) => ops.mish(x));
/** For weights of variance 1/fanIn (`nn.init.fanInNormal`) and biases 0. */
export const selu = (): Lambda => new Lambda('selu', (x) => ops.selu(x));

/** softmax(x / temperature) over the last axis. */
export function softmaxWithTemperature(temperature: number): Lambda {
  checkPositive('softmaxWithTemperature', 'temperature', temperature);
  return new Lambda('softmaxWithTemperature', (x) => ops.softmaxWithTemperature(x, temperature));
}

/** x above 0, a learned slope for each channel below (He et al. 2015). */
export class Prelu extends Module {
  /** (channels) or, for one slope for all, (1) */
  readonly slope: Parameter;

  constructor(
    readonly channels: number,
    slope: number,
  ) {
    super();
    checkUnits('prelu', 'channels', channels);
    checkFinite('prelu', 'slope', slope);
    this.slope = new Parameter([channels], constant(slope), { fanIn: 1, fanOut: 1 }, false);
  }

  forward(x: Tensor): Tensor {
    if (this.channels > 1) checkInputs('prelu', x, this.channels);
    return ops.prelu(x, this.slope);
  }
}

/** ReLU with a learned slope below 0: one for each channel (the last axis), or with 1 channel one for all; 0.25 at first. */
export const prelu = (channels = 1, slope = 0.25): Prelu => new Prelu(channels, slope);

/** The largest of `pieces` linear functions for each unit: a learned convex activation (Goodfellow et al. 2013). */
export class Maxout extends Module {
  readonly linear: Linear;

  constructor(
    inputs: number,
    outputs: number,
    readonly pieces: number,
    options?: LinearOptions,
  ) {
    super();
    checkUnits('maxout', 'outputs', outputs);
    checkUnits('maxout', 'pieces', pieces);
    checkOptionNames('maxout', options, linearOptions);
    this.linear = new Linear(inputs, outputs * pieces, options);
  }

  forward(x: Tensor): Tensor {
    return ops.maxout(this.linear.forward(x), this.pieces);
  }
}

/** Layer of `outputs` maxout units on `inputs` values; y_j = max_k (x W + b)_(j pieces + k). */
export const maxout = (inputs: number, outputs: number, pieces = 2, options?: LinearOptions): Maxout =>
  new Maxout(inputs, outputs, pieces, options);

/** Options of `rbf`. */
export interface RbfOptions {
  /** First centres; normal(0, 1) where not said. */
  centerInit?: Initializer;
  /** First width s of all units; 1 where not said. */
  width?: number;
}

/** Radial basis functions: y_j = exp(-|x - c_j|^2 / (2 s_j^2)) (Broomhead and Lowe 1988); centres and widths are learned. */
export class Rbf extends Module {
  /** (inputs, units): a column for each centre */
  readonly centers: Parameter;
  /** (units): log(1 / (2 s^2)), so that any value is a width */
  readonly logPrecision: Parameter;

  constructor(
    readonly inputs: number,
    units: number,
    options: RbfOptions = {},
  ) {
    super();
    const { centerInit = normal(), width = 1 } = options;
    checkOptionNames('rbf', options, ['centerInit', 'width']);
    checkUnits('rbf', 'inputs', inputs);
    checkUnits('rbf', 'units', units);
    checkPositive('rbf', 'width', width);
    const fans = { fanIn: inputs, fanOut: units };
    this.centers = new Parameter([inputs, units], centerInit, fans, false);
    this.logPrecision = new Parameter([units], constant(-logarithm(2 * width * width)), fans, false);
  }

  forward(x: Tensor): Tensor {
    checkInputs('rbf', x, this.inputs);
    return ops.radialBasis(x, this.centers, this.logPrecision);
  }
}

/** Layer of radial basis functions on `inputs` values. */
export const rbf = (inputs: number, units: number, options?: RbfOptions): Rbf =>
  new Rbf(inputs, units, options);

/** y = x U V + b: a linear layer whose weights have rank `rank` and so (inputs + outputs) rank numbers. */
export class LowRankLinear extends Module {
  /** (inputs, rank) */
  readonly first: Parameter;
  /** (rank, outputs) */
  readonly second: Parameter;
  /** (outputs), or null without bias. */
  readonly bias: Parameter | null;

  constructor(
    readonly inputs: number,
    outputs: number,
    rank: number,
    options: LinearOptions = {},
  ) {
    super();
    const { bias = true, weightInit = fanInUniform, biasInit = fanInUniform } = options;
    checkOptionNames('lowRankLinear', options, linearOptions);
    checkUnits('lowRankLinear', 'inputs', inputs);
    checkUnits('lowRankLinear', 'outputs', outputs);
    checkUnits('lowRankLinear', 'rank', rank);
    const fans = { fanIn: inputs, fanOut: outputs };
    this.first = new Parameter([inputs, rank], weightInit, fans, true);
    // Variance 1/rank keeps that of U V what `weightInit` gives a whole weight matrix.
    this.second = new Parameter([rank, outputs], fanInNormal, { fanIn: rank, fanOut: outputs }, true);
    this.bias = bias ? new Parameter([outputs], biasInit, fans, false) : null;
  }

  forward(x: Tensor): Tensor {
    checkInputs('lowRankLinear', x, this.inputs);
    const y = ops.matmul(ops.matmul(x, this.first), this.second);
    return this.bias ? ops.add(y, this.bias) : y;
  }
}

/** Fully connected layer through `rank` units without activation (Sainath et al. 2013). */
export const lowRankLinear = (
  inputs: number,
  outputs: number,
  rank: number,
  options?: LinearOptions,
): LowRankLinear => new LowRankLinear(inputs, outputs, rank, options);

function checkPositive(where: string, name: string, value: number): void {
  if (value > 0 && Number.isFinite(value)) return;
  throw new OptionError({
    where,
    problem: `${name} is ${value}`,
    hint: 'a number > 0',
    values: { [name]: value },
  });
}
