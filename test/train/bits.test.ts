// The same seed gives the same bits: in every runtime, with any number of threads, on the plain SIMD build.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { configure, data, fit, loss, nn, optim, weightsSha256 } from '../../src/index.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('same bits');

/** SHA-256 of the weights after 200 steps, computed once; every runtime must come to it. */
const expected = 'e6b522551b0b39621a44fa6597b068a09b30277134e5ee904a002a42791ecca4';

async function train(threads: number): Promise<string> {
  const engine = await configure({ device: 'wasm', build: 'simd', threads });
  await (engine.backends.get('wasm') as unknown as { ready(): Promise<void> }).ready();
  const { train: digits } = await data.digits({ train: 2000, test: 1, seed: 5 });
  const model = nn.sequential(
    nn.linear(784, 128, { weightInit: nn.init.heNormal, biasInit: nn.init.constant(0.1) }),
    nn.relu(),
    nn.dropout(0.3),
    nn.linear(128, 64),
    nn.tanh(),
    nn.linear(64, 10),
  );
  const optimizer = optim.adam({ lr: 0.002, weightDecay: 1e-4 });
  await fit(model, digits, { loss: loss.crossEntropy(), optimizer, batchSize: 50, epochs: 5, seed: 11 });
  const sha = await weightsSha256(model);
  model.dispose();
  optimizer.dispose();
  return sha;
}

for (const threads of [1, 2, 3]) {
  const name = `an MLP with dropout and Adam after 200 steps, ${threads} thread${threads > 1 ? 's' : ''}`;
  if (threads > 1 && typeof SharedArrayBuffer === 'undefined') skip(name, 'no SharedArrayBuffer');
  else test(name, async () => assert.is(await train(threads), expected));
}

test.run();
