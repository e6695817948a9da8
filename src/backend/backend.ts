// The contract of a backend: memory, compiled lists of kernel calls, nothing about gradients or layers.
import type { DType, HostArray, Shape } from '../dtype.js';
import type { Attributes, Spec, Tensor } from '../graph.js';
import type { ElementwiseOp, KernelOp, OpDefinition, Site } from '../ops/define.js';

export type BackendName = 'reference' | 'wasm' | 'webgpu';

/** A piece of a backend's memory; opaque outside of the backend. */
export interface Memory {
  readonly bytes: number;
}

/** A tensor in memory: contiguous, row-major, starting `offset` bytes into `memory`. */
export interface Operand extends Spec {
  readonly memory: Memory;
  readonly offset: number;
}

/** What an instruction of a chain reads. */
export type ChainInput =
  | { readonly kind: 'operand'; readonly operand: Operand }
  /** The result of an earlier instruction of the chain. */
  | { readonly kind: 'instruction'; readonly index: number }
  /** The result of the step's kernel. */
  | { readonly kind: 'kernel' }
  | { readonly kind: 'constant'; readonly value: number; readonly dtype: DType };

export interface Instruction {
  readonly op: ElementwiseOp;
  readonly site: Site;
  readonly inputs: readonly ChainInput[];
}

/**
 * Elementwise ops over one index space. Operands of a smaller shape are broadcast to it. For each element all loads
 * come before all stores, so a store may go where an operand was loaded from.
 */
export interface Chain {
  readonly shape: Shape;
  readonly instructions: readonly Instruction[];
  readonly stores: readonly { readonly instruction: number; readonly to: Operand }[];
  /** Of a prologue: the instruction whose value the kernel reads. */
  readonly result?: number;
}

export interface KernelCall {
  readonly op: KernelOp;
  readonly site: Site<Attributes>;
  /** None where a prologue computes the only one. */
  readonly inputs: readonly Operand[];
  /** null when only the step's chain needs the result. */
  readonly output: Operand | null;
}

/** A kernel, a chain, or a kernel with a chain applied to its result; the prologue computes what the kernel reads. */
export interface Step {
  readonly prologue?: Chain | undefined;
  readonly kernel: KernelCall | null;
  readonly chain: Chain | null;
}

/** Compiled steps; opaque outside of the backend. */
export interface Program {
  readonly steps: number;
}

/** What an op costs here: seconds = overhead + flops / flopsPerSecond + bytes / bytesPerSecond. */
export interface Rates {
  overhead: number;
  flopsPerSecond: number;
  bytesPerSecond: number;
  /** Of a transfer between the host and this backend's memory. */
  transferOverhead: number;
  transferBytesPerSecond: number;
}

export interface MemoryStats {
  /** Pieces of memory handed out and not yet freed, and their bytes. */
  pieces: number;
  bytes: number;
  /** How often memory was asked of the system, ever: WASM pages or GPU buffers. */
  systemAllocations: number;
}

/** How a call is computed fastest. */
export interface Tuned {
  /** Name of a variant. */
  readonly variant: string;
  /** What each of those took that were measured. */
  readonly seconds?: Readonly<Record<string, number>>;
}

/** An op and what it is applied to. */
export interface SitedOp {
  readonly op: OpDefinition;
  readonly site: Site;
}

export interface Backend {
  readonly name: BackendName;
  /** In words: build, threads, adapter. */
  readonly description: string;
  /** Offsets in a Memory are multiples of this, in bytes. */
  readonly alignment: number;
  /** A Memory has at most so many bytes; larger arenas are made of several, and no tensor lies across two. */
  readonly pieceBytes: number;
  /** How many different tensors a chain may read and write. */
  readonly maxOperands: number;
  /** Whether any chain can be applied before a kernel's store, and where a kernel reads. */
  readonly fusesEpilogue: boolean;
  /** Whether just this one can be, each of whose ops is the only one that takes the result of the one before. */
  takesEpilogue?(kernel: Tensor, chain: readonly Tensor[]): boolean;
  readonly rates: Rates;
  /** Kernels that had to show on this device that they are right, and what was wrong with each; '' is nothing. */
  readonly verdicts?: Readonly<Record<string, string>>;
  /** Which kernels were measured to be the fastest, by `keyOf` their calls. */
  readonly tuned?: Readonly<Record<string, Tuned>>;
  /** Optional features that a GPU has. */
  readonly features?: readonly string[];
  /** Resolves when it is as fast as it will be: all threads run. */
  ready?(): Promise<void>;
  /** Bytes that a tensor takes in this backend's memory. */
  bytesOf(spec: Spec): number;
  supports(op: OpDefinition, site: Site): boolean;
  /** Small pieces that are given out `together` may share a buffer. */
  allocate(bytes: number, together?: boolean): Memory;
  free(memory: Memory): void;
  write(to: Memory, offset: number, data: HostArray, dtype: DType): void;
  /** Waits for all work given before. The array is a copy. */
  read(from: Memory, offset: number, spec: Spec): HostArray | Promise<HostArray>;
  copy(from: Memory, fromOffset: number, to: Memory, toOffset: number, bytes: number): void;
  /**
   * Measures which of several kernels for these ops is the fastest, where that was not done before.
   * @param runtime its name and version: what was measured is kept by it
   */
  tune?(ops: readonly SitedOp[], runtime: string): Promise<void>;
  compile(steps: readonly Step[]): Program | Promise<Program>;
  run(program: Program): void | Promise<void>;
  /** Runs once and gives the seconds of each step; not there where the backend has no clock for them. */
  profile?(program: Program): readonly number[] | Promise<readonly number[]>;
  release(program: Program): void;
  stats(): MemoryStats;
  dispose(): void;
}
