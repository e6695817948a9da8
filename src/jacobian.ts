// Forward-mode products and whole Jacobians, from the reverse walk alone.
import { dtypes, sameShape, showShape } from './dtype.js';
import { ShapeError } from './errors.js';
import { vjp } from './grad.js';
import { Tensor } from './graph.js';
import { add, concat, reshape, transpose, zeros } from './ops/index.js';

/**
 * Jacobian-vector product: the value of `f` at `xs`, and by how much it changes along `vs`, sum over i of dy/dx_i v_i, of
 * the shape of the value. Made of two reverse walks, of which only the second is computed (Townsend 2017); a forward and
 * about as much again. `const [y, dy] = jvp((x) => x.square(), [x], [v])`
 */
export function jvp(
  f: (...args: Tensor[]) => Tensor,
  xs: readonly Tensor[],
  vs: readonly Tensor[],
): [Tensor, Tensor] {
  const wrong = xs.findIndex((x, i) => !vs[i] || !sameShape(vs[i].shape, x.shape));
  if (wrong >= 0 || vs.length !== xs.length) {
    throw new ShapeError({
      where: 'jvp',
      problem: `arguments are ${xs.map((x) => showShape(x.shape))}, directions ${vs.map((v) => showShape(v.shape))}`,
      hint: 'give a direction of the same shape for each argument',
      values: { arguments: xs.map((x) => x.shape), directions: vs.map((v) => v.shape) },
    });
  }
  const y = f(...xs);
  // The reverse product is linear in u, whatever u is: its own reverse product is the forward one.
  const u = zeros(y.shape, y.dtype);
  const parts = vjp(y, xs, u).flatMap((g, i) => (g ? (vjp(g, [u], vs[i]!)[0] ?? []) : []));
  return [y, parts.length > 0 ? parts.reduce((a, b) => add(a, b)) : zeros(y.shape, y.dtype)];
}

/** All tensors of a shape with a single 1. */
const unitVectors = ({ shape, dtype, size }: Tensor): Tensor[] =>
  Array.from({ length: size }, (_, i) => {
    const data = new dtypes[dtype].array(size);
    data[i] = 1;
    return new Tensor({ kind: 'data', data }, shape, dtype);
  });

/**
 * The function that gives all derivatives of `f` at x: of the shape of the value followed by the shape of x. It takes a
 * walk for each element of the value or of x, whichever are fewer: meant for small ones.
 */
export const jacobian =
  (f: (x: Tensor) => Tensor) =>
  (x: Tensor): Tensor => {
    const y = f(x);
    const shape = [...y.shape, ...x.shape];
    if (y.size === 0 || x.size === 0) return zeros(shape, y.dtype);
    if (y.size <= x.size) {
      const rows = unitVectors(y).map((dy) => vjp(y, [x], dy)[0]);
      return rows[0] ? reshape(stack(rows as Tensor[], x.size), shape) : zeros(shape, y.dtype);
    }
    const u = zeros(y.shape, y.dtype);
    const [g] = vjp(y, [x], u);
    const columns = g ? unitVectors(x).map((v) => vjp(g, [u], v)[0]) : [];
    return columns[0] ? reshape(transpose(stack(columns as Tensor[], y.size)), shape) : zeros(shape, y.dtype);
  };

const stack = (rows: readonly Tensor[], size: number): Tensor =>
  concat(
    rows.map((row) => reshape(row, [1, size])),
    0,
  );
