// The way back in time of a recurrent network: the slow obvious one, and the same as a composition of ops, from which
// second derivatives come.
import type { Tensor } from '../graph.js';
import { add, less, where } from './arithmetic.js';
import type { ReferenceContext } from './define.js';
import { matmul } from './matmul.js';
import { concat, reshape, slice } from './movement.js';
import { type Cell, scalars, tensors } from './recurrent-cells.js';
import { type GradientAttributes, gradientLayout, type Layout, presence } from './recurrent-layout.js';

export function gradientReference(
  cell: Cell,
  l: Layout,
  { values, attributes, out }: ReferenceContext<GradientAttributes>,
): void {
  const { steps, batch, hidden, plane } = l;
  const { packed, weights, lengths, dKept, ...given } = presence(values, attributes);
  const dStates = [given.dHidden, given.dCell].slice(0, cell.states);
  const carried = dStates.map(() => new Float64Array(plane));
  /** Gradients of the later step, (B, parts, H); null at the last one. */
  let later: Float64Array | null = null;
  const product = (b: number, j: number): number => {
    let total = 0;
    for (const [g, part] of cell.recurrentParts.entries()) {
      for (let k = 0; later && k < hidden; k++)
        total += later[(b * cell.parts + part) * hidden + k]! * weights[(j * cell.gates + g) * hidden + k]!;
    }
    return total;
  };
  const arriving = (b: number, j: number, row: number): number[] =>
    dStates.map((d, i) => {
      const at = b * hidden + j;
      return (i === 0 ? product(b, j) : 0) + carried[i]![at]! + (d ? d[row * plane + at]! : 0);
    });
  for (const t of l.times.toReversed()) {
    const made = new Float64Array(plane * cell.parts);
    for (let b = 0; b < batch; b++) {
      const active = !lengths || t < lengths[b]!;
      for (let j = 0; j < hidden; j++) {
        const at = b * hidden + j;
        const dAfter = arriving(b, j, l.rowAfter(t));
        if (!active) {
          for (const [i, d] of dAfter.entries()) carried[i]![at] = d;
          continue;
        }
        const kept = Array.from(
          { length: cell.kept },
          (_, k) => ((t * batch + b) * cell.kept + k) * hidden + j,
        );
        const state = (row: number): number[] =>
          l.stateRows.map((first) => packed[(first + row) * plane + at]!);
        const { parts, before } = cell.backward(scalars, {
          kept: kept.map((place) => packed[place]!),
          before: state(l.rowBefore(t)),
          after: state(l.rowAfter(t)),
          dKept: kept.map((place) => (dKept ? dKept[place]! : 0)),
          dAfter,
        });
        for (const [p, d] of parts.entries()) made[(b * cell.parts + p) * hidden + j] = d;
        for (const [i, d] of before.entries()) carried[i]![at] = d;
      }
    }
    out.set(made, t * made.length);
    later = made;
  }
  if (!attributes.initial) return;
  for (let b = 0; b < batch; b++) {
    for (let j = 0; j < hidden; j++) {
      for (const [i, d] of arriving(b, j, l.firstState).entries())
        out[(steps * cell.parts + i) * plane + b * hidden + j] = d;
    }
  }
}

/** The same in ops. */
export function composedGradient(
  cell: Cell,
  inputs: readonly Tensor[],
  attributes: GradientAttributes,
): Tensor {
  const { packed, weights, lengths, dKept, ...given } = presence(inputs, attributes);
  const l = gradientLayout(cell, packed.shape, attributes);
  const { batch, hidden } = l;
  const dStates = [given.dHidden, given.dCell].slice(0, cell.states);
  const row = (x: Tensor, i: number): Tensor => reshape(slice(x, [i], [i + 1]), [batch, hidden]);
  const keptOf = (x: Tensor, t: number): Tensor[] => {
    const all = reshape(slice(x, [t * cell.kept], [(t + 1) * cell.kept]), [batch, cell.kept, hidden]);
    return Array.from({ length: cell.kept }, (_, k) =>
      reshape(slice(all, [0, k], [null, k + 1]), [batch, hidden]),
    );
  };
  const state = (i: number): Tensor[] => l.stateRows.map((first) => row(packed, first + i));
  const zero = (x: Tensor): Tensor => tensors.mul(x, 0);
  const nothing = zero(row(packed, 0));
  /** What arrives at the state of a row; the first term is the product with the later gradients. */
  const arriving = (product: Tensor, carried: readonly (Tensor | number)[], i: number): Tensor[] =>
    dStates.map((d, s) => {
      const own = tensors.add(s === 0 ? product : nothing, carried[s]!);
      return d ? add(own, row(d, i)) : own;
    });
  let product = nothing;
  let carried: readonly (Tensor | number)[] = dStates.map(() => 0);
  const made: Tensor[] = [];
  for (const t of l.times.toReversed()) {
    const dAfter = arriving(product, carried, l.rowAfter(t));
    const { parts, before } = cell.backward(tensors, {
      kept: cell.kept > 0 ? keptOf(packed, t) : [],
      before: state(l.rowBefore(t)),
      after: state(l.rowAfter(t)),
      dKept: dKept ? keptOf(dKept, t) : new Array<number>(cell.kept).fill(0),
      dAfter,
    });
    const active = lengths && reshape(less(t, lengths), [batch, 1]);
    const own = active ? parts.map((d) => where(active, d, 0)) : parts;
    carried = active ? before.map((d, i) => where(active, d, dAfter[i]!)) : before;
    made[t] = reshape(
      concat(
        own.map((d) => reshape(d, [batch, 1, hidden])),
        1,
      ),
      [cell.parts, batch, hidden],
    );
    const recurrent = concat(
      cell.recurrentParts.map((p) => own[p]!),
      1,
    );
    product = matmul(recurrent, weights, { transB: true });
  }
  const first = attributes.initial
    ? arriving(product, carried, l.firstState).map((d) => reshape(d, [1, batch, hidden]))
    : [];
  return concat([...made, ...first]);
}
