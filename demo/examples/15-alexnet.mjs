// AlexNet: its layers and their shapes, its parameters, and a few training steps on smaller images.
import { data, evaluate, fit, loss, nn, optim, zeros } from 'everygrad';
import { quick, report, seed } from './common.mjs';

const whole = nn.alexnet();
/** Shapes are known as soon as an op is recorded: nothing is computed here, and no weights exist. */
let x = zeros([1, 227, 227, 3]);
const shapes = [];
for (const layer of whole.layers) {
  x = layer.forward(x, { training: false });
  const parameters = layer.parameterCount;
  const name = layer.name ?? layer.constructor.name;
  console.log(`${name.padEnd(20)}${x.shape.slice(1).join(' x ').padEnd(16)}${parameters || ''}`);
  if (parameters > 0) shapes.push(x.shape.slice(1).join('x'));
}

// The same network on images of 67 x 67, the smallest that pass its strides, and with ten classes. The images are
// bright or dark in ten degrees, with noise.
const small = nn.alexnet({ classes: 10, inputSize: 67 });
const labels = Int32Array.from({ length: 10 }, (_, i) => i);
const pixels = Float32Array.from(
  { length: 10 * 67 * 67 * 3 },
  (_, i) => Math.floor(i / (67 * 67 * 3)) / 10 - 0.5,
);
const images = new data.ArrayDataset({
  ...{ inputs: pixels, inputShape: [67, 67, 3], inputDType: 'float32' },
  ...{ targets: labels, targetShape: [], targetDType: 'int32', classes: 10 },
});
const crossEntropy = loss.crossEntropy();
await small.initialize(seed);
const first = (await evaluate(small, images, { loss: crossEntropy })).loss;
await fit(small, images, {
  ...{ loss: crossEntropy, optimizer: optim.sgd({ lr: 0.0003, momentum: 0.9 }) },
  ...{ batchSize: 10, epochs: quick ? 3 : 10, seed },
});
const last = (await evaluate(small, images, { loss: crossEntropy })).loss;
report([
  ['parameters', whole.parameterCount, '60,965,224 (Krizhevsky et al. 2012 say 60 million)'],
  [
    'outputs of the convolutions',
    shapes.slice(0, 5).join(' '),
    '55x55x96 27x27x256 13x13x384 13x13x384 13x13x256 (figure 2, both halves)',
  ],
  [
    '67 x 67 pixels, 10 classes: first loss',
    first.toFixed(3),
    `${Math.LN10.toFixed(3)} = log 10, by guessing`,
  ],
  ['loss after the steps', last.toFixed(3), 'less'],
]);
