// brain.js in its CPU mode. It has one way of training: example by example, squared error, the same activation in all
// layers. So it does the same layers' arithmetic, not the same training, and is checked against loops of its own.
import network from 'brain.js/dist/neural-network.js'; // without its streams, which pages lack
import { batches, parameters } from '../numbers.mjs';
import { NotAvailable } from '../session.mjs';

const { default: NeuralNetwork } = network;

export const start = async () => 'CPU';

const momentum = 0.1;

export async function prepare(workload) {
  const { kind, name, batch, batches: count, layers, optimizer } = workload;
  if (kind !== 'train' || !name.startsWith('train/mlp'))
    throw new NotAvailable('only multilayer perceptrons');
  const activation = layers[1].type;
  const dense = layers.filter(({ type }) => type === 'linear');
  const hiddenLayers = dense.slice(0, -1).map(({ outputs }) => outputs);
  const praxis = optimizer.type === 'adam' ? 'adam' : null;
  const learningRate = optimizer.lr;
  const net = new NeuralNetwork({ hiddenLayers, activation });
  net.sizes = [784, ...hiddenLayers, 10];
  net.updateTrainingOptions({ learningRate, momentum, ...(praxis && { praxis }) });
  net.initialize();
  const weights = parameters(layers).filter(({ length }) => length > 0);
  for (const [layer, [w, b]] of weights.entries()) {
    const outputs = b.values.length;
    for (let unit = 0; unit < outputs; unit++) {
      const row = net.weights[layer + 1][unit];
      for (let i = 0; i < row.length; i++) row[i] = w.values[i * outputs + unit];
      net.biases[layer + 1][unit] = b.values[unit];
    }
  }
  const batchOf = batches(workload);
  const exampleOf = (x, y, i) => ({
    input: [...x.subarray(i * 784, (i + 1) * 784)],
    output: Array.from({ length: 10 }, (_, c) => Number(c === y[i])),
  });
  const pool = Array.from({ length: count }, (_, step) => {
    const [x, y] = batchOf(step);
    return Array.from({ length: batch }, (_, i) => exampleOf(x, y, i));
  });
  const options = { iterations: 1, errorThresh: 1e-9, learningRate, momentum, ...(praxis && { praxis }) };
  checkFirst(net, pool[0], activation);
  let steps = 0;
  const run = async (runs) => {
    for (let i = 0; i < runs; i++) net.train(pool[steps++ % count], options);
  };
  return { check: null, run };
}

/** Runs one example forward with loops and compares. */
function checkFirst(net, [{ input }], activation) {
  const apply = activation === 'relu' ? (s) => Math.max(0, s) : (s) => 1 / (1 + Math.exp(-s));
  let x = input;
  for (let layer = 1; layer < net.sizes.length; layer++) {
    const [weights, biases] = [net.weights[layer], net.biases[layer]];
    x = weights.map((row, unit) => apply(row.reduce((sum, w, i) => sum + w * x[i], biases[unit])));
  }
  const found = net.run(input);
  const wrong = x.findIndex((v, i) => Math.abs(v - found[i]) > 1e-6);
  if (wrong >= 0) throw new Error(`output ${wrong} is ${found[wrong]}, loops give ${x[wrong]}`);
}
