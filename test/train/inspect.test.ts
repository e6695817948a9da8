// Looking inside a network: gradients checked, statistics of layers, idle units, what excites and what matters.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  configure,
  customGradient,
  data,
  fit,
  type nn as layers,
  loss,
  mul,
  nn,
  optim,
  predict,
  randomNormal,
  read,
  type Tensor,
  tensor,
  weightsSha256,
} from '../../src/index.js';
import {
  activations,
  decisionSurface,
  gradientCheck,
  idleUnits,
  maximiseActivation,
  occlusion,
  saliency,
  statisticsOf,
  stepStatistics,
  unitCorrelations,
  weightImages,
} from '../../src/inspect/index.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const numbers = (shape: number[], seed: number): Tensor => randomNormal(shape, { seed });
const labels = (n: number, classes: number): Tensor =>
  tensor(
    Int32Array.from({ length: n }, (_, i) => (i * 7) % classes),
    { dtype: 'int32' },
  );

/** Models of all kinds of layers, and what they take. */
const models: Record<string, { model: () => layers.Module; shape: number[]; training?: boolean }> = {
  perceptron: {
    model: () => nn.sequential(nn.linear(6, 9), nn.gelu(), nn.dropout(0.3), nn.linear(9, 3)),
    shape: [6],
    training: true,
  },
  convolution: {
    model: () =>
      nn.sequential(
        ...[nn.conv2d(2, 4, 3, { padding: 1 }), nn.batchNorm(4), nn.tanh(), nn.maxPool2d(2), nn.flatten()],
        nn.linear(36, 3),
      ),
    shape: [6, 6, 2],
    training: true,
  },
  recurrence: {
    model: () => nn.sequential(nn.lstm(3, 4, { returns: 'last' }), nn.linear(4, 3)),
    shape: [5, 3],
  },
  attention: {
    model: () => nn.sequential(nn.multiHeadAttention(6, 2, { causal: true }), nn.flatten(), nn.linear(24, 3)),
    shape: [4, 6],
  },
};

