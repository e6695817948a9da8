// The training loop, and using a model: fit, evaluate, predict.

import type { BackendName } from '../backend/backend.js';
import type { Dataset } from '../data/index.js';
import { checkCount } from '../data/spec.js';
import { checkOptionNames, DataError, type DeviceError, OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { crossEntropy, type Loss } from '../loss/index.js';
import { inference, type Module } from '../nn/module.js';
import type { Optimizer } from '../optim/index.js';
import type { ScheduleLike } from '../optim/schedules.js';
import { breathe } from '../platform.js';
import { countOps } from '../schedule/plan.js';
import { read, tensor } from '../tensor.js';
import { again, mayBeLoss, trainings } from './after-loss.js';
import type { Checkpointing, Keeper } from './checkpoints.js';
import { core } from './core.js';
import { EarlyStopping, type EarlyStoppingOptions, earlyStoppingNames } from './early-stopping.js';
import { Kept } from './kept.js';
import type { LossRing } from './loss-ring.js';
import { Rates } from './rates.js';
import { EvaluationPass, type Precision, type Totals, TrainingPass } from './step.js';

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

/** Options of `fit`. */
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
  /** Called after each epoch, and waited for if it is asynchronous; false stops. It may use the model. */
  onEpoch?: (report: EpochReport) => unknown;
  /** Called a few times a second. */
  onProgress?: (report: ProgressReport) => void;
  /** Stops at the next batch; what was learned stays. */
  signal?: AbortSignal;
  /** Asked before each batch: training waits for a promise that it gives, which is how it is paused. */
  pause?: () => Promise<void> | null;
  /** Every batch's loss, read now and then: `lossRing({ every: 100, onLosses })`. */
  losses?: LossRing;
  /** What happens when the GPU is lost or memory runs out; false ends the training with the error. */
  recovery?: RecoveryOptions | false;
  /** Halves where they do, `mixedPrecision()`; float32 where not said. */
  precision?: Precision;
  /** Keeps checkpoints and goes on from the last one: `checkpointed({ key, everySeconds })`. */
  checkpoint?: Checkpointing;
}

/** How a training goes on after it lost its GPU (from the last copy of its state at the host) or ran out of memory. */
export interface RecoveryOptions {
  /**
   * The state is copied to the host so often, in seconds, but for no more than 2 % of the time; 1 where not said, with 0 as
   * often as progress is reported. The steps since the last copy are repeated after a loss.
   */
  everySeconds?: number;
  /** Where to go on: on a new device and, where there is none, on WASM (`webgpu`, the default), or at once on WASM. */
  device?: 'webgpu' | 'wasm';
  /** Hears of it; a warning on the console where not said. */
  onRecovery?: (recovery: Recovery) => void;
}

/** What went wrong and how the training goes on. */
export interface Recovery {
  error: DeviceError;
  /** Where the training is: batches of this epoch that are done; Infinity in what comes after the last one. */
  epoch: number;
  batches: number;
  /** After a loss: where it goes on, and how many batches were repeated. */
  device?: 'webgpu' | 'wasm';
  repeated?: number;
  /** Out of memory: whether layers' results are computed again instead of kept, and examples in a part of a batch. */
  recompute?: boolean;
  microBatch?: number;
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
  'losses',
  'recovery',
  'checkpoint',
  'precision',
];

/** What a training came to. */
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

