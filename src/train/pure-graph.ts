// A traced step as a pure function: variables become arguments, new values become results, any intermediate can be read.
// It runs on any engine, as often as one likes, and changes nothing.
import type { DType, HostArray } from '../dtype.js';
import type { Engine } from '../engine.js';
import type { Executable } from '../execute.js';
import type { Attributes, Source, Spec, Tensor, Variable } from '../graph.js';
import type { NeededGraph, OpTensor } from '../schedule/graph.js';
import type { Core } from './core.js';

export interface PureOptions {
  /** Computes in float64 what was recorded in float32; no where not said. */
  double?: boolean;
}

/** What a step computes, with no memory of its own. */
export class PureGraph {
  /** The step as it was recorded: ops in order, variables, outputs, new values. */
  readonly graph: NeededGraph;
  /** Twins of arguments and variables, in this order: what a run is fed with. */
  readonly #feeds: Tensor[] = [];
  readonly #twins = new Map<Tensor, Tensor>();

  private constructor(
    readonly core: Core,
    graph: NeededGraph,
    readonly inputs: readonly Tensor[],
    { double = false }: PureOptions,
  ) {
    this.graph = graph;
    const typeOf = (dtype: DType): DType => (double && dtype === 'float32' ? 'float64' : dtype);
    for (const [index, t] of [...inputs, ...graph.variables].entries()) {
      const twin = new core.Tensor({ kind: 'input', index }, t.shape, typeOf(t.dtype));
      this.#twins.set(t, twin);
      this.#feeds.push(twin);
    }
    for (const t of reachable([...graph.ops, ...graph.outputs])) {
      if (!this.#twins.has(t)) this.#twins.set(t, this.#twinOf(t, double, typeOf));
    }
  }

  /** Traces `f` for arguments of these specs. Outputs are what it returns. */
  static trace(
    core: Core,
    f: (...args: Tensor[]) => readonly Tensor[] | void,
    specs: readonly Spec[],
    options: PureOptions = {},
  ): PureGraph {
    const inputs = specs.map(
      ({ shape, dtype }, index) => new core.Tensor({ kind: 'input', index }, shape, dtype),
    );
    const { result, assignments } = core.traced(() => f(...inputs));
    return new PureGraph(core, core.needed({ outputs: result ?? [], assignments }), inputs, options);
  }

  #twinOf(t: Tensor, double: boolean, typeOf: (dtype: DType) => DType): Tensor {
    const { source } = t;
    const { Tensor } = this.core;
    if (source.kind === 'op') {
      const inputs = source.inputs.map((i) => this.twin(i));
      if (!double) return new Tensor({ ...plain(source), inputs }, t.shape, t.dtype);
      const dtype = source.attributes.dtype === 'float32' ? { dtype: 'float64' } : {};
      const attributes: Attributes = { ...source.attributes, ...dtype };
      const made = source.op.infer(inputs, attributes);
      return new Tensor({ kind: 'op', op: source.op, inputs, attributes }, made.shape, made.dtype);
    }
    if (source.kind === 'data' && double && t.dtype === 'float32') {
      return new Tensor({ kind: 'data', data: Float64Array.from(source.data) }, t.shape, 'float64');
    }
    return new Tensor(source, t.shape, typeOf(t.dtype));
  }

  /** What stands for a recorded tensor. */
  twin(t: Tensor): Tensor {
    return this.#twins.get(t) ?? t;
  }

  /** Compiles what gives the values of some recorded tensors. */
  async prepare(engine: Engine, outputs: readonly Tensor[]): Promise<PureRun> {
    const twins = outputs.map((t) => this.twin(t));
    const executable = await engine.prepare({ outputs: twins, assignments: new Map() });
    const { feeds } = executable.plan.graph;
    return new PureRun(
      engine,
      executable,
      this.#feeds.map((t) => feeds.indexOf(t)),
      outputs.length,
    );
  }

  /** The recorded tensors that hold the new values of the variables, or the variables that stay. */
  get next(): Tensor[] {
    return this.graph.variables.map((v: Variable): Tensor => this.graph.assignments.get(v) ?? v);
  }
}

/** A compiled pure graph. */
export class PureRun {
  constructor(
    readonly engine: Engine,
    readonly executable: Executable,
    private readonly positions: readonly number[],
    private readonly count: number,
  ) {}

  /** Values of the outputs for these arguments, followed by those of the variables. */
  async run(feeds: readonly HostArray[]): Promise<HostArray[]> {
    await this.engine.run(this.executable, this.positions, feeds);
    const values: HostArray[] = [];
    for (let i = 0; i < this.count; i++) values.push(await this.executable.read(i));
    return values;
  }

  dispose(): void {
    this.executable.dispose();
  }
}

type OpSource = Extract<Source, { kind: 'op' }>;

/** Without what only tells when something is computed. */
const plain = ({ kind, op, inputs, attributes }: OpSource): OpSource => ({ kind, op, inputs, attributes });

/** All tensors that these are made of, in the order of recording. */
function reachable(tensors: readonly Tensor[]): Tensor[] {
  const seen = new Set(tensors);
  for (const t of seen) for (const i of inputsOf(t)) seen.add(i);
  return [...seen].sort((a, b) => a.id - b.id);
}

export const isOp = (t: Tensor): t is OpTensor => t.source.kind === 'op';
export const inputsOf = (t: Tensor): readonly Tensor[] => (isOp(t) ? t.source.inputs : []);

const isFloat = (dtype: DType): boolean => dtype.startsWith('float');

/** Index of the first NaN or infinity; -1 if there is none, or the dtype has none. */
export function firstNonFinite(values: HostArray, dtype: DType): number {
  if (!isFloat(dtype)) return -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value - value !== 0) return i;
  }
  return -1;
}

/** The place of a flat index in a shape, as in `[3,1]`. */
export function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return place;
}
