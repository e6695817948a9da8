// On what the benchmarks run: one thread, all threads, the GPU.
import type { Machine } from 'everygrad/bench';
import type { Job } from './worker.ts';

export interface EngineChoice {
  name: string;
  title: string;
  options: Pick<NonNullable<Job['run']>, 'device' | 'threads'>;
  /** Why it cannot be chosen here. */
  problem?: string;
}

/** What this machine can be asked for. */
export function enginesOf({ cores, wasm, webgpu }: Machine): EngineChoice[] {
  const wasmProblem = wasm.build ? {} : { problem: wasm.problem ?? 'no WebAssembly' };
  const oneThread =
    wasm.threadCount > 1
      ? {}
      : { problem: cores > 1 ? 'the page is not cross-origin isolated' : 'this machine has one core' };
  return [
    { name: 'one', title: 'WASM, one thread', options: { device: 'wasm', threads: 1 }, ...wasmProblem },
    {
      name: 'all',
      title: wasm.threadCount > 1 ? `WASM, ${wasm.threadCount} threads` : 'WASM, all threads',
      options: { device: 'wasm' },
      ...oneThread,
      ...wasmProblem,
    },
    {
      name: 'gpu',
      title: 'WebGPU',
      options: { device: 'webgpu' },
      ...(webgpu.available ? {} : { problem: webgpu.reason }),
    },
  ];
}
