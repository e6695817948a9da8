// Models that are graphs: branches, sums, skips, several inputs and outputs, shared weights, frozen parts; their summary.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import {
  configure,
  data,
  evaluate,
  fit,
  gradients,
  loss,
  nn,
  optim,
  predict,
  read,
  type Tensor,
  tensor,
  weightsFromBytes,
  weightsToBytes,
} from '../../src/index.js';
import { gradientCheck, summary } from '../../src/inspect/index.js';
import { RandomStream } from '../../src/philox.js';
import { suite } from '../helpers/suite.js';

const test = suite('functional models');

test.before(async () => {
  await configure({ device: 'wasm' });
});

const numbers = (shape: number[], seed = 1): Tensor => {
  const random = new RandomStream(seed, 0);
  const values = Float32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    () => 2 * random.uniform() - 1,
  );
  return tensor(values, { shape });
};
const same = async (a: Tensor, b: Tensor): Promise<void> => {
  assert.equal(a.shape, b.shape);
  const [x, y] = await read([a, b]);
  for (const [i, v] of x!.entries())
    assert.ok(Math.abs((v as number) - (y![i] as number)) < 1e-6, `element ${i}`);
};

test('plus, concat and skip are what they say, also inside of one another', async () => {
  const [a, b, c] = [nn.linear(3, 3), nn.linear(3, 2), nn.linear(3, 3)];
  const x = numbers([4, 3]);
  const at = nn.inference();
  const model = nn.sequential(nn.skip(a, nn.tanh()), nn.concat(b, nn.identity(), nn.plus(c, nn.relu())));
  await model.initialize(2);
  const h = x.add(a.forward(x).tanh());
  const y = model.forward(x, at);
  assert.equal(y.shape, [4, 8]);
  await same(y.slice([0, 0], [4, 2]), b.forward(h));
  await same(y.slice([0, 2], [4, 5]), h);
  await same(y.slice([0, 5], [4, 8]), c.forward(h).add(h.relu()));
  assert.equal(
    [...model.namedParameters().keys()],
    [...['0.1.0.weight', '0.1.0.bias', '1.0.weight', '1.0.bias', '1.2.0.weight', '1.2.0.bias']],
  );
});

test('a layer that is used twice has its weights once, and its gradients add up', async () => {
  const shared = nn.linear(3, 3);
  const model = nn.functional({ shared, head: nn.linear(3, 2) }, ({ shared: f, head }, x) =>
    head(f(f(x).tanh())),
  );
  await model.initialize(1);
  assert.equal(
    [...model.namedParameters().keys()],
    ['shared.weight', 'shared.bias', 'head.weight', 'head.bias'],
  );
  const batch = { inputs: numbers([5, 3]), targets: numbers([5, 2], 2) };
  const checked = await gradientCheck(model, loss.meanSquaredError(), batch);
  assert.ok(checked.passed, JSON.stringify(checked.worst));
  // y = x w1 + (x w2) with both the same variable: the gradient is twice that of one.
  const lossOf = (y: Tensor): Tensor => y.square().sum();
  const [once, twice] = [
    shared.forward(batch.inputs),
    nn.plus(shared, shared).forward(batch.inputs, nn.inference()),
  ];
  const [g1] = gradients(lossOf(once), [shared.weight]);
  const [g2] = gradients(lossOf(twice), [shared.weight]);
  await same(g2!, g1!.mul(4));
});

test('models inside of models, by path', async () => {
  const inner = nn.functional({ a: nn.linear(2, 2), b: nn.linear(2, 2) }, ({ a, b }, x) => a(x).add(b(x)));
  const model = nn.sequential(
    nn.functional({ inner, out: nn.linear(2, 1) }, ({ inner: f, out }, x) => out(f(x))),
  );
  assert.equal([...model.namedParameters().keys()].slice(0, 2), ['0.inner.a.weight', '0.inner.a.bias']);
  await model.initialize(1);
  const copy = nn.sequential(
    nn.functional(
      {
        inner: nn.functional({ a: nn.linear(2, 2), b: nn.linear(2, 2) }, ({ a, b }, x) => a(x).add(b(x))),
        out: nn.linear(2, 1),
      },
      ({ inner: f, out }, x) => out(f(x)),
    ),
  );
  await weightsFromBytes(copy, await weightsToBytes(model));
  const x = numbers([3, 2]);
  await same(copy.forward(x, nn.inference()), model.forward(x, nn.inference()));
});

