// What the options of `train` mean: data, model, loss and optimizer from their names.
import { data, loss, nn, OptionError, optim, type Tensor } from '../index.js';

export interface TrainOptions {
  data: string;
  model: 'mlp' | 'lenet';
  hidden: number[];
  activation: keyof typeof activations;
  loss: keyof typeof losses;
  optimizer: 'sgd' | 'adam' | 'adamW';
  lr?: number;
  momentum?: number;
  lambda?: number;
  dropout: number;
  init: keyof typeof inits;
  batch: number;
  epochs: number;
  trainSize?: number;
  seed: number;
  out?: string;
  json?: boolean;
  device: 'auto' | 'wasm' | 'webgpu' | 'reference';
  build: 'auto' | 'simd' | 'relaxed';
  threads?: number;
}

const { relu, sigmoid, tanh, leakyRelu, elu, gelu, silu, softplus, identity } = nn;
const activations = { relu, sigmoid, tanh, leakyRelu, elu, gelu, silu, softplus, identity };
const { crossEntropy, binaryCrossEntropy, quadratic, meanSquaredError } = loss;
const losses = { crossEntropy, binaryCrossEntropy, quadratic, meanSquaredError };
const { fanInUniform, fanInNormal, xavierUniform, xavierNormal, heUniform, heNormal } = nn.init;
const inits = {
  default: fanInUniform,
  fanInUniform,
  fanInNormal,
  xavierUniform,
  xavierNormal,
  heUniform,
  heNormal,
};

export const activationNames = Object.keys(activations);
export const lossNames = Object.keys(losses);
export const initNames = Object.keys(inits);
export const optimizerNames: readonly TrainOptions['optimizer'][] = ['sgd', 'adam', 'adamW'];
export const dataHelp =
  'digits (drawn by everygrad), mnist, or the folder or address of four IDX files in the form of MNIST';

export interface Sets {
  /** As shown. */
  name: string;
  train: data.ArrayDataset;
  validation: data.ArrayDataset;
  test: data.ArrayDataset;
}

/** Refuses what does not go together, before anything is loaded. */
export function checkOptions({ model, optimizer, momentum }: TrainOptions): void {
  if (model === 'lenet') {
    throw new OptionError({
      where: '--model lenet',
      problem: 'not yet: this version has no convolution',
      hint: 'use --model mlp',
    });
  }
  if (optimizer !== 'sgd' && momentum !== undefined) {
    throw new OptionError({
      where: '--momentum',
      problem: `${optimizer} has no momentum to choose`,
      hint: 'leave it out, or use --optimizer sgd',
    });
  }
}

/** Digits that are drawn for training, and after those for validation. */
const digitCounts = { train: 10_000, validation: 1_000 };

/** The address of `mnist`, which is not shipped. */
export function mnistSource(): string {
  const source = process.env.EVERYGRAD_MNIST;
  if (source) return source;
  throw new OptionError({
    where: '--data mnist',
    problem: 'everygrad does not come with MNIST',
    hint: 'pass the folder or address of its four files instead of mnist, or put that into EVERYGRAD_MNIST',
  });
}

export async function loadData(
  { data: source, trainSize }: TrainOptions,
  options: data.MnistOptions,
): Promise<Sets> {
  if (source === 'digits') {
    const count = trainSize ?? digitCounts.train;
    const { train, test } = await data.digits({ train: count + digitCounts.validation });
    return { name: 'digits', train: train.take(count), validation: train.slice(count), test };
  }
  const from = source === 'mnist' ? mnistSource() : source;
  const { train, validation, test } = await data.mnist(from, options);
  return { name: source, train: trainSize ? train.take(trainSize) : train, validation, test };
}

/** Sizes from input to output, as shown and saved: `784-100-10`. */
export const sizesOf = ({ hidden }: TrainOptions, { train }: Sets): number[] => [
  train.inputShape.reduce((n, d) => n * d, 1),
  ...hidden,
  train.classes ?? 10,
];

/** Hidden layers with their activation and dropout, and a layer of logits; `quadratic` is of sigmoid outputs. */
export function makeModel(options: TrainOptions, sets: Sets): nn.Sequential {
  const [inputs, ...outputs] = sizesOf(options, sets) as [number, ...number[]];
  const last = outputs.length - 1;
  const initial =
    options.init === 'default' ? {} : { weightInit: inits[options.init], biasInit: nn.init.zeros };
  const layers = outputs.flatMap((units, i): nn.Module[] => {
    const layer = nn.linear(i === 0 ? inputs : outputs[i - 1]!, units, initial);
    if (i === last) return options.loss === 'quadratic' ? [layer, nn.sigmoid()] : [layer];
    const activation = activations[options.activation]();
    return options.dropout > 0 ? [layer, activation, nn.dropout(options.dropout)] : [layer, activation];
  });
  return nn.sequential(...layers);
}

export const makeLoss = (options: TrainOptions): loss.Loss => losses[options.loss]();

export const learningRate = ({ lr, optimizer }: TrainOptions): number =>
  lr ?? (optimizer === 'sgd' ? 0.5 : 0.001);

/** lambda/2n times the sum of squared weights is what an optimizer calls a weight decay of lambda/n. */
export function makeOptimizer(options: TrainOptions, trainSize: number): optim.Optimizer {
  const { optimizer, momentum, lambda } = options;
  const common = {
    lr: learningRate(options),
    ...(lambda === undefined ? {} : { weightDecay: lambda / trainSize }),
  };
  if (optimizer === 'sgd') return optim.sgd({ ...common, momentum: momentum ?? 0 });
  return optimizer === 'adam' ? optim.adam(common) : optim.adamW(common);
}

/** How sure each output is, from 0 to 1, where the loss makes it a probability. */
export function confidences({ loss: name }: TrainOptions, outputs: Tensor): Tensor | null {
  if (name === 'meanSquaredError') return null;
  if (name === 'crossEntropy') return outputs.softmax();
  return name === 'binaryCrossEntropy' ? outputs.sigmoid() : outputs;
}
