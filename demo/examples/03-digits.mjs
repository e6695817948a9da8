// Digits with a multilayer perceptron: fit, evaluate, save, load.
import { data, evaluate, fit, load, loss, nn, optim, save } from 'everygrad';

const digits = await data.digits({ train: 4000, test: 1000 });
const network = () => nn.sequential(nn.linear(784, 100), nn.sigmoid(), nn.linear(100, 10));
const model = network();
await fit(model, digits.train, {
  loss: loss.crossEntropy(),
  optimizer: optim.sgd({ lr: 0.5 }),
  batchSize: 10,
  epochs: 3,
  validation: digits.test,
  seed: 1,
  onEpoch: ({ epoch, validationAccuracy }) =>
    console.log(`epoch ${epoch}: ${(100 * validationAccuracy).toFixed(1)}%`),
});
await save(model, 'digits.safetensors');
const copy = network();
await load(copy, 'digits.safetensors');
console.log(`loaded again: ${(100 * (await evaluate(copy, digits.test)).accuracy).toFixed(1)}%`);
