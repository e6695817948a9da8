// The graph: a tensor is a node, an op records one, nothing is computed here.
import { checkAddressable, type DType, type HostArray, type Shape, showShape } from './dtype.js';
import { StateError } from './errors.js';
import type { OpDefinition } from './ops/define.js';

/** What is known of a tensor before it is computed. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

export type AttributeValue = number | string | boolean | readonly number[];
/** The settings of an op, plain data so that graphs can be compared. */
export type Attributes = { readonly [name: string]: AttributeValue };

/** Where a tensor's values come from. */
export type Source =
  | {
      readonly kind: 'op';
      readonly op: OpDefinition;
      readonly inputs: readonly Tensor[];
      readonly attributes: Attributes;
      /** Must be computed before: not for its value, but so that this is not computed too early. */
      readonly after?: readonly Tensor[];
      /** The checkpoint in which it was recorded. */
      readonly segment?: Segment;
    }
  /** Values on the host, never changed. */
  | { readonly kind: 'data'; readonly data: HostArray }
  /** One number; broadcasts to any shape without memory of its own. */
  | { readonly kind: 'constant'; readonly value: number }
  /** The n-th argument of a compiled function. */
  | { readonly kind: 'input'; readonly index: number }
  /** Values in device memory that last and can be assigned: parameters, optimizer state, results. */
  | { readonly kind: 'variable'; readonly variable: Variable };

/** A part of the graph that is computed again in the backward pass instead of being kept. */
export interface Segment {
  /** The one around it. */
  readonly parent: Segment | null;
  /** What stays in memory: its results, and the tensors whose memory they show. */
  readonly kept: Set<Tensor>;
}

// Runtimes without `using` lack the symbol; compiled `using` looks for this one.
(Symbol as { dispose?: symbol }).dispose ??= Symbol.for('Symbol.dispose');

let nextId = 0;

/**
 * An n-dimensional array, lazy: ops check shapes and dtypes at once and record a node; `await t.data()` computes.
 * The methods are added by `tensor.ts`.
 */
export class Tensor implements Spec {
  /** Grows with the order of recording, so inputs have smaller ids than what is made of them. */
  readonly id = nextId++;
  readonly shape: Shape;
  readonly dtype: DType;
  source: Source;

  constructor(source: Source, shape: Shape, dtype: DType) {
    this.source = source;
    this.shape = shape;
    this.dtype = dtype;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return this.shape.reduce((n, d) => n * d, 1);
  }

  toString(): string {
    const from = this.source.kind === 'op' ? this.source.op.name : this.source.kind;
    return `Tensor${showShape(this.shape)} ${this.dtype} from ${from}`;
  }
}

/** Memory that outlives a plan; made and moved by the engine. */
export interface Storage {
  dispose(): void;
}

/** A tensor whose values live in device memory and can be assigned: a parameter, a state, a result kept there. */
export class Variable extends Tensor {
  /** Gives the first values, when they are first needed. */
  initial: (() => Tensor) | null;
  /** Set by the engine when the values exist. */
  storage: Storage | null = null;
  disposed = false;
  /** Shown in plans, summaries and saved files. */
  name: string;

  constructor(shape: Shape, dtype: DType, initial: (() => Tensor) | null, name = 'variable') {
    checkAddressable(name, shape, dtype);
    super({ kind: 'constant', value: 0 }, shape, dtype);
    this.source = { kind: 'variable', variable: this };
    this.initial = initial;
    this.name = name;
  }

  /** Frees the device memory; using the variable afterwards is an error. */
  dispose(): void {
    this.storage?.dispose();
    this.storage = null;
    this.disposed = true;
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What a traced function does besides returning: which variables get which new values. */
export interface Trace {
  readonly assignments: Map<Variable, Tensor>;
}

let currentTrace: Trace | null = null;

/** The trace that is being recorded, if a function is being compiled. */
export const activeTrace = (): Trace | null => currentTrace;

/** Runs `f` and collects the assignments made in it. */
export function traced<R>(f: () => R): { result: R; assignments: Map<Variable, Tensor> } {
  const outer = currentTrace;
  const trace: Trace = { assignments: new Map() };
  currentTrace = trace;
  try {
    return { result: f(), assignments: trace.assignments };
  } finally {
    currentTrace = outer;
  }
}

/** The value that reading `t` means at this point of a trace: an assigned variable is its new value. */
export function currentValue(t: Tensor, where: string): Tensor {
  if (!(t instanceof Variable)) return t;
  if (t.disposed) {
    throw new StateError({
      where,
      problem: `${t.name} ${showShape(t.shape)} was disposed`,
      hint: 'it cannot be used any more',
    });
  }
  return currentTrace?.assignments.get(t) ?? t;
}

/** Runs `f` with variables standing for the values that they had when the trace began, as nodes hold them. */
export function withValuesAsRecorded<R>(f: () => R): R {
  const trace = currentTrace;
  currentTrace = null;
  try {
    return f();
  } finally {
    currentTrace = trace;
  }
}

/** Whether a tensor of this shape may be too large for memory, whatever its dtype. */
function isLarge(shape: Shape): boolean {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size >= 2 ** 29;
}

let currentSegment: Segment | null = null;

/** Runs `f` and marks what it records as a segment, of which only the results are kept. */
export function recordSegment<R>(f: () => R, resultsOf: (result: R) => readonly Tensor[]): R {
  const segment: Segment = { parent: currentSegment, kept: new Set() };
  currentSegment = segment;
  try {
    const result = f();
    for (const t of resultsOf(result)) {
      let root = t;
      segment.kept.add(root);
      while (root.source.kind === 'op' && root.source.op.kind === 'view') {
        root = root.source.inputs[0]!;
        segment.kept.add(root);
      }
    }
    return result;
  } finally {
    currentSegment = segment.parent;
  }
}

/** Records an op: checks shapes and dtypes now, so that an error's stack points at the caller. */
export function record<A extends Attributes>(
  op: OpDefinition<A>,
  inputs: readonly Tensor[],
  attributes: A,
): Tensor {
  const resolved = inputs.map((t) => currentValue(t, op.name));
  const { shape, dtype } = op.infer(resolved, attributes);
  if (isLarge(shape)) {
    const from = resolved.map((t) => showShape(t.shape)).join(', ');
    checkAddressable(op.name, shape, dtype, ` of ${from}`);
  }
  const source = { kind: 'op', op: op as unknown as OpDefinition, inputs: resolved, attributes } as const;
  return new Tensor(currentSegment ? { ...source, segment: currentSegment } : source, shape, dtype);
}

/** A number as a tensor that takes no memory and broadcasts. */
export const constant = (value: number, dtype: DType = 'float32'): Tensor =>
  new Tensor({ kind: 'constant', value }, [], dtype);
