// Overfitting: 30 hidden units learn 1,000 images by heart; and what L2, L1, dropout and early stopping do to it. The
// curves, epoch by epoch, go into a CSV file and are drawn.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { evaluate, fit, loss, nn, optim } from 'everygrad';
import { lossCurves } from 'everygrad/plot';
import { digits, outputFolder, percent, quick, report, seed } from './common.mjs';

const count = quick ? 500 : 1000;
const { name, train, test } = await digits({ train: count, test: quick ? 500 : 10_000 });
const epochs = quick ? 100 : 400;
console.log(`${name}: ${count} images to learn from, ${test.length} new ones, ${epochs} epochs`);

/** Penalties as the course has them: lambda/2n times the sum of squared weights, lambda/n times that of their sizes. */
const variants = {
  plain: {},
  L2: { penalty: { weightDecay: 0.1 / count } },
  L1: { penalty: { l1: 0.1 / count } },
  dropout: { dropout: 0.2 },
  'early stopping': { stopping: { patience: 10, restoreBest: true } },
};

const validation = test.take(1000); // for the curves; what is reported is of all
const ends = {};
const runs = {};
const lines = ['variant,epoch,trainLoss,trainAccuracy,validationLoss,validationAccuracy'];
for (const [variant, { penalty = {}, dropout = 0, stopping = {} }] of Object.entries(variants)) {
  const weightInit = nn.init.normal(); // much too large, as in the experiment that is reproduced
  const layer = (inputs, outputs) => nn.linear(inputs, outputs, { weightInit, biasInit: weightInit });
  const model = nn.sequential(layer(784, 30), nn.sigmoid(), nn.dropout(dropout), layer(30, 10));
  const run = await fit(model, train, {
    ...{ loss: loss.binaryCrossEntropy(), optimizer: optim.sgd({ lr: 0.5, ...penalty }) },
    ...{ batchSize: 10, epochs, validation, seed, ...stopping },
  });
  runs[variant] = run;
  for (const e of run.epochs)
    lines.push(
      [variant, e.epoch, e.trainLoss, e.trainAccuracy, e.validationLoss, e.validationAccuracy].join(),
    );
  const last = run.epochs.at(-1);
  const best = run.epochs.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
  const end = run.bestEpoch ? run.epochs[run.bestEpoch - 1] : last;
  const { accuracy } = await evaluate(model, test, { loss: loss.binaryCrossEntropy() });
  ends[variant] = { accuracy, best, last };
  console.log(
    `${variant}: ${last.epoch} epochs, ${percent(end.trainAccuracy)} of the images that it learned from; loss on new ones ` +
      `${last.validationLoss.toFixed(3)}, least in epoch ${best.epoch}, ${best.validationLoss.toFixed(3)}`,
  );
}
const folder = await outputFolder();
const files = {
  'overfitting.csv': `${lines.join('\n')}\n`,
  'overfitting.svg': await lossCurves(runs, { title: 'Loss: dashed on images learned, in full on new ones' }),
};
for (const [file, text] of Object.entries(files)) {
  await writeFile(join(folder, file), text);
  console.log(join(folder, file));
}

const { plain } = ends;
const right = (variant) => percent(ends[variant].accuracy);
report([
  [
    'plain: right of the images learned',
    percent(plain.last.trainAccuracy),
    '100 %, by heart (Nielsen 2015, chapter 3)',
  ],
  [
    'plain: loss on new images at the end',
    plain.last.validationLoss.toFixed(3),
    `${plain.best.validationLoss.toFixed(3)} in epoch ${plain.best.epoch}`,
  ],
  ['plain: right of new images', right('plain'), '82.27 % with MNIST (Nielsen 2015, chapter 3)'],
  ['L2: right of new images', right('L2'), '87.1 % with MNIST (Nielsen 2015, chapter 3)'],
  [
    'L2: loss on new images at the end',
    ends.L2.last.validationLoss.toFixed(3),
    `${plain.last.validationLoss.toFixed(3)} without`,
  ],
  ['L1: right of new images', right('L1'), `${right('plain')} without`],
  ['dropout: right of new images', right('dropout'), `${right('plain')} without`],
  [
    'early stopping: right of new images',
    right('early stopping'),
    `${right('plain')} after ${epochs} epochs`,
  ],
  ['early stopping: epochs', ends['early stopping'].last.epoch, epochs],
]);
