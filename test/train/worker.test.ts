// Training in a worker: the same results, events on the way, errors with their class.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import {
  configure,
  DataError,
  data,
  fit,
  loss,
  nn,
  OptionError,
  optim,
  StateError,
  tensor,
  weightsFromBytes,
  weightsSha256,
} from '../../src/index.js';
import { integer, logUniform, search } from '../../src/search/index.js';
import { decodeSafetensors, type LabEvent, type Progress, trainer } from '../../src/worker.js';
import { suite } from '../helpers/suite.js';

const test = suite('trainer in a worker');

const layers = [['linear', 784, 32], ['sigmoid'], ['linear', 32, 10]] as const;
const rule = { loss: ['crossEntropy'], optimizer: ['sgd', { lr: 0.5 }], batchSize: 10 } as const;

/** In seconds: long enough for a machine that is busy. */
const patience = 4;

/** A training that is paused while the other tests run. */
async function pausedTraining() {
  const lab = await trainer({ device: 'wasm', threads: 1, patience });
  const { train } = await data.digits({ train: 500, test: 1 });
  const model = await lab.create(layers, 1);
  const stop = new AbortController();
  const running = lab.fit(model, train, { ...rule, epochs: 1e6, signal: stop.signal });
  running.catch(() => undefined); // which is heard of when it is waited for
  await lab.pause(model);
  return { lab, running, stop, since: performance.now() };
}
let paused: Awaited<ReturnType<typeof pausedTraining>>;
test.before(async () => {
  paused = await pausedTraining();
});

test('trains, evaluates, predicts, saves and loads', async () => {
  const events: LabEvent[] = [];
  const lab = await trainer({ device: 'wasm', threads: 1, onEvent: (e) => events.push(e) });
  try {
    const digits = await data.digits({ train: 1000, test: 100 });
    const model = await lab.create(layers, 7);
    const result = await lab.fit(model, digits.train, {
      ...rule,
      epochs: 3,
      schedule: ['cosine', { least: 0.5 }],
      monitor: 'validationAccuracy',
      validation: digits.test,
    });
    assert.is(result.epochs.length, 3);
    assert.ok(result.bestEpoch! >= 1);
    assert.is(events.filter((e) => e.event === 'epoch').length, 3);
    const { accuracy } = await lab.evaluate(model, digits.test);
    assert.is(accuracy, result.epochs[2]!.validationAccuracy);
    assert.ok(accuracy > 0.6, `accuracy ${accuracy}`);
    const copy = await lab.create(layers, 8);
    await lab.load(copy, await lab.save(model));
    const image = new Float32Array(784).fill(0.5);
    const a = await lab.predict(model, image, [1, 784]);
    const b = await lab.predict(copy, tensor(image, { shape: [1, 784] }));
    assert.equal(a.shape, [1, 10]);
    assert.equal(a.data, b.data);
    // The inputs of a data set are scaled as in training.
    const few = digits.test.take(50);
    const scaled = Float32Array.from(few.inputs, (v) => Math.fround(v * Math.fround(1 / 255)));
    const [c, d] = [await lab.predict(model, few), await lab.predict(model, scaled, [50, 784])];
    assert.equal(c.shape, [50, 10]);
    assert.equal(c.data, d.data);
    assert.is(few.inputs.length, 50 * 784, 'they are still here');
    const right = c.labels.filter((label, i) => label === few.targets[i]).length;
    assert.is(right / 50, (await lab.evaluate(model, few)).accuracy);
    // One output is the largest of its row.
    const column = await lab.create([['linear', 2, 1]], 1);
    assert.equal([...(await lab.predict(column, new Float32Array(6), [3, 2])).labels], [0, 0, 0]);
  } finally {
    lab.terminate();
  }
});

