// Rosenblatt's perceptron: on points that a line separates it ends, after no more mistakes than a theorem allows;
// on XOR it never ends.
import { compile, randomUniform, tensor, variable, where } from 'everygrad';
import { report, seed } from './common.mjs';

/** The rule: a point on the wrong side, times its class (1 or -1), is added to the weights. Points end with a 1: the bias. */
async function perceptron(points, classes, { epochs }) {
  const weights = variable(tensor([0, 0, 0]));
  const step = compile((point, label) => {
    const wrong = weights.mul(point).sum().mul(label).lessEqual(0);
    weights.assign(weights.add(where(wrong, point.mul(label), 0)));
    return wrong.cast('int32');
  });
  let mistakes = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let wrong = 0;
    for (const [i, point] of points.entries()) {
      const made = await step(tensor(point), tensor(classes[i]));
      wrong += await made.item();
      made.dispose();
    }
    mistakes += wrong;
    if (wrong === 0) return { epoch, mistakes, weights: await weights.array() };
  }
  return { epoch: Number.POSITIVE_INFINITY, mistakes, weights: await weights.array() };
}

// Points of a square, on both sides of a line and not too near to it.
const truth = [0.6, -0.8, 0.1];
const signed = (point) => point.reduce((sum, x, i) => sum + x * truth[i], 0);
const numbers = Array.from(await randomUniform([400], { seed }).data(), (v) => 2 * v - 1);
const points = Array.from({ length: 200 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1], 1]).filter(
  (point) => Math.abs(signed(point)) > 0.1,
);
const classes = points.map((point) => Math.sign(signed(point)));
const line = await perceptron(points, classes, { epochs: 1000 });
console.log(
  `${points.length} points: no mistake in epoch ${line.epoch}, weights ${line.weights.map((w) => w.toFixed(2))}`,
);

const corners = [0, 1, 2, 3].map((i) => [i >> 1, i & 1, 1]);
const xor = await perceptron(corners, [-1, 1, 1, -1], { epochs: 250 });
const side = (point) => Math.sign(point.reduce((sum, x, i) => sum + x * xor.weights[i], 0));
console.log(`XOR: weights ${xor.weights} after 250 epochs, sides ${corners.map(side)}`);

// Novikoff: at most (R / margin)^2 mistakes, R the length of the longest point, the margin that of any separating line.
const length = (point) => Math.sqrt(point.reduce((sum, x) => sum + x * x, 0));
const margin = Math.min(...points.map((point) => Math.abs(signed(point)))) / length(truth);
const bound = Math.floor((Math.max(...points.map(length)) / margin) ** 2);
report([
  ['mistakes until all points are right', line.mistakes, `at most ${bound}: (R / margin)^2 (Novikoff 1962)`],
  [
    'mistakes on XOR in 250 epochs',
    xor.mistakes,
    'at least 250, one in each epoch: no line separates XOR (Minsky and Papert 1969)',
  ],
]);
