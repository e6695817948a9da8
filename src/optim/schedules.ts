// Learning-rate schedules: how the rate follows the course of training. The numbers are the host's, made by + - * / alone.
import { OptionError } from '../errors.js';
import { cosPi, wholePower } from '../exact.js';
import type { EpochReport } from '../train/fit.js';
import { Best, checkAtLeast, type Monitor } from './monitor.js';

export type { Monitor } from './monitor.js';

/** Where training is before a step. */
export interface ScheduleTime {
  /** Steps that are done. */
  step: number;
  /** Epochs that are done, with the part of the running one if the data's length is known. */
  epoch: number;
  /** Epochs that `fit` was asked for. */
  epochs: number;
  /** Undefined for a stream of unknown length. */
  stepsPerEpoch: number | undefined;
}

/** Decides the learning rate before each step, as a factor on the optimizer's own `lr`. */
export interface Schedule {
  /** What the optimizer's own rate is multiplied by before this step. */
  factor(time: ScheduleTime): number;
  /** Is told of each epoch; false ends the training. */
  afterEpoch?(report: EpochReport): boolean | void;
  /** Called when a training begins: forgets the one before. */
  start?(): void;
}

/** A schedule, or its `factor` alone. */
export type ScheduleLike = Schedule | Schedule['factor'];

function checkFactor(where: string, value: number, below = Number.POSITIVE_INFINITY): void {
  if (value > 0 && value < below) return;
  const hint = below === 1 ? 'above 0, below 1' : 'a number > 0';
  throw new OptionError({ where, problem: `factor is ${value}`, hint, values: { factor: value } });
}

/** Times `factor` after every so many epochs. */
export function step({ every, factor = 0.1 }: { every: number; factor?: number }): Schedule {
  checkAtLeast('schedules.step', 'every', every, 1);
  checkFactor('schedules.step', factor);
  return { factor: ({ epoch }) => wholePower(factor, Math.floor(epoch / every)) };
}

/** Times `factor` at each of the given epochs. */
export function multiStep({ at, factor = 0.1 }: { at: readonly number[]; factor?: number }): Schedule {
  checkFactor('schedules.multiStep', factor);
  for (const epoch of at) checkAtLeast('schedules.multiStep', 'at', epoch, 0);
  return { factor: ({ epoch }) => wholePower(factor, at.filter((e) => e <= epoch).length) };
}

/** Times `factor` after each epoch. */
export function exponential({ factor }: { factor: number }): Schedule {
  checkFactor('schedules.exponential', factor);
  return { factor: ({ epoch }) => wholePower(factor, Math.floor(epoch)) };
}

/** From 1 to `least` by half a cosine; `part` from 0 to 1. */
const cosineFall = (part: number, least: number): number => least + ((1 - least) * (1 + cosPi(part))) / 2;

/** Half a cosine from the full rate to `least` of it in all epochs, or in so many (Loshchilov and Hutter 2017). */
export function cosine({ epochs, least = 0 }: { epochs?: number; least?: number } = {}): Schedule {
  checkAtLeast('schedules.cosine', 'least', least, 0);
  if (epochs !== undefined) checkAtLeast('schedules.cosine', 'epochs', epochs, 1);
  return { factor: (time) => cosineFall(Math.min(1, time.epoch / (epochs ?? time.epochs)), least) };
}

/** Falls like `cosine` and starts again (SGDR): first after `first` epochs, then each time after `growth` times as many. */
export function cosineRestarts({
  first,
  growth = 1,
  least = 0,
}: {
  first: number;
  growth?: number;
  least?: number;
}): Schedule {
  checkAtLeast('schedules.cosineRestarts', 'first', first, 1);
  checkAtLeast('schedules.cosineRestarts', 'growth', growth, 1);
  return {
    factor({ epoch }) {
      let [since, length] = [epoch, first];
      for (; since >= length; length *= growth) since -= length;
      return cosineFall(since / length, least);
    },
  };
}

/** Options of `oneCycle`. */
export interface OneCycleOptions {
  /** Where in the training the rate is largest; 0.3 where not said. */
  peakAt?: number;
  /** What it starts with, as a part of the optimizer's `lr`; 1/25 where not said. */
  from?: number;
  /** What it ends with; 4e-6 where not said. */
  to?: number;
}

/** One cycle (Smith and Topin 2019): up to the optimizer's `lr` by half a cosine, then down to almost nothing. */
export function oneCycle({ peakAt = 0.3, from = 1 / 25, to = 4e-6 }: OneCycleOptions = {}): Schedule {
  if (!(peakAt > 0 && peakAt < 1)) {
    throw new OptionError({
      where: 'schedules.oneCycle',
      problem: `peakAt is ${peakAt}`,
      hint: 'a part of the training, above 0 and below 1',
      values: { peakAt },
    });
  }
  checkAtLeast('schedules.oneCycle', 'from', from, 0);
  checkAtLeast('schedules.oneCycle', 'to', to, 0);
  return {
    factor({ step: done, epoch, epochs, stepsPerEpoch }) {
      // In steps as in PyTorch: the last step has the smallest rate. By epochs where their steps are not known.
      const steps = stepsPerEpoch === undefined ? undefined : stepsPerEpoch * epochs;
      const [at, peak, end] =
        steps === undefined
          ? [epoch, peakAt * epochs, epochs]
          : [done, Math.max(0, peakAt * steps - 1), Math.max(1, steps - 1)];
      if (at < peak) return from + (1 - from) * (1 - cosineFall(at / peak, 0));
      return cosineFall(Math.min(1, (at - peak) / (end - peak)), to);
    },
  };
}

