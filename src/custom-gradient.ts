// Functions whose gradient rule the user gives.
import { sameShape, showShape } from './dtype.js';
import { ShapeError, StateError } from './errors.js';
import { record, type Tensor } from './graph.js';
import type { ViewOp } from './ops/define.js';

/** What a gradient rule gets: the arguments, the result, and the gradient of what follows by it (its shape). */
export type GradientRule<A extends readonly Tensor[]> = (context: {
  inputs: A;
  output: Tensor;
  dy: Tensor;
}) => readonly (Tensor | null)[];

/**
 * A function of tensors with a gradient rule of its own, in place of what its ops would give: for rounding with a
 * straight-through gradient, reversed gradients, or formulas that are more exact or cheaper than the derived ones. The
 * rule returns one tensor for each argument, of the argument's shape, or null for none; it is made of ops, so it may be
 * differentiated again. Tensors that `f` uses without getting them as arguments have no gradient through it.
 *
 * `const round = customGradient((x) => x.add(0.5).floor(), ({ dy }) => [dy])`
 */
export function customGradient<A extends readonly Tensor[]>(
  f: (...args: A) => Tensor,
  gradient: GradientRule<A>,
): (...args: A) => Tensor {
  // The result's memory, seen through a node that has the arguments as further inputs.
  const definition: ViewOp = {
    kind: 'view',
    name: 'customGradient',
    infer: ([y]) => ({ shape: y!.shape, dtype: y!.dtype }),
    gradient({ inputs: [, ...inputs], output, dy }) {
      const parts = gradient({ inputs: inputs as unknown as A, output, dy });
      checkParts(parts, inputs);
      return [null, ...parts];
    },
    reference: ({ values: [y], out }) => out.set(y!),
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: [],
  };
  return (...args) => record(definition, [f(...args), ...args], {});
}

function checkParts(parts: readonly (Tensor | null)[], inputs: readonly Tensor[]): void {
  if (parts.length !== inputs.length) {
    throw new StateError({
      where: 'customGradient',
      problem: `the rule gave ${parts.length} gradients, the function has ${inputs.length} arguments`,
      hint: 'return one for each argument, null where there is none',
      values: { gradients: parts.length, arguments: inputs.length },
    });
  }
  for (const [i, part] of parts.entries()) {
    const wanted = inputs[i]!.shape;
    if (!part || sameShape(part.shape, wanted)) continue;
    throw new ShapeError({
      where: 'customGradient',
      problem: `gradient ${i} is ${showShape(part.shape)}, the argument is ${showShape(wanted)}`,
      hint: 'a gradient has the shape of its argument',
      values: { gradient: part.shape, argument: wanted },
    });
  }
}
