// Fifth pass: where each value lies in its backend's arena, from when to when.
import type { Backend, BackendName } from '../backend/backend.js';
import type { Tensor, Variable } from '../graph.js';
import { type Group, membersOf } from './fuse.js';
import { type NeededGraph, type OpTensor, rootOf } from './graph.js';
import { assignOffsets, type Block, largestLiveSet } from './offsets.js';

/** A run of groups on one backend, and the values that must be brought there before. */
export interface Segment {
  readonly backend: BackendName;
  readonly groups: readonly Group[];
  readonly arrivals: readonly { readonly value: Tensor; readonly from: BackendName }[];
}

/** Where a value lies in an arena, in bytes. */
export interface Slot {
  readonly offset: number;
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly segments: readonly Segment[];
  readonly slots: ReadonlyMap<BackendName, ReadonlyMap<Tensor, Slot>>;
  readonly arenaBytes: ReadonlyMap<BackendName, number>;
  /** The largest sum of values that live at one moment, the least that any arena needs. */
  readonly liveBytes: ReadonlyMap<BackendName, number>;
}

/** A value on a backend, from its first to its last group (both included). */
interface Lifetime {
  value: Tensor;
  bytes: number;
  first: number;
  last: number;
}

const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/**
 * @param keepFeeds host data stay where they are between runs (they are written once), so they live all the time.
 */
export function planMemory(
  graph: NeededGraph,
  groups: readonly Group[],
  inPlace: ReadonlyMap<Tensor, Variable>,
  backends: readonly Backend[],
  keepFeeds: boolean,
): MemoryPlan {
  const byName = new Map(backends.map((b) => [b.name, b]));
  const position = new Map<Tensor, number>(
    groups.flatMap((g, i) => membersOf(g).map((t): [Tensor, number] => [t, i])),
  );
  const segmentStart = groups.map((_, i) => i);
  for (let i = 1; i < groups.length; i++) {
    if (groups[i]!.backend === groups[i - 1]!.backend) segmentStart[i] = segmentStart[i - 1]!;
  }
  const lifetimes = new Map<BackendName, Map<Tensor, Lifetime>>(backends.map((b) => [b.name, new Map()]));
  const end = groups.length;
  const extend = (backend: BackendName, value: Tensor, from: number, to: number): void => {
    const list = lifetimes.get(backend)!;
    const known = list.get(value);
    if (known) {
      known.first = Math.min(known.first, from);
      known.last = Math.max(known.last, to);
    } else {
      list.set(value, { value, bytes: byName.get(backend)!.bytesOf(value), first: from, last: to });
    }
  };
  const arrivals = new Map<number, { value: Tensor; from: BackendName }[]>();

  // Every read of a value from outside of its group, by place of reading.
  for (const [i, group] of groups.entries()) {
    const members = new Set<Tensor>(membersOf(group));
    for (const t of members as ReadonlySet<OpTensor>) {
      for (const input of t.source.inputs.map(rootOf)) {
        const { kind } = input.source;
        if (kind === 'variable' || members.has(input)) continue;
        if (kind === 'constant' && t !== group.kernel) continue;
        const made = position.get(input);
        if (made === undefined) {
          extend(group.backend, input, 0, i);
          continue;
        }
        const from = groups[made]!.backend;
        if (from === group.backend) {
          if (!inPlace.has(input)) extend(from, input, made, i);
          continue;
        }
        const start = segmentStart[i]!;
        if (!inPlace.has(input)) extend(from, input, made, start);
        if (!lifetimes.get(group.backend)!.has(input)) {
          arrivals.set(start, [...(arrivals.get(start) ?? []), { value: input, from }]);
        }
        extend(group.backend, input, start, i);
      }
    }
  }
  for (const output of graph.outputs.map(rootOf)) {
    if (output.source.kind === 'variable' || inPlace.has(output)) continue;
    const made = position.get(output);
    if (made !== undefined) extend(groups[made]!.backend, output, made, end);
    else extend(usedOn(lifetimes, output) ?? backends.at(-1)!.name, output, 0, end);
  }
  for (const feed of keepFeeds ? graph.feeds : []) {
    if (feed.source.kind === 'input') continue;
    for (const list of lifetimes.values()) {
      const lifetime = list.get(feed);
      if (lifetime) [lifetime.first, lifetime.last] = [0, end];
    }
  }
  // A kernel without a chain needs a place for its result even if nobody reads it.
  for (const [i, { kernel, chain, backend }] of groups.entries()) {
    const last = chain.at(-1) ?? kernel!;
    const stored = membersOf(groups[i]!).some((t) => inPlace.has(t) || lifetimes.get(backend)!.has(t));
    if (!stored) extend(backend, last, i, i);
  }

  const slots = new Map<BackendName, Map<Tensor, Slot>>();
  const arenaBytes = new Map<BackendName, number>();
  const liveBytes = new Map<BackendName, number>();
  for (const [name, list] of lifetimes) {
    const backend = byName.get(name)!;
    const blocks = shareMemory(list, groups, backend);
    const { offsets, bytes } = assignOffsets(blocks, backend.pieceBytes);
    const own = new Map<Tensor, Slot>();
    for (const [i, block] of blocks.entries()) {
      for (const value of block.values) own.set(value, { offset: offsets[i]!, bytes: block.bytes });
    }
    slots.set(name, own);
    arenaBytes.set(name, bytes);
    liveBytes.set(name, largestLiveSet(blocks));
  }
  const segments = cutSegments(groups, segmentStart, arrivals);
  return { segments, slots, arenaBytes, liveBytes };
}

