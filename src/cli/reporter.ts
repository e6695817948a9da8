// What `train` tells while it goes on, and as JSON lines for programs.
import type { EpochReport, ProgressReport } from '../index.js';
import { learningRate, momentumOf, type Sets, type TrainOptions } from './model.js';

export interface Start {
  sets: Sets;
  /** From inputs to outputs. */
  sizes: readonly number[];
  parameters: number;
  /** The backends in words. */
  backends: readonly string[];
  whyNoGpu: string | null;
}

export interface Done {
  testAccuracy: number;
  testLoss: number;
  /** Whole ones. */
  epochs: number;
  /** Whether it was stopped before the end of the last epoch. */
  stopped: boolean;
  /** Of training itself, without validation and test. */
  seconds: number;
  samplesPerSecond: number;
  /** Ops of a training step on each backend. */
  ops: Readonly<Record<string, number>>;
  weightsSha256: string;
  out: string | null;
}

export interface Reporter {
  download(file: string, loaded: number, total: number | undefined): void;
  start(start: Start): void;
  progress(report: ProgressReport): void;
  epoch(report: EpochReport): void;
  /** `outputs` gives the model's outputs for the test set, example after example. */
  done(done: Done, outputs: () => Promise<Float32Array>): Promise<void>;
  /** Gives the terminal back, also after an error. */
  close(): void;
}

/** One object a line; NaN becomes null. */
export const writeJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

export const jsonReporter = (options: TrainOptions): Reporter => ({
  download() {},
  start({ sets, sizes, ...rest }) {
    const { model, hidden, activation, loss, optimizer, lambda, dropout, init, batch, epochs, seed } =
      options;
    const momentum = momentumOf(options);
    const { nesterov = false, lambda1 = 0, schedule, warmUp = 0, patience = null } = options;
    const how = {
      ...{ loss, optimizer, lr: learningRate(options), momentum, nesterov, schedule, warmUp, patience },
      ...{ lambda: lambda ?? 0, lambda1, dropout },
    };
    const counts = {
      train: sets.train.length,
      validation: sets.validation.length,
      test: sets.test.length,
    };
    const numbers = { init, batch, epochs, seed, sizes };
    writeJson({
      event: 'start',
      data: sets.name,
      ...counts,
      model,
      hidden,
      activation,
      ...how,
      ...numbers,
      ...rest,
    });
  },
  progress() {},
  epoch({ epoch, trainLoss, trainAccuracy, validationLoss, validationAccuracy, samplesPerSecond, seconds }) {
    const train = { trainLoss, trainAccuracy };
    const validation = { validationLoss, validationAccuracy };
    writeJson({ event: 'epoch', epoch, ...train, ...validation, samplesPerSecond, seconds });
  },
  async done({ testAccuracy, testLoss, ...rest }) {
    writeJson({ event: 'done', testAccuracy, testLoss, ...rest });
  },
  close() {},
});
