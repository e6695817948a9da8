// XOR: a line cannot do it; two layers can, with weights set by hand or learned.
import { fit, loss, nn, optim, predict, tensor } from 'everygrad';
import { dataset, report, seed } from './common.mjs';

const corners = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];
const xor = [0, 1, 1, 0];
async function answers(model) {
  return Array.from(await (await predict(model, tensor(corners))).data());
}

// Both hidden units add up their inputs, the second one less 1: h = max(0, x1 + x2), max(0, x1 + x2 - 1); y = h1 - 2
// h2.
const byHand = nn.sequential(nn.linear(2, 2), nn.relu(), nn.linear(2, 1, { bias: false }));
const [weights, biases, outputs] = byHand.parameters();
await weights.assign(
  tensor([
    [1, 1],
    [1, 1],
  ]),
);
await biases.assign(tensor([0, -1]));
await outputs.assign(tensor([[1], [-2]]));
const set = await answers(byHand);
console.log(`by hand: ${set}`);

async function learn(model) {
  const examples = dataset(
    corners,
    xor.map((y) => [y]),
  );
  const { epochs } = await fit(model, examples, {
    ...{ loss: loss.binaryCrossEntropy(), optimizer: optim.adam({ lr: 0.05 }) },
    ...{ batchSize: 4, epochs: 400, seed },
  });
  const probabilities = (await answers(model)).map((z) => 1 / (1 + Math.exp(-z)));
  console.log(
    `${model.layers.length > 1 ? 'two layers' : 'one layer'}: ${probabilities.map((p) => p.toFixed(3))}`,
  );
  return {
    right: probabilities.filter((p, i) => Number(p > 0.5) === xor[i]).length,
    loss: epochs.at(-1).trainLoss,
  };
}
const one = await learn(nn.sequential(nn.linear(2, 1)));
const two = await learn(nn.sequential(nn.linear(2, 8), nn.tanh(), nn.linear(8, 1)));

report([
  [
    'outputs with weights set by hand',
    set.join(' '),
    '0 1 1 0 (Goodfellow, Bengio, Courville 2016, section 6.1)',
  ],
  [
    'one layer: cross-entropy',
    one.loss.toFixed(4),
    `${Math.LN2.toFixed(4)} = log 2: no line knows better than to say 1/2 everywhere`,
  ],
  ['one layer: right of 4', one.right, 'at most 3'],
  ['two layers: right of 4', two.right, '4'],
]);
