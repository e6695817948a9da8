// A training in a worker is a promise of its result, and a store of how far it is, which React and Svelte can take as it is.
import type { EpochReport, FitResult, ProgressReport } from './train/fit.js';

/** How far a training is. */
export interface Progress extends ProgressReport {
  /** Of the last epoch that was validated; NaN before the first one. */
  validationLoss: number;
  validationAccuracy: number;
  /** The training has ended: its promise is settled. */
  done: boolean;
}

/**
 * What `fit` of a trainer gives: a promise of the result that also tells how far it is. A Svelte component reads `$fit`, one
 * of React `useSyncExternalStore(fit.subscribe, fit.getSnapshot)`.
 */
export interface Fit extends Promise<FitResult> {
  /** Calls back at once, and whenever there is news, a few times a second and after each epoch. Gives what ends that. */
  subscribe(listener: (progress: Progress) => void): () => void;
  /** How far it is: epoch 0 and NaN before the first news; the same object until there is more. */
  getSnapshot(): Progress;
}

/** The news of one training. */
export class ProgressStore {
  readonly #listeners = new Set<(progress: Progress) => void>();
  #now: Progress = {
    ...{ epoch: 0, examples: 0, of: undefined, samplesPerSecond: 0, done: false },
    ...{ loss: Number.NaN, accuracy: Number.NaN },
    ...{ validationLoss: Number.NaN, validationAccuracy: Number.NaN },
  };

  readonly subscribe = (listener: (progress: Progress) => void): (() => void) => {
    const own = (progress: Progress): void => listener(progress); // the same function may listen twice
    this.#listeners.add(own);
    own(this.#now);
    return () => void this.#listeners.delete(own);
  };

  readonly getSnapshot = (): Progress => this.#now;

  update(news: Partial<Progress>): void {
    this.#now = { ...this.#now, ...news };
    for (const listener of [...this.#listeners]) {
      try {
        listener(this.#now);
      } catch (error) {
        void Promise.reject(error); // it is reported, and the training goes on
      }
    }
  }

  afterEpoch(report: EpochReport): void {
    const { epoch, trainLoss, trainAccuracy, validationLoss, validationAccuracy, samplesPerSecond } = report;
    const validated = Number.isNaN(validationLoss) ? {} : { validationLoss, validationAccuracy };
    this.update({ epoch, loss: trainLoss, accuracy: trainAccuracy, samplesPerSecond, ...validated });
  }
}
