// The training loop, and using a model: fit, evaluate, predict.

import type { BackendName } from '../backend/backend.js';
import type { Dataset } from '../data/index.js';
import { checkCount, checkOptionNames } from '../data/spec.js';
import { DataError, OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { crossEntropy, type Loss } from '../loss/index.js';
import { inference, type Module } from '../nn/module.js';
import type { Optimizer } from '../optim/index.js';
import type { ScheduleLike } from '../optim/schedules.js';
import { breathe } from '../platform.js';
import { countOps } from '../schedule/plan.js';
import { read, tensor } from '../tensor.js';
import type { Checkpointing, Keeper } from './checkpoints.js';
import { EarlyStopping, type EarlyStoppingOptions, earlyStoppingNames } from './early-stopping.js';
import { Rates } from './rates.js';
import { EvaluationPass, type Totals, TrainingPass } from './step.js';

/** What one epoch came to. */
export interface EpochReport {
  /** From 1. */
  epoch: number;
  trainLoss: number;
  trainAccuracy: number;
  /** NaN where there is no validation set. */
  validationLoss: number;
  validationAccuracy: number;
  samplesPerSecond: number;
  seconds: number;
}

/** Where training is, now and then. */
export interface ProgressReport {
  epoch: number;
  /** Examples of this epoch that are done, and how many it has (undefined for a stream of unknown length). */
  examples: number;
  of: number | undefined;
  loss: number;
  accuracy: number;
  samplesPerSecond: number;
}

export interface FitOptions extends EarlyStoppingOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** 32 where not said. */
  batchSize?: number;
  /** 1 where not said. */
  epochs?: number;
  /** Evaluated after each epoch. */
  validation?: Dataset;
  /** First weights (if the model has none yet), order of the examples and dropout follow from it; 0 where not said. */
  seed?: number;
  /**
   * Batches in a step of the optimizer, 1 where not said: their gradients are summed up and the mean over all their
   * examples makes one step, as a batch of that many times the size would, in the memory of a small one. What is left at
   * the end of an epoch makes a step, too. Dropout draws anew for each batch.
   */
  accumulate?: number;
  /** A new order in each epoch; yes where not said. */
  shuffle?: boolean;
  /** How the learning rate changes in the course of training, as in `schedules.cosine()`. */
  schedule?: ScheduleLike;
  /** Called after each epoch; returning false stops. */
  onEpoch?: (report: EpochReport) => unknown;
  /** Called a few times a second. */
  onProgress?: (report: ProgressReport) => void;
  /** Stops at the next batch; what was learned stays. */
  signal?: AbortSignal;
  /** Asked before each batch: training waits for a promise that it gives, which is how it is paused. */
  pause?: () => Promise<void> | null;
  /** Keeps checkpoints and goes on from the last one: `checkpointed({ key, everySeconds })`. */
  checkpoint?: Checkpointing;
}

const fitOptionNames = [
  'loss',
  'optimizer',
  'batchSize',
  'epochs',
  'validation',
  'seed',
  'accumulate',
  'shuffle',
  'schedule',
  ...earlyStoppingNames,
  'onEpoch',
  'onProgress',
  'signal',
  'pause',
  'checkpoint',
];

export interface FitResult {
  epochs: EpochReport[];
  /** Whether it ended early: by the signal, by onEpoch, for want of patience, or by the schedule. */
  stopped: boolean;
  /** The epoch with the best value of what was watched (`patience`, `restoreBest`, `monitor`). */
  bestEpoch?: number;
  /** Time of the training itself, without validation. */
  seconds: number;
  samplesPerSecond: number;
  /** How many ops of a training step run on each backend. */
  ops: Partial<Record<BackendName, number>>;
}

/** Progress is reported, and the event loop gets its turn, so often; in milliseconds. */
const reportEvery = 100;
const breatheEvery = 40;

/** Gives the event loop its turn now and then, however short the epochs are: signals, timers and pages need it. */
class Pace {
  #last = performance.now();

