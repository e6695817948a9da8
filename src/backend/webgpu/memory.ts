// GPU buffers: handing them out, counting them, moving values between them and the host.
import { type DType, dtypes, type HostArray, showShape, sizeOf } from '../../dtype.js';
import { DeviceError, DTypeError } from '../../errors.js';
import type { Spec } from '../../graph.js';
import type { Memory, MemoryStats } from '../backend.js';
import type { Gpu } from './device.js';

/** Every element takes four bytes, whatever its dtype. */
export const elementBytes = 4;

/** A buffer and the pieces of memory that share it, in order. */
interface Pool {
  readonly whole: GpuMemory;
  pieces: GpuMemory[];
}

export class GpuMemory implements Memory {
  constructor(
    readonly bytes: number,
    readonly buffer: GPUBuffer,
    /** Where it starts in the buffer. */
    readonly start = 0,
    /** null where the buffer is its own. */
    readonly pool: Pool | null = null,
  ) {}
}

/** Pieces start at multiples of this; larger ones have buffers of their own. Both in bytes. */
const [pieceAlignment, largestPiece] = [256, 2 ** 24];

const pooledBytes = (bytes: number): number => Math.ceil(bytes / pieceAlignment) * pieceAlignment;

/** Staging buffers kept for later reads, in bytes altogether. */
const keptStaging = 2 ** 26;
/** Freed buffers kept for later allocations, in bytes altogether. */
const keptFreed = 2 ** 26;

export class GpuMemories {
  readonly #gpu: Gpu;
  readonly #live = new Set<GpuMemory>();
  /** Each larger than the one before, so that a model's variables lie in a few buffers. */
  #pools: Pool[] = [];
  /** Buffers that nobody uses, by size: results of a training loop come and go in the same sizes. */
  readonly #freed = new Map<number, GPUBuffer[]>();
  #freedBytes = 0;
  /** Buffers that the device had no memory for, as it says later. */
  readonly #refused = new WeakSet<GPUBuffer>();
  #staging: GPUBuffer[] = [];
  #bytes = 0;
  #systemAllocations = 0;
  #widened = new Uint32Array(0);

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  allocate(bytes: number, label = 'everygrad', together = false): GpuMemory {
    this.#gpu.check();
    const memory =
      together && bytes <= largestPiece
        ? this.#piece(bytes)
        : new GpuMemory(bytes, this.#storage(bytes, label));
    this.#live.add(memory);
    this.#bytes += bytes;
    return memory;
  }

  /** A buffer for tensors; shaders may take four words at a time. */
  #storage(bytes: number, label: string): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const freed = this.#freed.get(size)?.pop();
    if (freed) this.#freedBytes -= size;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return freed ?? this.#create({ size, usage, label });
  }

