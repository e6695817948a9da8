// A value with a gradient rule of its own.
import { record, type Tensor } from '../graph.js';
import type { ViewOp } from './define.js';

/**
 * `value`, computed as it is, whose gradient is what `rule` says: for each of `inputs`, from the gradient `dy` of the
 * value. What `value` was made of is not differentiated. The rule is written in ops, so it can be differentiated again;
 * it gets the inputs as they were when this was recorded. The scheduler sees only `value`.
 */
export function withGradient(
  value: Tensor,
  inputs: readonly Tensor[],
  rule: (dy: Tensor, inputs: readonly Tensor[]) => readonly (Tensor | null)[],
): Tensor {
  const definition: ViewOp = {
    kind: 'view',
    name: 'withGradient',
    infer: ([v]) => ({ shape: v!.shape, dtype: v!.dtype }),
    gradient: ({ inputs: [, ...own], dy }) => [null, ...rule(dy, own)],
    reference: ({ values: [v], out }) => out.set(v!),
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: [],
  };
  return record(definition, [value, ...inputs], {});
}