  get due(): boolean {
    return performance.now() - this.#last > breatheEvery;
  }

  async rest(): Promise<void> {
    await breathe();
    this.#last = performance.now();
  }
}

/** Time of an epoch, without what it was paused. */
class Clock {
  #start: number;

  constructor(seconds: number) {
    this.#start = performance.now() - seconds * 1000;
  }

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** Waits without counting. */
  async stop(until: Promise<void>): Promise<void> {
    const before = performance.now();
    await until;
    this.#start += performance.now() - before;
  }
}

/** Batches are at most this large when a model is only used. */
const evaluationBatch = 500;

/** Trains a model on a data set. What was learned is in the model, also when it is stopped or fails on the way. */
export async function fit(model: Module, data: Dataset, options: FitOptions): Promise<FitResult> {
  checkOptionNames('fit', options, fitOptionNames);
  const {
    loss,
    optimizer,
    batchSize = 32,
    epochs = 1,
    validation,
    seed = 0,
    accumulate = 1,
    shuffle = true,
    signal,
  } = options;
  checkCount('fit', 'batchSize', batchSize);
  checkCount('fit', 'epochs', epochs);
  checkCount('fit', 'accumulate', accumulate);
  if (typeof loss !== 'function' || typeof optimizer?.update !== 'function') {
    throw new OptionError({
      where: 'fit',
      problem: 'loss and optimizer are needed',
      hint: 'e.g. loss.crossEntropy() and optim.sgd({ lr: 0.1 })',
    });
  }
  const stopping = new EarlyStopping(model, options, validation !== undefined);
  const stepsPerEpoch =
    data.length === undefined ? undefined : Math.ceil(data.length / batchSize / accumulate);
  const rates = new Rates(optimizer, options.schedule, epochs, stepsPerEpoch);
  await model.initialize(seed);
  const training = new TrainingPass(model, loss, data, optimizer, seed, accumulate);
  const validating = validation && new EvaluationPass(model, loss, validation);
  const result: FitResult = { epochs: [], stopped: false, seconds: 0, samplesPerSecond: 0, ops: {} };
  let examples = 0;
  const pace = new Pace();
  let keeper: Keeper | undefined;
  try {
    const settings = { batchSize, accumulate, seed, shuffle };
    keeper = await options.checkpoint?.({
      ...{ model, data, training, rates, stopping, epochs: result.epochs, settings },
    });
    for (let epoch = keeper?.epoch ?? 1; epoch <= epochs && !result.stopped; epoch++) {
      const done = epoch === keeper?.epoch ? keeper.batches : 0;
      const clock = new Clock(done > 0 ? keeper!.seconds : 0);
      if (done === 0) await training.reset();
      for await (const totals of batchesOf(
        training,
        data,
        { batchSize, shuffle, seed, epoch },
        { rates, pace, clock, done, keeper, signal, pause: options.pause },
      )) {
        const seconds = clock.seconds;
        const samplesPerSecond = totals.examples / seconds;
        options.onProgress?.({ epoch, of: data.length, samplesPerSecond, ...totals });
      }
      const trained = await training.totals();
      const { seconds } = clock;
      result.seconds += seconds;
      examples += trained.examples;
      result.stopped = signal?.aborted ?? false;
      if (trained.examples === 0) break;
      checkFinite(trained, epoch);
      const validated =
        validating && !result.stopped ? await evaluateWith(validating, validation, pace) : null;
      const report: EpochReport = {
        epoch,
        trainLoss: trained.loss,
        trainAccuracy: trained.accuracy,
        validationLoss: validated?.loss ?? Number.NaN,
        validationAccuracy: validated?.accuracy ?? Number.NaN,
        samplesPerSecond: trained.examples / seconds,
        seconds,
      };
      result.epochs.push(report);
      const wanted = options.onEpoch?.(report) !== false;
      // An epoch that was cut short says nothing of progress.
      const goesOn =
        result.stopped || [rates.afterEpoch(report), await stopping.goesOn(report)].every(Boolean);
      if (!wanted || !goesOn) result.stopped = true;
    }
    if (!signal?.aborted) await keeper?.finish();
    await stopping.restore();
    if (stopping.bestEpoch) result.bestEpoch = stopping.bestEpoch;
    const prepared = await training.prepared();
    if (prepared) result.ops = countOps(prepared.plan);
  } finally {
    await keeper?.settle();
    training.dispose();
    validating?.dispose();
  }
  result.samplesPerSecond = result.seconds > 0 ? examples / result.seconds : 0;
  return result;
}