for (const device of environment.devices) {
  const test = suite(`inspect on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  for (const [name, { model, shape, training = false }] of Object.entries(models)) {
    test(`gradients of a ${name} are right, in double and in single precision`, async () => {
      const m = model();
      await m.initialize(3);
      const before = await weightsSha256(m);
      const batch = { inputs: numbers([5, ...shape], 1), targets: labels(5, 3) };
      const options = { training, elements: 6, seed: 3 };
      const result = await gradientCheck(m, loss.crossEntropy(), batch, options);
      assert.ok(result.passed, JSON.stringify(result.worst));
      assert.ok(result.checked >= 6 && result.parameters.length === m.parameters().length);
      const single = await gradientCheck(m, loss.crossEntropy(), batch, { ...options, precision: 'float32' });
      assert.ok(single.passed, JSON.stringify(single.worst));
      assert.is(await weightsSha256(m), before);
    });
  }

  test('a gradient that is wrong is found, with its parameter', async () => {
    const wrong = customGradient(
      (x: Tensor) => x.tanh(),
      ({ inputs: [x], dy }) => [mul(dy, x!.tanh().square().neg().add(1.001))],
    );
    const model = nn.sequential(
      nn.linear(3, 4),
      nn.lambda('wrong', (x) => wrong(x)),
      nn.linear(4, 2),
    );
    const batch = { inputs: numbers([6, 3], 2), targets: labels(6, 2) };
    const { passed, worst, parameters } = await gradientCheck(model, loss.crossEntropy(), batch);
    assert.is(passed, false);
    assert.match(worst.parameter, /^0\./);
    assert.ok(worst.error > 1e-4 && worst.error < 1, `${worst.error}`);
    // What lies behind the wrong rule is right.
    for (const p of parameters.filter((q) => q.name.startsWith('2.')))
      assert.ok(p.worst.error < 1e-6, p.name);
    await rejectsWith(
      gradientCheck(model, loss.crossEntropy(), batch, { precision: 'float16' as never }),
      /precision is float16/,
    );
  });

  test('activations by path, those of inner models too', async () => {
    const shared = nn.relu();
    const model = nn.sequential(nn.sequential(nn.linear(3, 5), shared), shared, nn.linear(5, 2));
    const x = numbers([4, 3], 1);
    const found = await activations(model, x);
    assert.equal([...found.keys()], ['0.0', '0.1', '0', '0.1 (2)', '2']);
    const [last] = await read([found.get('2')!]);
    assert.equal(last, await (await predict(model, x)).data());
    assert.equal(found.get('0.1')!.shape, [4, 5]);
    assert.not.ok(Object.hasOwn(shared, 'forward'), 'layers are as they were');
  });

  test('statistics of a step: activations, gradients, updates, and no step is done', async () => {
    const model = nn.sequential(nn.linear(3, 4), nn.sigmoid(), nn.linear(4, 2));
    const batch = { inputs: numbers([8, 3], 5), targets: labels(8, 2) };
    const optimizer = optim.sgd({ lr: 0.5 });
    await model.initialize(1);
    const before = await weightsSha256(model);
    const found = await stepStatistics(model, loss.crossEntropy(), batch, { optimizer });
    assert.is(await weightsSha256(model), before);
    assert.equal(
      found.layers.map(({ path, kind, shape }) => [path, kind, shape]),
      [
        ['0', 'Linear', [8, 4]],
        ['1', 'sigmoid', [8, 4]],
        ['2', 'Linear', [8, 2]],
      ],
    );
    const hidden = (await activations(model, batch.inputs)).get('1')!;
    const own = statisticsOf(await hidden.data());
    assert.ok(Math.abs(found.layers[1]!.activations.mean - own.mean) < 1e-6);
    assert.is(found.layers[1]!.saturated, 0);
    assert.is(found.layers[0]!.saturated, null);
    for (const p of found.parameters) {
      // SGD: update = -lr gradient.
      assert.ok(Math.abs(p.updates!.std - 0.5 * p.gradients.std) < 1e-6, p.name);
      assert.ok(p.updateRatio! > 0 && p.updateRatio! < 1, p.name);
    }
    // The gradients of a mean loss by logits sum up to 0 over the classes.
    assert.ok(Math.abs(found.layers[2]!.gradients.mean) < 1e-7);
    const without = await stepStatistics(model, loss.crossEntropy(), batch);
    assert.equal([without.parameters[0]!.updates, without.parameters[0]!.updateRatio], [null, null]);
    assert.ok(Math.abs(without.loss - found.loss) < 1e-6);
  });

  test('statistics of given numbers', () => {
    const s = statisticsOf(Float32Array.of(0, 1, 2, 5, Number.NaN, Number.POSITIVE_INFINITY));
    assert.equal(s, { count: 6, mean: 2, std: Math.sqrt(14 / 4), min: 0, max: 5, zeros: 0.25, nonFinite: 2 });
    assert.ok(Number.isNaN(statisticsOf(new Float32Array(0)).mean));
  });

  test('dead and saturated units', async () => {
    const bias = (values: number[]) => () => tensor(values);
    const model = nn.sequential(
      nn.linear(2, 3, { biasInit: bias([0, -100, 0]) }),
      nn.relu(),
      nn.linear(3, 2, { biasInit: bias([50, 0]) }),
      nn.sigmoid(),
    );
    const found = await idleUnits(model, numbers([40, 2], 3));
    assert.equal(
      found.map(({ path, units, dead, saturated }) => [path, units, dead, saturated]),
      [
        ['0', 3, [], []],
        ['1', 3, [1], []],
        ['2', 2, [], []],
        ['3', 2, [], [0]],
      ],
    );
  });

  test('correlations of units', async () => {
    const x = [1, 2, 4, 3, 7];
    const rows = x.map((v, i) => [v, -2 * v + 1, 3, i % 2]);
    const { units, data: r } = await unitCorrelations(tensor(rows));
    assert.is(units, 4);
    const at = (i: number, j: number): number => r[i * 4 + j]!;
    assert.ok(Math.abs(at(0, 1) + 1) < 1e-12);
    assert.equal([at(0, 2), at(2, 2), at(3, 3)], [0, 1, 1]);
    // By hand: sum of (x - 3.4)(y - 0.4) over sqrt(21.2 * 1.2).
    const expected =
      (-2.4 * -0.4 + -1.4 * 0.6 + 0.6 * -0.4 + -0.4 * 0.6 + 3.6 * -0.4) / Math.sqrt(21.2 * 1.2);
    assert.ok(Math.abs(at(3, 0) - expected) < 1e-7);
    await rejectsWith(unitCorrelations(tensor([1, 2])), /values are \(2\)/);
  });

  test('saliency of a linear model is its weights; with the input, their product', async () => {
    const model = nn.sequential(
      nn.linear(3, 2, {
        weightInit: () =>
          tensor([
            [1, -2],
            [0, 3],
            [-5, 4],
          ]),
      }),
    );
    const x = tensor([
      [1, 2, 3],
      [-1, 1, 0],
    ]);
    assert.equal(await (await saliency(model, x, { target: 1 })).array(), [
      [2, 3, 4],
      [2, 3, 4],
    ]);
    const both = await saliency(model, x, { target: [0, 1], kind: 'gradientTimesInput' });
    assert.equal(await both.array(), [
      [1, 0, -15],
      [2, 3, 0],
    ]);
    // Without a target: the larger output, class 1 in both.
    assert.equal(await (await saliency(model, x)).array(), [
      [2, 3, 4],
      [2, 3, 4],
    ]);
    await rejectsWith(saliency(model, x, { target: 2 }), /the target is 2/);
    await rejectsWith(saliency(model, x, { target: [0] }), /for 2 examples/);
    await rejectsWith(saliency(model, x, { kind: 'x' as never }), /kind is x/);
  });

  test('occlusion: only the square that matters counts', async () => {
    // Class 1 is the sum of the pixels of the lower right quarter of a 4 x 4 image.
    const quarter = Array.from({ length: 16 }, (_, i) => [0, Number(i % 4 >= 2 && i >= 8)]);
    const model = nn.sequential(
      nn.flatten(),
      nn.linear(16, 2, { bias: false, weightInit: () => tensor(quarter) }),
    );
    const image = tensor(new Float32Array(16).fill(1), { shape: [4, 4, 1] });
    const map = await occlusion(model, image, { size: 2, stride: 1 });
    assert.equal([map.rows, map.columns, map.target], [3, 3, 1]);
    assert.equal([...map.drops], [0, 0, 0, 0, 1, 2, 0, 2, 4]);
    const flat = await occlusion(model, tensor(new Float32Array(16).fill(1)), {
      size: 2,
      stride: 2,
      shape: [4, 4],
    });
    assert.equal([...flat.drops], [0, 0, 0, 4]);
    await rejectsWith(occlusion(model, image, { size: 5 }), /size is 5/);
    await rejectsWith(occlusion(model, tensor([1, 2])), /the image is \(2\)/);
  });

  test('the input that excites a unit most points along its weights', async () => {
    const model = nn.sequential(
      nn.linear(4, 3, {
        bias: false,
        weightInit: () =>
          tensor([
            [0, 3, 0],
            [1, -4, 0],
            [0, 0, 0],
            [0, 0, 1],
          ]),
      }),
      nn.tanh(),
    );
    const options = { shape: [4], unit: 1, layer: '0', steps: 60, l2: 0.1, seed: 2 };
    const { input, activation } = await maximiseActivation(model, options);
    const v = [...(await input.data())];
    const length = Math.sqrt(v.reduce((n, a) => n + a * a, 0));
    assert.ok(Math.abs(v[0]! / length - 0.6) < 0.01 && Math.abs(v[1]! / length + 0.8) < 0.01, v.join());
    assert.ok(Math.abs(activation - (3 * v[0]! - 4 * v[1]!)) < 1e-4);
    const again = await maximiseActivation(model, options);
    assert.equal([...(await again.input.data())], v);
    await rejectsWith(maximiseActivation(model, { ...options, unit: 3 }), /unit is 3, there are 3/);
    await rejectsWith(maximiseActivation(model, { ...options, layer: '7' }), /no layer '7' \(one of 0, 1\)/);
    await rejectsWith(maximiseActivation(model, { ...options, blurEvery: 2 }), /cannot be blurred/);
  });

  test('blurred pictures are smoother', async () => {
    const model = nn.sequential(nn.flatten(), nn.linear(64, 2));
    const roughness = async (blurEvery: number): Promise<number> => {
      const options = { shape: [8, 8, 1], unit: 0, steps: 20, blurEvery };
      const pixels = await (await maximiseActivation(model, options)).input.data();
      let [rough, all] = [0, 0];
      for (let i = 0; i < 63; i++) {
        if (i % 8 < 7) rough += (pixels[i]! - pixels[i + 1]!) ** 2;
        all += pixels[i]! ** 2;
      }
      return rough / all;
    };
    const [sharp, smooth] = [await roughness(0), await roughness(2)];
    assert.ok(smooth < sharp / 2, `${smooth} and ${sharp}`);
  });

  test('decision surface of XOR', async () => {
    const xor = new data.ArrayDataset({
      inputs: Float32Array.of(-1, -1, -1, 1, 1, -1, 1, 1),
      inputShape: [2],
      inputDType: 'float32',
      targets: Float32Array.of(0, 1, 1, 0),
      targetShape: [1],
      targetDType: 'float32',
    });
    const model = nn.sequential(nn.linear(2, 8), nn.tanh(), nn.linear(8, 1));
    const how = { loss: loss.binaryCrossEntropy(), optimizer: optim.adam({ lr: 0.05 }), batchSize: 4 };
    await fit(model, xor, { ...how, epochs: device === 'wasm' ? 200 : 100, seed: 2 });
    const { xs, ys, outputs, classes } = await decisionSurface(model, { width: 5, height: 3 });
    assert.equal(
      [[...xs], [...ys]],
      [
        [-1, -0.5, 0, 0.5, 1],
        [1, 0, -1],
      ],
    );
    assert.equal([classes[0], classes[4], classes[10], classes[14]], [1, 0, 0, 1]);
    const corner = await (await predict(model, tensor([[1, -1]]))).item();
    assert.ok(Math.abs(outputs[14]! - corner) < 1e-5);
    await rejectsWith(decisionSurface(model, { width: 1 }), /width is 1/);
  });

  test('weights as images', async () => {
    const rows = [
      [0, 1],
      [1, 1],
      [-1, 1],
      [0, 1],
    ];
    const [first, second] = await weightImages(tensor(rows), { shape: [2, 2] });
    assert.equal([first!.width, first!.height, first!.channels], [2, 2, 4]);
    assert.equal([...first!.data.subarray(0, 8)], [255, 255, 255, 255, 180, 20, 40, 255]);
    assert.equal([...second!.data.subarray(0, 4)], [180, 20, 40, 255]);
    const images = async (shape: number[]): Promise<number> => (await weightImages(numbers(shape, 1))).length;
    assert.equal(
      [await images([3, 3, 1, 8]), await images([3, 3, 3, 8]), await images([3, 3, 2, 8])],
      [8, 8, 16],
    );
    await rejectsWith(weightImages(tensor(rows)), /the shape is not given/);
    await rejectsWith(weightImages(tensor(rows), { shape: [3, 2] }), /the shape is \(3,2\)/);
  });

  test.run();
}
