// Layers beyond those of a perceptron, sorting, clipping: what goes wrong is said, and what the tables do not show.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  addAlongAxis,
  argsort,
  compile,
  configure,
  crossEntropyLogits,
  cumsum,
  dropout,
  engine,
  grad,
  loss,
  mul,
  nn,
  optim,
  padEdges,
  randomBernoulli,
  read,
  resize,
  scaledDotProductAttention,
  sort,
  sum,
  type Tensor,
  takeAlongAxis,
  tensor,
  topK,
  vjp,
  where,
  zeros,
} from '../../src/index.js';
import { buildModel } from '../../src/train/spec.js';
import { environment } from '../helpers/environment.js';
import { failsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('layers and ops beyond perceptrons');
const [device] = environment.devices;

test.before(async () => {
  await configure({ device: device! });
});

const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());
const context = (training: boolean) => ({
  training,
  random: new nn.RandomSource(3, tensor(0, { dtype: 'int32' })),
});
const near = (a: readonly number[], b: readonly number[], within = 1e-5): void => {
  assert.is(a.length, b.length);
  for (const [i, x] of a.entries())
    assert.ok(Math.abs(x - b[i]!) <= within, `element ${i} is ${x} instead of ${b[i]}`);
};

test('NaN is the largest, equal elements keep their order, -0 is 0', async () => {
  const x = tensor([2, Number.NaN, -Infinity, 2, Infinity, Number.NaN, -0, 0]);
  assert.equal(await values(argsort(x)), [2, 6, 7, 0, 3, 4, 1, 5]);
  assert.equal(await values(argsort(x, 0, { descending: true })), [1, 5, 4, 0, 3, 6, 7, 2]);
  assert.equal(await values(topK(x, 3).values), [Number.NaN, Number.NaN, Infinity]);
  assert.equal(await values(topK(x, 3).indices), [1, 5, 4]);
  // long enough for the other algorithm
  const long = tensor(Array.from({ length: 100 }, (_, i) => (i % 7 === 3 ? Number.NaN : -(i % 5))));
  const order = await values(argsort(long, 0, { descending: true }));
  const rank = (i: number): number => (i % 7 === 3 ? 1 : -(i % 5));
  const wanted = Array.from({ length: 100 }, (_, i) => i).sort((a, b) => rank(b) - rank(a) || a - b);
  assert.equal(order, wanted);
  const whole = tensor([3, -2147483648, 2147483647, 3], { dtype: 'int32' });
  assert.equal(await values(sort(whole).values), [-2147483648, 3, 3, 2147483647]);
});

test('the gradients of sort and topK go back where the values came from', async () => {
  const x = tensor([
    [3, 1, 2],
    [5, 6, 4],
  ]);
  const weights = tensor([1, 10, 100]);
  assert.equal(await values(grad((t) => sum(mul(sort(t).values, weights)))(x)), [100, 1, 10, 10, 100, 1]);
  assert.equal(await values(grad((t) => sum(topK(t, 1).values))(x)), [1, 0, 0, 0, 1, 0]);
});

test('running sums', async () => {
  const x = tensor([1, 2, 3]);
  assert.equal(await values(cumsum(x)), [1, 3, 6]);
  assert.equal(await values(cumsum(x, 0, { exclusive: true })), [0, 1, 3]);
  assert.equal(await values(cumsum(x, 0, { reverse: true })), [6, 5, 3]);
  assert.equal(await values(grad((t) => sum(mul(cumsum(t), tensor([1, 10, 100]))))(x)), [111, 110, 100]);
});

test('labels and indices out of range give NaN, and nothing else does', async () => {
  const logits = tensor([
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
  ]);
  const labels = tensor([2, 3, -1], { dtype: 'int32' });
  const [first, ...rest] = await values(crossEntropyLogits(logits, labels));
  near([first!], [0.40760596]);
  assert.equal(rest, [Number.NaN, Number.NaN]);
  const [dz] = vjp(crossEntropyLogits(logits, labels), [logits], tensor([1, 1, 1]));
  const gradient = await values(dz!);
  near(gradient.slice(0, 3), [0.09003057, 0.24472847, -0.33475904]);
  assert.ok(gradient.slice(3).every(Number.isNaN));
  const taken = takeAlongAxis(tensor([1, 2]), tensor([1, 2, -1], { dtype: 'int32' }));
  assert.equal(await values(taken), [2, Number.NaN, Number.NaN]);
  const added = addAlongAxis(tensor([1, 2, 4, 8]), tensor([1, 3, -1, 1], { dtype: 'int32' }), 3);
  assert.equal(await values(added), [0, 9, 0]);
});

