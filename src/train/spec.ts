// Models, losses and optimizers as plain data, for what crosses a thread, a file or a command line.
import { OptionError } from '../errors.js';
import * as losses from '../loss/index.js';
import * as units from '../nn/activations.js';
import { multiHeadAttention } from '../nn/attention.js';
import * as convolutions from '../nn/conv.js';
import { dropout2d } from '../nn/dropout.js';
import { embedding } from '../nn/embedding.js';
import * as layers from '../nn/layers.js';
import type { Module } from '../nn/module.js';
import * as norms from '../nn/norm.js';
import * as pools from '../nn/pool.js';
import * as recurrent from '../nn/recurrent.js';
import * as regularizers from '../nn/regularizers.js';
import { pad, reshape, upsample } from '../nn/shape-layers.js';
import * as optimizers from '../optim/index.js';
import * as schedules from '../optim/schedules.js';

const layerMakers = {
  linear: layers.linear,
  conv1d: convolutions.conv1d,
  conv2d: convolutions.conv2d,
  convTranspose2d: convolutions.convTranspose2d,
  relu: layers.relu,
  sigmoid: layers.sigmoid,
  tanh: layers.tanh,
  leakyRelu: layers.leakyRelu,
  elu: layers.elu,
  gelu: layers.gelu,
  silu: layers.silu,
  softplus: layers.softplus,
  identity: layers.identity,
  softmax: layers.softmax,
  logSoftmax: layers.logSoftmax,
  flatten: layers.flatten,
  dropout: layers.dropout,
  absolute: units.absolute,
  cosine: units.cosine,
  hardTanh: units.hardTanh,
  hardSigmoid: units.hardSigmoid,
  hardSwish: units.hardSwish,
  mish: units.mish,
  selu: units.selu,
  prelu: units.prelu,
  softmaxWithTemperature: units.softmaxWithTemperature,
  maxout: units.maxout,
  rbf: units.rbf,
  lowRankLinear: units.lowRankLinear,
  gaussianNoise: regularizers.gaussianNoise,
  activityRegularizer: regularizers.activityRegularizer,
  dropout2d,
  embedding,
  multiHeadAttention,
  upsample,
  pad,
  reshape,
  rnn: recurrent.rnn,
  gru: recurrent.gru,
  lstm: recurrent.lstm,
  maxPool2d: pools.maxPool2d,
  maxPool1d: pools.maxPool1d,
  avgPool2d: pools.avgPool2d,
  avgPool1d: pools.avgPool1d,
  lpPool2d: pools.lpPool2d,
  globalAvgPool: pools.globalAvgPool,
  globalMaxPool: pools.globalMaxPool,
  batchNorm: norms.batchNorm,
  instanceNorm: norms.instanceNorm,
  groupNorm: norms.groupNorm,
  layerNorm: norms.layerNorm,
  rmsNorm: norms.rmsNorm,
  localResponseNorm: norms.localResponseNorm,
};
const lossMakers = {
  crossEntropy: losses.crossEntropy,
  binaryCrossEntropy: losses.binaryCrossEntropy,
  quadratic: losses.quadratic,
  meanSquaredError: losses.meanSquaredError,
  nll: losses.nll,
  l1: losses.l1,
  huber: losses.huber,
  gaussianNll: losses.gaussianNll,
  perceptron: losses.perceptron,
  hinge: losses.hinge,
  multiClassHinge: losses.multiClassHinge,
  klDivergence: losses.klDivergence,
};
const optimizerMakers = {
  sgd: optimizers.sgd,
  adam: optimizers.adam,
  adamW: optimizers.adamW,
  amsGrad: optimizers.amsGrad,
  adagrad: optimizers.adagrad,
  rmsProp: optimizers.rmsProp,
  adadelta: optimizers.adadelta,
  lamb: optimizers.lamb,
  lion: optimizers.lion,
};
const scheduleMakers = {
  step: schedules.step,
  multiStep: schedules.multiStep,
  exponential: schedules.exponential,
  cosine: schedules.cosine,
  cosineRestarts: schedules.cosineRestarts,
  oneCycle: schedules.oneCycle,
  reduceOnPlateau: schedules.reduceOnPlateau,
  halveOnPlateau: schedules.halveOnPlateau,
};

/** The name of a maker and the arguments that it is called with, as in `['linear', 784, 100]`. */
type Spec<Makers> = {
  [K in keyof Makers]: Makers[K] extends (...args: infer A) => unknown ? readonly [K, ...A] : never;
}[keyof Makers];

/** Layers in a row: `[['linear', 784, 100], ['sigmoid'], ['linear', 100, 10]]`. */
export type ModelSpec = readonly Spec<typeof layerMakers>[];
/** A loss by name, as in `['crossEntropy', { labelSmoothing: 0.1 }]`. */
export type LossSpec = Spec<typeof lossMakers>;
/** An optimizer by name, as in `['adam', { lr: 0.01 }]`. */
export type OptimizerSpec = Spec<typeof optimizerMakers>;
/** A schedule by name, as in `['cosine']`. */
export type ScheduleSpec = Spec<typeof scheduleMakers>;

export const layerNames = Object.keys(layerMakers);
export const lossNames = Object.keys(lossMakers);
export const optimizerNames = Object.keys(optimizerMakers);

function make<R>(
  kind: string,
  makers: Readonly<Record<string, (...args: never[]) => R>>,
  spec: readonly unknown[],
): R {
  checkList(kind, spec);
  const [name, ...args] = spec;
  const maker = Object.hasOwn(makers, String(name)) ? makers[String(name)] : undefined;
  if (maker) return maker(...(args as never[]));
  throw new OptionError({
    where: kind,
    problem: `'${String(name)}' is not a known ${kind}`,
    hint: `one of ${Object.keys(makers).join(', ')}`,
    values: { name },
  });
}

/** Plain data may be anything. */
function checkList(kind: string, spec: unknown): void {
  if (Array.isArray(spec)) return;
  throw new OptionError({
    where: kind,
    problem: `${JSON.stringify(spec)} is not a name with its options`,
    hint: "a list, as in ['linear', 784, 10], ['crossEntropy'] or ['sgd', { lr: 0.5 }]",
    values: { spec },
  });
}

export function buildModel(spec: ModelSpec): Module {
  checkList('layers', spec);
  return layers.sequential(...spec.map((layer) => make<Module>('layer', layerMakers, layer)));
}
export const buildLoss = (spec: LossSpec): losses.Loss => make<losses.Loss>('loss', lossMakers, spec);
export const buildOptimizer = (spec: OptimizerSpec): optimizers.Optimizer =>
  make<optimizers.Optimizer>('optimizer', optimizerMakers, spec);
export const buildSchedule = (spec: ScheduleSpec): schedules.Schedule =>
  make<schedules.Schedule>('schedule', scheduleMakers, spec);
