// Two tasks on one network: which digit is it, and how much does it lean? The tasks share their first layers; against a
// network for each task (Caruana 1997).
import { concat, data, fit, loss, nn, optim, predict, schedules, tensor } from 'everygrad';
import { digits, percent, quick, report, seed } from './common.mjs';

const { name, train, test } = await digits({ train: quick ? 1000 : 10_000, test: quick ? 500 : 2000 });
const epochs = quick ? 8 : 15;
console.log(`${name}: ${train.length} training examples, ${epochs} epochs`);

/** How far a digit leans to the right, in pixels for each pixel up, by the moments of its ink. */
function slant(image) {
  const sums = [0, 0, 0, 0, 0]; // of 1, x, y, x y, y^2
  for (const [i, ink] of image.entries()) {
    const [x, y] = [i % 28, 27 - Math.floor(i / 28)];
    for (const [k, value] of [1, x, y, x * y, y * y].entries()) sums[k] += ink * value;
  }
  const [n, x, y, xy, yy] = sums;
  return (xy - (x * y) / n) / (yy - (y * y) / n);
}
const slants = (set) =>
  Float32Array.from(set.targets, (_, i) => slant(set.inputs.subarray(784 * i, 784 * (i + 1))));
/** The images with other targets: rows of so many numbers. */
const withTargets = (targets, columns) =>
  new data.ArrayDataset({
    ...{ inputs: train.inputs, inputShape: [784], inputDType: 'uint8', scale: 1 / 255 },
    ...{ targets, targetShape: [columns], targetDType: 'float32' },
  });

/** One trunk, and a head for each task; what the heads give lies side by side. */
class Heads extends nn.Module {
  constructor(...outputs) {
    super();
    this.trunk = nn.sequential(nn.linear(784, 64), nn.relu(), nn.linear(64, 32), nn.relu());
    this.heads = outputs.map((n) => nn.linear(32, n));
  }

  *children() {
    yield ['trunk', this.trunk];
    for (const [i, head] of this.heads.entries()) yield [`head${i}`, head];
  }

  forward(x, context) {
    const shared = this.trunk.forward(x, context);
    return concat(
      this.heads.map((head) => head.forward(shared)),
      1,
    );
  }
}
async function learn(model, examples, lossFunction) {
  await fit(model, examples, {
    ...{ loss: lossFunction, optimizer: optim.adam({ lr: 0.002 }), schedule: schedules.cosine() },
    ...{ batchSize: 32, epochs, seed },
  });
  const images = tensor(
    Float32Array.from(test.inputs, (v) => v / 255),
    { shape: [test.length, 784] },
  );
  return (await predict(model, images)).array();
}
const largest = (row) => row.indexOf(Math.max(...row));
const right = (rows) => rows.filter((row, i) => largest(row) === test.targets[i]).length / test.length;
const wanted = slants(test);
const mean = wanted.reduce((a, b) => a + b) / test.length;
const squares = (f) => wanted.reduce((sum, v, i) => sum + (f(i) - v) ** 2, 0) / test.length;

const lean = slants(train);
const crossEntropy = loss.crossEntropy();
const square = loss.meanSquaredError();
const [digitNet, slantNet, both] = [new Heads(10), new Heads(1), new Heads(10, 1)];
const digitsAlone = right(await learn(digitNet, train, crossEntropy));
const slantRows = await learn(slantNet, withTargets(lean, 1), square);
const slantAlone = squares((i) => slantRows[i][0]);
const pairs = Float32Array.from({ length: 2 * train.length }, (_, i) =>
  i % 2 ? lean[(i - 1) / 2] : train.targets[i / 2],
);
const tasks = loss.multiTask([
  { loss: crossEntropy, outputs: 10, targets: 'label' },
  { loss: square, outputs: 1, targets: 1, weight: 1 },
]);
const rows = await learn(both, withTargets(pairs, 2), tasks);

report([
  [
    'parameters of the network for both',
    both.parameterCount,
    `${digitNet.parameterCount + slantNet.parameterCount} in two networks`,
  ],
  [
    'digits right',
    percent(right(rows.map((row) => row.slice(0, 10)))),
    `${percent(digitsAlone)} by a network for digits alone`,
  ],
  [
    'mean square error of the slant',
    squares((i) => rows[i][10]).toFixed(4),
    `${slantAlone.toFixed(4)} by a network for slant alone; ${squares(() => mean).toFixed(4)} is the variance`,
  ],
]);
