// Padding with what lies at the edges: rows picked by index, axis by axis.
import { showShape } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import { Tensor } from '../graph.js';
import { gather } from './gather.js';

/** 'reflect': mirrored, the edge itself not repeated; 'replicate': the edge repeated. As PyTorch's pad. */
export type EdgeMode = 'reflect' | 'replicate';

/** Where element i of a padded axis comes from, i counted from the first own element. */
function source(i: number, size: number, mode: EdgeMode): number {
  if (mode === 'replicate') return Math.min(Math.max(i, 0), size - 1);
  return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
}

/**
 * Puts copies of x's own elements around it: `amounts[i]` is [before, after] of axis i. Errors: ShapeError for amounts that
 * do not fit (reflect has size - 1 elements to give, replicate needs one), OptionError for another mode.
 */
export function padEdges(x: Tensor, amounts: readonly (readonly [number, number])[], mode: EdgeMode): Tensor {
  if (mode !== 'reflect' && mode !== 'replicate') {
    throw new OptionError({
      where: 'padEdges',
      problem: `mode is ${String(mode)}`,
      hint: "'reflect' or 'replicate'",
      values: { mode },
    });
  }
  const most = (d: number): number => (mode === 'reflect' ? d - 1 : d > 0 ? Number.POSITIVE_INFINITY : 0);
  const fits = amounts.every((pair, i) =>
    pair.every((n) => Number.isInteger(n) && n >= 0 && n <= Math.max(0, most(x.shape[i] ?? 0))),
  );
  if (amounts.length !== x.rank || !fits) {
    throw new ShapeError({
      where: 'padEdges',
      problem: `amounts ${JSON.stringify(amounts)} do not fit ${showShape(x.shape)}`,
      hint: `one [before, after] of whole numbers >= 0 for each axis${mode === 'reflect' ? ', below its size' : ''}`,
      values: { amounts, shape: x.shape },
    });
  }
  return amounts.reduce((t, [before, after], axis) => {
    if (before + after === 0) return t;
    const size = x.shape[axis]!;
    const from = Int32Array.from({ length: before + size + after }, (_, i) => source(i - before, size, mode));
    return gather(t, new Tensor({ kind: 'data', data: from }, [from.length], 'int32'), axis);
  }, x);
}
