// Training in a worker: the same results, events on the way, errors with their class.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { data, OptionError, StateError } from '../../src/index.js';
import { integer, logUniform, search } from '../../src/search/index.js';
import { type LabEvent, trainer } from '../../src/worker.js';
import { suite } from '../helpers/suite.js';

const test = suite('trainer in a worker');

const layers = [['linear', 784, 32], ['sigmoid'], ['linear', 32, 10]] as const;
const rule = { loss: ['crossEntropy'], optimizer: ['sgd', { lr: 0.5 }], batchSize: 10 } as const;

test('trains, evaluates, predicts, saves and loads', async () => {
  const events: LabEvent[] = [];
  const lab = await trainer({ device: 'wasm', threads: 1, onEvent: (e) => events.push(e) });
  try {
    const digits = await data.digits({ train: 1000, test: 100 });
    const model = await lab.create(layers, 7);
    const result = await lab.fit(model, plain(digits.train), {
      ...rule,
      epochs: 3,
      schedule: ['cosine', { least: 0.5 }],
      monitor: 'validationAccuracy',
      validation: plain(digits.test),
    });
    assert.is(result.epochs.length, 3);
    assert.ok(result.bestEpoch! >= 1);
    assert.is(events.filter((e) => e.event === 'epoch').length, 3);
    const { accuracy } = await lab.evaluate(model, plain(digits.test));
    assert.is(accuracy, result.epochs[2]!.validationAccuracy);
    assert.ok(accuracy > 0.6, `accuracy ${accuracy}`);
    const copy = await lab.create(layers, 8);
    await lab.load(copy, await lab.save(model));
    const image = new Float32Array(784).fill(0.5);
    const [a, b] = [await lab.predict(model, image, [1, 784]), await lab.predict(copy, image, [1, 784])];
    assert.equal(a.shape, [1, 10]);
    assert.equal(a.data, b.data);
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
          validation: plain(digits.test),
        } as const;
        const { epochs } = await lab.fit(model, plain(digits.train), { ...how, batchSize: 10, epochs: 2 });
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

/** A data set as plain data that can be sent. */
const plain = ({
  inputs,
  inputShape,
  inputDType,
  targets,
  targetShape,
  targetDType,
  scale,
  classes,
}: Awaited<ReturnType<typeof data.digits>>['train']) => ({
  inputs: inputs.slice(),
  inputShape,
  inputDType,
  targets: targets.slice(),
  targetShape,
  targetDType,
  scale,
  classes,
});

test.run();
