// Finding a GPU: navigator.gpu in browsers and Deno, the npm package webgpu (Dawn) in Node.
import { DeviceError } from './errors.js';
import { forNode, hasFiles, runtime } from './platform.js';

let found: Promise<GPU | string> | undefined;

async function find(): Promise<GPU | string> {
  const { name } = runtime();
  const gpu = globalThis.navigator?.gpu;
  if (gpu) return gpu;
  if (name === 'node') return (await forNode()).openDawn();
  if (name === 'deno') return 'Deno has WebGPU only with --unstable-webgpu';
  if (hasFiles) return `${name} has no WebGPU`;
  return globalThis.isSecureContext === false
    ? 'WebGPU needs a page loaded over https or from localhost'
    : 'this browser has no WebGPU, or it is turned off';
}

/** navigator.gpu or what stands for it, or why there is none. */
export const getGpu = (): Promise<GPU | string> => {
  found ??= find();
  return found;
};

/** Whether looking for a GPU is worth the time. */
export const mayHaveGpu = async (): Promise<boolean> =>
  runtime().name !== 'node' || (await forNode()).mayHaveGpu();

export const unavailable = (problem: string, cause?: unknown, values = {}): DeviceError =>
  new DeviceError({
    where: 'webgpu',
    problem,
    hint: 'use device "wasm", which runs everywhere',
    values,
    cause,
  });

/** Fails after a while: some browsers never answer, as Firefox when a page has just been reloaded. */
export function inTime<T>(asked: Promise<T>, what: string, seconds = 10): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void =>
      reject(unavailable(`${what} has not come in ${seconds} s`, undefined, { seconds }));
    timer = setTimeout(fail, seconds * 1000);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

export interface AdapterOptions {
  /** Which GPU where there are several. */
  powerPreference?: GPUPowerPreference;
  /** How long an adapter and a device may take, in seconds; 10 where not said. */
  gpuSeconds?: number | undefined;
}

/** Throws DeviceError with the reason where there is no adapter, or none in time. */
export async function requestAdapter({
  powerPreference = 'high-performance',
  gpuSeconds,
}: AdapterOptions = {}): Promise<GPUAdapter> {
  const gpu = await getGpu();
  if (typeof gpu === 'string') throw unavailable(gpu);
  const ask = (options: GPURequestAdapterOptions) => gpu.requestAdapter(options).catch(() => null);
  // Software adapters are given only on request by some, first by others.
  const asked = ask({ powerPreference }).then((found) => found ?? ask({ forceFallbackAdapter: true }));
  const adapter = await inTime(asked, 'an adapter', gpuSeconds);
  if (adapter) return adapter;
  throw unavailable('no adapter: this machine has no GPU that WebGPU can use, or no driver for it');
}
