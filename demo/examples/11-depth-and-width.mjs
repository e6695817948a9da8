// Depth against width with equally many parameters: two spirals, learned; and a zigzag that a deep network has by a few
// weights set by hand, and that no network of one hidden layer with as many can have.
import {
  concat,
  evaluate,
  fit,
  loss,
  nn,
  optim,
  predict,
  randomNormal,
  randomUniform,
  tensor,
} from 'everygrad';
import { dataset, percent, quick, report, seed } from './common.mjs';

const network = (sizes, activation) =>
  nn.sequential(
    ...sizes.slice(1).flatMap((outputs, i) => {
      const layer = nn.linear(sizes[i], outputs, { weightInit: nn.init.heNormal });
      return i < sizes.length - 2 ? [layer, activation()] : [layer];
    }),
  );

/** Points of two spirals with two turns each, a little blurred. */
async function spirals(n, first) {
  const at = randomUniform([n, 1], { seed, stream: first });
  const labels = Array.from({ length: n }, (_, i) => [i % 2]);
  const angle = at.mul(4).add(tensor(labels)).mul(Math.PI);
  const radius = at.mul(0.8).add(0.1);
  const places = concat([radius.mul(angle.cos()), radius.mul(angle.sin())], 1);
  const noise = randomNormal([n, 2], { seed, stream: first + 1 }).mul(0.02);
  return dataset(await places.add(noise).array(), labels);
}
const [train, test] = [await spirals(300, 10), await spirals(300, 20)];
const rows = [];
for (const sizes of [
  [2, 90, 1],
  [2, 12, 12, 12, 1],
]) {
  const model = network(sizes, nn.tanh);
  await fit(model, train, {
    ...{ loss: loss.binaryCrossEntropy(), optimizer: optim.adam({ lr: 0.01 }) },
    ...{ batchSize: 50, epochs: quick ? 250 : 1000, seed },
  });
  const outputs = await (await predict(model, tensor(test.inputs, { shape: [300, 2] }))).data();
  const right = test.targets.filter((label, i) => Number(outputs[i] > 0) === label).length / 300;
  const what = sizes.length > 3 ? 'three hidden layers of 12' : 'one hidden layer of 90';
  const reference = sizes.length > 3 ? 'more than with one hidden layer' : '50 % by guessing';
  rows.push([`spirals, ${what}, ${model.parameterCount} parameters`, percent(right), reference]);
}

// The zigzag: 65 points of [0, 1], in turn 0 and 1. t(x) = 2 relu(x) - 4 relu(x - 1/2) folds [0, 1] once; six times in
// a row it goes up and down 32 times.
const n = 65;
const xs = Array.from({ length: n }, (_, i) => [i / (n - 1)]);
const ys = xs.map((_, i) => i % 2);
const wrong = async (model) => {
  const outputs = await (await predict(model, tensor(xs))).data();
  return ys.filter((y, i) => Number(outputs[i] > 0.5) !== y).length;
};
const deep = network([1, 2, 2, 2, 2, 2, 2, 1], nn.relu);
const layers = deep.layers.filter((layer) => layer.weight);
for (const [i, { weight, bias }] of layers.entries()) {
  const last = i === layers.length - 1;
  const into = last ? [[1]] : [[1, 1]];
  await weight.assign(tensor(i === 0 ? into : [into[0].map((w) => 2 * w), into[0].map((w) => -4 * w)]));
  await bias.assign(tensor(last ? [0] : [0, -0.5]));
}
// As many parameters in one hidden layer of m units: 3 m + 1.
const m = (deep.parameterCount - 1) / 3;
const wide = network([1, m, 1], nn.relu);
const square = loss.meanSquaredError();
const zigzag = dataset(
  xs,
  ys.map((y) => [y]),
);
await fit(wide, zigzag, {
  loss: square,
  optimizer: optim.adam({ lr: 0.01 }),
  batchSize: 13,
  epochs: quick ? 50 : 1000,
  seed,
});
console.log(
  `zigzag: ${(await evaluate(wide, zigzag, { loss: square })).loss.toFixed(3)} mean square error with one hidden layer`,
);
// m + 1 straight pieces cross 1/2 at most m + 1 times; in each of the m + 2 parts between, every second point is wrong.
const least = Math.ceil((n - (m + 2)) / 2);
rows.push(
  [
    `zigzag, six hidden layers of 2, ${deep.parameterCount} parameters: wrong of ${n}`,
    await wrong(deep),
    '0, by construction (Telgarsky 2015)',
  ],
  [
    `zigzag, one hidden layer of ${m}, ${wide.parameterCount} parameters: wrong of ${n}`,
    await wrong(wide),
    `at least ${least}, whatever its weights: it has ${m + 1} straight pieces`,
  ],
);
report(rows);
