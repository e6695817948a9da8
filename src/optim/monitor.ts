// Whether training still gets better: what schedules and early stopping watch.
import { OptionError } from '../errors.js';
import type { EpochReport } from '../train/fit.js';

/** What is watched: a loss, to become smaller, or an accuracy, to become larger. */
export type Monitor = 'trainLoss' | 'trainAccuracy' | 'validationLoss' | 'validationAccuracy';

const monitors: readonly Monitor[] = ['trainLoss', 'trainAccuracy', 'validationLoss', 'validationAccuracy'];

/** Remembers the best value and when it was. */
export class Best {
  value = Number.NaN;
  /** Of the best value; 0 before there is one. */
  epoch = 0;

  constructor(
    private readonly where: string,
    readonly monitor: Monitor,
    /** Part of the best value by which a new one must be better. */
    private readonly threshold: number,
  ) {
    if (!monitors.includes(monitor)) {
      throw new OptionError({
        where,
        problem: `'${monitor}' cannot be watched`,
        hint: `one of ${monitors.join(', ')}`,
        values: { monitor },
      });
    }
    checkAtLeast(where, 'threshold', threshold, 0);
  }

  /** Takes in an epoch; true if it is the best so far. */
  improves(report: EpochReport): boolean {
    const value = report[this.monitor];
    if (Number.isNaN(value)) {
      throw new OptionError({
        where: this.where,
        problem: `there is no ${this.monitor} to watch`,
        hint: 'give fit a validation set (with labels, for an accuracy), or watch trainLoss',
        values: { monitor: this.monitor },
      });
    }
    const margin = Math.abs(this.value) * this.threshold;
    const rises = this.monitor.endsWith('Accuracy');
    const better = rises ? value > this.value + margin : value < this.value - margin;
    if (!better && this.epoch > 0) return false;
    this.value = value;
    this.epoch = report.epoch;
    return true;
  }
}

/** Throws OptionError unless `value` is a finite number from `least`. */
export function checkAtLeast(where: string, name: string, value: number, least: number): void {
  if (Number.isFinite(value) && value >= least) return;
  throw new OptionError({
    where,
    problem: `${name} is ${value}`,
    hint: `a number from ${least}`,
    values: { [name]: value },
  });
}
