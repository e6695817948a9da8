// The WASM backend: memory in one linear memory, steps compiled to a list of kernel calls that lies in it.
import { type DType, dtypes, type HostArray, sizeOf } from '../../dtype.js';
import { DeviceError, StateError } from '../../errors.js';
import type { Attributes, Spec } from '../../graph.js';
import { hostBytes, type OpDefinition, type Site } from '../../ops/define.js';
import type { Backend, Memory, MemoryStats, Program, Rates, Step } from '../backend.js';
import { alignment } from './allocator.js';
import { Choice } from './choice.js';
import { type CallList, type Crew, kernelFailed } from './crew.js';
import { emit } from './emit.js';
import { takesEpilogue } from './epilogue.js';
import type { Heap } from './heap.js';
import { extend, type Kernels } from './kernels.js';

class WasmMemory implements Memory {
  readonly address: number;
  readonly bytes: number;
  freed = false;

  constructor(address: number, bytes: number) {
    this.address = address;
    this.bytes = bytes;
  }
}

/** Scratch memory that several programs use, one at a time. */
interface Scratch {
  readonly address: number;
  readonly bytes: number;
  users: number;
}

interface WasmProgram extends Program {
  readonly address: number;
  readonly count: number;
  /** Number of calls up to the end of each step. */
  readonly ends: readonly number[];
  readonly choice: Choice;
  readonly scratch: Scratch | null;
  released: boolean;
}

/** Names of all that a step calls. */
function kernelsOf({ kernel, chain }: Step): string[] {
  const calls = kernel?.op.wasm.calls(kernel.site) ?? [];
  const elementwise = chain?.instructions.map(({ op, site }) => op.wasm.kernel(site)) ?? [];
  return [
    ...calls.flatMap(({ kernel: name, scratch }) =>
      scratch && 'bytesFrom' in scratch ? [name, scratch.bytesFrom] : [name],
    ),
    ...elementwise.filter((name) => name !== null),
  ];
}

