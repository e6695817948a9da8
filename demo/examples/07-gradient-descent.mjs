// Gradient descent with all examples, with mini-batches and with single examples: how well a network reads digits after
// the same number of epochs, and how that grows with the seconds it takes.
import { evaluate, fit, loss, nn, optim } from 'everygrad';
import { digits, percent, quick, report, seed } from './common.mjs';

const { name, train, test } = await digits({ train: quick ? 1000 : 10_000, test: quick ? 500 : 2000 });
const epochs = quick ? 3 : 10;
console.log(`${name}: ${train.length} examples, ${epochs} epochs, 784-30-10 sigmoid units, quadratic cost`);

async function descend(batchSize, lr) {
  const unit = (inputs, outputs) => nn.linear(inputs, outputs, { weightInit: nn.init.fanInNormal });
  const model = nn.sequential(unit(784, 30), nn.sigmoid(), unit(30, 10), nn.sigmoid());
  let seconds = 0;
  const course = [];
  await fit(model, train, {
    ...{ loss: loss.quadratic(), optimizer: optim.sgd({ lr }), batchSize, epochs, validation: test, seed },
    onEpoch(report) {
      seconds += report.seconds;
      course.push(`${percent(report.validationAccuracy)} at ${seconds.toFixed(2)} s`);
    },
  });
  console.log(`batches of ${batchSize}, lr ${lr}: ${course.join(', ')}`);
  return (await evaluate(model, test)).accuracy;
}

const rows = [];
// The rate of single examples is smaller: each gradient is one example's own, not a mean.
for (const [what, batchSize, lr, reference] of [
  [
    'full batch',
    train.length,
    3,
    'far less than mini-batches: one step in each epoch (LeCun et al. 1998, "Efficient BackProp")',
  ],
  ['mini-batches of 100', 100, 3, 'more than the full batch, less than smaller ones: fewer steps'],
  ['mini-batches of 10', 10, 3, '94.5 % with 50,000 examples of MNIST and 30 epochs, as lectures report it'],
  [
    'single examples',
    1,
    0.5,
    'as good as mini-batches by epochs; by seconds worse, as each step has its own costs',
  ],
]) {
  const steps = epochs * Math.ceil(train.length / batchSize);
  rows.push([`${what}: accuracy after ${steps} steps`, percent(await descend(batchSize, lr)), reference]);
}
report(rows);
