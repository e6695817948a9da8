// The further module of kernels: loaded when an op asks for one of them, by all threads, or an error that names the file.
import * as assert from 'uvu/assert';
import type { Step } from '../../src/backend/backend.js';
import { createWasmBackend, detectFeatures } from '../../src/backend/wasm/index.js';
import { DeviceError } from '../../src/errors.js';
import type { KernelOp, WasmArgument } from '../../src/ops/define.js';
import { assetUrl, setAssetsUrl } from '../../src/platform.js';
import { suite } from '../helpers/suite.js';
import { opBase, place, read, runOnce, silently, unused } from '../helpers/wasm-backend.js';

const test = suite('further module of kernels');

const product: KernelOp = {
  ...opBase,
  name: 'product',
  kind: 'kernel',
  wasm: {
    calls: ({ inputs: [a, b] }) => {
      const [m, k, n] = [a!.shape[0]!, a!.shape[1]!, b!.shape[1]!];
      const args: WasmArgument[] = ['output', { input: 0 }, { input: 1 }, m, n, k, 0, 0, 1, 0, 0, 0, 0, 0];
      return [{ kernel: 'matmul_f64', args }];
    },
  },
  webgpu: unused,
};

test('kernels of the further module come when they are needed, to all threads', async () => {
  for (const threads of (await detectFeatures()).threads ? [1, 2, 3] : [1]) {
    const backend = await createWasmBackend({ threads, build: 'simd' });
    await backend.ready();
    backend.rates.overhead = 1;
    const a = place(backend, [64, 3], 'float64', new Float64Array(192).fill(2));
    const b = place(backend, [3, 5], 'float64', new Float64Array(15).fill(0.5));
    const c = place(backend, [64, 5], 'float64');
    const step: Step = {
      kernel: { op: product, site: { inputs: [a, b], output: c, attributes: {} }, inputs: [a, b], output: c },
      chain: null,
    };
    const program = await backend.compile([step]);
    // At first on one thread, until the others have the kernels too.
    for (let n = 0; n < 10_000 && (n < 3 || backend.activeThreads < threads); n++) {
      await backend.run(program);
      await new Promise((done) => setTimeout(done, n > 2 ? 5 : 0));
    }
    assert.is(backend.activeThreads, threads);
    backend.write(c.memory, 0, new Float64Array(320).fill(Number.NaN), 'float64');
    await backend.run(program);
    assert.equal(await read(backend, c), new Array(320).fill(3));
    backend.dispose();
  }
});

test('kernels of the further module that cannot be loaded: an error that names the file, then another try', async () => {
  const folder = assetUrl('.');
  const backend = await createWasmBackend({ threads: 1, build: 'simd' });
  const a = place(backend, [2, 2], 'float64', new Float64Array(4).fill(1));
  const c = place(backend, [2, 2], 'float64');
  const step: Step = {
    kernel: { op: product, site: { inputs: [a, a], output: c, attributes: {} }, inputs: [a, a], output: c },
    chain: null,
  };
  setAssetsUrl(new URL('nowhere/', folder));
  const { error } = await silently(async () => backend.compile([step]));
  setAssetsUrl(folder);
  assert.instance(error, DeviceError);
  assert.match((error as Error).message, /simd-extra\.wasm/);
  await runOnce(backend, [step]);
  assert.equal(await read(backend, c), [2, 2, 2, 2]);
  backend.dispose();
});

test.run();
