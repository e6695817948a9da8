// The WASM memory: who owns which addresses, growing, and typed views that survive growing.
import { type DType, dtypes, type HostArray } from '../../dtype.js';
import { DeviceError } from '../../errors.js';
import { Allocator } from './allocator.js';

const page = 65536;
const addressable = 2 ** 32;
/** Pages to begin with: the kernels' constants and the first small pieces. */
const initialPages = 16;

export interface HeapOptions {
  shared: boolean;
  /** Pages of 64 KiB; by default as many as the runtime gives. */
  maximumPages?: number;
}

/** Creates the memory; shared memory is reserved at once, which some systems refuse at full size. */
function createMemory({ shared, maximumPages }: HeapOptions): WebAssembly.Memory {
  const limits = maximumPages ? [maximumPages] : shared ? [65536, 16384, 4096] : [undefined];
  let cause: unknown;
  for (const maximum of limits) {
    try {
      return new WebAssembly.Memory({ initial: initialPages, shared, ...(maximum && { maximum }) });
    } catch (error) {
      cause = error;
    }
  }
  throw new DeviceError({
    where: 'wasm',
    problem: `the runtime refuses to reserve ${(limits.at(-1) ?? initialPages) * page} bytes of memory`,
    hint: 'close other pages, or use threads: 1',
    cause,
  });
}

/** Linear memory with an allocator over all of it above the kernels' constants. */
export class Heap {
  readonly memory: WebAssembly.Memory;
  #allocator: Allocator;
  #views: Partial<Record<DType, HostArray>> = {};
  /** How often memory was asked of the system. */
  systemAllocations = 1;

  constructor(options: HeapOptions) {
    this.memory = createMemory(options);
    this.#allocator = new Allocator(0, 0, () => null);
  }

  /** To be called once: addresses from `base` on are the host's. */
  begin(base: number): void {
    this.#allocator = new Allocator(base, initialPages * page, (bytes) => this.#grow(bytes));
  }

  get pieces(): number {
    return this.#allocator.pieces;
  }

  get bytes(): number {
    return this.#allocator.bytes;
  }

  /** Address of a new piece; throws DeviceError when there is no room, and all else stays usable. */
  allocate(bytes: number): number {
    const address = bytes < addressable ? this.#allocator.allocate(bytes) : null;
    if (address !== null) return address;
    throw new DeviceError({
      where: 'wasm',
      problem: `out of memory: ${bytes} bytes asked for, ${this.bytes} bytes in use, ${
        bytes < addressable ? 'the runtime gives no more' : 'WASM can address 4 GiB'
      }`,
      hint: 'use a smaller batch or model, or dispose tensors that are no longer needed',
      values: { bytes, bytesInUse: this.bytes },
    });
  }

  free(address: number): boolean {
    return this.#allocator.free(address);
  }

  /** The whole memory as an array of a dtype; good until the next allocation. */
  view(dtype: DType): HostArray {
    this.#views[dtype] ??= new dtypes[dtype].array(this.memory.buffer);
    return this.#views[dtype];
  }

  /** Makes the memory larger by at least so many bytes; its new end, or null. */
  #grow(bytes: number): number | null {
    const size = this.memory.buffer.byteLength;
    const needed = Math.ceil(bytes / page);
    // In steps of an eighth, so that many small pieces do not ask many times.
    const step = Math.min(Math.ceil(size / 8 / page), (addressable - size) / page);
    for (const pages of new Set([Math.max(step, needed), needed])) {
      try {
        this.memory.grow(pages);
      } catch {
        continue;
      }
      this.systemAllocations++;
      this.#views = {};
      return this.memory.buffer.byteLength;
    }
    return null;
  }
}
