// A training that was stopped, killed or crashed goes on from its checkpoint to the same bits as one that was not.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import {
  checkpointed,
  configure,
  data,
  type EpochReport,
  type EverygradError,
  type FitOptions,
  fit,
  loss,
  nn,
  OptionError,
  optim,
  StateError,
  StorageError,
  schedules,
  weightsSha256,
} from '../../src/index.js';
import { sha256 } from '../../src/platform.js';
import { cacheFolder } from '../../src/platform-folder.js';
import { openKeep } from '../../src/platform-keep.js';
import { trainer } from '../../src/worker.js';
import { suite } from '../helpers/suite.js';

const test = suite('checkpoints of a training');

const key = (name: string): string => `test ${name} ${crypto.randomUUID()}`;
const { train, test: validation } = await data.digits({ train: 190, test: 60 });

/** A model with all that a checkpoint must hold: parameters, buffers, random numbers. */
const make = () =>
  nn.sequential(nn.linear(784, 24), nn.batchNorm(24), nn.relu(), nn.dropout(0.2), nn.linear(24, 10));

const options = (): FitOptions => ({
  loss: loss.crossEntropy(),
  optimizer: optim.adam({ lr: 0.01, clipNorm: 1 }),
  schedule: schedules.reduceOnPlateau({ patience: 1 }),
  ...{ batchSize: 20, epochs: 5, seed: 3, validation, restoreBest: true },
});

/** Trains a new model; fails after so many batches, as when the process dies. */
async function run(
  more: Partial<FitOptions>,
  failAfter = Number.POSITIVE_INFINITY,
): Promise<{ sha: string; epochs: number[]; batches: number }> {
  await configure({ device: 'wasm', build: 'simd', threads: 1 });
  const model = make();
  let batches = 0;
  const pause = (): null => {
    if (batches++ >= failAfter) throw new Error('killed');
    return null;
  };
  const { epochs } = await fit(model, train, { ...options(), pause, ...more });
  return { sha: await weightsSha256(model), epochs: epochs.map((e) => e.trainLoss), batches };
}

test('after a crash, from the last checkpoint, in any epoch and with accumulated gradients', async () => {
  for (const more of [{}, { accumulate: 3 }]) {
    const undisturbed = await run(more);
    for (const failAfter of [7, 23, 38]) {
      const checkpoint = checkpointed({ key: key('crash'), everySteps: 2 });
      const failed = await run({ ...more, checkpoint }, failAfter).catch((e: Error) => e.message);
      assert.is(failed, 'killed');
      const after = await run({ ...more, checkpoint });
      assert.is(after.sha, undisturbed.sha, `killed after ${failAfter} batches`);
      assert.equal(after.epochs, undisturbed.epochs);
      assert.ok(after.batches < undisturbed.batches, 'it did not start anew');
    }
  }
});

test('after a stop by its signal, before the first batch too', async () => {
  const undisturbed = await run({});
  for (const last of [1, 14]) {
    const checkpoint = checkpointed({ key: key('stop'), everySeconds: 1000 });
    const stop = new AbortController();
    let batches = 0;
    const pause = (): null => {
      if (++batches === last) stop.abort();
      return null;
    };
    await run({ checkpoint, signal: stop.signal, pause });
    assert.is((await run({ checkpoint })).sha, undisturbed.sha);
  }
});

test('a training that came to its end leaves no checkpoint', async () => {
  const name = key('end');
  await run({ checkpoint: checkpointed({ key: name, everySteps: 1 }), epochs: 1 });
  assert.is(await (await openKeep()).get(name), undefined);
});

test('a checkpoint of another training is refused, damaged ones are said to be and left', async () => {
  const name = key('other');
  const checkpoint = checkpointed({ key: name, everySteps: 2 });
  await run({ checkpoint }, 5).catch(() => undefined);
  const other = await run({ checkpoint, batchSize: 10 }).catch((e: unknown) => e);
  assert.instance(other, StateError);
  assert.match((other as Error).message, /batchSize 20.*batchSize 10/);
  const keep = await openKeep();
  await keep.put(name, (await keep.get(name))!.slice(0, 1000));
  const warnings: EverygradError[] = [];
  const again = checkpointed({ key: name, everySteps: 50, onWarning: (e) => warnings.push(e) });
  assert.is((await run({ checkpoint: again })).sha, (await run({})).sha);
  assert.is(warnings.length, 1);
});

