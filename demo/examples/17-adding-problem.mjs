// The adding problem (Hochreiter and Schmidhuber 1997): of a long row of random numbers two are marked, and their sum
// is wanted at the end. A simple recurrent network does not learn to remember the first one; gates do.
import { data, evaluate, fit, loss, nn, optim, randomUniform, tensor } from 'everygrad';
import { quick, report, seed } from './common.mjs';

const [steps, examples, epochs, hidden, lr] = quick ? [30, 2000, 16, 16, 0.02] : [50, 5000, 15, 32, 0.01];

/** Inputs (steps, 2): a number of [0, 1) and a mark, 0 or 1; one mark in each half. */
async function rows(n, stream) {
  const numbers = await randomUniform([n, steps], { seed, stream }).data();
  const places = await randomUniform([n, 2], { seed, stream: stream + 1 }).data();
  const inputs = new Float32Array(n * steps * 2);
  const targets = new Float32Array(n);
  for (const [i, number] of numbers.entries()) inputs[2 * i] = number;
  for (const [k, place] of places.entries()) {
    const row = Math.floor(k / 2);
    const at = row * steps + Math.floor(((place + (k % 2)) * steps) / 2);
    inputs[2 * at + 1] = 1;
    targets[row] += numbers[at];
  }
  return new data.ArrayDataset({
    ...{ inputs, inputShape: [steps, 2], inputDType: 'float32' },
    ...{ targets, targetShape: [1], targetDType: 'float32' },
  });
}
const [train, test] = [await rows(examples, 1), await rows(1000, 11)];
const square = loss.meanSquaredError();

const result = {};
for (const kind of ['rnn', 'gru', 'lstm']) {
  const model = nn.sequential(nn[kind](2, hidden, { returns: 'last' }), nn.linear(hidden, 1));
  if (kind === 'lstm') {
    // Forget gates, the second of four parts, open at first: a bias of 1 (Jozefowicz et al. 2015).
    const open = Array.from({ length: 4 * hidden }, (_, i) => Number(Math.floor(i / hidden) === 1));
    await model.layers[0].weights[0].biasInput.assign(tensor(open));
  }
  const course = [];
  await fit(model, train, {
    ...{ loss: square, optimizer: optim.adam({ lr, clipNorm: 1 }), batchSize: 50, epochs, seed },
    ...{ validation: test, onEpoch: ({ validationLoss }) => course.push(validationLoss.toFixed(4)) },
  });
  console.log(`${kind}: ${course.join(' ')}`);
  result[kind] = (await evaluate(model, test, { loss: square })).loss;
}
report([
  [
    'simple RNN, mean square error',
    result.rnn.toFixed(4),
    '0.1667 = 1/6, the variance of the sum of two such numbers: what saying 1 always costs (Le et al. 2015)',
  ],
  ['GRU', result.gru.toFixed(4), 'solved below 0.01'],
  [
    'LSTM',
    result.lstm.toFixed(4),
    'solved below 0.01 (0.04 on each answer: Hochreiter and Schmidhuber 1997)',
  ],
]);