test('a training tells how far it is, as stores of components want it', async () => {
  const lab = await trainer({ device: 'wasm', threads: 1 });
  try {
    const digits = await data.digits({ train: 500, test: 100 });
    const model = await lab.create(layers, 7);
    const running = lab.fit(model, digits.train, { ...rule, epochs: 3, validation: digits.test });
    const [heard, other]: Progress[][] = [[], []];
    const listener = (progress: Progress): void => {
      assert.is(progress, running.getSnapshot(), 'the same object until there is news');
      heard!.push(progress);
    };
    running.subscribe(listener);
    running.subscribe(listener)(); // one that ends, beside one that goes on
    running.subscribe((progress) => other!.push(progress))();
    assert.is(heard!.length, 2, 'at once');
    assert.is(heard![0]!.epoch, 0);
    assert.ok(Number.isNaN(heard![0]!.loss) && !heard![0]!.done);
    const { epochs } = await running;
    const last = running.getSnapshot();
    assert.is(heard!.at(-1), last);
    assert.is(other!.length, 1);
    assert.ok(last.done);
    const { trainLoss, trainAccuracy, validationLoss, validationAccuracy } = epochs[2]!;
    assert.equal(
      [last.epoch, last.loss, last.accuracy, last.validationLoss, last.validationAccuracy],
      [3, trainLoss, trainAccuracy, validationLoss, validationAccuracy],
    );
    for (const epoch of [1, 2]) assert.ok(heard!.some((p) => p.epoch === epoch));
    const wrong = lab.fit(model, digits.train, { ...rule, batchSize: 0 });
    assert.instance(await wrong.catch((e: unknown) => e), OptionError);
    assert.ok(wrong.getSnapshot().done);
  } finally {
    lab.terminate();
  }
});

test('errors keep their class, fields and message', async () => {
  const lab = await trainer({ device: 'wasm', threads: 1 });
  try {
    const unknown = await lab.create([['conv9', 3]] as never).catch((e: unknown) => e);
    assert.instance(unknown, OptionError);
    assert.equal((unknown as OptionError).values, { name: 'conv9' });
    assert.match((unknown as Error).stack ?? '', /worker-thread|buildModel|make/);
    const { train } = await data.digits({ train: 20, test: 1 });
    const model = await lab.create(layers, 1);
    for (const [given, options, message] of [
      [train, { ...rule, optimizer: ['sgdd'] }, /\[optimizer\] 'sgdd' is not a known optimizer/],
      [train, { ...rule, loss: 'crossEntropy' }, /\[loss\] "crossEntropy" is not a name with its options/],
      [train, { ...rule, schedule: [() => 1] }, /\[trainer\] an option cannot be sent to the worker/],
      [train, { ...rule, chekpoint: 1 }, /\[fit\] unknown option chekpoint/],
      [train, undefined, /\[optimizer\] undefined/],
      [{}, rule, /\[data\] inputs or targets are missing/],
    ] as const) {
      const error = await lab.fit(model, given as never, options as never).catch((e: unknown) => e);
      assert.match((error as Error).message, message);
      assert.instance(error, message.source.includes('data') ? DataError : OptionError);
    }
    await lab.fit(model, train, rule); // it is not held to be in training
    const gone = await lab.save(99).catch((e: unknown) => e);
    assert.instance(gone, StateError);
    assert.match((gone as Error).message, /there is no model 99/);
  } finally {
    lab.terminate();
  }
});

test('a search with a worker for each of two trials at a time', async () => {
  const trainers = await Promise.all([1, 2].map(() => trainer({ device: 'wasm', threads: 1 })));
  try {
    const digits = await data.digits({ train: 300, test: 50 });
    const used = new Set<number>();
    const { best, trials } = await search(
      { lr: logUniform(0.01, 1), hidden: integer(8, 24) },
      async ({ lr, hidden }, { slot }) => {
        used.add(slot);
        const lab = trainers[slot]!;
        const model = await lab.create([['linear', 784, hidden], ['relu'], ['linear', hidden, 10]], 1);
        const how = {
          loss: ['crossEntropy'],
          optimizer: ['sgd', { lr }],
          validation: digits.test,
        } as const;
        const { epochs } = await lab.fit(model, digits.train, { ...how, batchSize: 10, epochs: 2 });
        await lab.dispose(model);
        return epochs.at(-1)!.validationLoss;
      },
      { trials: 4, concurrency: 2, seed: 1 },
    );
    assert.equal([...used].sort(), [0, 1]);
    assert.is(trials.length, 4);
    assert.ok(best!.value < 1.5, `${best!.value}`);
  } finally {
    for (const each of trainers) each.terminate();
  }
});

