// Fourth pass: the order of the groups, and which new values are written straight into their variables.
import type { Tensor, Variable } from '../graph.js';
import { type Group, membersOf } from './fuse.js';
import { copyOf, type NeededGraph, type OpTensor, rootOf } from './graph.js';

export interface Ordered {
  readonly groups: readonly Group[];
  /** Tensors that are computed in a variable's own memory. */
  readonly inPlace: ReadonlyMap<Tensor, Variable>;
}

/**
 * Orders the groups so that a variable's old value is read by all its readers before the new one is written there. Where
 * that is impossible (two variables swap values) the new value is kept aside and copied in a step of its own.
 */
export function order(graph: NeededGraph, fused: readonly Group[]): Ordered {
  const groups = [...fused];
  const direct = new Map<Variable, OpTensor>(graph.assignments);
  const copied = new Set<Variable>();
  const aside = (variable: Variable): void => {
    const value = direct.get(variable)!;
    const copy = copyOf(value);
    const { backend } = groups.find((g) => membersOf(g).includes(value))!;
    groups.push({ backend, kernel: null, chain: [copy] });
    direct.set(variable, copy);
    copied.add(variable);
  };
  for (const [variable, value] of graph.assignments) {
    const { kernel } = groups.find((g) => membersOf(g).includes(value))!;
    // A kernel reads its inputs while it writes; so does a chain behind one.
    if (kernel?.source.inputs.some((i) => rootOf(i) === variable)) aside(variable);
  }
  for (;;) {
    const sorted = sort(groups, direct, copied);
    if ('groups' in sorted) {
      return { groups: sorted.groups, inPlace: new Map([...direct].map(([v, t]) => [t, v])) };
    }
    aside(sorted.stuck);
  }
}

/** Kahn's algorithm; of the groups that are ready, updates go first since they free their gradients. */
function sort(
  groups: readonly Group[],
  direct: ReadonlyMap<Variable, OpTensor>,
  copied: ReadonlySet<Variable>,
): { groups: Group[] } | { stuck: Variable } {
  const groupOf = new Map<Tensor, number>(
    groups.flatMap((g, i) => membersOf(g).map((t): [Tensor, number] => [t, i])),
  );
  const reads = groups.map((g) => new Set(membersOf(g).flatMap((t) => t.source.inputs.map(rootOf))));
  const before: Set<number>[] = groups.map((_, i) => {
    const makers = [...reads[i]!]
      .map((t) => groupOf.get(t))
      .filter((g): g is number => g !== undefined && g !== i);
    return new Set(makers);
  });
  for (const [variable, value] of direct) {
    const writer = groupOf.get(value)!;
    for (const [i, read] of reads.entries()) if (i !== writer && read.has(variable)) before[writer]!.add(i);
  }
  const updates = new Set([...direct.values()].map((t) => groupOf.get(t)!));
  const key = groups.map((g) => Math.max(...membersOf(g).map((t) => t.id)));
  const waiting = new Set(groups.keys());
  const done: number[] = [];
  while (waiting.size > 0) {
    let next = -1;
    for (const i of waiting) {
      if ([...before[i]!].some((b) => waiting.has(b))) continue;
      if (next < 0 || (Number(updates.has(i)) - Number(updates.has(next)) || key[next]! - key[i]!) > 0)
        next = i;
    }
    if (next < 0) {
      const [stuck] = [...direct].find(([v, t]) => !copied.has(v) && waiting.has(groupOf.get(t)!))!;
      return { stuck };
    }
    waiting.delete(next);
    done.push(next);
  }
  return { groups: done.map((i) => groups[i]!) };
}