test('cross-entropy of labels is that of their rows', async () => {
  const logits = tensor([
    [0.5, -1, 2, 80],
    [100, -200, 3, 1],
  ]);
  const labels = tensor([1, 0], { dtype: 'int32' });
  const rows = tensor([
    [0, 1, 0, 0],
    [1, 0, 0, 0],
  ]);
  const f = loss.crossEntropy();
  const both = await read([f(logits, labels), f(logits, rows)]);
  near([both[0]![0]!], [both[1]![0]!], 1e-4);
  const gradients = await read([labels, rows].map((t) => grad((z) => f(z, t))(logits)));
  near(Array.from(gradients[0]!), Array.from(gradients[1]!), 1e-6);
});

test('attention: a bool mask, a causal one and added floats agree', async () => {
  const part = (n: number) =>
    tensor(
      Array.from({ length: 12 }, (_, i) => Math.sin(i * n)),
      { shape: [1, 4, 3] },
    );
  const [q, k, v] = [part(1), part(2), part(3)];
  const lower = tensor(
    Array.from({ length: 16 }, (_, i) => Number(i % 4 <= Math.floor(i / 4))),
    { shape: [4, 4], dtype: 'bool' },
  );
  const added = where(lower, zeros([4, 4]), -1e9);
  const [a, b, c, d] = await read([
    scaledDotProductAttention(q, k, v, { causal: true }),
    scaledDotProductAttention(q, k, v, { mask: lower }),
    scaledDotProductAttention(q, k, v, { mask: added }),
    scaledDotProductAttention(q, k, v, { mask: lower, causal: true, scale: 1 / Math.sqrt(3) }),
  ]);
  near(Array.from(a!), Array.from(b!), 1e-6);
  near(Array.from(a!), Array.from(c!), 1e-6);
  near(Array.from(a!), Array.from(d!), 1e-6);
  // the first query sees the first key alone
  near(Array.from(a!).slice(0, 3), (await values(v)).slice(0, 3), 1e-6);
});

test('multi-head attention: parameters, first values, attend is forward', async () => {
  const layer = nn.multiHeadAttention(8, 2, { causal: true });
  await layer.initialize(1);
  const names = [...layer.namedParameters()].map(([name, p]) => `${name} ${p.shape}`);
  assert.equal(names, ['inProjWeight 8,24', 'inProjBias 24', 'outProj.weight 8,8', 'outProj.bias 8']);
  const weights = await values(layer.inProjWeight);
  const bound = Math.sqrt(6 / 32);
  assert.ok(weights.every((w) => Math.abs(w) <= bound) && weights.some((w) => Math.abs(w) > bound / 2));
  assert.ok((await values(layer.inProjBias!)).every((b) => b === 0));
  const x = tensor(
    Array.from({ length: 80 }, (_, i) => Math.cos(i)),
    { shape: [2, 5, 8] },
  );
  const [own, crossed] = await read([
    layer.forward(x, context(false)),
    layer.attend(x, x, x, context(false), { causal: true }),
  ]);
  near(Array.from(own!), Array.from(crossed!), 1e-6);
  const short = layer.attend(
    x,
    tensor(
      Array.from({ length: 48 }, (_, i) => Math.sin(i)),
      { shape: [2, 3, 8] },
    ),
    zeros([2, 3, 8]),
    context(false),
  );
  assert.equal(short.shape, [2, 5, 8]);
  assert.ok(
    (await values(short)).every((y) => y === 0),
    'values of zero give the bias',
  );
  assert.is(nn.multiHeadAttention(4, 4, { bias: false }).parameters().length, 2);
  layer.dispose();
});