/**
 * Trains a model on a data set. What was learned is in the model, also when it is stopped or fails on the way. A loss that
 * is not finite is a DataError that names the first op and layer that made NaN or infinity, found by repeating the steps
 * of the last second; the model then has the weights from before that step. (Not with `accumulate`, nor for more than
 * 64 MiB of weights and optimizer state: then the message says less, and the weights are as they are.)
 */
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
    recovery = {},
  } = options;
  checkCount('fit', 'batchSize', batchSize);
  checkCount('fit', 'epochs', epochs);
  checkCount('fit', 'accumulate', accumulate);
  const kinds = {
    ...{ loss: loss?.lossName, optimizer: optimizer?.update },
    ...{ data: data?.batches, validation: (validation ?? data)?.batches },
  };
  const wrong = Object.entries(kinds).find(([, mark]) => !mark);
  if (wrong) {
    throw new OptionError({
      where: 'fit',
      problem: `${wrong[0]} is missing or none`,
      hint: 'e.g. loss.crossEntropy(), optim.sgd({ lr: 0.1 }), and data sets',
    });
  }
  const stopping = new EarlyStopping(model, options, validation !== undefined);
  const stepsPerEpoch =
    data.length === undefined ? undefined : Math.ceil(data.length / batchSize / accumulate);
  const rates = new Rates(optimizer, options.schedule, epochs, stepsPerEpoch);
  await model.initialize(seed);
  const training = new TrainingPass(model, loss, data, optimizer, seed, accumulate, options.precision);
  training.ring = options.losses;
  const validating = validation && new EvaluationPass(model, loss, validation);
  const result: FitResult = { epochs: [], stopped: false, seconds: 0, samplesPerSecond: 0, ops: {} };
  let examples = 0;
  const pace = new Pace();
  const { everySeconds = 1, ...rest } = recovery || {};
  checkOptionNames('recovery', rest, ['device', 'onRecovery']);
  const kept = new Kept(model, training, everySeconds);
  const place: Place = { epoch: 1, batches: 0 };
  const rescue = async (error: unknown): Promise<void> => {
    if (!recovery || !mayBeLoss(error)) throw error;
    // Loaded only now: most trainings never need it.
    const { recover } = await import('./recover.js');
    await recover(core(), error as Error, {
      ...{
        data,
        kept,
        place,
        recovery,
        batches: { batchSize, shuffle, seed },
        passes: [training, validating],
      },
    });
  };
  const safely: Safely = async (work) => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        await rescue(error);
      }
    }
  };
  stopping.safely = safely;
  rates.used = kept.rates;
  let keeper: Keeper | undefined;
  kept.rescue = rescue;
  trainings.add(kept);
  try {
    const settings = { batchSize, accumulate, seed, shuffle };
    keeper = await options.checkpoint?.({
      ...{ model, data, training, rates, stopping, epochs: result.epochs, settings },
    });
    for (let epoch = keeper?.epoch ?? 1; epoch <= epochs && !result.stopped; epoch++) {
      const done = epoch === keeper?.epoch ? keeper.batches : 0;
      const clock = new Clock(done > 0 ? keeper!.seconds : 0);
      Object.assign(place, { epoch, batches: done });
      await safely(async () => {
        if (done === 0) await training.reset();
        await kept.update(epoch, done);
      });
      const batches = { batchSize, shuffle, seed, epoch };
      const check = async ({ loss: value }: Totals): Promise<void> => {
        // Loaded only now: most trainings never need it.
        if (!Number.isFinite(value))
          throw await (await import('./replay.js')).lossError(core(), value, data, kept, batches);
      };
      for await (const totals of batchesOf(training, data, batches, {
        ...{ rates, pace, clock, place, kept, keeper, signal, pause: options.pause, rescue, safely },
      })) {
        await check(totals);
        const { seconds } = clock;
        const samplesPerSecond = totals.examples / seconds;
        options.onProgress?.({ epoch, of: data.length, samplesPerSecond, ...totals });
      }
      const trained = await safely(() => training.totals());
      const { seconds } = clock;
      result.seconds += seconds;
      examples += trained.examples;
      result.stopped = signal?.aborted ?? false;
      if (trained.examples === 0) break;
      await check(trained);
      const validated =
        validating && !result.stopped ? await safely(() => evaluateWith(validating, validation, pace)) : null;
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
      const wanted = (await kept.park(options.onEpoch?.(report))) !== false;
      // An epoch that was cut short says nothing of progress.
      const goesOn =
        result.stopped || [rates.afterEpoch(report), await stopping.goesOn(report)].every(Boolean);
      if (!wanted || !goesOn) result.stopped = true;
    }
    await safely(async () => options.losses?.read());
    if (!signal?.aborted) await keeper?.finish();
    await safely(() => stopping.restore());
    if (recovery) await safely(() => kept.leave());
    if (stopping.bestEpoch) result.bestEpoch = stopping.bestEpoch;
    const prepared = await training.prepared();
    if (prepared) result.ops = countOps(prepared.plan);
  } finally {
    trainings.delete(kept);
    await keeper?.settle();
    training.dispose();
    validating?.dispose();
  }
  result.samplesPerSecond = result.seconds > 0 ? examples / result.seconds : 0;
  return result;
}