/** Made by {@link createWasmBackend}. */
export class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly build: string;
  readonly threads: number;
  readonly alignment = alignment;
  readonly maxOperands = Number.POSITIVE_INFINITY;
  readonly pieceBytes = Number.POSITIVE_INFINITY;
  readonly fusesEpilogue = false;
  readonly takesEpilogue = takesEpilogue;
  readonly rates: Rates;
  readonly #heap: Heap;
  readonly #kernels: Kernels;
  readonly #crew: Crew | null;
  /** Loads the module with the kernels that are not needed by every network. */
  readonly #loadExtra: () => Promise<WebAssembly.Module>;
  #extra: Promise<void> | null = null;
  #scratch: Scratch | null = null;
  /** The end of the run that is going on, in a page's main thread. */
  #tail: Promise<unknown> | null = null;
  #pieces = 0;
  #bytes = 0;
  #disposed = false;

  constructor(
    build: string,
    heap: Heap,
    kernels: Kernels,
    crew: Crew | null,
    loadExtra: () => Promise<WebAssembly.Module>,
  ) {
    this.build = build;
    this.#loadExtra = loadExtra;
    this.#heap = heap;
    this.#kernels = kernels;
    this.#crew = crew;
    this.threads = crew?.threads ?? 1;
    this.rates = {
      overhead: 0.2e-6,
      flopsPerSecond: 40e9 * this.threads,
      bytesPerSecond: 10e9,
      transferOverhead: 0.5e-6,
      transferBytesPerSecond: 8e9,
    };
  }

  get description(): string {
    return `wasm ${this.build}, ${this.threads} thread${this.threads > 1 ? 's' : ''}`;
  }

  /** Resolves when all workers run, or when it is clear that they will not; until then there is one thread. */
  async ready(): Promise<void> {
    await this.#crew?.ready();
  }

  /** How many threads a large program would run on now. */
  get activeThreads(): number {
    return this.#crew?.isReady ? this.threads : 1;
  }

  bytesOf(spec: Spec): number {
    return hostBytes(spec);
  }

  supports(op: OpDefinition, site: Site<Attributes>): boolean {
    // Which kernels the further module has shows when it is loaded, by `compile`.
    return op.kind !== 'kernel' || op.wasm.calls(site) !== null;
  }

  allocate(bytes: number): Memory {
    this.#check('allocate');
    const memory = new WasmMemory(this.#heap.allocate(bytes), bytes);
    this.#pieces++;
    this.#bytes += bytes;
    return memory;
  }

  free(memory: Memory): void {
    const piece = memory as WasmMemory;
    if (piece.freed || this.#disposed) return;
    piece.freed = true;
    this.#pieces--;
    this.#bytes -= piece.bytes;
    this.#inOrder(() => this.#heap.free(piece.address));
  }

  write(to: Memory, offset: number, data: HostArray, dtype: DType): void {
    const { bytes } = dtypes[dtype];
    const address = this.#locate('write', to, offset, data.length * bytes);
    // Running programs may still read what is there, and the caller may change `data` meanwhile.
    const values = this.#tail ? data.slice() : data;
    this.#inOrder(() => this.#heap.view(dtype).set(values, address / bytes));
  }

  read(from: Memory, offset: number, { shape, dtype }: Spec): HostArray | Promise<HostArray> {
    const { bytes } = dtypes[dtype];
    const size = sizeOf(shape);
    const start = this.#locate('read', from, offset, size * bytes) / bytes;
    return this.#inOrder(() => this.#heap.view(dtype).slice(start, start + size));
  }

  copy(from: Memory, fromOffset: number, to: Memory, toOffset: number, bytes: number): void {
    const source = this.#locate('copy', from, fromOffset, bytes);
    const target = this.#locate('copy', to, toOffset, bytes);
    this.#inOrder(() => this.#heap.view('uint8').copyWithin(target, source, source + bytes));
  }

  compile(steps: readonly Step[]): Program | Promise<Program> {
    this.#check('compile');
    const known = steps.every((step) => kernelsOf(step).every((name) => this.#kernels.indices.has(name)));
    return known ? this.#compile(steps) : this.#extend().then(() => this.#compile(steps));
  }

  /** Loads the further module, once. */
  #extend(): Promise<void> {
    this.#extra ??= this.#loadExtra().then(async (module) => {
      await extend(this.#kernels, module);
      await this.#inOrder(() => this.#crew?.extend(module));
    });
    this.#extra.catch(() => {
      this.#extra = null; // the next one may try again
    });
    return this.#extra;
  }

  #compile(steps: readonly Step[]): Program {
    this.#check('compile');
    const { builder, ends, seconds, usesScratch } = emit(steps, {
      indices: this.#kernels.indices,
      functions: this.#kernels.functions,
      rates: this.rates,
      threads: this.threads,
      locate: (memory, offset, bytes) => this.#locate('compile', memory, offset, bytes),
      scratch: (bytes) => this.#scratchFor(bytes),
    });
    const { address, count } = builder.finish(this.#heap);
    const scratch = usesScratch ? this.#scratch : null;
    if (scratch) scratch.users++;
    const choice = new Choice(this.#crew ? seconds : 0);
    const program: WasmProgram = {
      ...{ steps: steps.length, address, count, ends, choice, scratch },
      released: false,
    };
    return program;
  }

  run(program: Program): void | Promise<void> {
    const p = program as WasmProgram;
    if (this.#disposed || p.released) this.#check('run', p.released);
    if (this.#tail) return this.#inOrder(() => this.#start(p));
    return this.#start(p);
  }

  profile(program: Program): readonly number[] | Promise<readonly number[]> {
    const p = program as WasmProgram;
    this.#check('profile', p.released);
    return this.#inOrder(() => {
      const together = p.choice.together && this.#crew?.isReady && this.#crew.leads;
      return p.ends.map((end, step) => {
        const first = p.ends[step - 1] ?? 0;
        const calls = { address: p.address + 8 * first, count: end - first };
        const start = performance.now();
        if (together) this.#crew?.lead(calls);
        else this.#alone(calls);
        return (performance.now() - start) / 1000;
      });
    });
  }

  release(program: Program): void {
    const p = program as WasmProgram;
    if (p.released || this.#disposed) return;
    p.released = true;
    this.#inOrder(() => {
      this.#heap.free(p.address);
      if (p.scratch) this.#leave(p.scratch);
    });
  }

  stats(): MemoryStats {
    const { systemAllocations } = this.#heap;
    return { pieces: this.#pieces, bytes: this.#bytes, systemAllocations };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#crew?.end();
  }

  /** Everything taken in the WASM memory: pieces, programs, scratch. */
  get bytesTaken(): number {
    return this.#heap.bytes;
  }

  #start(program: WasmProgram): void | Promise<void> {
    const { choice } = program;
    if (!this.#crew?.isReady) return this.#alone(program);
    const running =
      --choice.rest < 0
        ? choice.compare((together) => this.#now(program, together))
        : this.#now(program, choice.together);
    if (running) return this.#track(running);
  }

  #now(program: WasmProgram, together: boolean): void | Promise<void> {
    const crew = this.#crew as Crew;
    if (!together) this.#alone(program);
    else if (crew.leads) crew.lead(program);
    else return crew.runAll(program);
  }

  #alone({ address, count }: CallList): void {
    try {
      this.#kernels.runner.runAlone(address, count);
    } catch (error) {
      throw kernelFailed(error);
    }
  }

  /** Runs `action` when all that was started before is over, which is at once unless a run is going on. */
  #inOrder<T>(action: () => T | Promise<T>): T | Promise<T> {
    return this.#tail ? this.#track(this.#tail.then(action)) : action();
  }

  #track<T>(promise: Promise<T>): Promise<T> {
    const settled = promise.then(
      () => {},
      () => {}, // whoever got the promise learns of it
    );
    this.#tail = settled;
    void settled.then(() => {
      if (this.#tail === settled) this.#tail = null;
    });
    return promise;
  }

  /** Address of a part of a piece of memory. */
  #locate(where: string, memory: Memory, offset: number, bytes: number): number {
    this.#check(where, (memory as WasmMemory).freed);
    const { address, bytes: size } = memory as WasmMemory;
    if (offset >= 0 && offset + bytes <= size) return address + offset;
    throw new DeviceError({
      where,
      problem: `bytes ${offset} to ${offset + bytes} lie outside of a piece of ${size} bytes`,
      values: { offset, bytes, size },
    });
  }

  /** Throws when the backend was disposed, or the thing at hand was freed. */
  #check(where: string, freed = false): void {
    if (!this.#disposed && !freed) return;
    throw new StateError({
      where,
      problem: this.#disposed ? 'the wasm backend was disposed' : 'this memory or program was freed',
      hint: 'it cannot be used any more',
    });
  }

  /** At least so many bytes of scratch memory; programs share it as they run one after the other. */
  #scratchFor(bytes: number): number {
    if (!this.#scratch || this.#scratch.bytes < bytes) {
      const old = this.#scratch;
      this.#scratch = { address: this.#heap.allocate(bytes), bytes, users: 1 };
      if (old) this.#leave(old);
    }
    return this.#scratch.address;
  }

  /** The last one who leaves frees it; the newest scratch memory has the backend itself as a user. */
  #leave(scratch: Scratch): void {
    if (--scratch.users === 0) this.#heap.free(scratch.address);
  }
}
