// Autoencoders: digits through a code of few numbers and back, against the best linear code; and noise taken out of
// digits.
import { data, fit, loss, nn, optim, predict, randomNormal, read, schedules, tensor } from 'everygrad';
import { enlarge, tile, toImage } from 'everygrad/inspect';
import { digits, quick, report, savePng, seed } from './common.mjs';

const { name, train, test } = await digits({ train: quick ? 2000 : 10_000, test: quick ? 200 : 1000 });
const code = quick ? 10 : 30;
const reported = '3.00 and 13.87 reported with MNIST and 30 numbers (Hinton, Salakhutdinov 2006)';
const pixels = (set) => Float32Array.from(set.inputs, (v) => v / 255);
/** The images, with themselves as targets. */
const itself = new data.ArrayDataset({
  ...{ inputs: train.inputs, inputShape: [784], inputDType: 'uint8', scale: 1 / 255 },
  ...{ targets: pixels(train), targetShape: [784], targetDType: 'float32' },
});
const images = tensor(pixels(test), { shape: [test.length, 784] });

/** Mean over the images of the sum of squared differences. */
const errorOf = (made) => made.sub(images).square().sum(1).mean().item();
const layers = (...sizes) =>
  sizes
    .slice(1)
    .flatMap((n, i) => [nn.linear(sizes[i], n, { weightInit: nn.init.heNormal }), nn.relu()])
    .slice(0, -1);
async function learn(model, epochs) {
  await fit(model, itself, {
    // The sigmoid is part of the loss, that of grey values as probabilities.
    ...{
      loss: loss.binaryCrossEntropy(),
      optimizer: optim.adam({ lr: 0.002 }),
      schedule: schedules.cosine(),
    },
    ...{ batchSize: 50, epochs, seed },
  });
  return async (inputs) => (await predict(model, inputs)).sigmoid();
}

// The best linear code is that of principal components: here by orthogonal iteration on the covariance.
const columns = tensor(pixels(train), { shape: [train.length, 784] });
const mean = columns.mean(0);
const centred = columns.sub(mean);
const covariance = centred.transpose().matmul(centred).div(train.length);
await read([mean, covariance]); // computed once, here; from now on they are data
let basis = await randomNormal([code, 784], { seed }).array();
for (let i = 0; i < 30; i++) {
  const rows = await tensor(basis).matmul(covariance).array();
  basis = [];
  for (const row of rows) {
    // Gram and Schmidt: what the others have is taken away.
    for (const other of basis) {
      const part = row.reduce((sum, v, k) => sum + v * other[k], 0);
      for (const k of row.keys()) row[k] -= part * other[k];
    }
    const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    basis.push(row.map((v) => v / length));
  }
}
const components = tensor(basis);
const linear = images.sub(mean).matmul(components.transpose()).matmul(components).add(mean);
const pca = await errorOf(linear);

const sizes = [784, 256, 64, code];
const rebuild = await learn(
  nn.sequential(...layers(...sizes), ...layers(...[...sizes].reverse())),
  quick ? 12 : 30,
);
const rebuilt = await rebuild(images);
const deep = await errorOf(rebuilt);

// Noise in training only; then new noise, on images never seen.
const sigma = 0.5;
const denoise = await learn(nn.sequential(nn.gaussianNoise(sigma), ...layers(784, 256, 784)), quick ? 4 : 15);
const noisy = images.add(randomNormal(images.shape, { seed, stream: 3 }).mul(sigma));
const denoised = await denoise(noisy);
const before = await errorOf(noisy);
const after = await errorOf(denoised);

const pictures = [];
for (const each of [images, linear, rebuilt, noisy, denoised]) {
  const values = await each.data();
  for (let i = 0; i < 10; i++)
    pictures.push(toImage(values.subarray(784 * i, 784 * (i + 1)), [28, 28], { range: [0, 1] }));
}
await savePng('autoencoder.png', enlarge(tile(pictures, { columns: 10, gap: 2 }), 2));
console.log(
  `${name}; rows: test images, by principal components, by the autoencoder, with noise, noise taken out`,
);
report([
  [
    `squared error of an image, code of ${code} numbers`,
    deep.toFixed(2),
    `${pca.toFixed(2)} by principal components, the best linear code; ${reported}`,
  ],
  ['squared error with noise', before.toFixed(1), `${(784 * sigma * sigma).toFixed(1)} = 784 sigma^2`],
  ['squared error, noise taken out', after.toFixed(1), 'less'],
]);
