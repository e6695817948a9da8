// One hidden layer comes as near to a function as one likes, with units enough: by weights set by hand, and learned.
import { loss, minimise, nn, predict, tensor } from 'everygrad';
import { quick, report, seed } from './common.mjs';

// The function of Nielsen's "Neural Networks and Deep Learning", chapter 4.
const points = 1001;
const x = tensor(
  Float32Array.from({ length: points }, (_, i) => i / (points - 1)),
  { shape: [points, 1] },
);
const wave = x.mul(15).sin().mul(x).mul(0.3).add(x.mul(50).cos().mul(0.05));
const f = x.square().mul(0.4).add(0.2).add(wave);
const values = await f.data(); // from here on f is data, too
const network = (hidden) => nn.sequential(nn.linear(1, hidden), nn.sigmoid(), nn.linear(hidden, 1));
async function errors(model) {
  const d = (await (await predict(model, x)).data()).map((y, i) => Math.abs(y - values[i]));
  return { largest: Math.max(...d), rms: Math.sqrt(d.reduce((sum, e) => sum + e * e, 0) / points) };
}

/**
 * A staircase: sigmoids so steep that each is a step, at the ends of n intervals; each goes up by as much as the middle
 * of the function's range changes there. Half the range of the function in an interval is all that it can be wrong by.
 */
async function staircase(n) {
  const model = network(n);
  const [weights, biases, outputs, offset] = model.parameters();
  const size = (points - 1) / n;
  const parts = Array.from({ length: n }, (_, k) =>
    values.subarray(Math.round(k * size), Math.round((k + 1) * size) + 1),
  );
  const middles = parts.map((part) => (Math.min(...part) + Math.max(...part)) / 2);
  const steep = 1e6;
  await weights.assign(tensor([new Array(n).fill(steep)]));
  // Between two points, so that none lies on a step; the first one is on from the start.
  await biases.assign(tensor(middles.map((_, k) => -steep * ((Math.round(k * size) - 0.5) / (points - 1)))));
  await outputs.assign(tensor(middles.map((m, k) => [m - (middles[k - 1] ?? 0)])));
  await offset.assign(tensor([0]));
  const bound = Math.max(...parts.map((part) => (Math.max(...part) - Math.min(...part)) / 2));
  return { ...(await errors(model)), bound };
}

/** The same network, learned: the mean square error made small with L-BFGS, on all points at once. */
async function learned(hidden) {
  const model = network(hidden);
  await model.initialize(seed);
  // Steps all over the interval to begin with.
  const [weights, biases] = model.parameters();
  const slopes = Array.from({ length: hidden }, (_, k) => (k % 2 ? -1 : 1) * (4 + 2 * hidden));
  await weights.assign(tensor([slopes]));
  await biases.assign(tensor(slopes.map((slope, k) => (-slope * (k + 0.5)) / hidden)));
  const square = loss.meanSquaredError();
  const { iterations } = await minimise.lbfgs(() => square(model.forward(x), f), model.parameters(), {
    maxIterations: quick ? 200 : 400,
    tolerance: 1e-6,
  });
  return { ...(await errors(model)), iterations };
}

const rows = [];
for (const n of [10, 50, 250]) {
  const { largest, bound } = await staircase(n);
  rows.push([
    `${n} steps by hand: largest error`,
    largest.toFixed(4),
    `at most ${bound.toFixed(4)}: half the range of f in an interval`,
  ]);
}
let before = 'small with units enough, for any continuous function (Cybenko 1989; Hornik et al. 1989)';
for (const hidden of [2, 4, 8, 16]) {
  const { rms, iterations } = await learned(hidden);
  console.log(`${hidden} hidden units learned in ${iterations} iterations`);
  rows.push([`${hidden} units learned: root mean square error`, rms.toFixed(4), before]);
  before = `${rms.toFixed(4)} with half as many`;
}
report(rows);