/** Where a training is: how many batches of an epoch are done, Infinity when its last step is, too. */
export interface Place {
  epoch: number;
  batches: number;
}

/** Does something again after a loss of the GPU; it must be possible to do it twice. */
export type Safely = <T>(work: () => Promise<T>) => Promise<T>;

/** How the batches of an epoch are drawn. */
export interface EpochOptions {
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
  place: Place;
  kept: Kept;
  keeper: Keeper | undefined;
  signal: AbortSignal | undefined;
  pause: FitOptions['pause'] | undefined;
  rescue: (error: unknown) => Promise<void>;
  safely: Safely;
}

/** Runs the batches of an epoch and gives the running sums whenever it is time to report. */
async function* batchesOf(
  training: TrainingPass,
  data: Dataset,
  options: EpochOptions,
  { rates, pace, clock, place, kept, keeper, signal, pause, rescue, safely }: Surroundings,
): AsyncGenerator<Totals> {
  let reported = performance.now();
  let skipped = 0;
  const done = place.batches; // by an earlier run
  const save = () => safely(() => keeper!.save(options.epoch, place.batches, clock.seconds));
  for await (const batch of data.batches(options)) {
    if (skipped++ < done) continue;
    const paused = pause?.();
    if (paused) await clock.stop(kept.park(paused));
    if (signal?.aborted) {
      // Gradients of a step that is not complete would be lost; the checkpoint before it is as good.
      if (training.startsStep && keeper) await save();
      break;
    }
    let setting = training.startsStep ? rates.beforeStep(options.epoch) : undefined;
    for (;;) {
      try {
        if (setting) await setting;
        const waiting = training.run(await training.forSize(batch.size), batch);
        if (waiting) await waiting;
        break;
      } catch (error) {
        await rescue(error);
        setting = undefined; // that is done
      }
    }
    place.batches++;
    const { ring } = training;
    if (ring?.ran()) await safely(() => ring.read());
    if (keeper && training.startsStep && keeper.due()) await save();
    if (performance.now() - reported > reportEvery) {
      yield await safely(() => training.totals());
      await safely(() => kept.update(options.epoch, place.batches));
      reported = performance.now();
    }
    if (pace.due) await pace.rest();
  }
  await safely(() => training.finishStep());
  if (!signal?.aborted) place.batches = Number.POSITIVE_INFINITY;
}

async function evaluateWith(pass: EvaluationPass, data: Dataset, pace: Pace): Promise<Totals> {
  await pass.reset();
  for await (const batch of data.batches({ batchSize: pass.batchSize })) {
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

/**
 * Mean loss and accuracy (NaN where targets are not labels) of a model on a data set. After a loss of the GPU it is done again
 * with the values that the host has.
 */
export async function evaluate(
  model: Module,
  data: Dataset,
  { loss = crossEntropy(), batchSize }: { loss?: Loss; batchSize?: number } = {},
): Promise<Totals> {
  return again(async () => {
    await model.initialize();
    const pass = new EvaluationPass(model, loss, data);
    if (batchSize !== undefined) pass.batchSize = batchSize;
    try {
      return await evaluateWith(pass, data, new Pace());
    } finally {
      pass.dispose();
    }
  });
}

/**
 * The model's outputs (batch, ...) for inputs (batch, ...). Dropout and its like are off. After a loss of the GPU it is done
 * again with the values that the host has.
 */
export async function predict(model: Module, inputs: Tensor): Promise<Tensor> {
  return again(async () => {
    await model.initialize();
    const output = model.forward(inputs, inference());
    const [values] = await read([output]);
    return tensor(values!, { shape: output.shape, dtype: output.dtype });
  });
}
