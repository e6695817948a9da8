// Backpropagation by example: three small computations whose gradients others have printed, and that are worked out
// here by hand in double precision, too.
import { fit, grad, loss, nn, optim, predict, read, sigmoid, tensor, valueAndGrad } from 'everygrad';
import { dataset, report } from './common.mjs';

const rows = [];
const compare = (what, here, byHand, printed, source) => {
  rows.push([what, here.toPrecision(8), `${byHand.toPrecision(8)} by hand; ${printed} (${source})`]);
};
const s = (z) => 1 / (1 + Math.exp(-z));

// 1. A circuit: f = (x + y) z at (-2, 5, -4). By hand: df/dx = df/dy = z, df/dz = x + y.
const circuit = valueAndGrad((x, y, z) => x.add(y).mul(z));
const [f, gradients] = circuit(tensor(-2), tensor(5), tensor(-4));
const [value, dx, dy, dz] = (await read([f, ...gradients])).map(([v]) => v);
console.log(`f = (x + y) z = ${value}, df/dx ${dx}, df/dy ${dy}, df/dz ${dz}`);
const course = 'Karpathy, CS231n notes, "Backpropagation, intuitions"';
compare('circuit: df/dx', dx, -4, '-4', course);
compare('circuit: df/dz', dz, -2 + 5, '3', course);

// 2. A neuron: sigmoid(w0 x0 + w1 x1 + w2), weights 2, -3, -3, inputs -1, -2. By hand: z = 1, da/dw0 = a (1 - a) x0.
const neuron = (w) => sigmoid(w.mul(tensor([-1, -2, 1])).sum());
const dw = await grad(neuron)(tensor([2, -3, -3])).array();
const slope = s(1) * (1 - s(1));
compare('neuron: da/dw0', dw[0], -slope, '-0.20', course);
compare('neuron: da/dw1', dw[1], -2 * slope, '-0.39', course);

// 3. A network of two inputs, two hidden units and two outputs, all sigmoid; the loss is half the sum of squares.
const [inputs, targets] = [
  [0.05, 0.1],
  [0.01, 0.99],
];
const network = nn.sequential(nn.linear(2, 2), nn.sigmoid(), nn.linear(2, 2), nn.sigmoid());
const [w1, b1, w2, b2] = [
  [
    [0.15, 0.25],
    [0.2, 0.3],
  ],
  [0.35, 0.35],
  [
    [0.4, 0.5],
    [0.45, 0.55],
  ],
  [0.6, 0.6],
];
const parameters = network.parameters();
for (const [i, values] of [w1, b1, w2, b2].entries()) await parameters[i].assign(tensor(values));
for (const p of parameters) p.trainable = p.decays; // weights: the printed example leaves the biases as they are
const outputs = await (await predict(network, tensor([inputs]))).data();
const step = async (epochs) => {
  const { epochs: done } = await fit(network, dataset([inputs], [targets]), {
    ...{ loss: loss.quadratic(), optimizer: optim.sgd({ lr: 0.5 }), batchSize: 1, epochs },
  });
  return done.at(-1).trainLoss; // before the last step
};
const error = await step(1);
const [after1, , after2] = await read(parameters);
const errorAtLast = await step(9999);

/** By hand: forward h, o, the error; backward the deltas of outputs and hidden units; then 0.5 downhill, in place. */
function stepByHand() {
  const h = [0, 1].map((j) => s(inputs[0] * w1[0][j] + inputs[1] * w1[1][j] + b1[j]));
  const o = [0, 1].map((k) => s(h[0] * w2[0][k] + h[1] * w2[1][k] + b2[k]));
  const deltaO = o.map((y, k) => (y - targets[k]) * y * (1 - y));
  const deltaH = h.map((y, j) => (deltaO[0] * w2[j][0] + deltaO[1] * w2[j][1]) * y * (1 - y));
  for (const j of [0, 1]) for (const k of [0, 1]) w2[j][k] -= 0.5 * deltaO[k] * h[j];
  for (const i of [0, 1]) for (const j of [0, 1]) w1[i][j] -= 0.5 * deltaH[j] * inputs[i];
  return { o, error: o.reduce((sum, y, k) => sum + (targets[k] - y) ** 2 / 2, 0) };
}
const byHand = stepByHand();
const source = 'Mazur, "A step by step backpropagation example", 2015';
compare('network: first output', outputs[0], byHand.o[0], '0.75136507', source);
compare('network: second output', outputs[1], byHand.o[1], '0.772928465', source);
compare('network: error', error, byHand.error, '0.298371109', source);
compare('network: w5 after a step', after2[0], w2[0][0], '0.35891648', source);
compare('network: w8 after a step', after2[3], w2[1][1], '0.561370121', source);
compare('network: w1 after a step', after1[0], w1[0][0], '0.149780716', source);
for (let i = 0; i < 9998; i++) stepByHand();
compare('network, step 10,000: error', errorAtLast, stepByHand().error, '0.0000351085', source);
report(rows);
