// Overfitting: 30 hidden units learn 1,000 images by heart; what L2, L1, dropout and early stopping do to it.
// node 16-overfitting.mjs [folder of MNIST] [epochs]; without a folder on drawn digits. The curves go to overfitting.csv.
import { writeFileSync } from 'node:fs';
import { data, fit, loss, nn, optim } from 'everygrad';

const [folder, epochs = folder ? 400 : 40] = process.argv.slice(2);
const count = 1000;
const sets = folder ? await data.mnist(folder) : await data.digits({ train: count, test: 1000 });
const train = sets.train.take(count);
const validation = sets.validation ?? sets.test;

/** Penalties are per example, as in the cost function: lambda/2n times the sum of squares, lambda/n times that of sizes. */
const variants = {
  plain: {},
  L2: { penalty: { weightDecay: 0.1 / count } },
  L1: { penalty: { l1: 0.1 / count } },
  dropout: { dropout: 0.2 },
  'early stopping': { stopping: { patience: 10, monitor: 'validationAccuracy', restoreBest: true } },
};

const percent = (part) => (100 * part).toFixed(1);
const curves = ['variant,epoch,trainLoss,trainAccuracy,validationLoss,validationAccuracy'];
const ends = [];
for (const [name, { penalty = {}, dropout = 0, stopping = {} }] of Object.entries(variants)) {
  const hidden = [nn.linear(784, 30), nn.sigmoid(), nn.dropout(dropout)];
  const model = nn.sequential(...hidden, nn.linear(30, 10));
  const run = await fit(model, train, {
    loss: loss.binaryCrossEntropy(),
    optimizer: optim.sgd({ lr: 0.5, ...penalty }),
    batchSize: 10,
    epochs: Number(epochs),
    validation,
    seed: 1,
    ...stopping,
  });
  for (const e of run.epochs)
    curves.push([name, e.epoch, e.trainLoss, e.trainAccuracy, e.validationLoss, e.validationAccuracy].join());
  const last = run.epochs.at(-1);
  const lowest = run.epochs.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
  const end = run.bestEpoch ? run.epochs[run.bestEpoch - 1] : last;
  ends.push(`${name} ${percent(end.validationAccuracy)}%`);
  console.log(
    `${name}: ${last.epoch} epochs, ${percent(last.trainAccuracy)}% of the images that it learned from, ` +
      `${percent(end.validationAccuracy)}% of new ones; loss on those ${last.validationLoss.toFixed(3)}, ` +
      `lowest in epoch ${lowest.epoch}, ${lowest.validationLoss.toFixed(3)}`,
  );
}
writeFileSync('overfitting.csv', `${curves.join('\n')}\n`);
console.log(`new images: ${ends.join(', ')}`);
