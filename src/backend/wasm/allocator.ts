// Which parts of the WASM memory are taken: a sorted list of the free ranges, best fit, neighbours joined on free.

/** Pieces begin at multiples of this: a cache line, so that threads never share one across pieces. */
export const alignment = 64;

export const alignUp = (n: number): number => Math.ceil(n / alignment) * alignment;

interface Range {
  start: number;
  end: number;
}

/** Hands out ranges of addresses; knows nothing of the memory behind them. */
export class Allocator {
  /** Free ranges by address, no two of them adjacent. */
  readonly #free: Range[] = [];
  readonly #taken = new Map<number, number>();
  #end: number;
  #grow: (bytes: number) => number | null;
  bytes = 0;

  /**
   * @param start first address that may be handed out
   * @param end end of the memory so far
   * @param grow makes the memory larger by at least so many bytes and returns its new end, or null
   */
  constructor(start: number, end: number, grow: (bytes: number) => number | null) {
    this.#end = end;
    this.#grow = grow;
    const first = alignUp(start);
    if (first < end) this.#free.push({ start: first, end });
  }

  get pieces(): number {
    return this.#taken.size;
  }

  /** Address of a new piece, or null when there is no room. */
  allocate(bytes: number): number | null {
    const size = Math.max(alignUp(bytes), alignment);
    let best = this.#bestFit(size);
    if (best < 0) {
      if (!this.#extend(size)) return null;
      best = this.#free.length - 1;
    }
    const range = this.#free[best] as Range;
    const address = range.start;
    range.start += size;
    if (range.start === range.end) this.#free.splice(best, 1);
    this.#taken.set(address, size);
    this.bytes += size;
    return address;
  }

  /** Whether there was a piece at this address. */
  free(address: number): boolean {
    const size = this.#taken.get(address);
    if (size === undefined) return false;
    this.#taken.delete(address);
    this.bytes -= size;
    this.#release({ start: address, end: address + size });
    return true;
  }

  /** Index of the smallest free range that holds `size` bytes, or -1. */
  #bestFit(size: number): number {
    let best = -1;
    let bestRoom = Number.POSITIVE_INFINITY;
    for (const [i, { start, end }] of this.#free.entries()) {
      const room = end - start;
      if (room >= size && room < bestRoom) {
        best = i;
        bestRoom = room;
      }
    }
    return best;
  }

  /** Grows the memory so that its last free range holds `size` bytes; false when it cannot. */
  #extend(size: number): boolean {
    const last = this.#free.at(-1);
    const room = last?.end === this.#end ? this.#end - last.start : 0;
    const end = this.#grow(size - room);
    if (end === null) return false;
    this.#release({ start: this.#end, end });
    this.#end = end;
    return true;
  }

  #release(range: Range): void {
    let i = this.#free.findIndex((r) => r.start > range.start);
    if (i < 0) i = this.#free.length;
    const before = this.#free[i - 1];
    const after = this.#free[i];
    const joinsBefore = before?.end === range.start;
    const joinsAfter = after?.start === range.end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#free.splice(i, 1);
    } else if (joinsBefore) before.end = range.end;
    else if (joinsAfter) after.start = range.start;
    else this.#free.splice(i, 0, range);
  }
}
