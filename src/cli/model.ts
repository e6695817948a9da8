// What the options of `train` mean: data, model, loss and optimizer from their names.
import { concat, data, loss, nn, OptionError, optim, schedules, type Tensor } from '../index.js';

export interface TrainOptions {
  data: string;
  model: (typeof modelNames)[number];
  inputSize?: number;
  hidden: number[];
  activation: keyof typeof activations;
  loss: keyof typeof losses;
  optimizer: keyof typeof optimizers;
  lr?: number;
  momentum?: number;
  nesterov?: boolean;
  lambda?: number;
  lambda1?: number;
  schedule?: keyof typeof scheduleMakers;
  warmUp?: number;
  patience?: number;
  dropout: number;
  init: keyof typeof inits;
  batch: number;
  precision?: 'float32' | 'mixed';
  epochs: number;
  trainSize?: number;
  seed: number;
  out?: string;
  json?: boolean;
  device: 'auto' | 'wasm' | 'webgpu' | 'reference';
  build: 'auto' | 'simd' | 'relaxed';
  threads?: number;
}

export const modelNames = ['mlp', 'lenet', 'alexnet'] as const;

const { relu, sigmoid, tanh, leakyRelu, elu, gelu, silu, softplus, identity } = nn;
const { absolute, cosine, hardTanh, hardSigmoid, hardSwish, mish, selu, prelu } = nn;
const activations = {
  ...{ relu, sigmoid, tanh, leakyRelu, elu, gelu, silu, softplus, identity },
  ...{ absolute, cosine, hardTanh, hardSigmoid, hardSwish, mish, selu, prelu },
};
const { crossEntropy, binaryCrossEntropy, quadratic, meanSquaredError } = loss;
const { l1, huber, multiClassHinge, perceptron } = loss;
const losses = {
  ...{ crossEntropy, binaryCrossEntropy, quadratic, meanSquaredError },
  ...{ l1, huber, multiClassHinge, perceptron },
};
/** Each with the learning rate that it has where none is given. */
const optimizers = {
  sgd: 0.5,
  ...{ adam: 0.001, adamW: 0.001, amsGrad: 0.001, lamb: 0.001 },
  ...{ adagrad: 0.01, rmsProp: 0.01, adadelta: 1, lion: 0.0001 },
};
const { cosine: cosineSchedule, oneCycle, reduceOnPlateau, halveOnPlateau } = schedules;
const scheduleMakers = {
  constant: (): schedules.Schedule => ({ factor: () => 1 }),
  ...{ cosine: cosineSchedule, oneCycle, reduceOnPlateau, halveOnPlateau },
};
const { fanInUniform, fanInNormal, xavierUniform, xavierNormal, heUniform, heNormal } = nn.init;
const inits = {
  default: fanInUniform,
  fanInUniform,
  fanInNormal,
  xavierUniform,
  xavierNormal,
  heUniform,
  heNormal,
  normal: nn.init.normal(),
  orthogonal: nn.init.orthogonal(),
};

export const activationNames = Object.keys(activations);
export const lossNames = Object.keys(losses);
export const initNames = Object.keys(inits);
export const optimizerNames = Object.keys(optimizers);
export const scheduleNames = Object.keys(scheduleMakers);
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
export function checkOptions(options: TrainOptions): void {
  const { model, inputSize, optimizer, momentum, nesterov } = options;
  if (model !== 'alexnet' && inputSize !== undefined) {
    throw new OptionError({
      where: '--input-size',
      problem: `${model} takes the images as they are`,
      hint: 'leave it out, or use --model alexnet',
    });
  }
  if (!['sgd', 'rmsProp'].includes(optimizer) && momentum !== undefined) {
    throw new OptionError({
      where: '--momentum',
      problem: `${optimizer} has no momentum to choose`,
      hint: 'leave it out, or use --optimizer sgd or rmsProp',
    });
  }
  if (nesterov && (optimizer !== 'sgd' || momentumOf(options) === 0)) {
    throw new OptionError({
      where: '--nesterov',
      problem: optimizer === 'sgd' ? 'there is no momentum' : `${optimizer} cannot look ahead`,
      hint: 'use it with --optimizer sgd and a --momentum above 0',
    });
  }
}