test('embedding: the padding row starts as zeros and is not trained', async () => {
  const layer = nn.embedding(4, 3, { paddingIndex: 2 });
  await layer.initialize(5);
  assert.equal((await values(layer.weight)).slice(6, 9), [0, 0, 0]);
  const numbers = tensor(
    [
      [0, 2],
      [2, 3],
    ],
    { dtype: 'int32' },
  );
  const step = compile((x: Tensor) => {
    const y = layer.forward(x);
    assert.equal(y.shape, [2, 2, 3]);
    const [dw] = vjp(sum(y), [layer.weight], tensor(1));
    return [y, dw!];
  });
  const [y, dw] = await step(numbers);
  assert.equal((await values(y!)).slice(3, 9), [0, 0, 0, 0, 0, 0]);
  assert.equal(await values(dw!), [1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
  // as floats, which is how batches come
  assert.equal(await values(layer.forward(tensor([3.0]))), (await values(layer.weight)).slice(9));
  assert.ok((await values(layer.forward(tensor([4], { dtype: 'int32' })))).every(Number.isNaN));
  step.dispose();
  for (const t of [y!, dw!]) (t as Tensor & Disposable)[Symbol.dispose]();
  layer.dispose();
});

test('dropout: the elements that randomBernoulli keeps, the same ones in the gradient', async () => {
  const x = tensor(Array.from({ length: 2000 }, (_, i) => i + 1));
  const options = { seed: 9, stream: 4, step: tensor(7, { dtype: 'int32' }) };
  const y = dropout(x, 0.3, options);
  const [dx] = vjp(y, [x], tensor(new Float32Array(2000).fill(1)));
  const [kept, out, gradient] = await read([randomBernoulli([2000], 0.7, options), y, dx!]);
  for (let i = 0; i < 2000; i++) {
    assert.is(gradient![i], kept![i] ? Math.fround(1 / 0.7) : 0, `gradient ${i}`);
    assert.ok(Math.abs(out![i]! - (i + 1) * gradient![i]!) <= 3e-4, `element ${i}`);
  }
  const share = Array.from(kept!).reduce((a, b) => a + b, 0) / 2000;
  assert.ok(share > 0.65 && share < 0.75, `${share} are kept`);
});

test('dropout keeps nothing for the backward pass', async () => {
  const layer = nn.sequential(nn.linear(8, 64), nn.dropout(0.5), nn.linear(64, 4));
  await layer.initialize(1);
  const step = compile((x: Tensor) => {
    const y = sum(layer.forward(x, context(true)));
    return [y, vjp(y, [layer.parameters()[0]!], tensor(1))[0]!];
  });
  const rows = await step.explain(zeros([16, 8]));
  assert.is(rows.filter(({ ops }) => /randomUniform|where|less/.test(ops)).length, 0);
  assert.is(rows.filter(({ ops }) => ops.includes('dropout')).length, 2, 'forward and backward');
  step.dispose();
  layer.dispose();
});

test('dropout2d takes whole channels', async () => {
  const y = await values(
    nn.dropout2d(0.5).forward(tensor(new Float32Array(240).fill(1), { shape: [2, 3, 4, 10] }), context(true)),
  );
  const seen = new Set<number>();
  for (let n = 0; n < 2; n++) {
    for (let c = 0; c < 10; c++) {
      const channel = Array.from({ length: 12 }, (_, i) => y[n * 120 + i * 10 + c]!);
      assert.ok(
        channel.every((v) => v === channel[0] && (v === 0 || v === 2)),
        `${n}, ${c}: ${channel}`,
      );
      seen.add(channel[0]!);
    }
  }
  assert.is(seen.size, 2);
  const x = zeros([2, 3, 4, 10]);
  assert.is(nn.dropout2d(0.5).forward(x, context(false)), x);
});

test('upsample, pad, reshape', async () => {
  const x = tensor([1, 2, 3, 4], { shape: [1, 2, 2, 1] });
  const at = (layer: nn.Module, t = x) => layer.forward(t, context(false));
  assert.equal(await values(at(nn.upsample({ scale: 2 }))), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
  const corners = at(nn.upsample({ size: [3, 3], mode: 'bilinear', alignCorners: true }));
  near(await values(corners), [1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4]);
  assert.equal(at(nn.upsample({ scale: [1.5, 3] })).shape, [1, 3, 6, 1]);
  assert.equal(at(nn.upsample({ scale: 2 }), zeros([2, 5, 3])).shape, [2, 10, 3]);
  assert.equal(
    await values(
      at(
        nn.pad(
          [
            [1, 0],
            [0, 1],
          ],
          { value: 9 },
        ),
      ),
    ),
    [9, 9, 9, 1, 2, 9, 3, 4, 9],
  );
  assert.equal(
    await values(
      at(
        nn.pad(
          [
            [0, 0],
            [1, 1],
          ],
          { mode: 'reflect' },
        ),
      ),
    ),
    [2, 1, 2, 1, 4, 3, 4, 3],
  );
  assert.equal(await values(at(nn.pad([[0, 2]], { mode: 'replicate' }))), [1, 2, 3, 4, 3, 4, 3, 4]);
  assert.equal(at(nn.reshape([2, -1]), zeros([5, 2, 3, 4])).shape, [5, 2, 12]);
  assert.equal(at(nn.reshape([-1]), zeros([0, 2, 3])).shape, [0, 6]);
  assert.is(resize(x, [2, 2]), x);
});

test('clipping', async () => {
  const gradients = [tensor([3, 0]), tensor([[0], [4]])];
  const [norm] = await read([optim.globalNorm(gradients)]);
  assert.is(norm![0], 5);
  const clipped = await read(optim.clipByGlobalNorm(gradients, 1));
  near(Array.from(clipped[0]!), [0.6, 0]);
  near(Array.from(clipped[1]!), [0, 0.8]);
  // within the norm nothing changes
  assert.equal(await read(optim.clipByGlobalNorm(gradients, 6)), [
    Float32Array.of(3, 0),
    Float32Array.of(0, 4),
  ]);
  assert.equal(await read(optim.clipByValue(gradients, 3.5)), [
    Float32Array.of(3, 0),
    Float32Array.of(0, 3.5),
  ]);
  // rows, a row, a scalar, nothing
  const many = [zeros([3, 0]), tensor(2), tensor(new Float32Array(1500).fill(1), { shape: [5, 3, 100] })];
  assert.is(await optim.globalNorm(many).item(), Math.fround(Math.sqrt(1504)));
  const p = new nn.Parameter([2], nn.init.constant(1), { fanIn: 1, fanOut: 1 }, true);
  const sgd = optim.sgd({ lr: 1, clipNorm: 1, clipValue: 4 });
  const step = compile((g: Tensor) => sgd.update([p], [g]));
  await step(tensor([3, 40]));
  near(await values(p), [1 - 0.6, 1 - 0.8]);
  step.dispose();
  sgd.dispose();
  p.dispose();
});

test('layers by name', () => {
  const model = buildModel([
    ['embedding', 10, 8, { paddingIndex: 0 }],
    ['multiHeadAttention', 8, 2, { dropout: 0.1 }],
    ['upsample', { scale: 2 }],
    ['pad', [[1, 1]], { mode: 'replicate' }],
    ['dropout2d', 0.2],
    ['reshape', [-1]],
    ['linear', 8 * 12, 3],
  ]);
  assert.equal(model.forward(zeros([2, 5], 'int32'), context(true)).shape, [2, 3]);
});

test('errors name the op, the values, the rule and a hint', () => {
  const x = zeros([2, 3]);
  const image = zeros([1, 4, 4, 2]);
  const cases: [() => unknown, RegExp][] = [
    [() => topK(x, 4), /\[topK\] k is 4, the axis has 3 elements/],
    [() => argsort(x, 2), /\[argsort\] axis 2/],
    [() => argsort(zeros([2], 'bool')), /\[argsort\] dtype bool/],
    [() => cumsum(zeros([2], 'bool')), /\[cumsum\] dtype bool/],
    [
      () => takeAlongAxis(x, zeros([3, 3], 'int32'), 1),
      /\[takeAlongAxis\] x is \(2,3\), indices are \(3,3\)/,
    ],
    [
      () => addAlongAxis(x, zeros([2, 2], 'int32'), 4),
      /\[addAlongAxis\] updates are \(2,3\), indices are \(2,2\)/,
    ],
    [
      () => crossEntropyLogits(x, zeros([3], 'int32')),
      /\[crossEntropyLogits\] logits are \(2,3\), labels \(3\)/,
    ],
    [() => crossEntropyLogits(x, zeros([2])), /\[crossEntropyLogits\] dtype float32/],
    [() => resize(x, [2]), /\[resize\] sizes \[2\] do not fit \(2,3\)/],
    [() => resize(image, [0, 2]), /\[resize\] axis 1 of \(1,4,4,2\) cannot get 0/],
    [() => resize(image, [2, 2], { mode: 'cubic' as 'nearest' }), /\[resize\] mode is cubic/],
    [
      () =>
        padEdges(
          x,
          [
            [0, 0],
            [3, 0],
          ],
          'reflect',
        ),
      /\[padEdges\] amounts .* do not fit \(2,3\)/,
    ],
    [
      () =>
        padEdges(
          x,
          [
            [0, 0],
            [1, 0],
          ],
          'wrap' as 'reflect',
        ),
      /\[padEdges\] mode is wrap/,
    ],
    [
      () => scaledDotProductAttention(x, zeros([4, 2]), x),
      /\[scaledDotProductAttention\] q is \(2,3\), k \(4,2\)/,
    ],
    [() => scaledDotProductAttention(x, x, x, { mask: zeros([2, 2], 'int32') }), /the mask is int32/],
    [
      () => scaledDotProductAttention(x, x, x, { mask: zeros([3, 2, 2]) }),
      /the mask is \(3,2,2\), the scores are \(2,2\)/,
    ],
    [() => scaledDotProductAttention(x, x, x, { scale: Number.NaN }), /scale is NaN/],
    [() => nn.multiHeadAttention(6, 4), /embedDim 6 is not divisible by 4 heads/],
    [() => nn.multiHeadAttention(4, 2).forward(x, context(false)), /the layer takes \(batch, length, 4\)/],
    [() => nn.embedding(0, 3), /\[embedding\] num is 0/],
    [() => nn.embedding(3, 3, { paddingIndex: 3 }), /\[embedding\] paddingIndex is 3/],
    [() => nn.dropout2d(1), /\[dropout2d\] p is 1/],
    [() => nn.dropout2d().forward(x, context(true)), /\[dropout2d\] input is \(2,3\)/],
    [() => nn.upsample({}), /\[upsample\] scale is undefined, size is undefined/],
    [() => nn.upsample({ scale: 2, size: [1] }), /either a scale/],
    [() => nn.upsample({ scale: [2] }).forward(image, context(false)), /cannot get NaN/],
    [() => nn.pad([[1, 1]], { mode: 'wrap' as 'reflect' }), /\[pad\] mode is wrap/],
    [
      () =>
        nn
          .pad([
            [1, 1],
            [1, 1],
          ])
          .forward(x, context(false)),
      /\[pad\] amounts .* do not fit \(2,3\)/,
    ],
    [() => nn.reshape([2, 2]).forward(x, context(false)), /\[reshape\] an example of \(2,3\) has 3 elements/],
    [() => optim.clipByGlobalNorm([x], 0), /\[clipByGlobalNorm\] the limit is 0/],
    [() => optim.clipByValue([x], Number.NaN), /\[clipByValue\] the limit is NaN/],
    [() => optim.globalNorm([]), /\[globalNorm\] there are no tensors/],
    [() => dropout(zeros([2], 'int32'), 0.5, { seed: 1 }), /\[dropout\] dtype int32/],
  ];
  for (const [f, pattern] of cases) failsWith(f, pattern);
});

test('nothing is left over', async () => {
  const e = await engine();
  e.clearPlans();
  for (const [name, { pieces }] of Object.entries(e.stats())) assert.is(pieces, 0, name);
});

test.run();