test('in a worker that is terminated on the way', async () => {
  const layers = [
    ['linear', 784, 24],
    ['batchNorm', 24],
    ['relu'],
    ['dropout', 0.2],
    ['linear', 24, 10],
  ] as const;
  const settings = {
    loss: ['crossEntropy'],
    optimizer: ['adam', { lr: 0.01 }],
    batchSize: 20,
    epochs: 60,
    seed: 3,
  } as const;
  const start = () => trainer({ device: 'wasm', build: 'simd', threads: 1 });
  const first = await start();
  const whole = await first.create(layers, 3);
  await first.fit(whole, train, settings);
  const expected = await first.save(whole);
  first.terminate();
  let epochs = settings.epochs as number;
  // The worker may have come to its end before it was heard that its third epoch is over: then once more.
  for (let tries = 0; tries < 20 && epochs === settings.epochs; tries++) {
    const checkpoint = { key: key('worker'), everySteps: 7 };
    const doomed = await start();
    const lost = await doomed.create(layers, 3);
    const onEpoch = ({ epoch }: EpochReport) => epoch === 3 && doomed.terminate();
    const ended = await doomed
      .fit(lost, train, { ...settings, checkpoint, onEpoch })
      .catch((e: unknown) => e);
    assert.instance(ended, StateError);
    const second = await start();
    try {
      const model = await second.create(layers, 3);
      epochs = 0;
      await second.fit(model, train, { ...settings, checkpoint, onEpoch: () => epochs++ });
      assert.equal(await second.save(model), expected);
    } finally {
      second.terminate();
    }
  }
  assert.ok(epochs < settings.epochs, 'it did not start anew');
});

for (const [what, prevent] of [
  ['nothing can be stored', forbidStorage],
  ['the storage is full', fillStorage],
] as const) {
  test(`training goes on, with one warning, where ${what}`, async () => {
    const name = key('prevented');
    const restore = await prevent(name);
    try {
      const warnings: EverygradError[] = [];
      const onWarning = (e: EverygradError) => warnings.push(e);
      const checkpoint = checkpointed({ key: name, everySteps: 1, onWarning });
      const { sha } = await run({ checkpoint, epochs: 1 });
      assert.is(sha, (await run({ epochs: 1 })).sha);
      assert.is(warnings.length, 1);
      assert.instance(warnings[0], StorageError);
    } finally {
      await restore();
    }
  });
}

test('options that are none are refused', () => {
  for (const wrong of [{ key: '' }, { key: 'a', everySteps: 0 }, { key: 'a', everySeconds: -1 }])
    assert.throws(
      () => checkpointed(wrong),
      (e: unknown) => e instanceof OptionError,
    );
});

type Restore = () => void | Promise<void>;

/** As in a private window, or where the cache folder cannot be made. */
function forbidStorage(): Restore {
  if (typeof indexedDB !== 'undefined') {
    const own = IDBFactory.prototype.open;
    IDBFactory.prototype.open = () => {
      throw new DOMException('no storage here', 'SecurityError');
    };
    return () => {
      IDBFactory.prototype.open = own;
    };
  }
  const before = process.env.EVERYGRAD_CACHE;
  process.env.EVERYGRAD_CACHE = '/dev/null/nowhere';
  return () => {
    if (before === undefined) delete process.env.EVERYGRAD_CACHE;
    else process.env.EVERYGRAD_CACHE = before;
  };
}

/** Writing fails: for want of space or, where there are files, because a folder has the file's name. */
async function fillStorage(name: string): Promise<Restore> {
  if (typeof indexedDB !== 'undefined') {
    const own = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('no space left', 'QuotaExceededError');
    };
    return () => {
      IDBObjectStore.prototype.put = own;
    };
  }
  const [{ mkdir, rm }, { join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const file = `${await sha256(new TextEncoder().encode(name))}.safetensors`;
  const path = join((await cacheFolder())!, 'checkpoints', file);
  await mkdir(join(path, 'inside'), { recursive: true });
  return () => rm(path, { recursive: true });
}

test.run();
