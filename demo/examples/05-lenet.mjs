// A convolutional network with batch norm, on images that are distorted anew in every epoch.
import { data, evaluate, fit, loss, nn, optim, schedules } from 'everygrad';

const digits = await data.digits({ train: 4000, test: 1000 });
const model = nn.sequential(nn.reshape([28, 28, 1]), nn.lenet());
console.log(`${model.parameterCount} parameters`);
const distorted = data.augment(digits.train, { shift: 1, rotate: 10, scale: 0.1, skew: 0.1 });
await fit(model, distorted, {
  loss: loss.crossEntropy(),
  optimizer: optim.sgd({ lr: 0.05, momentum: 0.9 }),
  schedule: schedules.cosine(),
  batchSize: 64,
  epochs: 4,
  validation: digits.test,
  seed: 1,
  onEpoch: ({ epoch, validationAccuracy, samplesPerSecond }) =>
    console.log(
      `epoch ${epoch}: ${(100 * validationAccuracy).toFixed(1)}%, ${samplesPerSecond.toFixed(0)} images a second`,
    ),
});
console.log(
  `of 1000 new digits it reads ${(1000 * (await evaluate(model, digits.test)).accuracy).toFixed(0)}`,
);
