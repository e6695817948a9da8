// Offsets in an arena for blocks of memory with lifetimes: no two that live at one moment overlap.
// Finding the smallest arena is NP-hard; several greedy orders are tried until one comes close to the lower bound.

/** A piece of memory that is in use from `first` to `last`, both included. */
export interface Block {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface Layout {
  /** In the order of the blocks. */
  readonly offsets: readonly number[];
  /** What the arena must hold. */
  readonly bytes: number;
}

/** An arena within this much of the lower bound is good enough. */
const closeEnough = 1.01;
/** How often the block that makes an arena large is put first, and from how many blocks on it would take too long. */
const repairs = 24;
const mostForRepairs = 600;

/** The largest sum of blocks that live at one moment: no arena can be smaller. */
export function largestLiveSet(blocks: readonly Block[]): number {
  return liveAt(blocks).reduce((most, live) => Math.max(most, live), 0);
}

/** Bytes in use at each moment. */
function liveAt(blocks: readonly Block[]): number[] {
  const end = blocks.reduce((n, b) => Math.max(n, b.last), 0);
  const change = new Array<number>(end + 2).fill(0);
  for (const { first, last, bytes } of blocks) {
    change[first]! += bytes;
    change[last + 1]! -= bytes;
  }
  let live = 0;
  return change.map((c) => {
    live += c;
    return live;
  });
}

/** Places the blocks one after the other, each at the lowest offset of a piece that is free during its whole life. */
function placeInOrder(blocks: readonly Block[], order: readonly number[], pieceBytes: number): Layout {
  const count = blocks.length;
  const offsets = new Array<number>(count).fill(0);
  // Those that are placed, by offset.
  const firsts = new Int32Array(count);
  const lasts = new Int32Array(count);
  const starts = new Float64Array(count);
  const ends = new Float64Array(count);
  let total = 0;
  for (let placed = 0; placed < count; placed++) {
    const { bytes, first, last } = blocks[order[placed]!]!;
    let offset = 0;
    for (let p = 0; p < placed; p++) {
      if (firsts[p]! > last || first > lasts[p]!) continue;
      if (offset + bytes <= starts[p]!) break;
      if (ends[p]! > offset) {
        offset = ends[p]!;
        const over = (offset % pieceBytes) + bytes - pieceBytes;
        if (over > 0) offset += bytes - over; // the start of the next piece
      }
    }
    let at = 0;
    for (let high = placed; at < high; ) {
      const middle = (at + high) >> 1;
      if (starts[middle]! <= offset) at = middle + 1;
      else high = middle;
    }
    for (const list of [firsts, lasts, starts, ends]) list.copyWithin(at + 1, at, placed);
    firsts[at] = first;
    lasts[at] = last;
    starts[at] = offset;
    ends[at] = offset + bytes;
    offsets[order[placed]!] = offset;
    total = Math.max(total, offset + bytes);
  }
  return { offsets, bytes: total };
}

const sortedBy = (blocks: readonly Block[], ...keys: ((b: Block) => number)[]): number[] =>
  blocks
    .map((_, i) => i)
    .sort((i, j) => {
      for (const key of keys) {
        const difference = key(blocks[i]!) - key(blocks[j]!);
        if (difference !== 0) return difference;
      }
      return i - j;
    });

/** The moments with most bytes in use first, at each of them the largest blocks first (Pisarchyk and Lee 2020). */
function byBreadth(blocks: readonly Block[]): number[] {
  const live = liveAt(blocks);
  const fullest = live.map((_, moment) => moment).sort((a, b) => live[b]! - live[a]! || a - b);
  const rank = new Array<number>(live.length);
  for (const [i, moment] of fullest.entries()) rank[moment] = i;
  const earliest = blocks.map(({ first, last }) => {
    let best = rank[first]!;
    for (let moment = first + 1; moment <= last; moment++) best = Math.min(best, rank[moment]!);
    return best;
  });
  return blocks
    .map((_, i) => i)
    .sort((i, j) => earliest[i]! - earliest[j]! || blocks[j]!.bytes - blocks[i]!.bytes || i - j);
}

const duration = ({ first, last }: Block): number => last - first + 1;

/** Offsets for all blocks, none of which lies across two pieces of memory; the same for the same blocks. */
export function assignOffsets(blocks: readonly Block[], pieceBytes: number): Layout {
  const goal = largestLiveSet(blocks) * closeEnough;
  const orders = [
    () =>
      sortedBy(
        blocks,
        (b) => -b.bytes,
        (b) => b.first,
      ),
    () => byBreadth(blocks),
    () =>
      sortedBy(
        blocks,
        (b) => -duration(b),
        (b) => -b.bytes,
      ),
    () => sortedBy(blocks, (b) => -b.bytes * duration(b)),
    () =>
      sortedBy(
        blocks,
        (b) => b.first,
        (b) => -b.bytes,
      ),
  ];
  let order: number[] = [];
  let best: Layout = { offsets: [], bytes: Number.POSITIVE_INFINITY };
  const attempt = (next: number[]): void => {
    const layout = placeInOrder(blocks, next, pieceBytes);
    if (layout.bytes < best.bytes) [order, best] = [next, layout];
  };
  for (const make of orders) {
    attempt(make());
    if (best.bytes <= goal) return best;
  }
  if (blocks.length > mostForRepairs) return best;
  for (let n = 0; n < repairs && best.bytes > goal; n++) {
    const { bytes, offsets } = best;
    const top = order.filter((i) => offsets[i]! + blocks[i]!.bytes === bytes);
    attempt([...top, ...order.filter((i) => !top.includes(i))]);
    if (best.bytes === bytes) break;
  }
  return best;
}
