// Chooses and loads a build of the kernels, and starts the WASM backend with it.
import { DeviceError, OptionError } from '../../errors.js';
import { assetUrl, compileWasm } from '../../platform.js';
import { Crew } from './crew.js';
import { WasmBackend } from './engine.js';
import { detectFeatures, type Features } from './features.js';
import { Heap } from './heap.js';
import { instantiate } from './kernels.js';

export { WasmBackend } from './engine.js';
export { detectFeatures, type Features } from './features.js';

export interface WasmOptions {
  /** Kernels with relaxed SIMD are faster, plain SIMD gives the same bits on every machine. */
  build?: 'auto' | 'simd' | 'relaxed';
  /** By default one per core, at most 8. */
  threads?: number;
  /** Most memory that the backend may take, in bytes; as much as the runtime gives where not said. */
  maximumBytes?: number;
  /** The compiled kernels, where their file cannot be read: a plain build for 1 thread, else a -threads build. */
  module?: WebAssembly.Module;
  /** The same for the kernels in the file of that build's name with -extra. */
  extraModule?: WebAssembly.Module;
}

/** Loads the best build of the kernels that this runtime can run; workers start in the background. */
export async function createWasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  const features = await detectFeatures();
  const threads = chooseThreads(options, features);
  const build = chooseBuild(options, features) + (threads > 1 ? '-threads' : '');
  const module = options.module ?? (await load(build));
  const heap = new Heap({ shared: threads > 1, ...pagesOf(options) });
  const kernels = await instantiate(module, heap.memory).catch((cause) => {
    throw new DeviceError({
      where: 'wasm',
      problem: `the kernels are not a ${build} build of this version: ${cause.message}`,
      hint: `${threads} thread${threads > 1 ? 's need shared memory: pass a -threads build, or threads: 1' : ' takes a build without -threads'}`,
      values: { build },
      cause,
    });
  });
  heap.begin(kernels.runner.heapBase());
  const crew = threads > 1 ? new Crew({ threads, cores: features.cores, module, heap, kernels }) : null;
  const extra = async () => options.extraModule ?? (await load(`${build}-extra`));
  return new WasmBackend(build, heap, kernels, crew, extra);
}

/** The limit of the memory in pages of 64 KiB; the kernels and a first small model need 1 MiB. */
function pagesOf({ maximumBytes }: WasmOptions): { maximumPages?: number } {
  if (maximumBytes === undefined) return {};
  if (Number.isSafeInteger(maximumBytes) && maximumBytes >= 2 ** 20) {
    return { maximumPages: Math.min(Math.floor(maximumBytes / 65536), 65536) };
  }
  throw new OptionError({
    where: 'maximumBytes',
    problem: `${maximumBytes} is not a size of memory`,
    hint: 'a whole number of bytes, at least 1048576',
    values: { maximumBytes },
  });
}

async function load(build: string): Promise<WebAssembly.Module> {
  const url = assetUrl(`kernels/${build}.wasm`);
  try {
    return await compileWasm(url);
  } catch (cause) {
    throw new DeviceError({
      where: 'wasm',
      problem: `the kernels cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: "copy everygrad's dist/kernels and dist/thread.js next to your bundle, or name their folder by setAssetsUrl",
      values: { url: url.href },
      cause,
    });
  }
}

/** One thread instead of all is said once. */
let warned = false;

function chooseThreads({ threads }: WasmOptions, { cores, threadsWhyNot }: Features): number {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 64)) {
    throw new OptionError({
      where: 'threads',
      problem: `${threads} is not a number of threads`,
      hint: 'a whole number from 1 to 64',
      values: { threads },
    });
  }
  if (threadsWhyNot === null) return threads ?? Math.min(cores, 8);
  const wanted = threads ?? cores;
  if (wanted > 1 && !warned) console.warn(`everygrad: running on 1 thread of ${wanted}: ${threadsWhyNot}`);
  warned = true;
  return 1;
}

function chooseBuild({ build = 'auto' }: WasmOptions, { simd, relaxedSimd }: Features): 'simd' | 'relaxed' {
  if (!['auto', 'simd', 'relaxed'].includes(build)) {
    throw new OptionError({
      where: 'build',
      problem: `${build} is not a build of the kernels`,
      hint: 'one of auto, simd, relaxed',
      values: { build },
    });
  }
  if (!simd || (build === 'relaxed' && !relaxedSimd)) {
    throw new DeviceError({
      where: 'wasm',
      problem: `this runtime has no ${simd ? 'relaxed ' : ''}SIMD for WebAssembly`,
      hint: simd ? "use build: 'auto'" : 'everygrad needs it: use a newer browser, Node, Deno or Bun',
      values: { build, simd, relaxedSimd },
    });
  }
  return build === 'simd' || !relaxedSimd ? 'simd' : 'relaxed';
}
