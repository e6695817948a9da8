// What an op is: one entry that holds all there is to know about it, and that no backend is imported for.

import type { HostArray } from '../dtype.js';
import { type DType, dtypes, sizeOf } from '../dtype.js';
import type { Attributes, Spec, Tensor } from '../graph.js';

/** One use of an op: what its inputs and output look like. */
export interface Site<A extends Attributes = Attributes> {
  readonly inputs: readonly Spec[];
  readonly output: Spec;
  readonly attributes: A;
}

/** What a gradient rule gets. `dy` has the shape of `output`. */
export interface GradientContext<A extends Attributes = Attributes> {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly dy: Tensor;
  readonly attributes: A;
  /** For rules that are best left to a composition: gradients by the inputs of `f(inputs)`, independent of each other. */
  partials(
    f: (inputs: readonly Tensor[]) => Tensor,
    inputs: readonly Tensor[],
    dy: Tensor,
  ): readonly (Tensor | null)[];
}

/** What a reference implementation gets: contiguous row-major host arrays; it fills `out`. */
export interface ReferenceContext<A extends Attributes = Attributes> extends Site<A> {
  readonly values: readonly HostArray[];
  readonly out: HostArray;
}

/**
 * A word of a WASM kernel's argument block: a whole number, a float, or an address known only to the backend, with an
 * offset in bytes where the kernel starts inside a tensor.
 */
export type WasmArgument =
  | number
  | { readonly float32: number }
  | { readonly input: number; readonly offset?: number }
  | { readonly output: true; readonly offset: number }
  | 'output'
  /** Address of the scratch memory, that of the threads' own parts in it, and bytes of it for each thread. */
  | { readonly scratch: number }
  | 'scratch'
  | 'ownScratch'
  | 'scratchBytes'
  /** The last argument of a last call that can apply a chain to its result: address of its description, or 0. */
  | 'epilogue';

/** A call of a kernel of `assembly/` with signature `(args, thread, threads)`. */
export interface WasmCall {
  readonly kernel: string;
  readonly args: readonly WasmArgument[];
  /**
   * Bytes of scratch memory: a function of the kernels says how many a thread needs; or so many for all of them together,
   * which the calls of an op find as the one before left them, then for each.
   */
  readonly scratch?:
    | { readonly shared?: number; readonly bytesFrom: string; readonly args: readonly number[] }
    | { readonly shared: number; readonly each: number };
}

export type ShaderBinding = { readonly input: number } | 'output' | 'scratch';

/** A dispatch of a shader of `gpu/`. */
export interface ShaderCall {
  /** Base name of the .wgsl file, or of a list of variants from which the backend chooses. */
  readonly shader: string;
  /** Values for the shader's sizes and template names. */
  readonly constants: Readonly<Record<string, number>>;
  /** WGSL types for the shader's template names, e.g. `{ Value: 'i32' }`. */
  readonly types?: Readonly<Record<string, string>>;
  /** Members of the shader's sizes that it does not name itself. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** What is bound, in the order of the shader's binding numbers. */
  readonly bindings: readonly ShaderBinding[];
  /** Elements of scratch memory; the calls of an op find it as the one before left it. */
  readonly scratch?: number;
  readonly workgroups: readonly [number, number, number];
}

export interface Cost {
  flops: number;
  /** Bytes read and written, each tensor once. */
  bytes: number;
}

/** A case for the tests: shapes, and where it matters values or a range. */
export interface Sample<A extends Attributes = Attributes> {
  readonly inputs: readonly SampleInput[];
  readonly attributes: A;
}

export interface SampleInput {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  /** Uniform random values between the two; -2 to 2 where not said (0 to 2 exclusive for whole numbers). */
  readonly range?: readonly [number, number];
  readonly values?: readonly number[];
}

interface OpBase<A extends Attributes> {
  readonly name: string;
  /** Shape and dtype of the result; throws the library's own errors. */
  infer(inputs: readonly Spec[], attributes: A): Spec;
  /** Gradients for the inputs, written in ops; null for an input, or the whole rule, that has none. */
  readonly gradient: ((context: GradientContext<A>) => readonly (Tensor | null)[]) | null;
  /** Slow and obvious. */
  reference(context: ReferenceContext<A>): void;
  cost(site: Site<A>): Cost;
  readonly samples: readonly Sample<A>[];
}

/** Output element i depends on the inputs' (broadcast) elements i alone: such ops fuse. */
export interface ElementwiseOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: 'elementwise';
  /** Name of the block kernel in `assembly/`, or null where the value is passed on as it is. */
  readonly wasm: { kernel(site: Site<A>): string | null };
  /** WGSL expression of the operands `a`, `b`, `c`. */
  readonly webgpu: { expression(site: Site<A>): string };
}

/** Has kernels of its own. */
export interface KernelOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: 'kernel';
  /** null: no kernel for these dtypes. */
  readonly wasm: { calls(site: Site<A>): readonly WasmCall[] | null };
  /**
   * `epilogue`: the shader has a place where a chain of elementwise ops can be put before the store. `prologue`: and one where
   * it reads its only input, each element once.
   */
  readonly webgpu: {
    calls(site: Site<A>): readonly ShaderCall[] | null;
    readonly epilogue?: boolean;
    readonly prologue?: boolean;
  };
}

/** The same memory seen in another shape; no kernel. */
export interface ViewOp<A extends Attributes = Attributes> extends OpBase<A> {
  readonly kind: 'view';
}

export type OpDefinition<A extends Attributes = Attributes> = ElementwiseOp<A> | KernelOp<A> | ViewOp<A>;

export const hostBytes = ({ shape, dtype }: Spec): number => sizeOf(shape) * dtypes[dtype].bytes;

/** Cost of an op that reads each input and writes its output once. */
export function streamingCost(site: Site, flopsPerElement: number): Cost {
  const bytes = site.inputs.reduce((n, s) => n + hostBytes(s), hostBytes(site.output));
  return { flops: flopsPerElement * sizeOf(site.output.shape), bytes };
}

export const suffix = (dtype: DType): string => dtypes[dtype].suffix;
