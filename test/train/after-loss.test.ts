// A GPU that is lost while no step of a training runs: models in use, callbacks of fit, loops of one's own.
import * as assert from 'uvu/assert';
import {
  compile,
  configure,
  evaluate,
  fit,
  optim,
  predict,
  type Recovery,
  recoverDevice,
  type Tensor,
  tensor,
  type Variable,
  valueAndGrad,
  variable,
  weightsSha256,
  zeros,
} from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import {
  destroy,
  gpu,
  lost,
  make,
  options,
  type Run,
  run,
  train,
  validation,
  wait,
} from '../helpers/recovery.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('after a loss');

const [device] = environment.devices;

if (device !== 'webgpu') skip('loss of the device', 'there is none with device wasm');
else if (['firefox', 'node', 'chromium'].includes(environment.runtime))
  skip('loss of the device', 'Deno and Node 24 take it, on the same WebGPU');
else {
  let undisturbed: Run;

  test.before(async () => {
    await configure({ device: 'webgpu', build: 'simd', threads: 1 });
    undisturbed = await run();
  });

  test('evaluate, predict and save after a training that is over: its weights are at the host', async () => {
    await configure({ device: 'webgpu', build: 'simd', threads: 1 });
    const model = make();
    const optimizer = optim.adam({ lr: 0.02 });
    await fit(model, train, { ...options(), optimizer });
    const [sha, inputs] = [await weightsSha256(model), tensor(train.inputs, { shape: [46, 6] })];
    const said = [await evaluate(model, validation), await (await predict(model, inputs)).data()];
    const before = await gpu();
    await destroy();
    // At the same time: one device for both.
    const again = [evaluate(model, validation), predict(model, inputs).then((t) => t.data())] as const;
    assert.equal(await Promise.all(again), said);
    assert.is.not(await gpu(), before);
    assert.is(await weightsSha256(model), sha);
    await destroy();
    assert.is(await weightsSha256(model), sha, 'needs no GPU');
    // With the state of its optimizer; by fit's own recovery.
    const recoveries: Recovery[] = [];
    const more = { optimizer, epochs: 1, recovery: { onRecovery: (r: Recovery) => recoveries.push(r) } };
    await evaluate(model, validation);
    await fit(model, train, { ...options(), ...more });
    const twice = make();
    const second = optim.adam({ lr: 0.02 });
    await fit(twice, train, { ...options(), optimizer: second });
    await fit(twice, train, { ...options(), optimizer: second, epochs: 1 });
    assert.is(await weightsSha256(model), await weightsSha256(twice));
    assert.equal(recoveries, []);
  });

  test('in an asynchronous onEpoch: evaluate has the weights of that epoch, and the training goes on', async () => {
    const model = make();
    const seen: number[] = [];
    const recoveries: Recovery[] = [];
    const { epochs } = await fit(model, train, {
      ...options(),
      restoreBest: false,
      recovery: { everySeconds: 1e6, onRecovery: (r) => recoveries.push(r) },
      async onEpoch({ epoch }) {
        if (epoch === 2) await destroy();
        const [{ loss: value }, { accuracy }] = await Promise.all([
          evaluate(model, validation),
          evaluate(model, validation),
        ]);
        seen.push(value, accuracy);
      },
    });
    assert.equal(
      seen,
      epochs.flatMap((e) => [e.validationLoss, e.validationAccuracy]),
    );
    assert.equal(
      epochs.flatMap((e) => [e.trainLoss, e.validationLoss]),
      undisturbed.losses,
    );
    assert.equal(
      recoveries.map(({ epoch, batches, repeated }) => [epoch, batches, repeated]),
      [[2, Number.POSITIVE_INFINITY, 12]],
    );
  });

  test('predict while a training is paused, and evaluate while one runs', async () => {
    const model = make();
    await model.initialize(3);
    const inputs = tensor(train.inputs, { shape: [46, 6] });
    let [batches, outputs] = [0, 0];
    let running: Promise<unknown> | null = null;
    const recoveries: Recovery[] = [];
    const { epochs } = await fit(model, train, {
      ...options(),
      recovery: { everySeconds: 0, onRecovery: (r) => recoveries.push(r) },
      pause: () => {
        if (++batches === 3) return wait(120); // a report and with it a copy come after 100 ms
        if (batches === 4) return paused(); // with nothing to be repeated
        // Nobody waits for this one: the training itself finds the loss.
        if (batches === 15) void destroy().then(() => (running = evaluate(model, validation)));
        return null;
      },
    });
    async function paused(): Promise<void> {
      await destroy();
      outputs = (await predict(model, inputs)).size;
    }
    assert.is(outputs, 46 * 3);
    assert.ok(Number.isFinite(((await running!) as { loss: number }).loss));
    assert.equal(
      epochs.flatMap((e) => [e.trainLoss, e.validationLoss]),
      undisturbed.losses,
    );
    assert.is(await weightsSha256(model), undisturbed.sha);
    assert.equal([recoveries.length, recoveries[0]!.repeated], [2, 0]);
  });

  test("a loop of one's own: the error names what is lost, recoverDevice goes on", async () => {
    const loop = async (at: number): Promise<number[]> => {
      await configure({ device: 'webgpu', build: 'simd', threads: 1 });
      const w = variable(zeros([6, 3]), { name: 'weights' });
      const rate = variable(tensor(0.5), { name: 'rate' });
      const x = tensor(train.inputs.slice(0, 48), { shape: [8, 6] });
      const step = compile((inputs: Tensor) => {
        const [value, [dw]] = valueAndGrad((v) => inputs.matmul(v).sub(1).square().mean())(w);
        w.assign(w.sub(dw!.mul(rate)));
        return value;
      });
      let copy = new Float32Array(18);
      for (let i = 0; i < 6; ) {
        if (i === 3) copy = (await w.data()).slice() as Float32Array<ArrayBuffer>;
        if (i === at) {
          at = -1;
          const before = await gpu();
          await destroy();
          const error = await lost(
            () => step(x),
            /destroyed.*; lost with it: weights \(6,3\) \(await recover/,
          );
          assert.equal(error.values.lost, ['weights (6,3)']);
          assert.is(await recoverDevice(), 'webgpu');
          assert.is(await recoverDevice(), 'webgpu', 'once');
          assert.is.not(await gpu(), before);
          await lost(() => step(x), /\[weights\] its values \(6,3\) were lost/);
          await w.assign(tensor(copy, { shape: [6, 3] }));
          i = 3;
        }
        ((await step(x)) as Variable).dispose();
        i++;
      }
      return [...(await w.data())];
    };
    assert.equal(await loop(5), await loop(-1));
    // The new device is opened as the old one was.
    let compiled = 0;
    const onCompile = () => void compiled++;
    await configure({ device: 'webgpu', build: 'simd', threads: 1, onCompile, tune: false });
    const first = compile((a: Tensor) => a.mul(2));
    await first(tensor([1]));
    await destroy();
    assert.is(await recoverDevice(), 'webgpu');
    const heard = compiled;
    await compile((a: Tensor) => a.mul(3))(tensor([1]));
    assert.ok(heard > 0 && compiled > heard, 'pipelines are heard of again');
    assert.is((await gpu()).options.tune, false);
    const idle = compile((a: Tensor) => a.mul(2));
    await idle(tensor([1]));
    await destroy();
    await lost(
      () => idle(tensor([1])),
      /lost with it: none of the .* \(await recoverDevice\(\), then call it/,
    );
    assert.is(await recoverDevice({ device: 'wasm' }), 'wasm');
    assert.equal(await (await idle(tensor([1]))).array(), [2]);
  });
}

test('an asynchronous onEpoch is waited for; false ends the training', async () => {
  await configure({ device: 'wasm', build: 'simd', threads: 1 });
  const order: string[] = [];
  const model = make();
  const { epochs, stopped } = await fit(model, train, {
    ...options(),
    pause: () => {
      order.push('batch');
      return null;
    },
    async onEpoch({ epoch }) {
      await wait(5);
      order.push(`epoch ${epoch} ${(await evaluate(model, validation)).examples}`);
      return epoch < 2;
    },
  });
  assert.is(epochs.length, 2);
  assert.ok(stopped);
  const batches = new Array<string>(6).fill('batch');
  assert.equal(order, [...batches, 'epoch 1 20', ...batches, 'epoch 2 20']);
  const failing = async () => {
    await wait(1);
    throw new Error('of the callback');
  };
  await fit(model, train, { ...options(), onEpoch: failing }).then(
    () => assert.unreachable(),
    (e: Error) => assert.is(e.message, 'of the callback'),
  );
  assert.is(await recoverDevice(), 'wasm', 'nothing was lost');
});

test.run();
