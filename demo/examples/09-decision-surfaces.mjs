// Decision surfaces of networks of one, two and three layers on the classic sets of points in the plane, as one
// picture.
import { fit, loss, nn, optim, predict, randomNormal, randomUniform, tensor } from 'everygrad';
import { decisionSurface, tile, toImage } from 'everygrad/inspect';
import { dataset, percent, quick, report, savePng, seed } from './common.mjs';

const n = 400;
const labels = Array.from({ length: n }, (_, i) => i % 2);
const uniform = await randomUniform([n, 3], { seed, stream: 1 }).array();
const normal = await randomNormal([n, 2], { seed, stream: 2 }).array();
/** Points at angles and distances: the library's cosine has the same bits everywhere, Math.cos has not. */
async function polar(angles, radii) {
  const [x, y] = await Promise.all([tensor(angles).cos().data(), tensor(angles).sin().data()]);
  return radii.map((radius, i) => [radius * x[i], radius * y[i]]);
}
const blurred = (points, by) => points.map((point, i) => point.map((v, k) => v + by * normal[i][k]));
const each = (f) => labels.map((label, i) => f(label, uniform[i]));

const arcs = await polar(
  each((_, [u]) => Math.PI * u),
  each(() => 0.6),
);
const sets = {
  clouds: blurred(
    each((label) => (label ? [0.4, 0.4] : [-0.4, -0.4])),
    0.25,
  ),
  xor: each((label, [u, v, w]) => {
    const [x, y] = [0.05 + 0.9 * u, (0.05 + 0.9 * v) * (label ? 1 : -1)];
    return w < 0.5 ? [x, y] : [-x, -y];
  }),
  ring: blurred(
    await polar(
      each((_, [u]) => 2 * Math.PI * u),
      each((label, [, v]) => (label ? 0.8 : 0.4 * Math.sqrt(v))),
    ),
    0.05,
  ),
  moons: blurred(
    arcs.map(([x, y], i) => (labels[i] ? [0.3 - x, 0.15 - y] : [x - 0.3, y - 0.15])),
    0.07,
  ),
  spirals: blurred(
    await polar(
      each((label, [u]) => Math.PI * (3 * u + label)),
      each((_, [u]) => 0.1 + 0.8 * u),
    ),
    0.02,
  ),
};
const [hidden, tanh] = [(inputs) => nn.linear(inputs, 16), nn.tanh()];
const networks = {
  'one layer': () => nn.sequential(nn.linear(2, 1)),
  'two layers': () => nn.sequential(hidden(2), tanh, nn.linear(16, 1)),
  'three layers': () => nn.sequential(hidden(2), tanh, hidden(16), tanh, nn.linear(16, 1)),
};

/** The part that the best straight line has on its right side: in 180 directions every threshold is tried. */
function bestLine(points) {
  let best = 0;
  for (let k = 0; k < 180; k++) {
    const [a, b] = [Math.cos((Math.PI * k) / 180), Math.sin((Math.PI * k) / 180)];
    const order = points.map(([x, y], i) => [a * x + b * y, labels[i]]).sort(([p], [q]) => p - q);
    let right = n / 2;
    for (const [, label] of order) {
      right += label ? -1 : 1;
      best = Math.max(best, right, n - right);
    }
  }
  return best / n;
}

const side = 120;
/** Blue and red where the network is sure of one or the other class; the points as dots. */
async function picture(model, points) {
  const surface = await decisionSurface(model, { width: side, height: side });
  const image = toImage(surface.outputs, [side, side], { map: 'diverging', range: [-4, 4] });
  for (const [i, [x, y]] of points.entries()) {
    const [column, row] = [Math.floor(((x + 1) / 2) * side), Math.floor(((1 - y) / 2) * side)];
    if (Math.min(column, row) < 0 || Math.max(column, row) >= side) continue;
    const at = 4 * (row * side + column);
    image.data.fill(labels[i] ? 0 : 110, at, at + 3);
  }
  return image;
}

const pictures = [];
const rows = [];
for (const [set, points] of Object.entries(sets)) {
  const examples = dataset(
    points,
    labels.map((label) => [label]),
  );
  for (const [layers, network] of Object.entries(networks)) {
    const model = network();
    await fit(model, examples, {
      ...{ loss: loss.binaryCrossEntropy(), optimizer: optim.adam({ lr: 0.02 }) },
      ...{ batchSize: 50, epochs: quick ? 40 : 300, seed },
    });
    pictures.push(await picture(model, points));
    const outputs = await (await predict(model, tensor(points))).data();
    const right = labels.filter((label, i) => Number(outputs[i] > 0) === label).length / n;
    const reference = {
      'one layer': `at most ${percent(bestLine(points))}, the best straight line`,
      'two layers': '100 % can be had with enough hidden units (Cybenko 1989)',
      'three layers': '100 %: regions of any shape (Lippmann 1987)',
    };
    rows.push([`${set}, ${layers}`, percent(right), reference[layers]]);
  }
}
await savePng('decision-surfaces.png', tile(pictures, { columns: 3, gap: 4 }));
report(rows);
