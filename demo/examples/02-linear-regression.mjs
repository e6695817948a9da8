// Linear regression by gradient descent, against the normal equations and the weights that the data were made with.
import { compile, randomNormal, read, tensor, valueAndGrad, variable } from 'everygrad';
import { report, seed, solve } from './common.mjs';

const truth = [2, -3, 0.5];
const inputs = randomNormal([200, 2], { seed });
const noise = randomNormal([200, 1], { seed, stream: 1 }).mul(0.1);
const clean = inputs.matmul(tensor([[truth[0]], [truth[1]]])).add(truth[2]);
const targets = clean.add(noise);
await read([inputs, targets]); // computed once, here; from now on they are data

const weight = variable(tensor([[0], [0]]));
const bias = variable(tensor([0]));
const step = compile((x, y) => {
  const meanSquare = (w, b) => x.matmul(w).add(b).sub(y).square().mean();
  const [value, [dWeight, dBias]] = valueAndGrad(meanSquare)(weight, bias);
  weight.assign(weight.sub(dWeight.mul(0.1)));
  bias.assign(bias.sub(dBias.mul(0.1)));
  return value;
});
for (let i = 0; i < 200; i++) {
  const loss = await step(inputs, targets);
  if (i % 40 === 0) console.log(`step ${i}: loss ${(await loss.item()).toFixed(4)}`);
  loss.dispose();
}
const found = [...(await weight.data()), await bias.item()];

// The normal equations X'X w = X'y, the bias a column of ones, in double precision.
const rows = (await inputs.array()).map(([a, b]) => [a, b, 1]);
const y = await targets.data();
const gram = [0, 1, 2].map((i) => [0, 1, 2].map((j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)));
const exact = solve(
  gram,
  [0, 1, 2].map((i) => rows.reduce((sum, row, k) => sum + row[i] * y[k], 0)),
);
report(
  ['first weight', 'second weight', 'bias'].map((name, i) => [
    name,
    found[i].toFixed(5),
    `${exact[i].toFixed(5)} by the normal equations; made with ${truth[i]}, and noise`,
  ]),
);
