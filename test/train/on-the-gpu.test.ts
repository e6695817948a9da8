// A training step stays on the GPU from the upload of the batch to the update of the parameters; memory in pieces.
// @suite devices=webgpu runtimes=node24,deno
import * as assert from 'uvu/assert';
import type { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import type { Prepared } from '../../src/compile.js';
import type { Batch } from '../../src/data/index.js';
import {
  compile,
  configure,
  data,
  type Engine,
  evaluate,
  fit,
  loss,
  lossRing,
  nn,
  optim,
  read,
  type Tensor,
  tensor,
  variable,
} from '../../src/index.js';
import { RandomStream } from '../../src/philox.js';
import { TrainingPass } from '../../src/train/step.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('training on the GPU');

/** A network, and what it is trained on. */
interface Case {
  make(): nn.Module;
  inputShape: number[];
  /** Of its inputs themselves; cross-entropy with one of four labels where not said. */
  loss?: loss.Loss;
  batch: number;
  /** Parameters whose gradient is 0, but for rounding. */
  still?: string[];
}

const cases: Record<string, Case> = {
  'a multilayer perceptron': {
    make: () => nn.sequential(nn.linear(784, 100), nn.sigmoid(), nn.linear(100, 10)),
    inputShape: [784],
    batch: 10,
  },
  LeNet: {
    make: () => nn.lenet(),
    inputShape: [28, 28, 1],
    batch: 4,
    still: ['0.bias', '4.bias', '8.bias'], // batch norm takes the mean away
  },
  AlexNet: { make: () => nn.alexnet({ inputSize: 67, classes: 4 }), inputShape: [67, 67, 3], batch: 2 },
  'an autoencoder': {
    make: () =>
      nn.sequential(
        ...[nn.linear(784, 64), nn.relu(), nn.linear(64, 16), nn.relu()],
        ...[nn.linear(16, 64), nn.relu(), nn.linear(64, 784)],
      ),
    inputShape: [784],
    loss: loss.binaryCrossEntropy(),
    batch: 16,
  },
  'an LSTM': {
    make: () => nn.sequential(nn.lstm(28, 32, { returns: 'last' }), nn.linear(32, 10)),
    inputShape: [12, 28],
    batch: 8,
  },
};

const steps = 2;

/** Batches at random. */
function examples({ inputShape, loss: own, batch }: Case): data.ArrayDataset {
  const random = new RandomStream(5, 0);
  const size = inputShape.reduce((n, d) => n * d, 1);
  const inputs = Float32Array.from({ length: steps * batch * size }, () => random.uniform());
  const labels = Int32Array.from({ length: steps * batch }, () => random.integer(4));
  return new data.ArrayDataset({
    ...{ inputs, inputShape, inputDType: 'float32' },
    ...(own
      ? { targets: inputs, targetShape: inputShape, targetDType: 'float32' }
      : { targets: labels, targetShape: [], targetDType: 'int32', classes: 4 }),
  });
}

/** What was asked of the GPU. */
const asked = { writes: 0, submits: 0, maps: 0, buffers: 0 };
const forget = (): void => void Object.assign(asked, { writes: 0, submits: 0, maps: 0, buffers: 0 });

/** Counts the calls of a method, of all objects that share it with this one. */
function count(object: object, method: string, what: keyof typeof asked): void {
  const prototype = Object.getPrototypeOf(object) as Record<string, (...args: unknown[]) => unknown>;
  const original = prototype[method]!;
  prototype[method] = function (...args) {
    asked[what]++;
    return original.apply(this, args);
  };
}

let counting = false;

async function start(device: 'wasm' | 'webgpu'): Promise<Engine> {
  const engine = await configure({ device, build: 'simd', threads: 1 });
  if (device === 'webgpu' && !counting) {
    const { device: gpu } = backendOf(engine);
    const buffer = gpu.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    count(gpu.queue, 'writeBuffer', 'writes');
    count(gpu.queue, 'submit', 'submits');
    count(buffer, 'mapAsync', 'maps');
    count(gpu, 'createBuffer', 'buffers');
    counting = true;
  }
  return engine;
}

const backendOf = (engine: Engine) => engine.backends.get('webgpu') as WebgpuBackend;

interface Run {
  /** Values of all that the model has, before and after. */
  before: Map<string, Float32Array>;
  after: Map<string, Float32Array>;
  trainLoss: number;
}

/** Trains a new model; `step` runs a batch. */
async function train(
  of: Case,
  step: (prepared: Prepared, batch: Batch, run: () => Promise<void>) => Promise<void> = (_, __, run) => run(),
): Promise<Run> {
  const model = of.make();
  await model.initialize(3);
  const named = [...model.namedVariables()];
  const values = async (): Promise<Run['before']> => {
    const all = await read(named.map(([, v]) => v));
    return new Map(named.map(([name], i) => [name, (all[i] as Float32Array).slice()]));
  };
  const before = await values();
  const set = examples(of);
  const optimizer = optim.sgd({ lr: 0.01, momentum: 0.9 });
  const pass = new TrainingPass(model, of.loss ?? loss.crossEntropy(), set, optimizer, 3);
  const prepared = await pass.forSize(of.batch);
  for await (const batch of set.batches({ batchSize: of.batch }))
    await step(prepared, batch, async () => pass.run(prepared, batch));
  const { loss: trainLoss } = await pass.totals();
  const after = await values();
  for (const thing of [pass, optimizer, model]) thing.dispose();
  return { before, after, trainLoss };
}

for (const [name, of] of Object.entries(cases)) {
  if (name === 'AlexNet' && environment.runtime !== 'deno') {
    skip(name, 'only in Deno, whose GPU in software takes a third of the time');
    continue;
  }
  test(`${name}: a step uploads the batch, is one submit, reads nothing, and updates as WASM does`, async () => {
    await start('wasm');
    const expected = await train(of);
    await start('webgpu');
    let batches = 0;
    const found = await train(of, async ({ plan }, _, run) => {
      const elsewhere = plan.groups.filter(({ backend }) => backend !== 'webgpu');
      assert.equal(
        elsewhere.map(({ kernel, chain }) => `${kernel ?? chain[0]}`),
        [],
      );
      assert.equal(
        plan.segments.map(({ backend, arrivals }) => [backend, arrivals.length]),
        [['webgpu', 0]],
      );
      assert.is(plan.arenaBytes.get('wasm'), 0);
      forget();
      await run();
      // The first step brings the variables to the GPU, too.
      if (++batches === 1) assert.ok(asked.writes > 2 && asked.submits > 0, 'calls are counted');
      else assert.equal(asked, { writes: 2, submits: 1, maps: 0, buffers: 0 });
    });
    assert.is(batches, steps);
    assert.ok(asked.maps > 0, 'reads are counted');
    assert.ok(Math.abs(found.trainLoss - expected.trainLoss) < 1e-5 * expected.trainLoss);
    for (const [name, first] of expected.before) {
      assert.equal(found.before.get(name), first, 'first weights have the same bits');
      const [here, there] = [found.after.get(name)!, expected.after.get(name)!];
      let [changed, apart, rounding] = [0, 0, 0];
      first.forEach((w, i) => {
        changed += (there[i]! - w) ** 2;
        apart += (here[i]! - there[i]!) ** 2;
        rounding += (w * 2 ** -23 + 1e-8) ** 2; // of the weight itself, which a small update has, too
      });
      if (!of.still?.includes(name)) assert.ok(changed > 2 * rounding, `${name} was not updated: ${changed}`);
      assert.ok(apart <= 1e-6 * changed + rounding, `${name}: ${apart} of ${changed}, rounding ${rounding}`);
    }
  });
}

test('LeNet on digits: losses and accuracy of a short training are those of WASM', async () => {
  const { train: digits, test: unseen } = await data.digits({ train: 160, test: 400 });
  const run = async (device: 'wasm' | 'webgpu') => {
    await start(device);
    const model = nn.sequential(nn.reshape([28, 28, 1]), nn.lenet());
    const batches: number[] = [];
    const losses = lossRing({ every: 10, onLosses: ({ losses: ten }) => batches.push(...ten) });
    await fit(model, digits, {
      ...{ loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.01, momentum: 0.9 }) },
      ...{ batchSize: 16, epochs: 3, seed: 1, losses },
    });
    const { accuracy } = await evaluate(model, unseen);
    for (const thing of [model, losses]) thing.dispose();
    return { batches, accuracy };
  };
  const [expected, found] = [await run('wasm'), await run('webgpu')];
  assert.is(expected.batches.length, 30);
  assert.ok(expected.accuracy > 0.5, `${expected.accuracy}`);
  for (const [i, value] of expected.batches.entries())
    assert.ok(
      Math.abs(found.batches[i]! - value) <= 1e-4 * value,
      `${found.batches} for ${expected.batches}`,
    );
  const points = 100 * Math.abs(found.accuracy - expected.accuracy);
  assert.ok(points < 0.3, `${found.accuracy} for ${expected.accuracy}`);
});

