// Fine-tuning: a network that learned to tell 0 to 4 apart is given new layers on top of its convolutions, and 100
// examples of 5 to 9. The convolutions stay as they are; against the same network that learns everything from those 100
// examples.
import { data, evaluate, fit, loss, nn, optim } from 'everygrad';
import { digits, percent, quick, report, seed } from './common.mjs';

const { name, train, test } = await digits({ train: quick ? 2500 : 50_000, test: quick ? 1000 : 10_000 });

/** The examples of five digits from `first` on, as classes 0 to 4; each class as often as wanted, at most. */
function digitsFrom(set, first, each = Number.POSITIVE_INFINITY) {
  const counts = [0, 0, 0, 0, 0];
  const kept = Array.from(set.targets.keys()).filter((i) => {
    const label = set.targets[i] - first;
    return label >= 0 && label < 5 && counts[label]++ < each;
  });
  const inputs = new Uint8Array(kept.length * 784);
  for (const [k, i] of kept.entries()) inputs.set(set.inputs.subarray(784 * i, 784 * (i + 1)), 784 * k);
  return new data.ArrayDataset({
    ...{ inputs, inputShape: [28, 28, 1], inputDType: 'uint8', scale: 1 / 255, classes: 5 },
    ...{
      targets: Int32Array.from(kept, (i) => set.targets[i] - first),
      targetShape: [],
      targetDType: 'int32',
    },
  });
}
const [low, few] = [digitsFrom(train, 0), digitsFrom(train, 5, 20)];
const [lowTest, highTest] = [digitsFrom(test, 0), digitsFrom(test, 5)];

const features = () =>
  nn.sequential(
    ...[nn.conv2d(1, 16, 5, { padding: 2 }), nn.relu(), nn.maxPool2d(2)],
    ...[nn.conv2d(16, 32, 5, { padding: 2 }), nn.relu(), nn.maxPool2d(2)],
    ...[nn.flatten(), nn.dropout(0.5)],
  );
const outputs = () => nn.sequential(nn.linear(7 * 7 * 32, 64), nn.relu(), nn.linear(64, 5));
const accuracy = async (model, set) => (await evaluate(model, set)).accuracy;
const learn = (model, set, epochs) =>
  fit(model, set, {
    loss: loss.crossEntropy(),
    optimizer: optim.adam({ lr: 0.001 }),
    batchSize: 20,
    epochs,
    seed,
  });

const trunk = features();
const first = nn.sequential(trunk, outputs());
await learn(first, low, 3);
console.log(
  `${name}: ${low.length} examples of 0 to 4, ${percent(await accuracy(first, lowTest))} of new ones right`,
);

for (const p of trunk.parameters()) p.trainable = false;
const tuned = nn.sequential(trunk, outputs());
const scratch = nn.sequential(features(), outputs());
const learned = (model) =>
  model
    .parameters()
    .filter((p) => p.trainable)
    .reduce((n, p) => n + p.size, 0);
const rows = [];
for (const [epochs, more] of quick
  ? [[10, 10]]
  : [
      [10, 10],
      [60, 50],
    ]) {
  await learn(tuned, few, more);
  await learn(scratch, few, more);
  rows.push([
    `frozen features, ${epochs} epochs: right of 5 to 9`,
    percent(await accuracy(tuned, highTest)),
    `${percent(await accuracy(scratch, highTest))} by the same network from scratch`,
  ]);
}
report([...rows, ['numbers that are learned', learned(tuned), `${learned(scratch)} from scratch`]]);
