// Losses: what PyTorch has no number for (several tasks, penalties), masks, gradients by finite differences, refusals.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { gradients, loss, nn, read, type Tensor, tensor } from '../../src/index.js';
import { RandomStream } from '../../src/philox.js';
import { suite } from '../helpers/suite.js';

const test = suite('losses');

const random = new RandomStream(21, 0);
const draw = (shape: number[], low = -2, high = 2): Tensor =>
  tensor(
    Float64Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      () => low + (high - low) * random.uniform(),
    ),
    { shape },
  );
const numberOf = async (t: Tensor): Promise<number> => (await read([t]))[0]![0]!;
const near = (a: number, b: number, allowed = 1e-12): void =>
  assert.ok(Math.abs(a - b) <= allowed * Math.max(1, Math.abs(b)), `${a} instead of ${b}`);

test('gradients of every loss against finite differences in double precision', async () => {
  const labels = tensor(Int32Array.from([0, 2, 1, 3]));
  const signs = tensor([-1, 1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, 1, -1, 1], {
    dtype: 'float64',
    shape: [4, 4],
  });
  const weights = draw([4], 0.2, 2);
  const cases: [loss.Loss, Tensor][] = [
    [loss.crossEntropy({ labelSmoothing: 0.1, classWeights: [1, 2, 3, 4], ignoreLabel: 3 }), labels],
    [loss.nll({ classWeights: [1, 2, 3, 4] }), labels],
    [loss.binaryCrossEntropy({ positiveWeight: 2 }), draw([4, 4], 0, 1)],
    [loss.quadratic(), draw([4, 4])],
    [loss.meanSquaredError(), draw([4, 4])],
    [loss.l1(), draw([4, 4])],
    [loss.huber({ delta: 0.7 }), draw([4, 4])],
    [loss.gaussianNll(), draw([4, 2])],
    [loss.perceptron(), signs],
    [loss.perceptron(), labels],
    [loss.hinge({ squared: true }), signs],
    [loss.multiClassHinge({ margin: 2 }), labels],
    [loss.klDivergence(), draw([4, 4], 0.1, 1)],
  ];
  for (const [of, target] of cases) {
    for (const w of [undefined, weights]) {
      const x = draw([4, 4]);
      const values = Float64Array.from(await x.data());
      const [dx] = await read(gradients(of(x, target, w), [x]));
      for (let i = 0; i < values.length; i++) {
        const at = (step: number): Promise<number> =>
          numberOf(of(tensor(values.with(i, values[i]! + step), { shape: [4, 4] }), target, w));
        const slope = ((await at(1e-6)) - (await at(-1e-6))) / 2e-6;
        near(dx![i]!, slope, 1e-7);
      }
    }
  }
});

test('a mask leaves examples out, for every loss', async () => {
  const mask = tensor([true, false, true], { dtype: 'bool' });
  const [x, t] = [draw([3, 4]), draw([3, 4], 0.1, 1)];
  const rows = (y: Tensor): Tensor => tensor([0, 2]).cast('int32').oneHot(3, 'float64').matmul(y);
  const all = [
    ...[loss.crossEntropy(), loss.binaryCrossEntropy(), loss.quadratic(), loss.meanSquaredError(), loss.l1()],
    ...[loss.huber(), loss.perceptron(), loss.hinge(), loss.klDivergence(), loss.nll()],
  ];
  for (const of of all) near(await numberOf(of(x, t, mask)), await numberOf(of(rows(x), rows(t))));
  const labels = tensor(Int32Array.from([3, 0, 1]));
  const kept = tensor(Int32Array.from([3, 1]));
  for (const of of [loss.crossEntropy(), loss.multiClassHinge(), loss.perceptron()])
    near(await numberOf(of(x, labels, mask)), await numberOf(of(rows(x), kept)));
  near(
    await numberOf(loss.crossEntropy({ ignoreLabel: 0 })(x, labels)),
    await numberOf(loss.crossEntropy()(rows(x), kept)),
  );
});

test('several tasks: each on its own columns, added up by weight', async () => {
  const both = loss.multiTask([
    { loss: loss.crossEntropy(), outputs: 3, targets: 'label', weight: 0.5 },
    { loss: loss.meanSquaredError(), outputs: 2, targets: 2, weight: 2 },
  ]);
  const x = draw([4, 5]);
  const t = tensor(
    [
      [0, 1, 2],
      [2, 3, 4],
      [1, 0, 0],
      [1, -1, 0.5],
    ],
    { dtype: 'float64' },
  );
  const wanted = loss.weightedSum(
    [
      loss.crossEntropy()(x.slice([0, 0], [4, 3]), tensor(Int32Array.from([0, 2, 1, 1]))),
      loss.meanSquaredError()(x.slice([0, 3]), t.slice([0, 1])),
    ],
    [0.5, 2],
  );
  near(await numberOf(both(x, t)), await numberOf(wanted));
  assert.throws(() => both(draw([4, 6]), t), /the tasks need 5 outputs and 3 columns/);
  assert.throws(() => loss.weightedSum([], []), /at least one/);
});

test('penalties are of weights, not of biases', async () => {
  const layer = nn.linear(2, 1, { weightInit: nn.init.constant(-3), biasInit: nn.init.constant(5) });
  await layer.initialize();
  near(await numberOf(loss.l1Penalty(layer.parameters(), 0.1)), 0.6, 1e-6);
  near(await numberOf(loss.l2Penalty(layer.parameters(), 0.1)), 0.9, 1e-6);
});

test('what does not fit is refused with names and shapes', () => {
  const x = draw([4, 3]);
  const labels = tensor(Int32Array.from([0, 1, 2, 0]));
  assert.throws(
    () => loss.crossEntropy()(x, draw([4, 2])),
    /\[crossEntropy\] prediction is \(4,3\), target is float64 \(4,2\)/,
  );
  assert.throws(() => loss.multiClassHinge()(x, x), /\[multiClassHinge\].*targets are labels int32/);
  assert.throws(
    () => loss.crossEntropy({ classWeights: [1, 2] })(x, labels),
    /2 class weights for predictions \(4,3\)/,
  );
  assert.throws(() => loss.gaussianNll()(x, x), /\(batch, 2 n\) for \(batch, n\)/);
  assert.throws(
    () => loss.l1()(x, x, draw([3])),
    /weights are \(3\), the values that they are for are \(4,3\)/,
  );
  assert.throws(() => loss.huber({ delta: 0 }), /delta is 0 \(a number > 0\)/);
  assert.throws(() => loss.crossEntropy({ labelSmoothing: 1 }), /labelSmoothing is 1/);
});

test.run();
