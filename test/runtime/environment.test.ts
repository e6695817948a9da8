// What DESIGN's table promises of each runtime: SIMD, shared memory, module workers, WebGPU. It also prints
// what it finds, which tells why a suite behaves differently somewhere.
import * as assert from 'uvu/assert';
import { environment, readFixture } from '../helpers/environment.js';
import { describeAdapter, runtimeGpu } from '../helpers/gpu.js';
import { suite } from '../helpers/suite.js';

const test = suite('environment');
const { runtime, devices, root } = environment;
const inPage = typeof document !== 'undefined';

// The smallest modules that only an engine with the feature accepts.
// (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)
const simdModule = 'AGFzbQEAAAABBQFgAAF7AwIBAAoKAQgAQQD9D/1iCw==';
// (func (result v128) i32.const 1 i8x16.splat i32.const 2 i8x16.splat i8x16.relaxed_swizzle)
const relaxedModule = 'AGFzbQEAAAABBQFgAAF7AwIBAAoPAQ0AQQH9D0EC/Q/9gAIL';
const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** From V8 11.4 on, so not in Node 20; Bun builds its JavaScriptCore with it, WebKitGTK without. */
function expectsRelaxed(): boolean {
  if (runtime === 'node') return Number(process.versions.node.split('.')[0]) >= 21;
  return runtime !== 'webkit';
}

const note = (text: string) => console.log(`NOTE ${text}`);

/** Sends to a worker a message and gives its answer, by the web's Worker or by Node's. */
async function askWorker(file: string, message: unknown): Promise<unknown> {
  const url = new URL(`build/test/${file}`, root);
  if (typeof Worker === 'undefined') {
    const { Worker: NodeWorker } = await import('node:worker_threads');
    const worker = new NodeWorker(url);
    return new Promise((resolve, reject) => {
      worker.on('message', resolve).on('error', reject);
      worker.postMessage(message);
    }).finally(() => worker.terminate());
  }
  const worker = new Worker(url, { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => reject(event.error ?? new Error(event.message));
    worker.postMessage(message);
  }).finally(() => worker.terminate());
}

if (devices.includes('wasm')) {
  test('SIMD, and relaxed SIMD where it is expected', () => {
    const relaxed = WebAssembly.validate(bytesOf(relaxedModule));
    note(
      `cores ${globalThis.navigator?.hardwareConcurrency ?? 'unknown'}, relaxed SIMD ${relaxed ? 'yes' : 'no'}`,
    );
    assert.ok(WebAssembly.validate(bytesOf(simdModule)), 'SIMD');
    assert.is(relaxed, expectsRelaxed(), 'relaxed SIMD');
  });

  test('the kernel builds compile, the relaxed ones where there is relaxed SIMD', async () => {
    for (const build of ['simd', 'simd-threads', 'relaxed', 'relaxed-threads']) {
      const bytes = await readFixture(`build/test/kernels/${build}.wasm`);
      assert.is(WebAssembly.validate(bytes), build.startsWith('simd') || expectsRelaxed(), build);
    }
  });

  if (inPage) {
    test('the page is isolated, may not eval, and gets kernels as application/wasm', async () => {
      assert.ok(crossOriginIsolated);
      const module = await WebAssembly.compileStreaming(fetch(new URL('build/test/kernels/simd.wasm', root)));
      assert.ok(WebAssembly.Module.exports(module).length > 0);
    });
  }

  test('a module worker and this thread share WASM memory and see each other’s atomic writes', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    assert.instance(memory.buffer, SharedArrayBuffer);
    const cells = new Int32Array(memory.buffer);
    Atomics.store(cells, 0, 41);
    const answer = await askWorker('shared-memory.worker.js', memory);
    assert.equal(answer, { before: 41, waited: 'timed-out' });
    assert.is(Atomics.load(cells, 0), 42);
  });
}

if (devices.includes('webgpu')) {
  test('WebGPU computes', async () => {
    const adapter = await (await runtimeGpu())?.requestAdapter();
    assert.ok(adapter, 'there is an adapter');
    note(`${await describeAdapter()}; ${[...adapter.features].sort().join(' ')}`);
    const device = await adapter.requestDevice();
    const code = `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        x[id.x] = x[id.x] * 2 + 1;
      }`;
    const layout = 'auto' as const;
    const pipeline = device.createComputePipeline({
      layout,
      compute: { module: device.createShaderModule({ code }) },
    });
    const input = Float32Array.from({ length: 256 }, (_, i) => i);
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const buffer = device.createBuffer({ size: 1024, usage: STORAGE | COPY_SRC | COPY_DST });
    const readback = device.createBuffer({ size: 1024, usage: COPY_DST | MAP_READ });
    device.queue.writeBuffer(buffer, 0, input);
    const entries = [{ binding: 0, resource: { buffer } }];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(4);
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, readback, 0, 1024);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    const output = new Float32Array(readback.getMappedRange().slice(0));
    device.destroy();
    assert.equal(
      output,
      input.map((v) => v * 2 + 1),
    );
  });
}

test.run();
