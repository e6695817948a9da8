// Logistic regression on two clouds of points, by gradient descent; against the greatest likelihood, which Newton's
// method finds by solving weighted normal equations again and again, and against the best that any classifier can do.
import { fit, loss, nn, optim, predict, randomNormal, tensor } from 'everygrad';
import { dataset, percent, report, seed, solve } from './common.mjs';

// Both clouds are normal with variance 1 around centres that are 2 apart.
const centres = [
  [-0.6, -0.8],
  [0.6, 0.8],
];
async function draw(n, stream) {
  const numbers = await randomNormal([n, 2], { seed, stream }).array();
  const labels = numbers.map((_, i) => i % 2);
  return [numbers.map((point, i) => point.map((v, k) => v + centres[labels[i]][k])), labels];
}
const [points, labels] = await draw(400, 1);
const [newPoints, newLabels] = await draw(10_000, 2);

const model = nn.sequential(nn.linear(2, 1));
const pairs = dataset(
  points,
  labels.map((label) => [label]),
);
await fit(model, pairs, {
  ...{ loss: loss.binaryCrossEntropy(), optimizer: optim.sgd({ lr: 0.5 }) },
  ...{ batchSize: points.length, epochs: 300, seed },
});
const [weight, bias] = model.parameters();
const found = [...(await weight.data()), await bias.item()];
const scores = await (await predict(model, tensor(newPoints))).data();
const right = newLabels.filter((label, i) => Number(scores[i] > 0) === label).length;

// Iteratively reweighted least squares: (X'SX) step = X'(y - p), S = p (1 - p), in double precision.
const rows = points.map((point) => [...point, 1]);
let exact = [0, 0, 0];
for (let i = 0; i < 10; i++) {
  const p = rows.map((row) => 1 / (1 + Math.exp(-row.reduce((sum, x, k) => sum + x * exact[k], 0))));
  const over = (f) => rows.reduce((sum, row, n) => sum + f(row, n), 0);
  const hessian = exact.map((_, j) =>
    exact.map((_, k) => over((row, n) => row[j] * row[k] * p[n] * (1 - p[n]))),
  );
  const gradient = exact.map((_, j) => over((row, n) => row[j] * (labels[n] - p[n])));
  const step = solve(hessian, gradient);
  exact = exact.map((w, k) => w + step[k]);
}
const ideal = [1.2, 1.6, 0]; // the difference of the centres: the log odds of two normal clouds are linear
report([
  ...['first weight', 'second weight', 'bias'].map((name, i) => [
    name,
    found[i].toFixed(4),
    `${exact[i].toFixed(4)} by reweighted normal equations; ${ideal[i]} with endless data`,
  ]),
  [
    'accuracy on 10,000 new points',
    percent(right / newLabels.length),
    '84.1 %, the best that can be: half the distance of the centres is 1, and the normal distribution at 1 is 0.8413',
  ],
]);
