// Handwritten digits with one hidden layer, as in Nielsen's "Neural Networks and Deep Learning", chapters 1 and 3:
// quadratic cost, cross-entropy, cross-entropy with L2. The best network is saved and loaded again. All rows of the
// published table, with 3 seeds each: everygrad reproduce.
import { join } from 'node:path';
import { evaluate, fit, load, loss, nn, optim, save } from 'everygrad';
import { digits, outputFolder, percent, quick, report, seed } from './common.mjs';

const { name, train, validation, test } = await digits({
  train: quick ? 2000 : 50_000,
  validation: quick ? 500 : 10_000,
});
const epochs = quick ? 3 : 30;
console.log(
  `${name}: ${train.length} training examples, 784-30-10 sigmoid units, batches of 10, ${epochs} epochs`,
);

function network(withSigmoid) {
  const layer = (inputs, outputs) =>
    nn.linear(inputs, outputs, { weightInit: nn.init.fanInNormal, biasInit: nn.init.normal() });
  const layers = [layer(784, 30), nn.sigmoid(), layer(30, 10)];
  return nn.sequential(...layers, ...(withSigmoid ? [nn.sigmoid()] : []));
}

async function train30(cost, { lr, lambda = 0 }) {
  const quadratic = cost === 'quadratic cost';
  const model = network(quadratic);
  const costFunction = quadratic ? loss.quadratic() : loss.binaryCrossEntropy();
  const { bestEpoch } = await fit(model, train, {
    // lambda / 2n times the sum of squared weights, n the number of training examples; biases are left out.
    optimizer: optim.sgd({ lr, weightDecay: lambda / train.length }),
    ...{ loss: costFunction, batchSize: 10, epochs, validation, seed },
    ...{ monitor: 'validationAccuracy', restoreBest: true },
  });
  const { accuracy } = await evaluate(model, test, { loss: costFunction });
  console.log(`${cost}: ${percent(accuracy, 2)} of the test set right after epoch ${bestEpoch}`);
  return { model, error: 1 - accuracy };
}

const quadratic = await train30('quadratic cost', { lr: 3 });
const crossEntropy = await train30('cross-entropy', { lr: 0.5 });
const withL2 = await train30('cross-entropy with L2', { lr: 0.5, lambda: 5 });
const file = join(await outputFolder(), 'digits.safetensors');
await save(withL2.model, file);
const again = network(false);
await load(again, file);
const loaded = 1 - (await evaluate(again, test)).accuracy;

const source = 'with MNIST and 30 epochs, as lectures report it';
report([
  ['quadratic cost, test error', percent(quadratic.error, 2), `5.53 % ${source}`],
  ['cross-entropy, test error', percent(crossEntropy.error, 2), `4.86 % ${source}`],
  ['cross-entropy with L2, test error', percent(withL2.error, 2), `4.03 % ${source}`],
  ['the same, saved and loaded', percent(loaded, 2), percent(withL2.error, 2)],
]);