/** An image of 2 x 2 and a number in, a class of three and a number out; the trunk is shared. */
const multi = () =>
  nn.functional(
    { pixels: nn.linear(4, 8), trunk: nn.linear(9, 8), kind: nn.linear(8, 3), size: nn.linear(8, 1) },
    { image: [2, 2], age: [1] },
    ({ pixels, trunk, kind, size }, { image, age }) => {
      const seen = pixels(image.reshape([image.shape[0]!, 4])).relu();
      const h = trunk(concatColumns(seen, age)).tanh();
      return { kind: kind(h), size: size(h) };
    },
  );
const concatColumns = (a: Tensor, b: Tensor): Tensor =>
  nn.functional({}, { a: [a.shape[1]!], b: [b.shape[1]!] }, (_, both) => both).pack({ a, b });

test('several inputs and outputs: by name, and side by side', async () => {
  const model = multi();
  await model.initialize(3);
  const inputs = { image: numbers([5, 2, 2]), age: numbers([5, 1], 2) };
  const { kind, size } = model.run(inputs) as Record<string, Tensor>;
  assert.equal(
    [kind!.shape, size!.shape],
    [
      [5, 3],
      [5, 1],
    ],
  );
  assert.equal(model.outputShapes(), { kind: [3], size: [1] });
  const packed = model.pack(inputs);
  assert.equal(packed.shape, [5, 5]);
  const again = model.unpack(await predict(model, packed));
  await same(again.kind!, kind!);
  await same(again.size!, size!);
});

test('several tasks are learned on one trunk, from columns of a data set', async () => {
  const random = new RandomStream(7, 0);
  const n = 96;
  const image = Float32Array.from({ length: 4 * n }, () => 2 * random.uniform() - 1);
  const age = Float32Array.from({ length: n }, () => random.uniform());
  const kind = Int32Array.from({ length: n }, (_, i) =>
    image[4 * i]! > 0.2 ? 2 : image[4 * i + 1]! > 0 ? 1 : 0,
  );
  const size = Float32Array.from(age, (v, i) => v + image[4 * i + 3]! / 2);
  const set = data.joinColumns({ length: n, inputs: { image, age }, targets: { kind, size } });
  assert.equal([set.inputShape, set.targetShape, set.length], [[5], [2], n]);
  assert.equal(Array.from(set.inputs.slice(5, 10)), [...image.slice(4, 8), age[1]!]);
  const both = loss.multiTask([
    { loss: loss.crossEntropy(), outputs: 3, targets: 'label' },
    { loss: loss.meanSquaredError(), outputs: 1, targets: 1, weight: 2 },
  ]);
  const model = multi();
  const optimizer = optim.adam({ lr: 0.03 });
  const { epochs } = await fit(model, set, { loss: both, optimizer, batchSize: 32, epochs: 60, seed: 1 });
  assert.ok(epochs[0]!.trainLoss > 1 && epochs.at(-1)!.trainLoss < 0.3, `${epochs.at(-1)!.trainLoss}`);
  const { loss: final } = await evaluate(model, set, { loss: both });
  assert.ok(final < 0.3, `${final}`);
});

test('frozen parts stay as they are, and are trained again when thawed', async () => {
  const [body, head] = [nn.linear(2, 4), nn.linear(4, 2)];
  const model = nn.sequential(nn.freeze(nn.sequential(body, nn.tanh())), head);
  await model.initialize(1);
  const values = async (p: nn.Parameter | null) => [...(await p!.data())];
  const [bodyBefore, headBefore] = [await values(body.weight), await values(head.weight)];
  const xor = new data.ArrayDataset({
    ...{ inputs: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), inputShape: [2], inputDType: 'float32' },
    ...{ targets: Int32Array.of(0, 1, 1, 0), targetShape: [], targetDType: 'int32', classes: 2 },
  });
  const options = () => ({
    loss: loss.crossEntropy(),
    optimizer: optim.sgd({ lr: 0.5 }),
    batchSize: 4,
    epochs: 2,
  });
  await fit(model, xor, options());
  assert.equal(await values(body.weight), bodyBefore);
  assert.not.equal(await values(head.weight), headBefore);
  assert.match(String(summary(model, [2])), /12 parameters are frozen/);
  nn.unfreeze(model);
  await fit(model, xor, options());
  assert.not.equal(await values(body.weight), bodyBefore);
  nn.freeze(model);
  await fit(model, xor, options()).then(
    () => assert.unreachable('trained nothing'),
    (error: Error) => assert.match(error.message, /no parameter to train/),
  );
});

