// One neuron with the input 1 and the target 0. Where it starts badly wrong, the quadratic cost teaches it slowly at
// first: its gradient has the factor a (1 - a), which is small where the neuron is saturated; that of cross-entropy has
// not.
import { fit, loss, nn, optim, predict, tensor } from 'everygrad';
import { dataset, report } from './common.mjs';

const example = dataset([[1]], [[0]]);
const lr = 0.15;
const starts = { 'near start (0.6, 0.9)': [0.6, 0.9], 'far start (2, 2)': [2, 2] };

/** The neuron's output at first and after each of six times 50 epochs. */
async function train(cost, [w, b]) {
  const linear = nn.linear(1, 1);
  await linear.weight.assign(tensor([[w]]));
  await linear.bias.assign(tensor([b]));
  const neuron = nn.sequential(linear, nn.sigmoid());
  const output = async () => (await predict(neuron, tensor([[1]]))).item();
  const outputs = [await output()];
  for (let i = 0; i < 6; i++) {
    // The loss of probabilities takes what comes before the sigmoid.
    await fit(cost === 'cross-entropy' ? linear : neuron, example, {
      loss: cost === 'cross-entropy' ? loss.binaryCrossEntropy() : loss.quadratic(),
      ...{ optimizer: optim.sgd({ lr }), batchSize: 1, epochs: 50 },
    });
    outputs.push(await output());
  }
  return outputs;
}

/** The same by hand, in double precision: w and b both fall by lr dC/dz, and z = w + b. */
function byHand(cost, [w, b]) {
  let z = w + b;
  const a = () => 1 / (1 + Math.exp(-z));
  for (let i = 0; i < 300; i++) z -= 2 * lr * (cost === 'cross-entropy' ? a() : a() * a() * (1 - a()));
  return a();
}

const published = {
  'quadratic, near start (0.6, 0.9)': '0.09 (Nielsen 2015, chapter 3); ',
  'quadratic, far start (2, 2)': '0.20 (Nielsen 2015, chapter 3); ',
};
const rows = [];
for (const cost of ['quadratic', 'cross-entropy']) {
  for (const [start, values] of Object.entries(starts)) {
    const name = `${cost}, ${start}`;
    const outputs = await train(cost, values);
    console.log(`${name}: ${outputs.map((a) => a.toFixed(3)).join(', ')}`);
    rows.push([`${name}: after 50 epochs`, outputs[1].toFixed(4), `it began at ${outputs[0].toFixed(2)}`]);
    const reference = `${published[name] ?? ''}${byHand(cost, values).toFixed(4)} by hand`;
    rows.push([`${name}: after 300 epochs`, outputs[6].toFixed(4), reference]);
  }
}
report(rows);
