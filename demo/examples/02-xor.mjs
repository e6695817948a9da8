// XOR: a line cannot do it, two layers can.
import { data, evaluate, fit, loss, nn, optim, predict, tensor } from 'everygrad';

const corners = new Float32Array([0, 0, 0, 1, 1, 0, 1, 1]);
const xor = new data.ArrayDataset({
  inputs: corners,
  inputShape: [2],
  inputDType: 'float32',
  targets: new Float32Array([0, 1, 1, 0]),
  targetShape: [1],
  targetDType: 'float32',
});
const binary = loss.binaryCrossEntropy();

for (const [name, model] of Object.entries({
  'one layer': nn.sequential(nn.linear(2, 1)),
  'two layers': nn.sequential(nn.linear(2, 8), nn.tanh(), nn.linear(8, 1)),
})) {
  await fit(model, xor, {
    loss: binary,
    optimizer: optim.adam({ lr: 0.05 }),
    batchSize: 4,
    epochs: 400,
    seed: 3,
  });
  const logits = await predict(model, tensor(corners, { shape: [4, 2] }));
  const said = Array.from(await logits.data(), (v) => Number(v > 0));
  const right = said.filter((v, i) => v === xor.targets[i]).length;
  console.log(
    `${name}: ${said.join(' ')}, ${right} of 4 right, loss ${(await evaluate(model, xor, { loss: binary })).loss.toFixed(3)}`,
  );
}