test('summary: shapes, parameters and flops, of LeNet and AlexNet as their papers count them', () => {
  const dense = summary(nn.sequential(nn.linear(784, 100), nn.sigmoid(), nn.linear(100, 10)), [784]);
  assert.equal(
    dense.rows.map(({ path, kind, shape, parameters }) => [path, kind, shape, parameters]),
    [
      ['0', 'Linear', [100], 78_500],
      ['1', 'sigmoid', [100], 0],
      ['2', 'Linear', [10], 1010],
    ],
  );
  assert.is(dense.rows[0]!.flops, 2 * 784 * 100 + 100);
  assert.is(dense.rows[2]!.flops, 2 * 100 * 10 + 10);
  assert.is(
    dense.flops,
    dense.rows.reduce((n, row) => n + row.flops, 0),
  );
  const shared = nn.linear(4, 4);
  const nested = summary(nn.sequential(nn.skip(shared), nn.sequential(shared, nn.relu())), [4]);
  assert.equal(
    nested.rows.map(({ path, kind, parameters }) => [path, kind, parameters]),
    [
      ...[
        ['0', 'plus', 20],
        ['0.0', 'identity', 0],
        ['0.1', 'Sequential', 20],
        ['0.1.0', 'Linear', 20],
      ],
      ...[
        ['1', 'Sequential', 20],
        ['0.1.0', 'Linear', 0],
        ['1.1', 'relu', 0],
      ],
    ],
  );
  assert.is(nested.parameters, 20);
  assert.match(String(nested), /^layer +output +parameters +flops\n0 plus +\(4\) +20 +40\n {2}0\.0 identity/);
  const alex = summary(nn.alexnet(), [227, 227, 3]);
  assert.is(alex.parameters, 60_965_224);
  assert.equal(alex.rows[0]!.shape, [55, 55, 96]);
  // Products of weights by the sizes in figure 2 of the paper; two operations each, and one for each bias.
  const products = alex.rows
    .filter(({ parameters }) => parameters > 0)
    .reduce((n, { flops, shape }) => n + (flops - shape.reduce((a, b) => a * b, 1)) / 2, 0);
  assert.is(products, 724_406_816);
  assert.throws(() => summary(nn.linear(3, 2), [4]), /the layer takes 3 values/);
});

test('graphs that make no sense', () => {
  assert.throws(() => nn.plus(), /\[plus\] there is no branch/);
  assert.throws(() => nn.concat(nn.relu as never), /\[concat\] branch 0 is/);
  assert.throws(() => nn.functional({ a: 3 as never }, (_, x) => x), /\[functional\] a is 3, not a layer/);
  const model = multi();
  assert.throws(() => model.run({ image: numbers([2, 2, 2]) } as never), /input age is missing/);
  assert.throws(() => model.pack({ image: numbers([2, 4]), age: numbers([2, 1]) }), /input image is \(2,4\)/);
  assert.throws(() => model.forward(numbers([2, 4]), nn.inference()), /the model takes \(batch,5\)/);
  assert.throws(() => model.unpack(numbers([2, 5])), /those of the model have 4 columns/);
  assert.throws(() => nn.functional({}, (_, x) => x).outputShapes(), /one output, without a name/);
  const bad = (inputs: Record<string, Float32Array>) => () =>
    data.joinColumns({ length: 2, inputs, targets: { y: Float32Array.of(1, 2) } });
  assert.throws(bad({ x: Float32Array.of(1, 2, 3) }), /x has 3 values for 2 examples/);
  assert.throws(bad({}), /there are none/);
  assert.throws(bad({ x: Float32Array.of(1, Number.NaN) }), /value NaN/);
  assert.throws(
    () =>
      data.joinColumns({
        length: 1,
        inputs: { x: Int32Array.of(16_777_217) },
        targets: { y: Int32Array.of(1) },
      }),
    /float32 does not hold/,
  );
});

test.run();
