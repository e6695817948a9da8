// Third pass: groups of ops that run as one step. Elementwise ops over one index space become a chain; where the
// backend can, a chain is applied to a kernel's result before it is stored.
import type { Backend, BackendName } from '../backend/backend.js';
import { sameShape } from '../dtype.js';
import type { Tensor } from '../graph.js';
import { afterOf, isOp, type NeededGraph, type OpTensor, rootOf } from './graph.js';
import type { Placement } from './place.js';

/** Ops that run as one step: a kernel, a chain, or a kernel with a chain behind it, and one before it. */
export interface Group {
  readonly backend: BackendName;
  readonly kernel: OpTensor | null;
  readonly chain: readonly OpTensor[];
  /** Computes what the kernel reads, where it reads it. */
  readonly prologue?: readonly OpTensor[] | undefined;
}

export const membersOf = ({ kernel, chain, prologue = [] }: Group): OpTensor[] =>
  kernel ? [...prologue, kernel, ...chain] : [...chain];

/** Set of small whole numbers. */
class BitSet {
  readonly #words: Uint32Array;
  constructor(size: number) {
    this.#words = new Uint32Array((size + 31) >> 5);
  }
  add(i: number): void {
    this.#words[i >> 5]! |= 1 << (i & 31);
  }
  addAll(other: BitSet): void {
    for (let w = 0; w < this.#words.length; w++) this.#words[w]! |= other.#words[w]!;
  }
  has(i: number): boolean {
    return ((this.#words[i >> 5]! >>> (i & 31)) & 1) === 1;
  }
  meets(other: BitSet): boolean {
    for (let w = 0; w < this.#words.length; w++) if ((this.#words[w]! & other.#words[w]!) !== 0) return true;
    return false;
  }
}

/** A group that is still growing. */
interface Draft {
  readonly backend: Backend;
  kernel: OpTensor | null;
  readonly chain: OpTensor[];
  prologue?: OpTensor[];
  readonly members: BitSet;
  /** Tensors from outside that are read, constants left out. */
  readonly outside: Set<Tensor>;
  /**
   * Ops that must come before the group: what its members are made of, and as a group runs as one, the groups of those,
   * and so on. Two groups that are convex each may still wait for one another; these sets know.
   */
  before: BitSet;
  /** Members that somebody outside needs, as far as is known. */
  readonly written: Set<OpTensor>;
  /** The newest member. */
  last: number;
  /** When the first of its results is needed. */
  needed: number;
}

const aMember = ({ kernel, chain }: Draft): OpTensor => kernel ?? chain[0]!;

const sizeOfDraft = ({ kernel, chain }: Draft): number => chain.length + (kernel ? 1 : 0);

export function fuse(
  graph: NeededGraph,
  placements: ReadonlyMap<Tensor, Placement>,
  backends: readonly Backend[],
): Group[] {
  const index = new Map<Tensor, number>(graph.ops.map((t, i) => [t, i]));
  const byName = new Map(backends.map((b) => [b.name, b]));
  const users = usersOf(graph);
  const kept = new Set<Tensor>([...graph.outputs.map(rootOf), ...graph.assignments.values()]);
  const size = graph.ops.length;
  const times = timesOf(graph, index, users, kept);
  const draftOf = new Map<Tensor, Draft>();
  const drafts = new Set<Draft>();

  /** Adds all that must come before `t` can be read. */
  const addUpTo = (before: BitSet, t: Tensor): void => {
    const draft = draftOf.get(t);
    if (!draft) return;
    before.addAll(draft.before);
    before.addAll(draft.members);
  };

  const inside = (t: Tensor, { members }: Draft): boolean => {
    const at = index.get(t);
    return at !== undefined && members.has(at);
  };

  /** `before` of two drafts joined. */
  const beforeBoth = (large: Draft, small: Draft): BitSet => {
    const before = new BitSet(size);
    const smallMembers = small.kernel ? [small.kernel, ...small.chain] : small.chain;
    const entered = smallMembers.some((t) => large.outside.has(t));
    if (!entered) before.addAll(large.before);
    for (const draft of entered ? [large, small] : [small]) {
      for (const t of draft.outside) if (!inside(t, large) && !inside(t, small)) addUpTo(before, t);
      for (const t of draft.kernel ? [draft.kernel, ...draft.chain] : draft.chain)
        for (const earlier of afterOf(t)) addUpTo(before, earlier);
    }
    return before;
  };

  /** How many different tensors the step would bind. */
  const operands = (large: Draft, small: Draft): number => {
    const read = new Set([...large.outside, ...small.outside]);
    for (const t of read) if (inside(t, large) || inside(t, small)) read.delete(t);
    return read.size + Math.max(1, stillWritten(large, small).length);
  };

  const stillWritten = (large: Draft, small: Draft): OpTensor[] =>
    [...large.written, ...small.written].filter(
      (t) => kept.has(t) || users.get(t)!.some((u) => !inside(u, large) && !inside(u, small)),
    );

  /** Puts the smaller draft into the larger one, its chain into `list`. */
  const absorb = (large: Draft, small: Draft, before: BitSet, list = large.chain): void => {
    for (const t of small.outside) large.outside.add(t);
    for (const t of small.chain) {
      large.outside.delete(t);
      draftOf.set(t, large);
      list.push(t);
    }
    if (small.kernel) {
      large.outside.delete(small.kernel);
      draftOf.set(small.kernel, large);
      large.kernel = small.kernel;
    }
    for (const t of small.outside) if (inside(t, large)) large.outside.delete(t);
    for (const t of small.written) large.written.add(t);
    large.members.addAll(small.members);
    large.before = before;
    // What depends on one member of a group depends on all, so one of each side tells.
    const [ofLarge, ofSmall] = [index.get(aMember(large))!, index.get(aMember(small))!];
    for (const other of drafts) {
      if (other === large || other === small) continue;
      if (!other.before.has(ofLarge) && !other.before.has(ofSmall)) continue;
      other.before.addAll(before);
      other.before.addAll(large.members);
    }
    large.last = Math.max(large.last, small.last);
    large.needed = Math.min(large.needed, small.needed);
    drafts.delete(small);
    drafts.add(large);
    if (large.backend.maxOperands === Number.POSITIVE_INFINITY) return;
    const written = new Set(stillWritten(large, small));
    for (const t of large.written) if (!written.has(t)) large.written.delete(t);
  };

  const bytes = (list: Iterable<Tensor>, backend: Backend): number =>
    [...list].reduce((n, x) => n + (isOp(x) ? backend.bytesOf(x) : 0), 0);
  const diesBefore = (x: Tensor, time: number): boolean => (times.lastUse.get(x) ?? -1) < time;

  /**
   * Whether the group would wait for a kernel that comes later, with all that it reads kept in memory, where its results
   * alone would be less to keep. So sums of gradients grow one by one, as the gradients come.
   */
  const waits = (other: Draft, i: number): boolean => {
    const ready = times.ready[i]!;
    if (other.kernel || ready <= other.last) return false;
    const results = [...other.written].filter(
      (x) => kept.has(x) || users.get(x)!.some((u) => !inside(u, other)),
    );
    const held = [...other.outside].filter((x) => diesBefore(x, ready));
    return bytes(held, other.backend) > bytes(results, other.backend);
  };

  /**
   * Whether op i, though it could be computed with the group that makes its input, is needed only after a kernel that
   * comes later, by a chain that can compute it then: what a gradient makes of activations that are there anyway.
   */
  const canComeLater = (other: Draft, t: OpTensor, i: number): boolean => {
    const needed = times.needed[i]!;
    if (needed <= other.last || other.needed >= needed) return false;
    const held = new Set(t.source.inputs.map(rootOf).filter((x) => diesBefore(x, needed)));
    return bytes(held, other.backend) <= other.backend.bytesOf(t);
  };

  /** Whether `t`, the newest in its own draft, may be computed together with the group that makes its input. */
  const joins = (own: Draft, { backend, kernel, chain }: Draft, t: OpTensor, input: Tensor): boolean => {
    const [first] = chain;
    if (backend.takesEpilogue && (kernel ?? own.kernel)) {
      // A line of ops, none of which anybody else needs but the last.
      if (!kernel || sizeOfDraft(own) > 1 || kept.has(input) || users.get(input)!.length > 1) return false;
      // A variable of this size may be where the result goes, which is written before it is read.
      if (t.source.inputs.some((x) => x.size === t.size && rootOf(x).source.kind === 'variable'))
        return false;
      return sameShape(input.shape, t.shape) && backend.takesEpilogue(kernel, [...chain, t]);
    }
    if (first) return sameShape(first.shape, t.shape);
    const { op } = kernel!.source;
    return (
      backend.fusesEpilogue &&
      op.kind === 'kernel' &&
      op.webgpu.epilogue === true &&
      sameShape(input.shape, t.shape) &&
      t.source.inputs.includes(input)
    );
  };

  for (const [i, t] of graph.ops.entries()) {
    const backend = byName.get(placements.get(t)!.backend)!;
    const inputs = new Set(t.source.inputs.map(rootOf));
    const before = new BitSet(size);
    for (const input of [...inputs, ...afterOf(t)]) addUpTo(before, input);
    const elementwise = t.source.op.kind === 'elementwise';
    const members = new BitSet(size);
    members.add(i);
    let draft: Draft = {
      backend,
      kernel: elementwise ? null : t,
      chain: elementwise ? [t] : [],
      members,
      outside: new Set([...inputs].filter((x) => x.source.kind !== 'constant')),
      before,
      written: new Set([t]),
      last: i,
      needed: times.needed[i]!,
    };
    draftOf.set(t, draft);
    drafts.add(draft);
    if (!elementwise) continue;
    for (const input of inputs) {
      const other = draftOf.get(input);
      if (!other || other === draft || other.backend !== backend || (other.kernel && draft.kernel)) continue;
      if (!joins(draft, other, t, input) || waits(other, i) || canComeLater(other, t, i)) continue;
      const [large, small] = sizeOfDraft(other) >= sizeOfDraft(draft) ? [other, draft] : [draft, other];
      const beforeAll = beforeBoth(large, small);
      // No way may lead out of the group and back in.
      if (beforeAll.meets(large.members) || beforeAll.meets(small.members)) continue;
      if (backend.maxOperands < Number.POSITIVE_INFINITY && operands(large, small) > backend.maxOperands)
        continue;
      absorb(large, small, beforeAll);
      draft = large;
    }
  }
  // Chains before kernels, when it is known what else is made of them.
  for (const [i, t] of graph.ops.entries()) {
    const { op, inputs } = t.source;
    if (op.kind !== 'kernel' || !op.webgpu.prologue) continue;
    const [large, small] = [draftOf.get(t)!, draftOf.get(rootOf(inputs[0]!))];
    const { backend, chain } = large;
    if (!small || small.kernel || small.backend !== backend || !backend.fusesEpilogue) continue;
    // Not where nothing becomes less, nor where the kernel's own chain would keep it waiting.
    if (t.size >= small.chain[0]!.size || chain.some((u) => times.ready[index.get(u)!]! > i)) continue;
    const before = beforeBoth(large, small);
    if (before.meets(large.members) || before.meets(small.members)) continue;
    if (operands(large, small) > backend.maxOperands) continue;
    large.prologue = [];
    absorb(large, small, before, large.prologue);
  }
  const byId = (a: Tensor, b: Tensor): number => a.id - b.id;
  return [...drafts].map(({ backend, kernel, chain, prologue }) => ({
    backend: backend.name,
    kernel,
    chain: chain.sort(byId),
    prologue: prologue?.sort(byId),
  }));
}

/** When ops can run and when their results are needed. Time is counted in ops: kernel i runs at time i. */
interface Times {
  /** The last kernel that op i needs, itself included; -1 if there is none. */
  readonly ready: Int32Array;
  /** The last kernel without which the results of op i are of no use: ops of its shape can wait as long as it can. */
  readonly needed: Int32Array;
  /** Until when a tensor is read, if all who read it run as soon as they can; endless for outputs. */
  readonly lastUse: ReadonlyMap<Tensor, number>;
}

function timesOf(
  { ops }: NeededGraph,
  index: ReadonlyMap<Tensor, number>,
  users: ReadonlyMap<Tensor, readonly OpTensor[]>,
  kept: ReadonlySet<Tensor>,
): Times {
  const ready = new Int32Array(ops.length);
  /** When all inputs are there. */
  const fed = new Int32Array(ops.length);
  for (const [i, t] of ops.entries()) {
    fed[i] = t.source.inputs.reduce((n, x) => Math.max(n, ready[index.get(rootOf(x)) ?? -1] ?? -1), -1);
    ready[i] = t.source.op.kind === 'elementwise' ? fed[i]! : i;
  }
  const needed = new Int32Array(ops.length);
  for (let i = ops.length - 1; i >= 0; i--) {
    const t = ops[i]!;
    let first = Number.POSITIVE_INFINITY;
    for (const u of users.get(t)!) {
      const at = index.get(u)!;
      const waits = u.source.op.kind === 'elementwise' && sameShape(u.shape, t.shape);
      first = Math.min(first, waits ? needed[at]! : fed[at]!);
    }
    needed[i] = kept.has(t) || first === Number.POSITIVE_INFINITY ? ready[i]! : Math.max(ready[i]!, first);
  }
  const lastUse = new Map<Tensor, number>();
  for (const [i, t] of ops.entries()) {
    for (const x of t.source.inputs.map(rootOf)) lastUse.set(x, Math.max(lastUse.get(x) ?? -1, ready[i]!));
  }
  for (const t of kept) lastUse.set(t, Number.POSITIVE_INFINITY);
  return { ready, needed, lastUse };
}

/** The ops that read each tensor. */
export function usersOf(graph: NeededGraph): Map<Tensor, OpTensor[]> {
  const users = new Map<Tensor, OpTensor[]>();
  for (const t of [...graph.ops, ...graph.feeds, ...graph.variables]) users.set(t, []);
  for (const t of graph.ops)
    for (const input of new Set(t.source.inputs.map(rootOf))) users.get(input)?.push(t);
  return users;
}
