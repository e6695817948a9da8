// WebGPU straight from the runtime, without the library: for the runner's question whether there is any.
import { environment } from './environment.js';

/** Dawn crashes when this is collected while one of its devices lives, so it is made once and kept. */
let dawn: GPU | undefined;

/** The runtime's WebGPU entry point; Node has it from the npm package `webgpu`. */
export async function runtimeGpu(): Promise<GPU | undefined> {
  if (!environment.runtime.startsWith('node')) return globalThis.navigator?.gpu;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  dawn ??= create([]);
  return dawn;
}

/** One line about the adapter, or undefined where there is none. */
export async function describeAdapter(): Promise<string | undefined> {
  const adapter = await (await runtimeGpu())?.requestAdapter();
  if (!adapter) return undefined;
  const { vendor, architecture, device, description } = adapter.info;
  return [vendor, architecture, device, description].filter(Boolean).join(' ') || 'adapter without a name';
}
