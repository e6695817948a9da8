// Training that goes wrong is explained: the first op and layer that made NaN or infinity, and the step in which it did.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  add,
  configure,
  DataError,
  data,
  fit,
  loss,
  mul,
  nn,
  optim,
  read,
  StateError,
  type schedules,
  tensor,
  where,
} from '../../src/index.js';
import { explainNonFinite, type NonFinite } from '../../src/inspect/explain-non-finite.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

/** Numbers 0 to 99 as inputs and targets, in one column. */
const points = (values: (i: number) => number = (i) => i / 100) =>
  new data.ArrayDataset({
    inputs: Float32Array.from({ length: 100 }, (_, i) => values(i)),
    inputShape: [1],
    inputDType: 'float32',
    targets: Float32Array.from({ length: 100 }, (_, i) => i / 100),
    targetShape: [1],
    targetDType: 'float32',
  });

for (const device of environment.devices) {
  const test = suite(`not finite on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('a logarithm of 0 in the second layer', async () => {
    const model = nn.sequential(
      nn.relu(),
      nn.lambda('log', (x) => x.log()),
      nn.linear(1, 1),
    );
    const batch = { inputs: tensor([[1], [2], [0], [3]]), targets: tensor([[1], [1], [1], [1]]) };
    const found = (await explainNonFinite(model, loss.meanSquaredError(), batch))!;
    assert.equal(
      [found.op, found.part, found.layer, found.shape, found.element, found.value],
      ['log', 'forward pass', '1 (log)', [4, 1], [2, 0], Number.NEGATIVE_INFINITY],
    );
    assert.equal(found.inputs, [{ name: 'relu', shape: [4, 1], least: 0, greatest: 3 }]);
    assert.is(
      found.text,
      'log (4,1) (layer 1 (log), forward pass) makes -Infinity at [2,0] out of relu (4,1) in [0, 3]',
    );
    const fine = { inputs: tensor([[1]]), targets: tensor([[1]]) };
    assert.is(await explainNonFinite(model, loss.meanSquaredError(), fine), null);
  });

  test('an infinity that does no harm is not blamed; one in the gradient is', async () => {
    const root = nn.lambda('root', (x) => x.sqrt());
    const masked = nn.lambda('mask', (x) => where(x.less(0.5), x, Number.NEGATIVE_INFINITY).softmax());
    const batch = { inputs: tensor([[0, 1]]), targets: tensor([[0, 1]]) };
    const model = nn.sequential(
      nn.linear(2, 2, { weightInit: nn.init.zeros, biasInit: nn.init.zeros }),
      masked,
    );
    assert.is(await explainNonFinite(model, loss.meanSquaredError(), batch), null);
    // The derivative of a square root at 0 is infinite.
    const flat = nn.sequential(nn.linear(2, 2, { weightInit: nn.init.zeros, biasInit: nn.init.zeros }), root);
    const found = (await explainNonFinite(flat, loss.meanSquaredError(), batch))!;
    assert.equal([found.part, found.layer], ['gradient', '1 (root)']);
  });

  test('fit stops, names op, layer, epoch and batch, and leaves the weights from before', async () => {
    // 1 / (x - 0.37) is infinite for example 37, which is in batch 4 of 10.
    const pole = nn.lambda('pole', (x) => x.sub(Math.fround(0.37)).reciprocal());
    const model = nn.sequential(nn.identity(), pole, nn.linear(1, 1));
    const optimizer = optim.adam({ lr: 0.01 });
    const options = { loss: loss.meanSquaredError(), optimizer, batchSize: 10, epochs: 3, shuffle: false };
    const error = await rejectsWith(fit(model, points(), options), DataError);
    assert.match(error.message, /the loss became (NaN|Infinity) in epoch 1; first, in batch 4 of epoch 1, /);
    const { op, layer, element, batch, epoch } = error.values as unknown as NonFinite &
      Record<string, number>;
    assert.equal([op, layer, element, batch, epoch], ['reciprocal', '1 (pole)', [7, 0], 4, 1]);
    assert.ok((await read(model.parameters())).every((v) => v.every(Number.isFinite)));
    assert.is(await optimizer.state()[0]!.item(), Math.fround(0.01));
  });

  test('steps that go wrong after many good ones, with a schedule and another order in each epoch', async () => {
    // The rate grows tenfold with each epoch until the weights overflow.
    const model = nn.sequential(nn.linear(1, 4), nn.tanh(), nn.linear(4, 1));
    const rates: schedules.ScheduleLike = ({ epoch }) => (epoch < 30 ? 1 : 1e30);
    const options = { loss: loss.meanSquaredError(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 10 };
    const error = await rejectsWith(
      fit(model, points(), { ...options, epochs: 60, schedule: rates, seed: 4 }),
      DataError,
    );
    assert.match(error.message, /in batch \d+ of epoch 31/);
    assert.ok((await read(model.parameters())).every((v) => v.every(Number.isFinite)));
  });

  test('dropout is drawn again as it was', async () => {
    // Infinite where dropout takes one unit and leaves the other: about one step in four.
    const model = nn.sequential(
      nn.lambda('ones', (x) => x.mul(0).add(tensor([1, 1]))),
      nn.dropout(0.5),
      nn.lambda('pole', (x) =>
        add(
          mul(x, tensor([[1, 0]])),
          x
            .equal(0)
            .cast('float32')
            .mul(tensor([[0, 1]])),
        ),
      ),
      nn.lambda('ratio', (x) => x.sum(1, { keepDims: true }).sub(3).reciprocal()),
      nn.linear(1, 1),
    );
    const options = { loss: loss.meanSquaredError(), optimizer: optim.sgd({ lr: 0.01 }), batchSize: 1 };
    const error = await rejectsWith(fit(model, points(), { ...options, epochs: 2, seed: 1 }), DataError);
    assert.is(error.values.layer, '3 (ratio)');
    assert.is(error.values.op, 'reciprocal');
  });

  test('data that can be read only once: the same error, and why it says no more', async () => {
    const source = points();
    let reads = 0;
    const once = new Proxy(source, {
      get(target, name) {
        if (name !== 'batches') return Reflect.get(target, name, target);
        return (options: data.BatchOptions) => {
          if (++reads > 1) throw new StateError({ where: 'once', problem: 'it was read' });
          return target.batches(options);
        };
      },
    });
    const model = nn.sequential(
      nn.lambda('log', (x) => x.log()),
      nn.linear(1, 1),
    );
    const options = { loss: loss.meanSquaredError(), optimizer: optim.sgd({ lr: 0.1 }), batchSize: 10 };
    const error = await rejectsWith(fit(model, once, options), DataError);
    assert.match(error.message, /the loss became (NaN|Infinity) in epoch 1 \(use/);
    assert.instance(error.cause, StateError);
  });

  test('with accumulated steps the message says that much less', async () => {
    const model = nn.sequential(nn.linear(1, 1));
    const options = { loss: loss.meanSquaredError(), optimizer: optim.sgd({ lr: 1e30 }), batchSize: 10 };
    const error = await rejectsWith(
      fit(model, points(), { ...options, accumulate: 2, epochs: 4 }),
      DataError,
    );
    assert.match(error.message, /the loss became (NaN|Infinity) in epoch \d \(use/);
  });

  test.run();
}
