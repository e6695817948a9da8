// Fourth pass: the order of the groups, and which new values are written straight into their variables.
import type { Tensor, Variable } from '../graph.js';
import { hostBytes } from '../ops/define.js';
import { type Group, membersOf } from './fuse.js';
import { afterOf, copyOf, type NeededGraph, type OpTensor, rootOf } from './graph.js';

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
  const groupOf = new Map<Tensor, Group>(
    groups.flatMap((g) => membersOf(g).map((t): [Tensor, Group] => [t, g])),
  );
  const direct = new Map<Variable, OpTensor>(graph.assignments);
  const copied = new Set<Variable>();
  const aside = (variable: Variable): void => {
    const value = direct.get(variable)!;
    const copy = copyOf(value);
    groups.push({ backend: groupOf.get(value)!.backend, kernel: null, chain: [copy] });
    direct.set(variable, copy);
    copied.add(variable);
  };
  for (const [variable, value] of graph.assignments) {
    const { kernel, prologue = [] } = groupOf.get(value)!;
    // A kernel reads its inputs while it writes, by itself or by a chain before it; so does a chain behind one.
    if (kernel && !prologue.includes(value) && [kernel, ...prologue].some((t) => reads(t, variable)))
      aside(variable);
  }
  for (;;) {
    const sorted = new Sorter(groups, direct, graph.outputs).sort();
    if (sorted.length === groups.length) {
      return { groups: sorted, inPlace: new Map([...direct].map(([v, t]) => [t, v])) };
    }
    const done = new Set<Tensor>(sorted.flatMap(membersOf));
    const [stuck] = [...direct].find(([v, t]) => !copied.has(v) && !done.has(t))!;
    aside(stuck);
  }
}

const reads = ({ source }: OpTensor, variable: Variable): boolean =>
  source.inputs.some((i) => rootOf(i) === variable);

/** Whole numbers with keys, the smallest key first. */
class Heap {
  readonly #items: number[] = [];
  constructor(private readonly key: readonly number[]) {}

  get size(): number {
    return this.#items.length;
  }

  push(item: number): void {
    const { key } = this;
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (key[items[up]!]! <= key[item]!) break;
      items[at] = items[up]!;
      at = up;
    }
    items[at] = item;
  }

  pop(): number {
    const { key } = this;
    const items = this.#items;
    const first = items[0]!;
    const last = items.pop()!;
    if (items.length === 0) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down + 1 < items.length && key[items[down + 1]!]! < key[items[down]!]!) down++;
      if (down >= items.length || key[items[down]!]! >= key[last]!) break;
      items[at] = items[down]!;
      at = down;
    }
    items[at] = last;
    return first;
  }
}

/**
 * Kahn's algorithm. Of the groups that are ready those go first that free more memory than they take: updates, which end
 * the life of gradients, above all. The others follow in the order in which they were recorded.
 */
class Sorter {
  readonly #groups: readonly Group[];
  /** Position among the recorded ops: of the last one in the group. */
  readonly #key: readonly number[];
  /** Tensors from outside that a group reads. */
  readonly #reads: readonly ReadonlySet<Tensor>[];
  readonly #readers = new Map<Tensor, number[]>();
  /** Groups that must wait for a group, and for how many a group has to wait. */
  readonly #next: Set<number>[];
  readonly #open: number[];
  /** How many groups have yet to read a tensor; one more for outputs, which must stay. */
  readonly #uses = new Map<Tensor, number>();
  /** Bytes that a group's results take. */
  readonly #made: number[];

  constructor(groups: readonly Group[], direct: ReadonlyMap<Variable, OpTensor>, outputs: readonly Tensor[]) {
    this.#groups = groups;
    const members = groups.map(membersOf);
    const groupOf = new Map<Tensor, number>(
      members.flatMap((list, i) => list.map((t): [Tensor, number] => [t, i])),
    );
    this.#key = members.map((list) => list.reduce((n, t) => Math.max(n, t.id), 0));
    this.#reads = members.map((list, i) => {
      const read = new Set(list.flatMap((t) => t.source.inputs.map(rootOf)));
      for (const t of read) if (groupOf.get(t) === i) read.delete(t);
      return read;
    });
    for (const [i, read] of this.#reads.entries()) {
      for (const t of read) {
        const known = this.#readers.get(t);
        if (known) known.push(i);
        else this.#readers.set(t, [i]);
      }
    }
    this.#next = groups.map(() => new Set<number>());
    this.#open = groups.map(() => 0);
    const precedes = (first: number | undefined, then: number): void => {
      if (first === undefined || first === then || this.#next[first]!.has(then)) return;
      this.#next[first]!.add(then);
      this.#open[then]!++;
    };
    for (const [i, list] of members.entries()) {
      for (const t of this.#reads[i]!) precedes(groupOf.get(t), i);
      for (const t of list) for (const a of afterOf(t)) precedes(groupOf.get(a), i);
    }
    for (const [variable, value] of direct) {
      for (const reader of this.#readers.get(variable) ?? []) precedes(reader, groupOf.get(value)!);
    }
    const updates = new Set<Tensor>(direct.values());
    for (const [t, readers] of this.#readers) this.#uses.set(t, readers.length);
    for (const t of outputs) this.#uses.set(rootOf(t), (this.#uses.get(rootOf(t)) ?? 0) + 1);
    const takes = (t: OpTensor): boolean => !updates.has(t) && this.#uses.has(t);
    this.#made = members.map((list) => list.filter(takes).reduce((n, t) => n + hostBytes(t), 0));
    for (const t of updates) this.#uses.delete(t);
  }

  /** Shorter than the list of groups where variables wait for each other. */
  sort(): Group[] {
    const ready = new Heap(this.#key);
    const freeing = new Heap(this.#key);
    const done = this.#groups.map(() => false);
    const order: Group[] = [];
    const offer = (i: number): void => (this.#frees(i) ? freeing : ready).push(i);
    for (const [i, open] of this.#open.entries()) if (open === 0) offer(i);
    while (ready.size + freeing.size > 0) {
      const i = (freeing.size > 0 ? freeing : ready).pop();
      if (done[i]) continue;
      done[i] = true;
      order.push(this.#groups[i]!);
      for (const t of this.#reads[i]!) {
        const uses = this.#uses.get(t);
        if (uses === undefined) continue;
        this.#uses.set(t, uses - 1);
        // Its last reader may have become one that frees memory.
        if (uses !== 2) continue;
        const last = this.#readers.get(t)!.find((r) => !done[r]);
        if (last !== undefined && this.#open[last] === 0 && this.#frees(last)) freeing.push(last);
      }
      for (const n of this.#next[i]!) if (--this.#open[n]! === 0) offer(n);
    }
    return order;
  }

  /** Whether the group frees more memory than it takes. */
  #frees(i: number): boolean {
    let freed = 0;
    for (const t of this.#reads[i]!) {
      const { kind } = t.source;
      if ((kind === 'op' || kind === 'input') && this.#uses.get(t) === 1) freed += hostBytes(t);
    }
    return freed > this.#made[i]!;
  }
}