/**
 * Rises in a line from `from` (0 where not said) to the full rate, in so many epochs (parts of one too) or steps, then goes
 * on with another schedule, whose time starts there (Goyal et al. 2017).
 */
export function warmUp(
  length: { epochs: number; from?: number } | { steps: number; from?: number },
  then: ScheduleLike = () => 1,
): Schedule {
  const { from = 0 } = length;
  const after = scheduleOf(then);
  checkAtLeast('schedules.warmUp', 'from', from, 0);
  const [name, count] = 'steps' in length ? ['steps', length.steps] : ['epochs', length.epochs];
  checkAtLeast('schedules.warmUp', name as string, count as number, 0);
  return {
    ...after,
    factor(time) {
      const { step: done, epoch, epochs, stepsPerEpoch } = time;
      const inSteps = 'steps' in length;
      const part = inSteps ? done / length.steps : epoch / length.epochs;
      if (part < 1) return from + (1 - from) * part;
      const perEpoch = stepsPerEpoch ?? Number.POSITIVE_INFINITY;
      const lost = inSteps ? length.steps / perEpoch : length.epochs;
      const lostSteps = inSteps ? length.steps : Math.round(length.epochs * (stepsPerEpoch ?? 0));
      return after.factor({
        ...time,
        step: done - lostSteps,
        epoch: epoch - lost,
        epochs: epochs - lost,
      });
    },
  };
}

/** Options of `reduceOnPlateau`. */
export interface PlateauOptions {
  /** Times this when it no longer gets better; 0.1 where not said. */
  factor?: number;
  /** Epochs without improvement that are accepted; 10 where not said. */
  patience?: number;
  /** `validationLoss` where not said. */
  monitor?: Monitor;
  /** Part of the best value by which a new one must be better; 1e-4 where not said. */
  threshold?: number;
  /** Epochs after a change in which nothing is counted; 0 where not said. */
  cooldown?: number;
  /** The factor never falls below this; 0 where not said. */
  least?: number;
}

/** Lowers the rate when more than `patience` epochs have brought no improvement; as PyTorch's ReduceLROnPlateau. */
export function reduceOnPlateau({
  factor = 0.1,
  patience = 10,
  monitor = 'validationLoss',
  threshold = 1e-4,
  cooldown = 0,
  least = 0,
}: PlateauOptions = {}): Schedule {
  const where = 'schedules.reduceOnPlateau';
  checkFactor(where, factor, 1);
  checkAtLeast(where, 'patience', patience, 0);
  checkAtLeast(where, 'cooldown', cooldown, 0);
  checkAtLeast(where, 'least', least, 0);
  let [best, now, bad, resting] = [new Best(where, monitor, threshold), 1, 0, 0];
  return {
    start() {
      [best, now, bad, resting] = [new Best(where, monitor, threshold), 1, 0, 0];
    },
    factor: () => now,
    afterEpoch(report) {
      bad = best.improves(report) ? 0 : bad + 1;
      if (resting > 0) {
        resting--;
        bad = 0;
      }
      if (bad <= patience) return;
      now = Math.max(least, now * factor);
      resting = cooldown;
      bad = 0;
    },
  };
}

/**
 * Halves the rate each time the validation accuracy has not become better in `patience` epochs (10 where not said), and ends
 * the training when it has fallen to `least` (1/1024 where not said) of the first one (Nielsen, "Neural Networks and Deep
 * Learning", chapter 3).
 */
export function halveOnPlateau({
  patience = 10,
  least = 1 / 1024,
  monitor = 'validationAccuracy',
}: {
  patience?: number;
  least?: number;
  monitor?: Monitor;
} = {}): Schedule {
  const where = 'schedules.halveOnPlateau';
  checkAtLeast(where, 'patience', patience, 1);
  checkAtLeast(where, 'least', least, 0);
  let [best, now, bad] = [new Best(where, monitor, 0), 1, 0];
  return {
    start() {
      [best, now, bad] = [new Best(where, monitor, 0), 1, 0];
    },
    factor: () => now,
    afterEpoch(report) {
      bad = best.improves(report) ? 0 : bad + 1;
      if (bad < patience) return true;
      now /= 2;
      bad = 0;
      return now > least;
    },
  };
}

/** A rate found for batches of `base` examples, for batches of another size: lr batchSize / base (Goyal et al. 2017). */
export function linearScaling(lr: number, batchSize: number, base = 256): number {
  checkAtLeast('schedules.linearScaling', 'lr', lr, 0);
  checkAtLeast('schedules.linearScaling', 'batchSize', batchSize, 1);
  checkAtLeast('schedules.linearScaling', 'base', base, 1);
  return (lr * batchSize) / base;
}

/** A function alone as a schedule. */
export function scheduleOf(schedule: ScheduleLike): Schedule {
  if (typeof schedule === 'function') return { factor: schedule };
  if (typeof schedule?.factor === 'function') return schedule;
  throw new OptionError({
    where: 'schedule',
    problem: `${String(schedule)} is no schedule`,
    hint: 'one of `schedules`, such as schedules.cosine(), or a function of the step that gives a factor on lr',
    values: { schedule },
  });
}
