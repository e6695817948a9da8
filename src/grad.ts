// Reverse-mode differentiation, graph to graph: one walk that owns accumulation and un-broadcasting.
import { Recomputation } from './checkpoint.js';
import { isFloat, sameShape, showShape } from './dtype.js';
import { DTypeError, ShapeError, StateError } from './errors.js';
import { constant, currentValue, type Tensor, withValuesAsRecorded } from './graph.js';
import { add, broadcastTo, mul, reshape, sum, zeros } from './ops/index.js';

/** Sums `dy` down to `shape`, which was broadcast to dy's. */
function unbroadcast(dy: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(dy.shape, shape)) return dy;
  const lead = dy.rank - shape.length;
  const stretched = dy.shape.map((_, i) => i).filter((i) => i < lead || shape[i - lead] !== dy.shape[i]);
  return reshape(sum(dy, stretched), shape);
}

/** Every tensor on a path from one of `from` to `to`. */
function pathsBetween(from: ReadonlySet<Tensor>, to: Tensor): Set<Tensor> {
  const on = new Map<Tensor, boolean>();
  const stack: Tensor[] = [to];
  while (stack.length > 0) {
    const t = stack.at(-1)!;
    const inputs = t.source.kind === 'op' ? t.source.inputs : [];
    const open = inputs.filter((i) => !on.has(i));
    if (open.length > 0 && !on.has(t)) {
      stack.push(...open);
      continue;
    }
    stack.pop();
    on.set(t, from.has(t) || inputs.some((i) => on.get(i)));
  }
  return new Set([...on].filter(([, yes]) => yes).map(([t]) => t));
}

/**
 * Vector-Jacobian product: for y of any shape and dy of the same shape, sum(dy * dy/dx) for each of `xs`; null where y
 * does not depend on it. The results are tensors of the graph, so they can be differentiated again.
 */
export function vjp(y: Tensor, xs: readonly Tensor[], dy: Tensor): (Tensor | null)[] {
  if (!isFloat(y.dtype)) {
    throw new DTypeError({
      where: 'grad',
      problem: `only floats have gradients, this is ${y.dtype}`,
      hint: 'cast before',
    });
  }
  // A variable that was assigned in this trace stands for its new value, unless y was made of the old one.
  const current = xs.map((x) => currentValue(x, 'grad'));
  return withValuesAsRecorded(() => {
    const gradients = reverseWalk(y, new Set([...xs, ...current]), dy);
    return xs.map((x, i) => gradients.get(current[i]!) ?? gradients.get(x) ?? null);
  });
}

/** Gradients of f(inputs) by each input: none goes by way of one input to another that it was made of. */
function partials(
  f: (inputs: readonly Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  dy: Tensor,
): (Tensor | null)[] {
  const own = inputs.map((x) => (isFloat(x.dtype) ? mul(x, 1) : x));
  return vjp(f(own), own, dy);
}

/** Gradients of all tensors on the ways from `wanted` to y. */
function reverseWalk(y: Tensor, wanted: ReadonlySet<Tensor>, dy: Tensor): Map<Tensor, Tensor> {
  const onPath = pathsBetween(wanted, y);
  const recomputation = new Recomputation(wanted);
  const gradients = new Map<Tensor, Tensor>([
    [y, sameShape(dy.shape, y.shape) ? dy : broadcastTo(dy, y.shape)],
  ]);
  // Inputs have smaller ids than what is made of them, so ids from high to low are a reverse topological order.
  for (const t of [...onPath].sort((a, b) => b.id - a.id)) {
    const own = gradients.get(t);
    if (!own || t.source.kind !== 'op') continue;
    const { op, inputs, attributes, segment } = t.source;
    if (!op.gradient) continue;
    const value = (x: Tensor): Tensor => (segment ? recomputation.value(x, segment, own) : x);
    const parts = op.gradient({
      inputs: inputs.map(value),
      output: value(t),
      dy: own,
      attributes,
      partials,
    });
    inputs.forEach((input, i) => {
      const part = parts[i];
      if (!part || !onPath.has(input)) return;
      const whole = unbroadcast(part, input.shape);
      const before = gradients.get(input);
      gradients.set(input, before ? add(before, whole) : whole);
    });
  }
  return gradients;
}

/**
 * Gradients of a scalar by each of `xs`. A tensor on which `y` does not depend is an error: values that were read with
 * `data()` before, whole numbers and stopGradient cut the path.
 */
export function gradients(y: Tensor, xs: readonly Tensor[]): Tensor[] {
  if (y.size !== 1) {
    throw new ShapeError({
      where: 'grad',
      problem: `the result must be a scalar, it is ${showShape(y.shape)}`,
      hint: 'reduce it with sum() or mean(), or use vjp',
      values: { shape: y.shape },
    });
  }
  return vjp(y, xs, constant(1, y.dtype)).map((g, i) => {
    if (g) return g;
    throw new StateError({
      where: 'grad',
      problem: `the result does not depend on argument ${i}, ${xs[i]}`,
      hint: 'compute from it inside the function; data(), casts to whole numbers and stopGradient cut the path',
    });
  });
}

type Arguments = readonly Tensor[];

/**
 * The function that gives the value and the gradients of a scalar function by its arguments:
 * `const [value, [dw, db]] = valueAndGrad((w, b) => ...)(w, b)`.
 */
export const valueAndGrad =
  <T extends Arguments>(f: (...args: T) => Tensor) =>
  (...args: T): [Tensor, Tensor[]] => {
    const y = f(...args);
    return [y, gradients(y, args)];
  };

/** The function that gives the gradient of a scalar function by its first argument. */
export const grad =
  <T extends readonly [Tensor, ...Tensor[]]>(f: (...args: T) => Tensor) =>
  (...args: T): Tensor =>
    gradients(f(...args), [args[0]])[0]!;

/** Hessian of a scalar function at `xs` times the vector `vs`, without the Hessian (Pearlmutter 1994). */
export function hessianVectorProduct(
  f: (...args: Tensor[]) => Tensor,
  xs: readonly Tensor[],
  vs: readonly Tensor[],
): Tensor[] {
  const first = gradients(f(...xs), xs);
  const product = first.map((g, i) => sum(mul(g, vs[i]!))).reduce((a, b) => add(a, b));
  // A function that is linear in x has no second derivative by it.
  return vjp(product, xs, constant(1, product.dtype)).map((g, i) => g ?? zeros(xs[i]!.shape, xs[i]!.dtype));
}
