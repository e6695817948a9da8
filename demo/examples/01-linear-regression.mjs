// Linear regression by gradient descent, against the weights that the data were made with.
import { compile, randomNormal, tensor, valueAndGrad, variable } from 'everygrad';

const truth = tensor([[2], [-3]]);
const inputs = tensor(await randomNormal([200, 2], { seed: 1 }).data(), { shape: [200, 2] });
const noise = randomNormal([200, 1], { seed: 1, stream: 1 }).mul(0.1);
const targets = tensor(await inputs.matmul(truth).add(0.5).add(noise).data(), { shape: [200, 1] });

const weight = variable(tensor([[0], [0]]));
const bias = variable(tensor([0]));
const step = compile((x, y) => {
  const loss = (w, b) => x.matmul(w).add(b).sub(y).square().mean();
  const [value, [dWeight, dBias]] = valueAndGrad(loss)(weight, bias);
  weight.assign(weight.sub(dWeight.mul(0.1)));
  bias.assign(bias.sub(dBias.mul(0.1)));
  return value;
});
for (let i = 0; i < 100; i++) {
  const loss = await step(inputs, targets);
  if (i % 20 === 0) console.log(`step ${i}: loss ${(await loss.item()).toFixed(4)}`);
  loss.dispose();
}
const found = [...(await weight.data()), await bias.item()];
console.log(`found ${found.map((v) => v.toFixed(2)).join(', ')}; made with 2, -3, 0.5`);