const usedOn = (
  lifetimes: ReadonlyMap<BackendName, ReadonlyMap<Tensor, Lifetime>>,
  t: Tensor,
): BackendName | undefined => [...lifetimes].find(([, list]) => list.has(t))?.[0];

/** Values that lie in one place one after the other. */
interface SharedBlock extends Block {
  values: Tensor[];
  last: number;
}

/**
 * Where a chain stores a value element by element, and reads another one for the last time, the two share a place: for
 * each element all loads of a chain come before its stores. So sums and activations take no memory beside what they are
 * made of.
 */
function shareMemory(
  lifetimes: ReadonlyMap<Tensor, Lifetime>,
  groups: readonly Group[],
  target: Backend,
): SharedBlock[] {
  const { name, alignment } = target;
  const blocks = new Map<Tensor, SharedBlock>();
  for (const { value, bytes, first, last } of lifetimes.values()) {
    const size = Math.max(alignment, roundUp(bytes, alignment));
    // On a GPU small values have places of their own: updates that could go together would wait for a number's place.
    const always = target.fusesEpilogue && size === alignment;
    const time = always ? { first: 0, last: groups.length } : { first, last };
    blocks.set(value, { values: [value], bytes: size, ...time });
  }
  for (const [i, { backend, kernel, chain, prologue = [] }] of groups.entries()) {
    if (backend !== name) continue;
    const streamed = kernel ? prologue : chain;
    const results = streamed.filter((t) => lifetimes.has(t));
    if (results.length === 0) continue;
    const inside = new Set<Tensor>(streamed);
    const dying = new Set<Tensor>();
    for (const input of streamed.flatMap((t) => t.source.inputs.map(rootOf))) {
      const block = blocks.get(input);
      if (block && block.last === i && !inside.has(input)) dying.add(input);
    }
    for (const result of results) {
      for (const input of dying) {
        // As many elements as the chain has: such an operand is not broadcast.
        if (input.size !== result.size || target.bytesOf(input) !== target.bytesOf(result)) continue;
        const block = blocks.get(input)!;
        block.values.push(result);
        block.last = lifetimes.get(result)!.last;
        blocks.set(result, block);
        dying.delete(input);
        break;
      }
    }
  }
  return [...new Set(blocks.values())];
}

function cutSegments(
  groups: readonly Group[],
  segmentStart: readonly number[],
  arrivals: ReadonlyMap<number, { value: Tensor; from: BackendName }[]>,
): Segment[] {
  const starts = [...new Set(segmentStart)];
  return starts.map((start, i) => ({
    backend: groups[start]!.backend,
    groups: groups.slice(start, starts[i + 1] ?? groups.length),
    arrivals: arrivals.get(start) ?? [],
  }));
}
