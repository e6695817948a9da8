// Learning-rate schedules, compared with PyTorch's epoch by epoch or step by step.
import type { Schedule } from '../../src/optim/schedules.js';
import * as schedules from '../../src/optim/schedules.js';

/** How many epochs (each of one step) a schedule is followed. */
export const length = 40;

/** Losses for those that watch one: falls, stays, falls, rises. */
export const losses = Array.from({ length }, (_, i) =>
  i < 8 ? 2 - i / 8 : i < 20 ? 1 + (i % 3) / 50 : i < 24 ? 0.8 - i / 100 : 0.9 + i / 100,
);

/** Names are what make.py knows. */
export const made: Readonly<Record<string, () => Schedule>> = {
  step: () => schedules.step({ every: 7, factor: 0.3 }),
  multiStep: () => schedules.multiStep({ at: [3, 17, 30], factor: 0.5 }),
  exponential: () => schedules.exponential({ factor: 0.93 }),
  cosine: () => schedules.cosine({ least: 0.05 }),
  cosineRestarts: () => schedules.cosineRestarts({ first: 5, growth: 2, least: 0.1 }),
  oneCycle: () => schedules.oneCycle(),
  'oneCycle early': () => schedules.oneCycle({ peakAt: 0.2, from: 0.1, to: 0.001 }),
  'warmUp, step': () => schedules.warmUp({ epochs: 5, from: 0.2 }, schedules.step({ every: 10 })),
  reduceOnPlateau: () => schedules.reduceOnPlateau({ factor: 0.5, patience: 3, monitor: 'trainLoss' }),
  'reduceOnPlateau cooldown': () =>
    schedules.reduceOnPlateau({
      factor: 0.2,
      patience: 2,
      monitor: 'trainLoss',
      cooldown: 4,
      threshold: 0.05,
      least: 0.03,
    }),
};
