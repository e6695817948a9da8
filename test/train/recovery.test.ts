// A training whose GPU is lost, or whose memory runs out, goes on: no step is done twice, none is left out.
import * as assert from 'uvu/assert';
import {
  compile,
  configure,
  DeviceError,
  data,
  type EverygradError,
  engine,
  evaluate,
  fit,
  loss,
  nn,
  optim,
  type Recovery,
  tensor,
  variable,
  weightsSha256,
  zeros,
} from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import {
  destroy,
  examples,
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

const test = suite('recovery of a training');

const [device] = environment.devices;
/** The WebGPU of these is that of Deno and Node 24, and each pipeline takes them long. */
const left = device === 'webgpu' && ['firefox', 'node'].includes(environment.runtime);

// loss of the device -------------------------------------------------------------------------------------------------

if (left) skip('recovery on WebGPU', 'Deno and Node 24 take it, on the same WebGPU');
else if (device === 'webgpu') {
  let undisturbed: Run;

  test('undisturbed', async () => {
    await configure({ device: 'webgpu', build: 'simd', threads: 1 });
    undisturbed = await run();
    assert.equal(undisturbed.recoveries, []);
  });

  test('the device is destroyed before a batch: the same weights, losses and reports', async () => {
    for (const at of [0, 8]) {
      const once = { recovery: { everySeconds: 1e6 } }; // no copy but that of the start
      const found = await run(once, (batches) => (batches === at ? destroy() : undefined));
      assert.is(found.sha, undisturbed.sha, `destroyed before batch ${at}`);
      assert.equal(found.losses, undisturbed.losses);
      assert.equal(found.batchLosses, undisturbed.batchLosses);
      assert.equal(found.reports, [1, 2, 3, 4]);
      assert.equal(
        found.recoveries.map(({ epoch, batches, device: on, repeated }) => [epoch, batches, on, repeated]),
        // The loss may show a batch later.
        found.recoveries.map(({ epoch, batches }) => [
          ...[epoch, batches, 'webgpu', 6 * (epoch - 1) + Math.min(6, batches)],
        ]),
      );
      assert.is(found.recoveries.length, 1);
      assert.ok(found.recoveries[0]!.error instanceof DeviceError);
      assert.match(found.recoveries[0]!.error.message, /destroyed/);
    }
  });

  test('from the last copy at the host, two losses, gradients of several batches in a step', async () => {
    const more = { accumulate: 4, recovery: { everySeconds: 0 } };
    const expected = await run(more);
    const found = await run(more, (batches) => {
      // A report and with it a copy come after 100 ms.
      if (batches === 3 || batches === 15) return wait(120);
      return batches === 5 || batches === 17 ? destroy() : undefined;
    });
    assert.is(found.sha, expected.sha);
    assert.equal(found.losses, expected.losses);
    assert.is(found.recoveries.length, 2);
    for (const { repeated } of found.recoveries) assert.ok(repeated! <= 4, `${repeated} batches repeated`);
  });

  test('the device is destroyed between two epochs, and while validation runs', async () => {
    for (const milliseconds of [0, 1]) {
      let reported = 0;
      const watched = {
        ...validation,
        batches: (o: Parameters<typeof validation.batches>[0]) => {
          if (++reported === 2) setTimeout(() => void destroy(), milliseconds);
          return validation.batches(o);
        },
      } as unknown as typeof validation;
      const found = await run({ validation: watched });
      assert.is(found.sha, undisturbed.sha);
      assert.equal(found.losses, undisturbed.losses);
      assert.equal(found.reports, [1, 2, 3, 4]);
      assert.is(found.recoveries.length, 1);
    }
  });

  test('another model of the engine lives on; values that only the GPU had are named, and can be given anew', async () => {
    const used = nn.linear(6, 3);
    const expected = await evaluate(used, train); // its values are on the GPU, too
    const counter = variable(zeros([2]), { name: 'counter' });
    const count = compile(() => void counter.assign(counter.add(1)));
    await count();
    await run({}, (batches) => (batches === 2 ? destroy() : undefined));
    assert.equal(await evaluate(used, train), expected);
    await lost(() => count(), /\[counter\] its values \(2\) were lost with a GPU \(assign it/);
    await counter.assign(tensor([5, 6]));
    await count();
    assert.equal(await counter.array(), [6, 7]);
  });

  test('data that can be read only once: an error that says so', async () => {
    const list = Array.from({ length: 16 }, (_, i) => ({
      inputs: new Float32Array(6).fill(i / 16),
      targets: Int32Array.of(i % 3),
    }));
    const spec = { inputShape: [6], inputDType: 'float32', targetShape: [], targetDType: 'int32' } as const;
    const once = data.dataset.from(list.values(), { ...spec, classes: 3 });
    let batches = 0;
    const pause = () => (batches++ === 2 ? destroy() : null);
    const recovery = { everySeconds: 1e6 }; // no copy but that of the start
    await fit(make(), once, { ...options(), epochs: 1, batchSize: 4, pause, recovery }).then(
      () => assert.unreachable(),
      (e: EverygradError) => {
        assert.instance(e, DeviceError);
        assert.match(e.message, /cannot be repeated: .*no example/);
      },
    );
  });

  test('recovery: false ends with the error', async () => {
    await configure({ device: 'webgpu', build: 'simd', threads: 1 });
    const pause = () => destroy();
    await fit(make(), train, { ...options(), recovery: false, pause }).then(
      () => assert.unreachable(),
      (e: EverygradError) => assert.match(e.message, /destroyed/),
    );
  });

  test('on WASM: the same weights within rounding', async () => {
    await configure({ device: 'webgpu', build: 'simd', threads: 1 });
    const found = await run({ recovery: { device: 'wasm' } }, (batches) =>
      batches === 8 ? destroy() : undefined,
    );
    assert.equal(
      found.recoveries.map((r) => r.device),
      ['wasm'],
    );
    assert.equal(
      (await engine()).order.map((b) => b.name),
      ['wasm'],
    );
    const worst = Math.max(...found.weights.map((w, i) => Math.abs(w - undisturbed.weights[i]!)));
    assert.ok(worst < 1e-3, `${worst}`);
  });

  if (environment.runtime === 'chromium') {
    test("Chromium's GPU process is killed: the same weights", async () => {
      await configure({ device: 'webgpu', build: 'simd', threads: 1 });
      const found = await run({}, (batches) => (batches === 8 ? killGpuProcess() : undefined));
      assert.is(found.recoveries.length, 1);
      const { device: on, error } = found.recoveries[0]!;
      console.log(`NOTE after "${error.message}" training went on on ${on}`);
      if (on === 'webgpu') assert.is(found.sha, undisturbed.sha);
      const worst = Math.max(...found.weights.map((w, i) => Math.abs(w - undisturbed.weights[i]!)));
      assert.ok(worst < 1e-3, `${worst}`);
    });
  } else skip('the GPU process is killed', 'only Chromium has one that the runner can kill');
} else skip('loss of the device', 'there is none with device wasm');

/** Asks the runner, which drives the browser, to crash its GPU process. */
async function killGpuProcess(): Promise<void> {
  globalThis.EVERYGRAD_REPORT!({ type: 'killGpu' });
  await Promise.race([(await gpu()).lost, wait(20_000)]);
}

// out of memory ------------------------------------------------------------------------------------------------------

const wide = examples(1024, 64);

/** Deep enough that kept values are most of what a step needs. */
const deep = () =>
  nn.sequential(
    ...Array.from({ length: 9 }, (_, i) => [nn.linear(64, 64), i % 3 ? nn.tanh() : nn.gelu()]).flat(),
    nn.linear(64, 3),
  );

/** Weights of 1.4 MB. */
const large = () => nn.sequential(nn.linear(64, 600), nn.linear(600, 600), nn.linear(600, 3));

/** Lets buffers of more than so many bytes fail as they do where memory runs out: in an error scope. */
async function limitBuffers(bytes: number): Promise<void> {
  const { device: d } = await gpu();
  const [create, pop] = [d.createBuffer.bind(d), d.popErrorScope.bind(d)];
  let failed = false;
  d.createBuffer = (descriptor) => {
    failed ||= descriptor.size > bytes;
    return create(descriptor);
  };
  d.popErrorScope = async () => {
    const here = failed;
    failed = false;
    const error = await pop();
    return here ? new GPUOutOfMemoryError('no memory is left') : error;
  };
}

interface Result {
  sha: string;
  trainLoss: number;
  recoveries: Recovery[];
}

async function trainWithin(bytes: number, batchSize: number, model = deep()): Promise<Result> {
  const wasm = device === 'wasm';
  await configure({
    ...{ device: device!, build: 'simd', threads: 1 },
    ...(wasm ? { maximumBytes: bytes } : {}),
  });
  if (!wasm) await limitBuffers(bytes);
  const recoveries: Recovery[] = [];
  const { epochs } = await fit(model, wide, {
    ...{ loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 0.05 }), batchSize, epochs: 2, seed: 1 },
    recovery: { onRecovery: (r) => recoveries.push(r) },
  });
  return { sha: await weightsSha256(model), trainLoss: epochs.at(-1)!.trainLoss, recoveries };
}