test('the same bits as on the main thread, with a schedule, in plain SIMD', async () => {
  const digits = await data.digits({ train: 300, test: 20 });
  await configure({ device: 'wasm', build: 'simd', threads: 1 });
  const here = nn.sequential(nn.linear(784, 32), nn.sigmoid(), nn.linear(32, 10));
  await here.initialize(7);
  const { schedule, ...options } = { ...rule, schedule: ['cosine'] as const };
  await fit(here, digits.train, {
    ...options,
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 0.5 }),
    schedule: (await import('../../src/index.js')).schedules.cosine(),
    epochs: 2,
  });
  const lab = await trainer({ device: 'wasm', build: 'simd', threads: 1 });
  try {
    const there = await lab.create(layers, 7);
    await lab.fit(there, digits.train, { ...options, schedule, epochs: 2 });
    const copy = nn.sequential(nn.linear(784, 32), nn.sigmoid(), nn.linear(32, 10));
    await weightsFromBytes(copy, await lab.save(there));
    assert.is(await weightsSha256(copy), await weightsSha256(here));
    copy.dispose();
  } finally {
    lab.terminate();
    here.dispose();
  }
});

test('an optimizer that is kept goes on with its state: in a second fit, and from a file in another worker', async () => {
  const { train } = await data.digits({ train: 300, test: 1 });
  const how = { ...rule, optimizer: ['adam', { lr: 0.01 }], keepOptimizer: true } as const;
  const device = { device: 'wasm', build: 'simd', threads: 1 } as const;
  const shaOf = async (bytes: Uint8Array): Promise<string> => {
    const copy = nn.sequential(nn.linear(784, 32), nn.sigmoid(), nn.linear(32, 10));
    await weightsFromBytes(copy, bytes);
    const sha = await weightsSha256(copy);
    copy.dispose();
    return sha;
  };
  // The same on the main thread, where one optimizer is used twice.
  await configure(device);
  const here = nn.sequential(nn.linear(784, 32), nn.sigmoid(), nn.linear(32, 10));
  await here.initialize(7);
  const adam = optim.adam({ lr: 0.01 });
  for (const seed of [1, 2])
    await fit(here, train, { loss: loss.crossEntropy(), optimizer: adam, batchSize: 10, seed });
  const expected = await weightsSha256(here);
  const [first, second] = [await trainer(device), await trainer(device)];
  try {
    const model = await first.create(layers, 7);
    await first.fit(model, train, { ...how, seed: 1 });
    const file = await first.save(model, undefined, { note: 'in the middle' });
    const { tensors, metadata } = decodeSafetensors(file);
    assert.equal([metadata.note, metadata['everygrad.optimizer']], ['in the middle', 'adam']);
    assert.ok(tensors.has('optimizer.0') && tensors.has('0.weight'));
    await first.fit(model, train, { ...how, seed: 2 });
    assert.is(await shaOf(await first.save(model)), expected);
    const other = await second.create(layers, 8);
    await second.load(other, file);
    await second.fit(other, train, { ...how, seed: 2 });
    assert.is(await shaOf(await second.save(other)), expected);
    // Saved while it trains, it goes on from there, too.
    const stop = new AbortController();
    const running = second.fit(other, train, { ...how, epochs: 1e6, signal: stop.signal });
    const between = decodeSafetensors(await second.save(other));
    assert.ok(between.tensors.has('optimizer.0'));
    stop.abort();
    await running;
    // Another optimizer starts anew, and without the option nothing is kept.
    await second.load(other, file);
    await second.fit(other, train, { ...how, optimizer: ['sgd', { lr: 0.1, momentum: 0.9 }] });
    assert.is(decodeSafetensors(await second.save(other)).metadata['everygrad.optimizer'], 'sgd');
    await second.load(other, file);
    await second.fit(other, train, { ...how, keepOptimizer: false, seed: 2 });
    const plain = await second.save(other);
    assert.not(decodeSafetensors(plain).tensors.has('optimizer.0'));
    assert.is.not(await shaOf(plain), expected);
  } finally {
    first.terminate();
    second.terminate();
    adam.dispose();
    here.dispose();
  }
});

