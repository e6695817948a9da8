// The reference backend: host arrays, one op after the other by its slow obvious implementation. Loads on demand, and so gets
// what it needs of the core.
import type { dtypes as Dtypes, HostArray, Shape } from '../dtype.js';
import type { Spec } from '../graph.js';
import type { OpDefinition, Site } from '../ops/define.js';
import type { Backend, Chain, ChainInput, Memory, MemoryStats, Operand, Program, Step } from './backend.js';

class HostMemory implements Memory {
  readonly buffer: ArrayBuffer;
  constructor(readonly bytes: number) {
    this.buffer = new ArrayBuffer(bytes);
  }
}

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

class ReferenceProgram implements Program {
  readonly steps: number;
  constructor(readonly list: readonly Step[]) {
    this.steps = list.length;
  }
}

export class ReferenceBackend implements Backend {
  readonly name = 'reference';
  readonly description = 'plain JavaScript';
  readonly alignment = 8;
  readonly maxOperands = Number.POSITIVE_INFINITY;
  readonly pieceBytes = Number.POSITIVE_INFINITY;
  readonly fusesEpilogue = false;
  readonly rates = {
    overhead: 1e-6,
    flopsPerSecond: 1e8,
    bytesPerSecond: 1e9,
    transferOverhead: 0,
    transferBytesPerSecond: 1e10,
  };
  readonly #stats: MemoryStats = { pieces: 0, bytes: 0, systemAllocations: 0 };

  constructor(private readonly dtypes: typeof Dtypes) {}

  bytesOf({ shape, dtype }: Spec): number {
    return sizeOf(shape) * this.dtypes[dtype].bytes;
  }

  supports(): boolean {
    return true;
  }

  allocate(bytes: number): Memory {
    this.#stats.pieces++;
    this.#stats.systemAllocations++;
    this.#stats.bytes += bytes;
    return new HostMemory(bytes);
  }

  free({ bytes }: Memory): void {
    this.#stats.pieces--;
    this.#stats.bytes -= bytes;
  }

  write(to: Memory, offset: number, data: HostArray): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array((to as HostMemory).buffer).set(bytes, offset);
  }

  read(from: Memory, offset: number, spec: Spec): HostArray {
    return this.#view({ ...spec, memory: from, offset }).slice();
  }

  copy(from: Memory, fromOffset: number, to: Memory, toOffset: number, bytes: number): void {
    const source = new Uint8Array((from as HostMemory).buffer, fromOffset, bytes);
    new Uint8Array((to as HostMemory).buffer).set(source.slice(), toOffset);
  }

  compile(steps: readonly Step[]): Program {
    return new ReferenceProgram(steps);
  }

  run(program: Program): void {
    for (const { kernel, chain } of (program as ReferenceProgram).list) {
      const result = kernel
        ? this.#evaluate(
            kernel.op,
            kernel.site,
            kernel.inputs.map((operand) => this.#view(operand).slice()),
          )
        : null;
      if (result && kernel?.output) this.#view(kernel.output).set(result);
      if (chain) this.#runChain(chain, result);
    }
  }

  #view({ memory, offset, shape, dtype }: Operand): HostArray {
    return new this.dtypes[dtype].array((memory as HostMemory).buffer, offset, sizeOf(shape));
  }

  /** Runs `op` on copies of its inputs, so that writing over an input is seen only afterwards. */
  #evaluate(op: OpDefinition, site: Site, values: readonly HostArray[]): HostArray {
    const out = new this.dtypes[site.output.dtype].array(sizeOf(site.output.shape));
    op.reference({ ...site, values, out });
    return out;
  }

  #runChain({ instructions, stores }: Chain, kernel: HostArray | null): void {
    const results: HostArray[] = [];
    const load = (input: ChainInput): HostArray => {
      switch (input.kind) {
        case 'operand':
          return this.#view(input.operand).slice();
        case 'instruction':
          return results[input.index]!;
        case 'kernel':
          return kernel!;
        case 'constant':
          return new this.dtypes[input.dtype].array([input.value]);
      }
    };
    for (const { op, site, inputs } of instructions) results.push(this.#evaluate(op, site, inputs.map(load)));
    for (const { instruction, to } of stores) this.#view(to).set(results[instruction]!);
  }

  release(): void {}

  stats(): MemoryStats {
    return { ...this.#stats };
  }

  dispose(): void {}
}
