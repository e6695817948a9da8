// What the library finds on this machine: what `everygrad doctor` shows, and what belongs to a benchmark's numbers.

import { detectFeatures, type Features } from '../backend/wasm/features.js';
import { WasmBackend } from '../backend/wasm/index.js';
import type { GpuDescription } from '../backend/webgpu/describe.js';
import { engine } from '../engine.js';
import { runtime } from '../platform.js';
import { cacheFolder } from '../platform-folder.js';

/** What a benchmark ran on. */
export interface Machine {
  /** As in `node 24.9.0`. */
  runtime: string;
  cores: number;
  wasm: Omit<Features, 'cores'> & {
    /** The build of the kernels that was chosen; null where it does not run, with the reason in `problem`. */
    build: string | null;
    threadCount: number;
    problem: string | null;
  };
  webgpu: GpuDescription;
  /** Where fetched data is kept; null in browsers. */
  cache: string | null;
}

const asText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Starts the engine, if there is none yet, and describes it. Never throws. */
export async function describeMachine(): Promise<Machine> {
  const { describeGpu } = await import('../backend/webgpu/describe.js');
  const { name, version } = runtime();
  const { cores, ...features } = await detectFeatures();
  const wasm: Machine['wasm'] = { ...features, build: null, threadCount: 0, problem: null };
  try {
    const backend = (await engine()).order.find((b) => b instanceof WasmBackend);
    await backend?.ready();
    wasm.build = backend?.build ?? null;
    wasm.threadCount = backend?.activeThreads ?? 0;
  } catch (error) {
    wasm.problem = asText(error);
  }
  return {
    runtime: `${name} ${version}`,
    cores,
    wasm,
    webgpu: await describeGpu(),
    cache: await cacheFolder(),
  };
}
