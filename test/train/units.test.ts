// Layers that are units of a kind: what they compute with known parameters, what they learn, what they refuse.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import { configure, data, evaluate, fit, loss, nn, optim, type Tensor, tensor } from '../../src/index.js';
import { inference } from '../../src/nn/module.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

for (const device of environment.devices) {
  const test = suite(`units on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  /** WGSL lets a cosine be off by 2^-11 ("Accuracy of concrete floating point expressions"). */
  const allowed = device === 'webgpu' ? 2 ** -11 : 1e-5;

  const near = async (y: Tensor, wanted: number[][]): Promise<void> => {
    assert.equal(y.shape, [wanted.length, wanted[0]!.length]);
    const found = await y.data();
    for (const [i, v] of wanted.flat().entries())
      assert.ok(Math.abs(found[i]! - v) <= allowed, `element ${i} is ${found[i]} instead of ${v}`);
  };

  test('activations without parameters', async () => {
    const x = tensor([[-4, -0.5, 0, 2]]);
    const wanted: [nn.Module, number[]][] = [
      [nn.absolute(), [4, 0.5, 0, 2]],
      [nn.cosine(), [-4, -0.5, 0, 2].map(Math.cos)],
      [nn.hardTanh(), [-1, -0.5, 0, 1]],
      [nn.hardSigmoid(), [0, 0.5 - 1 / 12, 0.5, 5 / 6]],
      [nn.hardSwish(), [0, -0.5 * (0.5 - 1 / 12), 0, 5 / 3]],
      [nn.mish(), [-4, -0.5, 0, 2].map((v) => v * Math.tanh(Math.log1p(Math.exp(v))))],
      [nn.selu(), [-4, -0.5, 0, 2].map((v) => (v > 0 ? 1.05070099 * v : 1.7580993 * Math.expm1(v)))],
      [nn.identity(), [-4, -0.5, 0, 2]],
    ];
    for (const [layer, values] of wanted) await near(layer.forward(x, inference()), [values]);
    const even = await nn.softmaxWithTemperature(1e4).forward(x, inference()).data();
    assert.ok(Array.from(even).every((p) => Math.abs(p - 0.25) < 1e-3));
  });

  test('PReLU has a slope for each channel, and learns it', async () => {
    const layer = nn.prelu(3, 0.5);
    await layer.slope.assign(tensor([0.1, 0.2, -1]));
    await near(
      layer.forward(
        tensor([
          [-1, -2, -3],
          [1, 2, 3],
        ]),
      ),
      [
        [-0.1, -0.4, 3],
        [1, 2, 3],
      ],
    );
    assert.throws(() => layer.forward(tensor([[1, 2]])), /\[prelu\] input is \(1,2\), the layer takes 3/);
    const x = Float32Array.from({ length: 16 }, (_, i) => i - 8);
    const points = new data.ArrayDataset({
      ...{ inputs: x, inputShape: [1], inputDType: 'float32' },
      ...{ targets: x.map((v) => (v > 0 ? v : 0.7 * v)), targetShape: [1], targetDType: 'float32' },
    });
    const one = nn.sequential(nn.prelu());
    await fit(one, points, {
      loss: loss.l1(),
      optimizer: optim.sgd({ lr: 0.01 }),
      batchSize: 16,
      epochs: 60,
    });
    assert.ok(Math.abs((await one.parameters()[0]!.item()) - 0.7) < 0.03);
  });

  test('maxout takes the largest of its pieces', async () => {
    const layer = nn.maxout(2, 2, 2, { bias: false });
    await layer.linear.weight.assign(
      tensor([
        [1, -1, 2, 0],
        [0, 0, 0, 1],
      ]),
    );
    await near(
      layer.forward(
        tensor([
          [3, 1],
          [-3, 7],
        ]),
      ),
      [
        [3, 6],
        [3, 7],
      ],
    );
    assert.equal([...layer.namedParameters().keys()], ['linear.weight']);
  });

  test('radial basis functions fall off around their centres', async () => {
    const layer = nn.rbf(2, 2, { width: 2 });
    await layer.initialize(0);
    await layer.centers.assign(
      tensor([
        [0, 3],
        [0, 4],
      ]),
    );
    await near(
      layer.forward(
        tensor([
          [0, 0],
          [3, 4],
        ]),
      ),
      [
        [1, Math.exp(-25 / 8)],
        [Math.exp(-25 / 8), 1],
      ],
    );
  });

  test('a low-rank linear layer is two factors, with the variance of one', async () => {
    const layer = nn.lowRankLinear(100, 90, 10);
    await layer.initialize(2);
    assert.is(layer.parameterCount, 100 * 10 + 10 * 90 + 90);
    assert.equal(
      layer.parameters().map((p) => p.decays),
      [true, true, false],
    );
    const [u, v] = [layer.first, layer.second];
    const product = await u.matmul(v).square().mean().item();
    assert.ok(product > 0.5 / 300 && product < 2 / 300, `${product} instead of 1/300`);
    const whole = await layer.forward(tensor(new Float32Array(100).fill(1), { shape: [1, 100] })).data();
    const [fu, fv, fb] = await Promise.all([u.data(), v.data(), layer.bias!.data()]);
    let wanted = fb[7]!;
    for (let i = 0; i < 100; i++) for (let k = 0; k < 10; k++) wanted += fu[i * 10 + k]! * fv[k * 90 + 7]!;
    assert.ok(Math.abs(whole[7]! - wanted) < 1e-4);
  });

  test('networks of each kind of unit learn exclusive or', async () => {
    if (device === 'webgpu' && environment.runtime === 'firefox') {
      return skip(
        'exclusive or on webgpu in firefox',
        'thousands of tiny steps wait for its GPU process; deno runs them on the same wgpu',
      );
    }
    const xor = new data.ArrayDataset({
      ...{ inputs: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), inputShape: [2], inputDType: 'float32' },
      ...{ targets: Int32Array.of(0, 1, 1, 0), targetShape: [], targetDType: 'int32', classes: 2 },
    });
    const kinds: Record<string, () => nn.Module[]> = {
      maxout: () => [nn.maxout(2, 4, 2), nn.linear(4, 2)],
      prelu: () => [nn.linear(2, 8), nn.prelu(8), nn.linear(8, 2)],
      rbf: () => [nn.rbf(2, 8), nn.linear(8, 2)],
      cosine: () => [nn.linear(2, 8), nn.cosine(), nn.linear(8, 2)],
      absolute: () => [nn.linear(2, 8), nn.absolute(), nn.linear(8, 2)],
      lowRank: () => [nn.lowRankLinear(2, 8, 2), nn.selu(), nn.linear(8, 2)],
    };
    for (const [name, layers] of Object.entries(kinds)) {
      const model = nn.sequential(...layers());
      const optimizer = optim.adam({ lr: 0.05 });
      await fit(model, xor, { loss: loss.crossEntropy(), optimizer, batchSize: 4, epochs: 200, seed: 1 });
      assert.is((await evaluate(model, xor)).accuracy, 1, name);
    }
  });

  test('sizes that make no sense are refused', () => {
    assert.throws(() => nn.maxout(2, 3, 0), /\[maxout\] pieces is 0 \(a whole number >= 1\)/);
    assert.throws(() => nn.rbf(2, 3, { width: 0 }), /width is 0/);
    assert.throws(() => nn.lowRankLinear(2, 3, 1.5), /rank is 1.5/);
    assert.throws(() => nn.softmaxWithTemperature(0), /temperature is 0/);
  });

  test.run();
}