/** What only a network of hidden layers of one's own has. */
export function checkLayerOptions(
  { model }: Pick<TrainOptions, 'model'>,
  isGiven: (option: string) => boolean,
): void {
  const given = ['hidden', 'activation', 'dropout', 'init'].find(isGiven);
  if (model === 'mlp' || !given) return;
  throw new OptionError({
    where: `--${given}`,
    problem: `the layers of ${model} are what they are`,
    hint: 'leave it out, or use --model mlp',
  });
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
export const sizesOf = ({ model, hidden }: TrainOptions, { train }: Sets): number[] => [
  train.inputShape.reduce((n, d) => n * d, 1),
  ...(model === 'mlp' ? hidden : []),
  train.classes ?? 10,
];

export function makeModel(options: TrainOptions, sets: Sets): nn.Sequential {
  if (options.model === 'mlp') return makeMlp(options, sets);
  const [pixels, classes] = sizesOf(options, sets) as [number, number];
  const side = Math.round(Math.sqrt(pixels));
  if (side * side !== pixels) {
    throw new OptionError({
      where: `--model ${options.model}`,
      problem: `an example of ${sets.name} has ${pixels} values, which is no square image`,
      hint: 'use --model mlp',
    });
  }
  const image = nn.reshape([side, side, 1]);
  const end = options.loss === 'quadratic' ? [nn.sigmoid()] : [];
  if (options.model === 'lenet') return nn.sequential(image, nn.lenet({ classes, inputSize: side }), ...end);
  const inputSize = options.inputSize ?? 227;
  return nn.sequential(
    image,
    nn.upsample({ size: [inputSize, inputSize], mode: 'bilinear' }),
    nn.lambda('grey to three channels', (x) => concat([x, x, x], -1)),
    nn.alexnet({ classes, inputSize }),
    ...end,
  );
}

/** Hidden layers with their activation and dropout, and a layer of logits; `quadratic` is of sigmoid outputs. */
function makeMlp(options: TrainOptions, sets: Sets): nn.Sequential {
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

const isConvolutional = ({ model }: Pick<TrainOptions, 'model'>): boolean => model !== 'mlp';

/** Examples in a batch where nothing is said. */
export const defaultBatch = (options: Pick<TrainOptions, 'model'>): number =>
  isConvolutional(options) ? 64 : 10;

/** Convolutional networks are trained with momentum; their rate goes with the batch (Goyal et al. 2017). */
export function learningRate(options: TrainOptions): number {
  const { lr, optimizer, batch } = options;
  if (lr !== undefined) return lr;
  return isConvolutional(options) && optimizer === 'sgd' ? (0.05 * batch) / 64 : optimizers[optimizer];
}
export const momentumOf = (options: TrainOptions): number =>
  options.momentum ?? (isConvolutional(options) && options.optimizer === 'sgd' ? 0.9 : 0);

/**
 * lambda/2n times the sum of squared weights is what an optimizer calls a weight decay of lambda/n; lambda1/n times the sum of
 * their sizes is an l1 of lambda1/n.
 */
export function makeOptimizer(options: TrainOptions, trainSize: number): optim.Optimizer {
  const { optimizer, nesterov = false, lambda, lambda1 } = options;
  const momentum = momentumOf(options);
  const common = {
    lr: learningRate(options),
    ...(lambda === undefined ? {} : { weightDecay: lambda / trainSize }),
    ...(lambda1 === undefined ? {} : { l1: lambda1 / trainSize }),
  };
  if (optimizer === 'sgd') return optim.sgd({ ...common, momentum, nesterov });
  if (optimizer === 'rmsProp') return optim.rmsProp({ ...common, momentum });
  return optim[optimizer](common);
}

/** How the learning rate changes; undefined where it does not. */
export function makeSchedule({ model, warmUp, ...options }: TrainOptions): schedules.Schedule | undefined {
  const { schedule = model === 'mlp' ? 'constant' : 'cosine' } = options;
  if (warmUp) return schedules.warmUp({ epochs: warmUp }, scheduleMakers[schedule]());
  return schedule === 'constant' ? undefined : scheduleMakers[schedule]();
}

/** What ends a training before its last epoch: with `--patience`, that validation accuracy no longer rises. */
export const earlyStopping = ({ patience }: TrainOptions) =>
  patience === undefined ? {} : { patience, monitor: 'validationAccuracy' as const, restoreBest: true };

/** How sure each output is, from 0 to 1, where the loss makes it a probability. */
export function confidences({ loss: name }: TrainOptions, outputs: Tensor): Tensor | null {
  if (name === 'crossEntropy') return outputs.softmax();
  if (name === 'binaryCrossEntropy') return outputs.sigmoid();
  return name === 'quadratic' ? outputs : null;
}
