// Recompute instead of store: parts of the graph of which only the results stay in memory until the backward pass.
import { recordSegment, type Segment, Tensor } from './graph.js';

type Results = Tensor | readonly Tensor[];

/**
 * Marks a function of tensors whose intermediate values are not kept for the backward pass but computed again there:
 * memory of about one segment and all segments' results, for one more forward pass (Chen et al. 2016, "Training deep nets
 * with sublinear memory cost"). `checkpoint((x) => block(x))(x)`; what the function uses besides its arguments,
 * parameters for instance, gets its gradients too. Values and gradients have the same bits as without. Random numbers are
 * drawn by counter, so dropout comes out the same. Checkpoints may lie within each other, and results may be tensors or
 * lists of them.
 */
export const checkpoint =
  <A extends readonly Tensor[], R extends Results>(f: (...args: A) => R) =>
  (...args: A): R =>
    recordSegment(
      () => f(...args),
      (result) => (result instanceof Tensor ? [result] : (result as readonly Tensor[])),
    );

/** The values that gradient rules use in one backward pass: for the inside of segments, copies that come late. */
export class Recomputation {
  readonly #copies = new Map<Segment, Map<Tensor, Tensor>>();
  readonly #wanted: ReadonlySet<Tensor>;

  /** @param wanted tensors by which is differentiated: they stand for themselves */
  constructor(wanted: ReadonlySet<Tensor>) {
    this.#wanted = wanted;
  }

  /** What stands for `t` in the gradient of an op of `segment`; not to be computed before `after` is. */
  value(t: Tensor, segment: Segment | null, after: Tensor): Tensor {
    for (let s = segment; s; s = s.parent) if (this.#isInside(t, s)) return this.#copy(t, s, after);
    return t;
  }

  #isInside(t: Tensor, segment: Segment): boolean {
    if (t.source.kind !== 'op' || segment.kept.has(t) || this.#wanted.has(t)) return false;
    let s: Segment | null = t.source.segment ?? null;
    while (s && s !== segment) s = s.parent;
    return s === segment;
  }

  #copy(t: Tensor, segment: Segment, after: Tensor): Tensor {
    const copies = this.#copies.get(segment) ?? new Map<Tensor, Tensor>();
    this.#copies.set(segment, copies);
    const known = copies.get(t);
    if (known) return known;
    // What t is made of inside of the segment; ids grow with the order of recording.
    const open = new Set([t]);
    for (const x of open) {
      for (const i of x.source.kind === 'op' ? x.source.inputs : []) {
        if (this.#isInside(i, segment) && !copies.has(i)) open.add(i);
      }
    }
    for (const x of [...open].sort((a, b) => a.id - b.id)) {
      if (x.source.kind !== 'op') continue;
      const { op, inputs, attributes, after: before = [] } = x.source;
      const own = inputs.map((i) => copies.get(i) ?? this.value(i, segment.parent, after));
      const source = { kind: 'op', op, inputs: own, attributes, after: [...before, after] } as const;
      copies.set(x, new Tensor(source, x.shape, x.dtype));
    }
    return copies.get(t)!;
  }
}
