// A process of its own that makes one training step, says how long that took from its start, and checks the result.
// The only argument is JSON: the options of the engine. It prints a Measurement
// and the runtime as JSON.
import { configure, data, type EngineOptions, engine, fit, loss, nn, optim } from '../index.js';
import { runtime } from '../platform.js';
import { backendNames, checkError, describeEngine, type Measurement } from './rounds.js';

async function step() {
  const model = nn.sequential(nn.linear(784, 100), nn.sigmoid(), nn.linear(100, 10));
  const { train } = await data.digits({ train: 10, test: 1 });
  const optimizer = optim.sgd({ lr: 0.5 });
  return fit(model, train, { loss: loss.crossEntropy(), optimizer, batchSize: 10, seed: 1 });
}

await configure(JSON.parse(process.argv[2] ?? '{}') as EngineOptions);
const { ops, epochs } = await step();
const value = performance.now() / 1000; // counted from the start of the process
const description = describeEngine(await engine());

await configure({ device: 'reference' });
const expected = (await step()).epochs[0]!.trainLoss;
const error = Math.abs(epochs[0]!.trainLoss - expected) / expected;
checkError('startup/first_step', 'the loss of the first step', error, 1e-4);
const { name, version } = runtime();
const measured: Measurement & { runtime: string } = {
  runtime: `${name} ${version}`,
  backend: backendNames(ops),
  value,
  unit: 's',
  best: value,
  rounds: 1,
  engine: description,
};
// Threads and GPU need not be waited for.
process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit());
