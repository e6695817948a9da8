// brain.js in its CPU mode. It has one way of training: example by example, squared error, the same activation in all
// layers. So it does the same layers' arithmetic, not the same training, and is checked against loops of its own.
import brain from 'brain.js';
import { batches, parameters } from '../numbers.mjs';
import { NotAvailable } from '../session.mjs';

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
  const network = new brain.NeuralNetwork({ hiddenLayers, activation });
  network.sizes = [784, ...hiddenLayers, 10];
  network.updateTrainingOptions({ learningRate, momentum, ...(praxis && { praxis }) });
  network.initialize();
  const weights = parameters(layers).filter(({ length }) => length > 0);
  for (const [i, [w, b]] of weights.entries()) {
    const outputs = b.values.length;
    network.biases[i + 1] = [...b.values];
    network.weights[i + 1] = [...b.values].map((_, unit) => column(w.values, unit, outputs));
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
  checkFirst(network, pool[0], { activation, learningRate, praxis });
  let steps = 0;
  const run = async (runs) => {
    for (let i = 0; i < runs; i++) network.train(pool[steps++ % count], options);
  };
  return { check: null, run };
}

const column = (values, unit, outputs) =>
  Array.from({ length: values.length / outputs }, (_, i) => values[i * outputs + unit]);

/** Runs one example forward with loops and compares. */
function checkFirst(network, [{ input }], { activation }) {
  const apply = activation === 'relu' ? (s) => Math.max(0, s) : (s) => 1 / (1 + Math.exp(-s));
  let x = input;
  for (let layer = 1; layer < network.sizes.length; layer++) {
    const [weights, biases] = [network.weights[layer], network.biases[layer]];
    x = weights.map((row, unit) => apply(row.reduce((sum, w, i) => sum + w * x[i], biases[unit])));
  }
  const found = network.run(input);
  const wrong = x.findIndex((v, i) => Math.abs(v - found[i]) > 1e-6);
  if (wrong >= 0) throw new Error(`output ${wrong} is ${found[wrong]}, loops give ${x[wrong]}`);
}