function checkFinite({ loss }: Totals, epoch: number): void {
  if (Number.isFinite(loss)) return;
  throw new DataError({
    where: 'fit',
    problem: `the loss became ${loss} in epoch ${epoch}`,
    hint: 'use a smaller learning rate, or check the loss for log(0) and division by 0',
    values: { loss, epoch },
  });
}

interface EpochOptions {
  batchSize: number;
  shuffle: boolean;
  seed: number;
  epoch: number;
}

/** What goes on beside the batches. */
interface Surroundings {
  rates: Rates;
  pace: Pace;
  clock: Clock;
  /** Batches of this epoch that an earlier run has done. */
  done: number;
  keeper: Keeper | undefined;
  signal: AbortSignal | undefined;
  pause: FitOptions['pause'] | undefined;
}

/** Runs the batches of an epoch and gives the running sums whenever it is time to report. */
async function* batchesOf(
  training: TrainingPass,
  data: Dataset,
  options: EpochOptions,
  { rates, pace, clock, done, keeper, signal, pause }: Surroundings,
): AsyncGenerator<Totals> {
  let reported = performance.now();
  let batches = 0;
  for await (const batch of data.batches(options)) {
    if (batches < done) {
      batches++;
      continue;
    }
    const paused = pause?.();
    if (paused) await clock.stop(paused);
    if (signal?.aborted) {
      // Gradients of a step that is not complete would be lost; the checkpoint before it is as good.
      if (training.startsStep) await keeper?.save(options.epoch, batches, clock.seconds);
      break;
    }
    const setting = training.startsStep ? rates.beforeStep(options.epoch) : undefined;
    if (setting) await setting;
    const waiting = training.run(await training.forSize(batch.size), batch);
    if (waiting) await waiting;
    batches++;
    if (keeper && training.startsStep && keeper.due())
      await keeper.save(options.epoch, batches, clock.seconds);
    if (performance.now() - reported > reportEvery) {
      yield await training.totals();
      reported = performance.now();
    }
    if (pace.due) await pace.rest();
  }
  await training.finishStep();
}

async function evaluateWith(
  pass: EvaluationPass,
  data: Dataset,
  pace: Pace,
  batchSize = evaluationBatch,
): Promise<Totals> {
  await pass.reset();
  for await (const batch of data.batches({ batchSize })) {
    await pass.run(await pass.forSize(batch.size), batch);
    if (pace.due) await pace.rest();
  }
  const totals = await pass.totals();
  if (totals.examples > 0) return totals;
  throw new DataError({
    where: 'evaluate',
    problem: `${data.name} has no example`,
    hint: 'check the source of the data',
  });
}

/** Mean loss and accuracy (NaN where targets are not labels) of a model on a data set. */
export async function evaluate(
  model: Module,
  data: Dataset,
  { loss = crossEntropy(), batchSize = evaluationBatch }: { loss?: Loss; batchSize?: number } = {},
): Promise<Totals> {
  await model.initialize();
  const pass = new EvaluationPass(model, loss, data);
  try {
    return await evaluateWith(pass, data, new Pace(), batchSize);
  } finally {
    pass.dispose();
  }
}

/** The model's outputs (batch, ...) for inputs (batch, ...). Dropout and its like are off. */
export async function predict(model: Module, inputs: Tensor): Promise<Tensor> {
  await model.initialize();
  const output = model.forward(inputs, inference());
  const [values] = await read([output]);
  return tensor(values!, { shape: output.shape, dtype: output.dtype });
}
