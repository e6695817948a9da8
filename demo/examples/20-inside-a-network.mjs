// Inside a network: are its gradients right, what do its layers do, what does it look at, which digits does it confuse?
import { data, fit, loss, nn, optim, predict, tensor } from 'everygrad';
import {
  classesOf,
  classificationReport,
  confusionMatrix,
  gradientCheck,
  idleUnits,
  maximiseActivation,
  occlusion,
  stepStatistics,
} from 'everygrad/inspect';

const digits = await data.digits({ train: 2000, test: 500 });
const model = nn.sequential(nn.linear(784, 32), nn.relu(), nn.linear(32, 10));
const crossEntropy = loss.crossEntropy();
const optimizer = optim.adam({ lr: 0.003 });
const inputs = tensor(
  Float32Array.from(digits.test.inputs, (v) => v / 255),
  { shape: [500, 784] },
);
const targets = tensor(digits.test.targets);

const { passed, worst } = await gradientCheck(
  model,
  crossEntropy,
  { inputs, targets },
  { elements: 4, seed: 1 },
);
console.log(`gradients ${passed ? 'are right' : 'are wrong'}, largest error ${worst.error.toExponential(1)}`);

await fit(model, digits.train, { loss: crossEntropy, optimizer, batchSize: 20, epochs: 3, seed: 1 });

const { parameters } = await stepStatistics(model, crossEntropy, { inputs, targets }, { optimizer });
for (const { name, updateRatio } of parameters)
  console.log(`${name}: a step moves it by ${updateRatio.toExponential(1)}`);
const [, relu] = await idleUnits(model, inputs);
console.log(`${relu.dead.length} of ${relu.units} hidden units are dead`);

/** Numbers as characters, the largest as @. */
const draw = (values, width) => {
  const most = Math.max(...values);
  const signs = Array.from(
    values,
    (v) => ' .:-=+*#%@'[Math.max(0, Math.min(9, Math.floor((10 * v) / most)))],
  );
  for (let i = 0; i < signs.length; i += width) console.log(signs.slice(i, i + width).join(''));
};
console.log('what it takes for a 3:');
const { input } = await maximiseActivation(model, {
  ...{ shape: [784], image: [28, 28], unit: 3, steps: 60, blurEvery: 4, seed: 1 },
});
draw(await input.data(), 28);

const first = tensor(Float32Array.from(digits.test.inputs.subarray(0, 784), (v) => v / 255));
const { drops, columns, target } = await occlusion(model, first, { shape: [28, 28], size: 6, stride: 2 });
console.log(`where the first image looks most like a ${target}:`);
draw(drops, columns);

const said = classesOf(await (await predict(model, inputs)).data(), 10);
const { accuracy, macro } = classificationReport(confusionMatrix(digits.test.targets, said, 10));
console.log(`accuracy ${(100 * accuracy).toFixed(1)}%, mean F1 ${macro.f1.toFixed(3)}`);