// memory in pieces ---------------------------------------------------------------------------------------------------

test('an arena in several buffers: the same bits as in one', async () => {
  const of: Case = {
    make: () =>
      nn.sequential(
        ...[nn.conv2d(1, 8, 3, { padding: 1 }), nn.relu(), nn.maxPool2d(2)],
        ...[nn.conv2d(8, 8, 3, { padding: 1 }), nn.relu(), nn.flatten(), nn.linear(14 * 14 * 8, 10)],
      ),
    ...{ inputShape: [28, 28, 1], batch: 16 },
  };
  await start('webgpu');
  const expected = await train(of);
  const backend = backendOf(await start('webgpu'));
  const piece = 448 * 1024; // the largest tensor has 401,408 bytes
  backend.pieceBytes = piece;
  let arena = 0;
  const sizes: number[] = [];
  const { device } = backend;
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    if (descriptor.label === 'everygrad') sizes.push(descriptor.size);
    return create(descriptor);
  };
  const found = await train(of, async ({ plan }, _, run) => {
    arena = plan.arenaBytes.get('webgpu')!;
    const slots = [...plan.slots.get('webgpu')!.values()];
    const pieceOf = (offset: number) => Math.floor(offset / piece);
    assert.ok(slots.every(({ offset, bytes }) => pieceOf(offset) === pieceOf(offset + bytes - 1)));
    await run();
  });
  const pieces = sizes.filter((size) => size === piece).length;
  assert.ok(pieces >= 2 && pieces === Math.floor(arena / piece), `${pieces} pieces of ${arena} bytes`);
  assert.is(Math.max(...sizes), piece);
  assert.equal(found, expected);
});

test('an arena in several buffers: arguments and results are copied there and back', async () => {
  const numbers = Float32Array.from({ length: 800 }, (_, i) => (i % 37) - 18);
  const run = async (pieceBytes?: number): Promise<number[]> => {
    const backend = backendOf(await start('webgpu'));
    if (pieceBytes) backend.pieceBytes = pieceBytes;
    const f = compile((x: Tensor, y: Tensor) =>
      Array.from({ length: 6 }, (_, i) => x.mul(i).add(y).softmax().matmul(y.transpose())),
    );
    const first = await f(tensor(numbers, { shape: [8, 100] }), tensor(numbers, { shape: [8, 100] }));
    const y = variable(tensor(numbers.slice().reverse(), { shape: [8, 100] }));
    const second = await f(y, y); // from the GPU's memory
    return (await read([...first, ...second])).flatMap((values) => [...values]);
  };
  assert.equal(await run(4096), await run());
});

test.run();
