// The learning rate in the course of a training: asks the schedule before each step and sets the optimizer's variable.
import { OptionError } from '../errors.js';
import type { Optimizer } from '../optim/index.js';
import { type Schedule, type ScheduleLike, type ScheduleTime, scheduleOf } from '../optim/schedules.js';
import type { EpochReport } from './fit.js';

export class Rates {
  readonly #schedule: Schedule | null;
  readonly #time: ScheduleTime;
  #stepInEpoch = 0;
  #current: number | null = null;
  /** Where the rates of the steps are written down, if a schedule sets them. */
  used: number[] = [];

  constructor(
    private readonly optimizer: Optimizer,
    schedule: ScheduleLike | undefined,
    epochs: number,
    stepsPerEpoch: number | undefined,
  ) {
    this.#schedule = schedule ? scheduleOf(schedule) : null;
    this.#schedule?.start?.();
    this.#time = { step: 0, epoch: 0, epochs, stepsPerEpoch };
  }

  /** Sets the rate of the next step of an epoch (from 1); a promise comes only where it changes. */
  beforeStep(epoch: number): void | Promise<void> {
    if (!this.#schedule) return;
    const time = this.#time;
    const part = time.stepsPerEpoch ? Math.min(1, this.#stepInEpoch / time.stepsPerEpoch) : 0;
    time.epoch = epoch - 1 + part;
    const factor = this.#schedule.factor(time);
    time.step++;
    this.#stepInEpoch++;
    this.used.push(this.optimizer.lr * factor);
    if (factor === this.#current) return;
    if (!Number.isFinite(factor) || factor < 0) {
      throw new OptionError({
        where: 'schedule',
        problem: `the factor on the learning rate is ${factor} at step ${time.step - 1}`,
        hint: 'a schedule gives numbers from 0; 1 is the optimizer’s own lr',
        values: { factor, step: time.step - 1 },
      });
    }
    this.#current = factor;
    return this.optimizer.setLearningRate(this.optimizer.lr * factor);
  }

  /** Steps so far, in all and in this epoch. */
  get position(): readonly [number, number] {
    return [this.#time.step, this.#stepInEpoch];
  }

  /** Goes on from a position; the schedule hears of the epochs before it again. */
  resume([step, stepInEpoch]: readonly [number, number], epochs: readonly EpochReport[]): void {
    for (const report of epochs) this.afterEpoch(report);
    this.#time.step = step;
    this.#stepInEpoch = stepInEpoch;
  }

  /** Tells the schedule of an epoch; false if it ends the training. */
  afterEpoch(report: EpochReport): boolean {
    this.#stepInEpoch = 0;
    return this.#schedule?.afterEpoch?.(report) !== false;
  }
}