test('several models train at once; one is paused, goes on, and is stopped by its signal', async () => {
  const lab = await trainer({ device: 'wasm', threads: 1 });
  try {
    const { train } = await data.digits({ train: 500, test: 1 });
    const [a, b] = [await lab.create(layers, 1), await lab.create(layers, 2)];
    const stop = new AbortController();
    let epochs = 0;
    let heard: () => void = () => undefined;
    const nextEpoch = () => new Promise<void>((resolve) => (heard = resolve));
    const first = nextEpoch();
    const endless = lab.fit(a, train, {
      ...rule,
      epochs: 1e6,
      signal: stop.signal,
      onEpoch: () => {
        epochs++;
        heard();
      },
    });
    await first;
    const busy = await lab.fit(a, train, { ...rule }).catch((e: unknown) => e);
    assert.instance(busy, StateError);
    await lab.pause(a);
    // The other model gets all of the worker; epochs that were on their way are heard before its answer.
    await lab.fit(b, train, { ...rule, epochs: 1 });
    const atPause = epochs;
    await lab.fit(b, train, { ...rule, epochs: 5 });
    assert.is(epochs, atPause, 'nothing happens while it is paused');
    const next = nextEpoch();
    await lab.resume(a);
    await next;
    stop.abort();
    const result = await endless;
    assert.ok(result.stopped);
    assert.ok(epochs > atPause);
    // Called in one go: the pause is not sent before the fit.
    const end = new AbortController();
    let heardOf = 0;
    const again = { ...rule, epochs: 1e6, signal: end.signal, onEpoch: () => heardOf++ };
    const halted = lab.fit(b, train, again);
    await lab.pause(b);
    await lab.evaluate(a, train);
    const before = heardOf;
    await lab.fit(a, train, { ...rule, epochs: 3 });
    assert.is(heardOf, before);
    end.abort();
    assert.ok((await halted).stopped);
    const already = await lab.fit(a, train, { ...rule, epochs: 9, signal: stop.signal });
    assert.ok(already.stopped && already.epochs.length <= 1);
  } finally {
    lab.terminate();
  }
});

test('arrays are moved on demand, and copied otherwise', async () => {
  const lab = await trainer({ device: 'wasm', threads: 1 });
  try {
    const { train } = await data.digits({ train: 50, test: 1 });
    const model = await lab.create(layers, 1);
    await lab.fit(model, train, rule);
    assert.is(train.inputs.length, 50 * 784);
    await lab.fit(model, train, { ...rule, validation: train, transfer: true });
    assert.is(train.inputs.length, 0);
  } finally {
    lab.terminate();
  }
});

test('a worker that is busy shows signs of life, and idle trainers wait for none', async () => {
  const { lab, running, stop, since } = paused;
  try {
    const rest = since + 1500 * patience - performance.now();
    await new Promise((resolve) => setTimeout(resolve, rest)); // paused is not dead
    stop.abort();
    assert.ok((await running).stopped);
    const wrong = await trainer({ patience: 0 }).catch((e: unknown) => e);
    assert.instance(wrong, OptionError);
  } finally {
    lab.terminate();
  }
});

test('calls that wait when the worker is terminated are rejected, and so are later ones', async () => {
  const lab = await trainer({ device: 'wasm', threads: 1 });
  const { train } = await data.digits({ train: 500, test: 1 });
  const model = await lab.create(layers, 1);
  const waiting = lab.fit(model, train, { ...rule, epochs: 1e6 }).catch((e: unknown) => e);
  lab.terminate();
  for (const error of [await waiting, await lab.save(model).catch((e: unknown) => e)]) {
    assert.instance(error, StateError);
    assert.match((error as Error).message, /the worker was terminated/);
  }
});

test.run();
