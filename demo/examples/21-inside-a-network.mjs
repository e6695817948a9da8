// Inside a network: are its gradients right, what do its filters and feature maps look like, what would each output
// like best to see, where does it look, which digits does it confuse? Everything is drawn into PNG files.
import { fit, loss, nn, optim, predict, tensor } from 'everygrad';
import {
  activations,
  classesOf,
  classificationReport,
  confusionMatrix,
  enlarge,
  gradientCheck,
  idleUnits,
  maximiseActivation,
  occlusion,
  stepStatistics,
  tile,
  toImage,
  weightImages,
} from 'everygrad/inspect';
import { digits, quick, report, savePng, seed } from './common.mjs';

const { name, train, test } = await digits({ train: quick ? 1000 : 10_000, test: quick ? 200 : 2000 });
const model = nn.sequential(
  nn.reshape([28, 28, 1]),
  ...[nn.conv2d(1, 16, 7), nn.relu(), nn.maxPool2d(2)],
  ...[nn.conv2d(16, 32, 3), nn.relu(), nn.maxPool2d(2)],
  ...[nn.flatten(), nn.linear(4 * 4 * 32, 10)],
);
const crossEntropy = loss.crossEntropy();
const optimizer = optim.adam({ lr: 0.002, weightDecay: 1e-4 });
const inputs = tensor(
  Float32Array.from(test.inputs, (v) => v / 255),
  { shape: [test.length, 784] },
);
const targets = tensor(test.targets);
const [few, fewTargets] = [inputs.slice([0], [20]), targets.slice([0], [20])];

const check = { elements: 5, seed };
const { passed, parameters: checks } = await gradientCheck(
  model,
  crossEntropy,
  { inputs: few, targets: fewTargets },
  check,
);
console.log(`gradients ${passed ? 'are right' : 'are wrong'}`);
const [{ worst: filterWeight }] = checks;
await fit(model, train, { loss: crossEntropy, optimizer, batchSize: 20, epochs: quick ? 3 : 5, seed });
const { parameters } = await stepStatistics(
  model,
  crossEntropy,
  { inputs: few, targets: fewTargets },
  { optimizer },
);
for (const { name: parameter, updateRatio } of parameters)
  console.log(`${parameter}: a step moves it by ${updateRatio.toExponential(1)} of its size`);
const dead = (await idleUnits(model, few)).filter(({ kind }) => kind === 'relu');
console.log(`dead channels: ${dead.map(({ dead, units }) => `${dead.length} of ${units}`).join(', ')}`);

// The first layer's filters, and what each layer makes of one image.
await savePng('filters.png', enlarge(tile(await weightImages(model.layers[1].weight)), 8));
for (const [path, output] of await activations(model, inputs.slice([0], [1]))) {
  if (output.rank !== 4) continue;
  const [, height, width, channels] = output.shape;
  const maps = await output
    .reshape([height * width, channels])
    .transpose()
    .data();
  const size = height * width;
  const images = Array.from({ length: channels }, (_, c) =>
    toImage(maps.subarray(c * size, (c + 1) * size), [height, width], { map: 'heat' }),
  );
  const layer = model.layers[path];
  const kind = layer.name ?? layer.constructor.name;
  await savePng(`maps-${path}-${kind}.png`, enlarge(tile(images), Math.ceil(56 / width)));
}

// What each output likes best: gradient ascent on the image.
const liked = [];
for (let unit = 0; unit < 10; unit++) {
  const settings = { unit, steps: quick ? 30 : 100, blurEvery: 4, image: [28, 28], seed };
  liked.push((await maximiseActivation(model, { shape: [784], ...settings })).input);
}
const values = await Promise.all(liked.map((image) => image.data()));
await savePng(
  'liked.png',
  enlarge(
    tile(
      values.map((v) => toImage(v, [28, 28])),
      { columns: 5 },
    ),
    3,
  ),
);
const likedClasses = classesOf(
  await (
    await predict(model, tensor(Float32Array.from(values.flatMap((v) => [...v])), { shape: [10, 784] }))
  ).data(),
  10,
);

// Where it looks: how much the output falls when a square of the image is covered.
const { drops, rows, columns, target } = await occlusion(model, inputs.slice([0], [1]).reshape([784]), {
  shape: [28, 28],
  size: 6,
  stride: 1,
});
await savePng(`covered-${target}.png`, enlarge(toImage(drops, [rows, columns], { map: 'heat' }), 4));

const said = classesOf(await (await predict(model, inputs)).data(), 10);
const { accuracy, macro } = classificationReport(confusionMatrix(test.targets, said, 10));
report([
  [
    `d loss / d weight [${filterWeight.element}] of the first layer`,
    filterWeight.analytic.toExponential(4),
    `${filterWeight.numeric.toExponential(4)} by central differences, in double precision`,
  ],
  ['images made for an output, read as its class', likedClasses.filter((c, i) => c === i).length, '10'],
  [`accuracy on ${test.length} ${name}`, accuracy.toFixed(4), '0.1 by guessing'],
  ['mean F1 of the ten classes', macro.f1.toFixed(4), 'near the accuracy, where classes are equally common'],
]);