  /** Where the first pool has a gap that is large enough. */
  #piece(bytes: number): GpuMemory {
    for (let i = 0; ; i++) {
      const all = Math.max(pooledBytes(bytes), 2 ** Math.min(20 + 2 * i, 26));
      this.#pools[i] ??= { whole: new GpuMemory(all, this.#storage(all, 'everygrad variables')), pieces: [] };
      const pool = this.#pools[i]!;
      const { whole, pieces } = pool;
      let start = 0;
      for (const piece of pieces) {
        if (start + bytes <= piece.start) break;
        start = piece.start + pooledBytes(piece.bytes);
      }
      if (start + bytes > whole.bytes) continue;
      const made = new GpuMemory(bytes, whole.buffer, start, pool);
      pool.pieces = [...pieces, made].sort((a, b) => a.start - b.start);
      return made;
    }
  }

  /** A uniform buffer with these contents. */
  uniform(bytes: Uint8Array<ArrayBuffer>): GpuMemory {
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const memory = new GpuMemory(
      bytes.length,
      this.#create({ size: bytes.length, usage, label: 'everygrad sizes' }),
    );
    this.#gpu.device.queue.writeBuffer(memory.buffer, 0, bytes);
    this.#live.add(memory);
    this.#bytes += memory.bytes;
    return memory;
  }

  #create(descriptor: GPUBufferDescriptor): GPUBuffer {
    const { size } = descriptor;
    const { device } = this.#gpu;
    const { maxBufferSize } = device.limits;
    const values = { bytes: size, inUse: this.#bytes, maxBufferSize };
    const hint = 'use a smaller batch or model, or device "wasm"';
    if (size > maxBufferSize) {
      throw new DeviceError({
        where: 'webgpu',
        problem: `cannot allocate ${size} bytes: a buffer of this adapter has at most ${maxBufferSize}`,
        hint,
        values,
      });
    }
    device.pushErrorScope('out-of-memory');
    let buffer: GPUBuffer | undefined;
    try {
      buffer = device.createBuffer(descriptor);
      this.#systemAllocations++;
      return buffer;
    } catch (cause) {
      throw new DeviceError({
        where: 'webgpu',
        problem: `cannot allocate ${size} bytes beside ${this.#bytes} in use`,
        hint,
        values,
        cause,
      });
    } finally {
      this.#gpu.allocated = device.popErrorScope().then(
        (error) => {
          if (!error) return;
          if (buffer) this.#refused.add(buffer);
          this.#pools = this.#pools.filter(({ whole }) => whole.buffer !== buffer);
          this.#gpu.fail(
            `out of memory at ${size} bytes beside ${values.inUse} in use`,
            error.message,
            values,
          );
        },
        () => {},
      );
    }
  }

  free(memory: GpuMemory): void {
    if (!this.#live.delete(memory)) return;
    this.#bytes -= memory.bytes;
    const { pool } = memory;
    if (pool) {
      pool.pieces = pool.pieces.filter((piece) => piece !== memory);
      if (pool.pieces.length > 0) return;
      this.#pools = this.#pools.filter((p) => p !== pool);
    }
    const { buffer } = memory;
    const { size, usage } = buffer;
    const kept = usage & GPUBufferUsage.STORAGE && !this.#refused.has(buffer);
    if (!kept || this.#freedBytes + size > keptFreed) {
      buffer.destroy();
      return;
    }
    // Work that still reads it was submitted before whatever will write to it next.
    const alike = this.#freed.get(size);
    if (alike) alike.push(buffer);
    else this.#freed.set(size, [buffer]);
    this.#freedBytes += size;
  }

  write(to: GpuMemory, offset: number, data: HostArray, dtype: DType): void {
    if (dtype === 'float64') {
      throw new DTypeError({
        where: 'webgpu',
        problem: 'float64 does not exist on the GPU',
        hint: "use .cast('float32')",
      });
    }
    let words: HostArray | Uint32Array = data;
    if (dtypes[dtype].bytes === 1) {
      if (this.#widened.length < data.length) this.#widened = new Uint32Array(data.length);
      words = this.#widened.subarray(0, data.length);
      words.set(data);
    } else if (!(data.buffer instanceof ArrayBuffer)) {
      words = data.slice(); // some implementations do not take shared memory
    }
    if (words.length === 0) return;
    const source = words as Uint32Array<ArrayBuffer>;
    this.#gpu.device.queue.writeBuffer(to.buffer, to.start + offset, source, 0, source.length);
  }

  /** Copies out what the buffer holds after all work submitted so far. */
  async read(from: GpuMemory, offset: number, spec: Spec): Promise<HostArray> {
    const { array, bytes } = dtypes[spec.dtype];
    const count = sizeOf(spec.shape);
    if (count === 0) return new array(0);
    const size = count * elementBytes;
    const { device } = this.#gpu;
    const staging = this.#takeStaging(size);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from.buffer, from.start + offset, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await this.#gpu.settle(staging.mapAsync(GPUMapMode.READ, 0, size), `reading ${showShape(spec.shape)}`);
    const mapped = staging.getMappedRange(0, size);
    const out = bytes === 1 ? new array(new Uint32Array(mapped)) : new array(mapped.slice(0));
    staging.unmap();
    this.#staging.push(staging);
    this.#trimStaging();
    this.#gpu.check();
    return out;
  }

  #takeStaging(size: number): GPUBuffer {
    const fits = this.#staging.filter((b) => b.size >= size).sort((a, b) => a.size - b.size)[0];
    if (fits) {
      this.#staging = this.#staging.filter((b) => b !== fits);
      return fits;
    }
    // Rounded up, so that reads of somewhat different sizes share buffers.
    const rounded = Math.min(
      2 ** Math.ceil(Math.log2(Math.max(256, size))),
      this.#gpu.device.limits.maxBufferSize,
    );
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#create({ size: rounded, usage, label: 'everygrad read' });
  }

  #trimStaging(): void {
    let kept = this.#staging.reduce((n, b) => n + b.size, 0);
    while (kept > keptStaging && this.#staging.length > 1) {
      const dropped = this.#staging.shift()!;
      kept -= dropped.size;
      dropped.destroy();
    }
  }

  stats(): MemoryStats {
    return { pieces: this.#live.size, bytes: this.#bytes, systemAllocations: this.#systemAllocations };
  }
}
