// The classic networks: parameters, shapes, a training step, sizes that do not fit, and learning real-looking digits.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import {
  configure,
  data,
  evaluate,
  explainTraining,
  fit,
  loss,
  mul,
  nn,
  OptionError,
  optim,
  predict,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.js';
import { suite } from '../helpers/suite.js';

const test = suite('classic networks');

test.before(async () => {
  await configure({ device: 'wasm' });
});

const images = (count: number, size: number, channels: number, classes: number) =>
  new data.ArrayDataset({
    inputs: Float32Array.from({ length: count * size * size * channels }, (_, i) => ((i * 7) % 255) / 255),
    inputShape: [size, size, channels],
    inputDType: 'float32',
    targets: Int32Array.from({ length: count }, (_, i) => i % classes),
    targetShape: [],
    targetDType: 'int32',
    classes,
  });

test('AlexNet has the parameters of its paper, without computing them', () => {
  assert.is(nn.alexnet().parameterCount, 60_965_224);
  const forward = nn.alexnet().forward(zeros([2, 227, 227, 3]), nn.inference());
  assert.equal(forward.shape, [2, 1000]);
});

test('layers that a module holds in an array are trained, named by their place', async () => {
  class Tower extends nn.Module {
    readonly blocks = [nn.linear(4, 5), nn.tanh(), nn.linear(5, 3)];
    readonly gains = [new nn.Parameter([3], nn.init.constant(1), { fanIn: 1, fanOut: 3 }, false)];
    forward(x: Tensor, context: nn.Context): Tensor {
      return mul(
        this.blocks.reduce((t, block) => block.forward(t, context), x),
        this.gains[0]!,
      );
    }
  }
  const tower = await new Tower().initialize(1);
  const names = ['blocks.0.weight', 'blocks.0.bias', 'blocks.2.weight', 'blocks.2.bias', 'gains.0'];
  assert.equal([...tower.namedParameters().keys()], names);
  assert.equal([...tower.namedModules().keys()], ['blocks.0', 'blocks.1', 'blocks.2']);
  tower.dispose();
});

test('AlexNet on small images trains: the loss of a step falls when it is repeated', async () => {
  const model = nn.alexnet({ inputSize: 67, classes: 4 });
  const set = images(4, 67, 3, 4);
  const { epochs } = await fit(model, set, {
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 0.001 }),
    batchSize: 4,
    epochs: 4,
    seed: 1,
  });
  assert.ok(epochs.every(({ trainLoss }) => Number.isFinite(trainLoss)));
  assert.ok(epochs.at(-1)!.trainLoss < epochs[0]!.trainLoss, epochs.map((e) => e.trainLoss).join(' '));
  model.dispose();
});

test('LeNet: shapes, parameters, and an arena that is no larger than what lives at once', async () => {
  const model = nn.sequential(nn.reshape([28, 28, 1]), nn.lenet());
  const weights = 3 * 3 * 16 + 16 + 32 + 9 * 16 * 32 + 32 + 64 + 9 * 32 * 64 + 64 + 128;
  assert.is(model.parameterCount, weights + 3136 * 50 + 50 + 500 + 10);
  const { train } = await data.digits({ train: 128, test: 1 });
  const { memory } = await explainTraining(model, train, {
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 0.01, momentum: 0.9 }),
    batchSize: 128,
  });
  for (const { arenaBytes, liveBytes } of memory) {
    console.log(
      `NOTE LeNet with batch norm, batch 128: arena ${arenaBytes} bytes, live at once ${liveBytes}`,
    );
    assert.ok(arenaBytes <= 1.1 * liveBytes);
  }
  model.dispose();
});

test('AlexNet: an arena that is no larger than what lives at once', async () => {
  const small = nn.alexnet({ inputSize: 99, classes: 10 });
  const { memory } = await explainTraining(small, images(8, 99, 3, 10), {
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 0.01, momentum: 0.9 }),
    batchSize: 8,
  });
  for (const { arenaBytes, liveBytes } of memory) {
    console.log(`NOTE AlexNet on 99x99x3, batch 8: arena ${arenaBytes} bytes, live at once ${liveBytes}`);
    assert.ok(arenaBytes <= 1.1 * liveBytes);
  }
  small.dispose();
});

test('LeNet learns digits', async () => {
  const { train, test: unseen } = await data.digits({ train: 1500, test: 300 });
  const model = nn.sequential(nn.reshape([28, 28, 1]), nn.lenet());
  await fit(model, train, {
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 0.02, momentum: 0.9 }),
    batchSize: 32,
    epochs: 2,
    seed: 1,
  });
  const { accuracy } = await evaluate(model, unseen);
  assert.ok(accuracy > 0.9, `accuracy ${accuracy}`);
  const y = await predict(model, tensor(new Float32Array(784), { shape: [1, 784] }));
  assert.equal(y.shape, [1, 10]);
  model.dispose();
});

test('sizes that do not fit', () => {
  for (const [make, message] of [
    [() => nn.lenet({ inputSize: 3 }), /\[lenet\] inputSize is 3 \(a whole number from 4/],
    [() => nn.alexnet({ inputSize: 66 }), /\[alexnet\] inputSize is 66/],
    [() => nn.alexnet({ classes: 0 }), /\[alexnet\] classes is 0/],
  ] as const) {
    assert.throws(make, (error: Error) => error instanceof OptionError && message.test(error.message));
  }
});

test.run();
