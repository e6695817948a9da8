// Training, evaluating, predicting, saving: what users do, on every device that this run is about.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  configure,
  DataError,
  data,
  EverygradError,
  evaluate,
  FormatError,
  fit,
  loss,
  lossRing,
  memoryStats,
  nn,
  optim,
  predict,
  ShapeError,
  tensor,
  weightsFromBytes,
  weightsSha256,
  weightsToBytes,
} from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const { devices } = environment;
/** Software GPUs are slow: they get fewer examples. */
const size = (device: string): number => (device === 'wasm' ? 2000 : 600);

const mlp = () => nn.sequential(nn.linear(784, 32), nn.relu(), nn.dropout(0.1), nn.linear(32, 10));

/** A fit of the usual kind; returns what it gave and the model. */
async function trained(device: string, more: Partial<Parameters<typeof fit>[2]> = {}, train = size(device)) {
  const digits = await data.digits({ train, test: 200 });
  const model = mlp();
  const optimizer = optim.adam({ lr: 0.003 });
  const result = await fit(model, digits.train, {
    loss: loss.crossEntropy(),
    optimizer,
    batchSize: 20,
    epochs: 3,
    validation: digits.test,
    seed: 3,
    ...more,
  });
  return { model, optimizer, result, digits };
}

for (const device of devices) {
  const test = suite(`fit on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('learns digits, and reports what evaluate finds', async () => {
    const seen: number[] = [];
    const { model, result, digits } = await trained(device, { onEpoch: (r) => seen.push(r.epoch) });
    assert.equal(seen, [1, 2, 3]);
    assert.is(result.stopped, false);
    const [first, , last] = result.epochs;
    assert.ok(
      last!.trainLoss < first!.trainLoss / 2,
      `${last!.trainLoss} is not below half of ${first!.trainLoss}`,
    );
    assert.ok(last!.validationAccuracy > 0.7, `validation accuracy ${last!.validationAccuracy}`);
    const again = await evaluate(model, digits.test);
    assert.is(again.accuracy, last!.validationAccuracy);
    assert.is(again.examples, 200);
    assert.equal(Object.keys(result.ops), [device]);
  });

  test('the same seed gives the same weights, another seed others', async () => {
    const [a, b, c] = [
      await trained(device, { epochs: 1 }, 200),
      await trained(device, { epochs: 1 }, 200),
      await trained(device, { epochs: 1, seed: 4 }, 200),
    ];
    assert.is(await weightsSha256(a.model), await weightsSha256(b.model));
    assert.is.not(await weightsSha256(a.model), await weightsSha256(c.model));
  });

  test('training on is the same as training longer', async () => {
    const once = await trained(device, { epochs: 1, shuffle: false, batchSize: 200 }, 200);
    await fit(once.model, once.digits.train, {
      loss: loss.crossEntropy(),
      optimizer: once.optimizer,
      batchSize: 200,
      shuffle: false,
      seed: 3,
    });
    assert.ok((await evaluate(once.model, once.digits.train)).loss < once.result.epochs[0]!.trainLoss);
  });

  test('a last batch that is smaller counts by its size', async () => {
    const digits = await data.digits({ train: 50, test: 7 });
    const model = mlp();
    await model.initialize(1);
    const whole = await evaluate(model, digits.train, { batchSize: 50 });
    const parts = await evaluate(model, digits.train, { batchSize: 16 });
    assert.is(parts.examples, 50);
    assert.is(parts.accuracy, whole.accuracy);
    assert.ok(Math.abs(parts.loss - whole.loss) < 1e-5);
  });

  test('predict gives what evaluate counts', async () => {
    const { model, digits } = await trained(device, { epochs: 1 });
    const images = new Float32Array(digits.test.inputs).map((v) => v / 255);
    const output = await predict(model, tensor(images, { shape: [200, 784] }));
    assert.equal(output.shape, [200, 10]);
    const labels = await output.argmax(1).data();
    const hits = Array.from(labels).filter((label, i) => label === digits.test.targets[i]).length;
    assert.is(hits / 200, (await evaluate(model, digits.test)).accuracy);
  });

  test('a signal stops it and keeps what was learned', async () => {
    const stop = new AbortController();
    const { model, result } = await trained(
      device,
      { epochs: 1000, signal: stop.signal, onEpoch: () => stop.abort() },
      200,
    );
    assert.is(result.stopped, true);
    assert.is(result.epochs.length, 1);
    assert.is((await weightsSha256(model)).length, 64);
    const { result: byReturn } = await trained(
      device,
      { epochs: 1000, onEpoch: ({ epoch }) => epoch < 2 },
      200,
    );
    assert.is(byReturn.epochs.length, 2);
  });

  test('short epochs leave the event loop its turn', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    const { result } = await trained(device, { epochs: 100_000, signal: stop.signal }, 20);
    assert.is(result.stopped, true);
  });

  test('weights go to bytes and back', async () => {
    const { model } = await trained(device, { epochs: 1 }, 200);
    const bytes = await weightsToBytes(model);
    const copy = mlp();
    await weightsFromBytes(copy, bytes);
    assert.is(await weightsSha256(copy), await weightsSha256(model));
    const other = nn.sequential(nn.linear(784, 16), nn.relu(), nn.dropout(0.1), nn.linear(16, 10));
    await rejectsWith(
      weightsFromBytes(other, bytes),
      FormatError,
      /0\.weight is float32 \(784,32\) in the file, float32 \(784,16\)/,
    );
    await rejectsWith(weightsFromBytes(copy, bytes.slice(0, -1)), FormatError, /./);
  });

  // 10,000 steps on WASM; software GPUs get 40.
  const [batchSize, epochs] = device === 'wasm' ? [2, 100] : [20, 4];

  test('steps after the first take no memory, and nothing is left behind', async () => {
    // An engine of its own: models of other tests may go at any moment. One thread: a page's main thread waits for others.
    await configure({ device, threads: 1 });
    const before = await memoryStats();
    const taken: unknown[] = [];
    const { model, optimizer } = await trained(device, { epochs: 4, onProgress: () => undefined }, 200);
    const steady = await memoryStats();
    const digits = await data.digits({ train: 200, test: 20 });
    await fit(model, digits.train, {
      loss: loss.crossEntropy(),
      optimizer,
      batchSize,
      epochs,
      onEpoch: async () => taken.push(await memoryStats()),
    });
    // Within a fit: the same pieces and no request to the system from the end of the first epoch on.
    for (const stats of taken.slice(1)) assert.equal(stats, taken[0]);
    assert.equal(await memoryStats().then(pieces), pieces(steady));
    model.dispose();
    optimizer.dispose();
    assert.equal(await memoryStats().then(pieces), pieces(before));
  });

  test('what does not fit is refused with op, values, rule and hint', async () => {
    const digits = await data.digits({ train: 20, test: 5 });
    const options = () => ({ loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }) });
    const wrong = nn.sequential(nn.linear(783, 10));
    await rejectsWith(
      fit(wrong, digits.train, options()),
      ShapeError,
      /\[linear\] input is \(20,784\), the layer takes 783 values: 784 != 783/,
    );
    await rejectsWith(
      fit(nn.sequential(nn.linear(784, 9)), digits.train, options()),
      ShapeError,
      /digits\.train has 10 classes, the model has 9 outputs/,
    );
    await rejectsWith(
      fit(nn.sequential(nn.relu()), digits.train, options()),
      EverygradError,
      /no parameter to train/,
    );
    await rejectsWith(fit(mlp(), digits.train, { ...options(), epochs: 0 }), EverygradError, /epochs is 0/);
    await rejectsWith(
      fit(mlp(), digits.train, { ...options(), epoch: 3 } as never),
      EverygradError,
      /unknown option epoch/,
    );
    assert.throws(() => optim.sgd({ lr: -1 }), /lr is -1/);
    assert.throws(() => nn.dropout(1), /p is 1/);
    assert.throws(() => nn.sequential(nn.relu as never), /call it/);
  });

  test('a loss that is no number ends training with a hint', async () => {
    const { train } = await data.digits({ train: 100, test: 5 });
    const model = nn.sequential(nn.linear(784, 10));
    const options = { loss: loss.quadratic(), optimizer: optim.sgd({ lr: 1e30 }), batchSize: 10, epochs: 5 };
    await rejectsWith(fit(model, train, options), DataError, /the loss became/);
  });

  test('every loss comes once, in order, in pieces as large as said', async () => {
    const pieces: [number, number][] = [];
    const all: number[] = [];
    const losses = lossRing({
      every: 4,
      onLosses: ({ first, losses: piece }) => {
        pieces.push([first, piece.length]);
        all.push(...piece);
      },
    });
    const small = (await data.digits({ train: 60, test: 1 })).train;
    const model = nn.sequential(nn.linear(784, 10));
    const settings = { loss: loss.crossEntropy(), batchSize: 20, seed: 1, epochs: 3, losses };
    for (let run = 0; run < 2; run++) {
      const optimizer = optim.sgd({ lr: 0.1 });
      const { epochs } = await fit(model, small, { ...settings, optimizer });
      optimizer.dispose();
      const start = 9 * run;
      assert.equal(pieces.splice(0), [
        [start, 4],
        [start + 4, 4],
        [start + 8, 1],
      ]);
      for (const [i, { trainLoss }] of epochs.entries()) {
        const own = all.slice(start + 3 * i, start + 3 * i + 3);
        const mean = own.reduce((a, b) => a + b, 0) / 3;
        assert.ok(Math.abs(mean - trainLoss) < 1e-5, `epoch ${i + 1}: ${mean}, ${trainLoss}`);
      }
    }
    losses.dispose();
    model.dispose();
    assert.throws(() => lossRing({ every: 0, onLosses: () => {} }), /every/);
  });

  test.run();
}

/** Pieces of memory and their bytes on each backend, without the count of requests to the system. */
const pieces = (stats: Awaited<ReturnType<typeof memoryStats>>) =>
  Object.entries(stats).map(([name, s]) => [name, s!.pieces, s!.bytes]);
