// Loads a raw kernel build with a memory of its own, for tests of single kernels.

export type KernelBuild = 'simd' | 'relaxed' | 'simd-threads' | 'relaxed-threads';

export interface Kernels {
  /** Kernels take (args, thread, threads). */
  exports: Record<string, (...numbers: number[]) => number>;
  memory: WebAssembly.Memory;
  /** Address of that many fresh bytes, aligned to 16; the memory grows as needed (views of it may detach). */
  alloc(bytes: number): number;
}

/** (i32x4 0s).relaxed_swizzle in a module: compiles only where relaxed SIMD is supported. */
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2,
  253, 15, 253, 128, 2, 11,
]);

/** The kernel builds that this runtime can load. */
export function kernelBuilds(): KernelBuild[] {
  return WebAssembly.validate(RELAXED_PROBE) ? ['simd', 'relaxed'] : ['simd'];
}

async function read(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol !== 'file:') {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`cannot read ${url}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }
  const { readFile } = await import('node:fs/promises');
  return new Uint8Array(await readFile(url));
}

export async function loadKernels(build: KernelBuild): Promise<Kernels> {
  // The bundler may put this file beside the tests or into their folder of shared chunks.
  const folder = import.meta.url.includes('/chunks/') ? '../kernels/' : './kernels/';
  const module = async (name: string) =>
    WebAssembly.compile(await read(new URL(`${folder}${name}.wasm`, import.meta.url)));
  const shared = build.endsWith('threads');
  const memory = new WebAssembly.Memory(shared ? { initial: 1, maximum: 65536, shared } : { initial: 1 });
  const { exports: main } = await WebAssembly.instantiate(await module(build), { env: { memory } });
  const env = { memory, table: main.table as WebAssembly.Table };
  const { exports: extra } = await WebAssembly.instantiate(await module(`${build}-extra`), { env });
  let top = 1024;
  return {
    exports: { ...extra, ...main } as Kernels['exports'],
    memory,
    alloc(size) {
      const address = top;
      top = (top + size + 15) & ~15;
      const missing = top - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / 65536));
      return address;
    },
  };
}
