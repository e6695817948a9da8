// A browser that has WebGPU but gives no GPU: no adapter, no device, or no answer at all. WASM takes over, and says why.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { configure, DeviceError, data, fit, loss, nn, optim } from '../../src/index.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('a GPU that does not come');

const never = (): Promise<never> => new Promise(() => undefined);
const refuses = (why: string) => (): Promise<never> => Promise.reject(new Error(why));
const adapter = (requestDevice: () => Promise<unknown>): object => ({
  features: new Set(),
  limits: {},
  info: {},
  requestDevice,
});

/** What `navigator.gpu.requestAdapter` does, how often it is asked, and what is said of it. */
const cases: [name: string, ask: () => Promise<unknown>, times: number, reason: RegExp][] = [
  ['an adapter is never given', never, 1, /^an adapter has not come in 0\.05 s$/],
  ['the second question is never answered', async () => (asked > 1 ? never() : null), 2, /^an adapter has/],
  ['adapters are refused', refuses('no'), 2, /^no adapter: this machine has no GPU/],
  ['there is no adapter', async () => null, 2, /^no adapter: this machine has no GPU/],
  ['a device is never given', async () => adapter(never), 1, /^a device has not come in 0\.05 s$/],
  ['devices are refused', async () => adapter(refuses('lost')), 1, /^the adapter gives no device: lost$/],
];

let asked = 0;
let ask: () => Promise<unknown> = never;
const gpu = {
  requestAdapter(): Promise<unknown> {
    asked++;
    return ask();
  },
};

test.before(() => {
  const scope = globalThis as { navigator?: object; process?: { env: Record<string, string> } };
  if (!scope.navigator) Object.defineProperty(scope, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true });
  // Node without any GPU device would not ask.
  if (scope.process?.env) scope.process.env.VK_ICD_FILENAMES ??= 'none';
});

for (const [name, answer, times, reason] of cases) {
  test(name, async () => {
    [ask, asked] = [answer, 0];
    const engine = await configure({ device: 'auto', threads: 1, gpuSeconds: 0.05 });
    assert.match(engine.whyNoGpu!, reason);
    assert.equal([...engine.backends.keys()], ['wasm']);
    assert.is(asked, times, 'an adapter is asked for no more than that');
    const { train } = await data.digits({ train: 20, test: 1 });
    const model = nn.sequential(nn.linear(784, 10));
    await fit(model, train, { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.1 }) });
    model.dispose();
    asked = 0;
    const configuring = configure({ device: 'webgpu', threads: 1, gpuSeconds: 0.05 });
    const { problem, hint } = await rejectsWith(configuring, DeviceError);
    assert.match(problem, reason);
    assert.match(hint!, /device "wasm"/);
  });
}

test.run();
