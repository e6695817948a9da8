// First pass: the part of the graph that is needed, in order, with views seen through.
import { dtypes, type HostArray } from '../dtype.js';
import { record, type Source, type Tensor, Variable } from '../graph.js';
import { broadcastTo } from '../ops/index.js';

/** A tensor made by an op. */
export interface OpTensor extends Tensor {
  source: Extract<Source, { kind: 'op' }>;
}

/** What a plan is made from. */
export interface Request {
  /** Values that are read afterwards. */
  readonly outputs: readonly Tensor[];
  /** Variables that get new values. */
  readonly assignments: ReadonlyMap<Variable, Tensor>;
}

/** What the passes work on. */
export interface NeededGraph {
  /** Ops that are computed (no views), inputs before what is made of them. */
  readonly ops: readonly OpTensor[];
  /** Arguments, host data, and constants that kernels read, in the order of their ids. */
  readonly feeds: readonly Tensor[];
  readonly variables: readonly Variable[];
  /** Outputs and new values, each made by an op of its own or read from a feed or variable (outputs only). */
  readonly outputs: readonly Tensor[];
  readonly assignments: ReadonlyMap<Variable, OpTensor>;
}

export const isOp = (t: Tensor): t is OpTensor => t.source.kind === 'op';
const isView = (t: Tensor): t is OpTensor => isOp(t) && t.source.op.kind === 'view';

/** The tensor whose memory `t` shows. */
export function rootOf(t: Tensor): Tensor {
  let root = t;
  while (isView(root)) root = root.source.inputs[0]!;
  return root;
}

const nothing: readonly Tensor[] = [];

/** What must be computed before `t`, besides its inputs. */
export const afterOf = ({ source }: OpTensor): readonly Tensor[] => source.after?.map(rootOf) ?? nothing;

/** A copy of `t` in memory of its own. */
export const copyOf = (t: Tensor): OpTensor =>
  record(broadcastTo.definition, [t], { shape: t.shape }) as OpTensor;

/** Finds what is needed. New values that share memory with something else become copies. */
export function needed({ outputs, assignments }: Request): NeededGraph {
  const taken = new Set<Tensor>();
  const fresh = new Map<Variable, OpTensor>();
  for (const [variable, value] of assignments) {
    const root = rootOf(value);
    const own = isOp(root) && !taken.has(root) && root.size === variable.size ? root : copyOf(value);
    taken.add(own);
    fresh.set(variable, own);
  }
  // Outputs are read when all is done: a view of a variable's old value must not show the new one.
  const needsCopy = (t: Tensor): boolean => {
    const root = rootOf(t);
    return root.source.kind === 'constant' || (root !== t && root instanceof Variable && fresh.has(root));
  };
  const results = outputs.map((t) => (needsCopy(t) ? copyOf(t) : t));
  const seen = new Set<Tensor>();
  const stack: Tensor[] = [...results, ...fresh.values()].map(rootOf);
  while (stack.length > 0) {
    const t = stack.pop()!;
    if (seen.has(t)) continue;
    seen.add(t);
    if (isOp(t)) stack.push(...t.source.inputs.map(rootOf), ...afterOf(t));
  }
  const all = [...seen].sort((a, b) => a.id - b.id);
  const ops = all.filter(isOp);
  // A kernel reads its inputs from memory, a chain takes a constant as it is.
  const read = new Set(
    ops.filter((t) => t.source.op.kind === 'kernel').flatMap((t) => t.source.inputs.map(rootOf)),
  );
  return {
    ops,
    feeds: all.filter(
      ({ source }, i) =>
        source.kind === 'data' ||
        source.kind === 'input' ||
        (source.kind === 'constant' && read.has(all[i]!)),
    ),
    variables: all
      .filter((t): t is Variable => t instanceof Variable)
      .concat([...fresh.keys()].filter((v) => !seen.has(v))),
    outputs: results,
    assignments: fresh,
  };
}

/**
 * A text that is equal for two requests of the same structure: ops, attributes, shapes, dtypes, wiring, and the very
 * same variables. Host data count as feeds, by shape alone.
 */
export function structureKey({ ops, feeds, outputs, assignments }: NeededGraph): string {
  const numbers = new Map<Tensor, number>();
  for (const [i, t] of [...feeds, ...ops].entries()) numbers.set(t, i);
  const name = (t: Tensor): string => {
    const { source } = t;
    if (source.kind === 'variable') return `v${t.id}`;
    if (source.kind === 'constant') return `c${Object.is(source.value, -0) ? '-0' : source.value}${t.dtype}`;
    return `${numbers.get(t)}`;
  };
  const use = (t: Tensor): string => (rootOf(t) === t ? name(t) : `${name(rootOf(t))}:${t.shape}`);
  return [
    ...feeds.map((t) => `${t.dtype}${t.shape}`),
    ...ops.map((t) => {
      const { op, inputs, attributes } = t.source;
      return `${op.name}(${inputs.map(use)})${JSON.stringify(attributes)}${afterOf(t).map((a) => `>${name(a)}`)}`;
    }),
    `=${outputs.map(use)}`,
    ...[...assignments].map(([v, t]) => `v${v.id}=${use(t)}`),
  ].join(';');
}

/** Host values of a feed; null for an argument, whose values come with each run. */
export function hostData({ source, dtype }: Tensor): HostArray | null {
  if (source.kind === 'data') return source.data;
  return source.kind === 'constant' ? new dtypes[dtype].array([source.value]) : null;
}
