// What the tests of recovery share: a small training, a GPU that is destroyed, and what comes of both.
import * as assert from 'uvu/assert';
import type { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import {
  DeviceLostError,
  data,
  engine,
  type FitOptions,
  fit,
  loss,
  lossRing,
  nn,
  optim,
  type Recovery,
  read,
  schedules,
  weightsSha256,
} from '../../src/index.js';
import { RandomStream } from '../../src/philox.js';

const random = new RandomStream(4, 0);
export const examples = (length: number, width: number) =>
  data.dataset.from({
    inputs: Float32Array.from({ length: length * width }, () => random.uniform()),
    targets: Int32Array.from({ length }, (_, i) => i % 3),
    ...{ inputShape: [width], inputDType: 'float32', targetShape: [], targetDType: 'int32', classes: 3 },
    name: 'made',
  });

export const train = examples(46, 6);
export const validation = examples(20, 6);

/** A model with all that a step changes: parameters, buffers, random numbers. */
export const make = () =>
  nn.sequential(nn.linear(6, 8), nn.batchNorm(8), nn.relu(), nn.dropout(0.2), nn.linear(8, 3));

export const options = (): FitOptions => ({
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: 0.02 }),
  schedule: schedules.cosine(),
  ...{ batchSize: 8, epochs: 4, seed: 3, validation, restoreBest: true }, // 6 batches in an epoch
});

export interface Run {
  sha: string;
  weights: number[];
  losses: number[];
  recoveries: Recovery[];
  reports: number[];
  /** Of every batch. */
  batchLosses: number[];
}

export const gpu = async (): Promise<WebgpuBackend> =>
  (await engine()).backends.get('webgpu') as WebgpuBackend;

/** Trains a new model; `before` is called before each batch, with how many there were. */
export async function run(
  more: Partial<FitOptions> = {},
  before: (batches: number) => Promise<void> | undefined = () => undefined,
): Promise<Run> {
  const model = make();
  const recoveries: Recovery[] = [];
  const reports: number[] = [];
  const batchLosses: number[] = [];
  const losses5 = lossRing({
    every: 5,
    onLosses: ({ first, losses }) => {
      assert.is(first, batchLosses.length);
      batchLosses.push(...losses);
    },
  });
  let batches = 0;
  const { epochs } = await fit(model, train, {
    ...options(),
    losses: losses5,
    pause: () => before(batches++) ?? null,
    onEpoch: ({ epoch }) => reports.push(epoch),
    ...more,
    recovery: { onRecovery: (r) => recoveries.push(r), ...more.recovery },
  });
  const weights = (await read(model.variables())).flatMap((w) => [...w]);
  const losses = epochs.flatMap((e) => [e.trainLoss, e.validationLoss]);
  const sha = await weightsSha256(model);
  model.dispose();
  losses5.dispose();
  assert.is(batchLosses.length, 6 * epochs.length);
  return { sha, weights, losses, recoveries, reports, batchLosses };
}

export const wait = (milliseconds: number): Promise<void> =>
  new Promise((go) => setTimeout(go, milliseconds));

export const destroy = async (): Promise<void> => (await gpu()).device.destroy();

/** The error that this ends in, which says that something is lost, once the loss is known. */
export async function lost(action: () => Promise<unknown>, message: RegExp): Promise<DeviceLostError> {
  for (let i = 0; i < 3000; i++) {
    const error = await action().then(
      () => null,
      (e: unknown) => e,
    );
    if (error) {
      assert.instance(error, DeviceLostError);
      assert.match((error as DeviceLostError).message, message);
      return error as DeviceLostError;
    }
    await wait(10); // a destroyed device takes commands in silence for a moment
  }
  return assert.unreachable() as never;
}
