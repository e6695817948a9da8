// Minimum s-t cut by Dinic's algorithm (Dinitz 1970).

/** A directed network; capacities may be Infinity. */
export class Network {
  readonly #to: number[] = [];
  readonly #capacity: number[] = [];
  readonly #edges: number[][] = [];

  node(): number {
    return this.#edges.push([]) - 1;
  }

  edge(from: number, to: number, capacity: number): void {
    this.#edges[from]!.push(this.#to.push(to) - 1);
    this.#capacity.push(capacity);
    this.#edges[to]!.push(this.#to.push(from) - 1);
    this.#capacity.push(0);
  }

  /** The nodes on the source's side of a minimum cut. There must be no path of infinite capacity. */
  sourceSide(source: number, sink: number): Set<number> {
    for (;;) {
      const level = this.#levels(source);
      if (level[sink] === -1) return new Set(level.flatMap((l, node) => (l >= 0 ? [node] : [])));
      const next = new Array<number>(level.length).fill(0);
      while (this.#push(source, sink, Number.POSITIVE_INFINITY, level, next) > 0);
    }
  }

  /** Distance of each node from the source along edges with capacity left, -1 where there is no way. */
  #levels(source: number): number[] {
    const level = new Array<number>(this.#edges.length).fill(-1);
    level[source] = 0;
    const queue = [source];
    for (const node of queue) {
      for (const e of this.#edges[node]!) {
        const to = this.#to[e]!;
        if (this.#capacity[e]! > 0 && level[to] === -1) {
          level[to] = level[node]! + 1;
          queue.push(to);
        }
      }
    }
    return level;
  }

  /** Sends what fits along one path that goes up the levels; `next` remembers exhausted edges. */
  #push(node: number, sink: number, limit: number, level: number[], next: number[]): number {
    if (node === sink) return limit;
    for (; next[node]! < this.#edges[node]!.length; next[node]!++) {
      const e = this.#edges[node]![next[node]!]!;
      const to = this.#to[e]!;
      if (this.#capacity[e]! <= 0 || level[to] !== level[node]! + 1) continue;
      const sent = this.#push(to, sink, Math.min(limit, this.#capacity[e]!), level, next);
      if (sent > 0) {
        this.#capacity[e]! -= sent;
        this.#capacity[e ^ 1]! += sent;
        return sent;
      }
    }
    return 0;
  }
}
