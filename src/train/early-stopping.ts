// Early stopping: ends a training that no longer gets better, and brings back the weights of its best epoch.
import type { HostArray } from '../dtype.js';
import type { Module } from '../nn/module.js';
import { Best, checkAtLeast, type Monitor } from '../optim/monitor.js';
import { read, tensor } from '../tensor.js';
import type { EpochReport, Safely } from './fit.js';

export interface EarlyStoppingOptions {
  /** Stops when so many epochs in a row have brought no improvement. */
  patience?: number;
  /**
   * Lets patience grow: an improvement in epoch e earns growth times e epochs, if that is more than `patience`
   * (Bengio, "Practical recommendations for gradient-based training", 2012).
   */
  patienceGrowth?: number;
  /** What must become better; `validationLoss` where not said, `trainLoss` without a validation set. */
  monitor?: Monitor;
  /** Part of the best value by which a new one must be better; 0 where not said. */
  minImprovement?: number;
  /** Ends with the weights of the best epoch; no where not said. */
  restoreBest?: boolean;
}

export const earlyStoppingNames = [
  'patience',
  'patienceGrowth',
  'monitor',
  'minImprovement',
  'restoreBest',
] as const;

export class EarlyStopping {
  readonly #best: Best | null;
  readonly #patience: number;
  readonly #growth: number;
  #values: HostArray[] | null = null;
  safely: Safely = (work) => work();

  constructor(
    private readonly model: Module,
    private readonly options: EarlyStoppingOptions,
    validates: boolean,
  ) {
    const { patience = Number.POSITIVE_INFINITY, patienceGrowth = 0, minImprovement = 0 } = options;
    if (options.patience !== undefined) checkAtLeast('fit', 'patience', patience, 1);
    checkAtLeast('fit', 'patienceGrowth', patienceGrowth, 0);
    this.#patience = patience;
    this.#growth = patienceGrowth;
    const monitor = options.monitor ?? (validates ? 'validationLoss' : 'trainLoss');
    const watches = options.patience !== undefined || options.restoreBest || options.monitor !== undefined;
    this.#best = watches ? new Best('fit', monitor, minImprovement) : null;
  }

  /** The best epoch so far; undefined where nothing is watched. */
  get bestEpoch(): number | undefined {
    return this.#best?.epoch || undefined;
  }

  /** The weights of the best epoch, where they are kept. */
  get best(): readonly HostArray[] | null {
    return this.#values;
  }

  /** Takes in the epochs of an earlier run again, and the weights of its best one. */
  async resume(epochs: readonly EpochReport[], values: HostArray[] | null): Promise<void> {
    for (const report of epochs) this.#best?.improves(report);
    this.#values = values;
  }

  /** Takes in an epoch; false if training is to end. */
  async goesOn(report: EpochReport): Promise<boolean> {
    const best = this.#best;
    if (!best) return true;
    if (best.improves(report)) {
      if (this.options.restoreBest) this.#values = await this.safely(() => copies(this.model));
      return true;
    }
    return report.epoch - best.epoch < Math.max(this.#patience, this.#growth * best.epoch);
  }

  /** Gives the model the weights of its best epoch, if that was asked for. */
  async restore(): Promise<void> {
    if (!this.#values) return;
    const variables = this.model.variables();
    const values = this.#values;
    await Promise.all(
      variables.map((v, i) => v.assign(tensor(values[i]!, { shape: v.shape, dtype: v.dtype }))),
    );
  }
}

const copies = async (model: Module): Promise<HostArray[]> =>
  (await read(model.variables())).map((v) => v.slice());
