// Initial values of parameters.
import type { Shape } from '../dtype.js';
import type { Tensor } from '../graph.js';
import { add, full, mul, type RandomOptions, randomNormal, randomUniform } from '../ops/index.js';
import { checkFinite } from './check.js';

/** Inputs and outputs that one unit is connected to. */
export interface Fans {
  fanIn: number;
  fanOut: number;
}

/** Makes the first values of a parameter. */
export type Initializer = (shape: Shape, fans: Fans, random: RandomOptions) => Tensor;

/** The same value everywhere. */
export const constant = (value: number): Initializer => {
  checkFinite('constant', 'value', value);
  return (shape) => full(shape, value);
};

/** 0 everywhere. */
export const zeros = /* @__PURE__ */ constant(0);

/** Normal with the given mean and standard deviation. */
export const normal = (std = 1, mean = 0): Initializer => {
  checkFinite('normal', 'std', std, 0);
  checkFinite('normal', 'mean', mean);
  return (shape, _, random) => add(mul(randomNormal(shape, random), std), mean);
};

const between =
  (low: number, high: number): Initializer =>
  (shape, _, random) =>
    add(mul(randomUniform(shape, random), high - low), low);

/** Uniform in [low, high). Errors: OptionError. */
export const uniform = (low: number, high: number): Initializer => {
  checkFinite('uniform', 'low', low);
  checkFinite('uniform', 'high - low', high - low, 0);
  return between(low, high);
};

/** Uniform in +-1/sqrt(fanIn): what PyTorch's linear and convolution layers start with. */
export const fanInUniform: Initializer = (shape, fans, random) => {
  const bound = 1 / Math.sqrt(Math.max(1, fans.fanIn));
  return between(-bound, bound)(shape, fans, random);
};

/** Normal with variance 1/fanIn (LeCun et al., "Efficient BackProp", 1998). */
export const fanInNormal: Initializer = (shape, fans, random) =>
  normal(1 / Math.sqrt(Math.max(1, fans.fanIn)))(shape, fans, random);

/** Uniform in +-sqrt(6/(fanIn+fanOut)) (Glorot and Bengio 2010). */
export const xavierUniform: Initializer = (shape, fans, random) => {
  const bound = Math.sqrt(6 / (fans.fanIn + fans.fanOut));
  return between(-bound, bound)(shape, fans, random);
};

/** Normal with variance 2/(fanIn+fanOut) (Glorot and Bengio 2010). */
export const xavierNormal: Initializer = (shape, fans, random) =>
  normal(Math.sqrt(2 / (fans.fanIn + fans.fanOut)))(shape, fans, random);

/** Normal with variance 2/fanIn, for ReLU (He et al. 2015). */
export const heNormal: Initializer = (shape, fans, random) =>
  normal(Math.sqrt(2 / Math.max(1, fans.fanIn)))(shape, fans, random);

/** Uniform in +-sqrt(6/fanIn), for ReLU (He et al. 2015). */
export const heUniform: Initializer = (shape, fans, random) => {
  const bound = Math.sqrt(6 / Math.max(1, fans.fanIn));
  return between(-bound, bound)(shape, fans, random);
};

export { fromFile, orthogonal, truncatedNormal } from './init-more.js';