if (!left) {
  test('out of memory: recomputation with the same bits, then parts of batches', async () => {
    // A step takes about 5.3 MB, recomputed 2.7 MB.
    const free = await trainWithin(2 ** 26, 1024);
    assert.equal(free.recoveries, []);
    const recomputed = await trainWithin(4_000_000, 1024);
    assert.equal(
      recomputed.recoveries.map(({ recompute, microBatch }) => [recompute, microBatch]),
      [[true, undefined]],
    );
    assert.is(recomputed.sha, free.sha);
    const parts = await trainWithin(2_000_000, 1024);
    assert.equal(
      parts.recoveries.map(({ recompute, microBatch }) => [recompute, microBatch]),
      [
        [true, undefined],
        [true, 512],
      ],
    );
    assert.ok(Math.abs(parts.trainLoss - free.trainLoss) < 1e-5, `${parts.trainLoss}, ${free.trainLoss}`);
    for (const { error } of [...recomputed.recoveries, ...parts.recoveries])
      assert.match(error.message, /out of memory.* \d{7} bytes.*; the plan needs \d{7} bytes/);
  });

  test('out of memory: where not even one example fits, an error with the bytes', async () => {
    const attempt = device === 'wasm' ? trainWithin(2 ** 20, 4, large()) : trainWithin(2_000, 4);
    await attempt.then(
      () => assert.unreachable(),
      (error: EverygradError) => {
        assert.instance(error, DeviceError);
        assert.match(error.message, /out of memory.* \d{4,} bytes/);
        assert.ok(Number(error.values.bytes) > 0);
      },
    );
    await configure({ device: device!, build: 'simd', threads: 1 });
  });
}

test.run();
