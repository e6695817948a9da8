// Gradient clipping: by the length of all gradients together (Pascanu et al. 2013), or element by element.
import { sizeOf } from '../dtype.js';
import { OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import type { Parameter } from '../nn/module.js';
import { add, clamp, div, matmul, minimum, mul, reshape, sqrt, sum } from '../ops/index.js';

function check(name: string, value: number): void {
  if (value > 0 && Number.isFinite(value)) return;
  throw new OptionError({
    where: 'clip',
    problem: `${name} is ${value}`,
    hint: 'a number > 0',
    values: { [name]: value },
  });
}

/** Rows of at least so many elements, where a tensor has them: each is a sum of its own, which keeps errors small. */
const rowLength = 256;

/** Sum of all squares, in one pass over memory: rows times themselves, all in one matrix product. */
function sumOfSquares(t: Tensor): Tensor {
  let cols = 1;
  let axis = t.rank;
  while (axis > 0 && cols < rowLength) cols *= t.shape[--axis]!;
  const rows = sizeOf(t.shape.slice(0, axis));
  return sum(matmul(reshape(t, [rows, 1, cols]), reshape(t, [rows, cols, 1])));
}

/** sqrt of the sum of all squares of all tensors: a scalar. Each is read once. Errors: OptionError where there are none. */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  const squares = tensors.map(sumOfSquares);
  const [first, ...rest] = squares;
  if (first) return sqrt(rest.reduce((a, b) => add(a, b), first));
  throw new OptionError({ where: 'globalNorm', problem: 'there are no tensors', hint: 'give at least one' });
}

/**
 * All gradients times min(1, maxNorm / (norm + 1e-6)), norm being that of all of them together, as in PyTorch's
 * clip_grad_norm_. Errors: OptionError.
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], maxNorm: number): Tensor[] {
  check('maxNorm', maxNorm);
  const factor = minimum(div(maxNorm, add(globalNorm(gradients), 1e-6)), 1);
  return gradients.map((g) => mul(g, factor));
}

/** Each element of each gradient kept within +-maxValue. Errors: OptionError. */
export function clipByValue(gradients: readonly Tensor[], maxValue: number): Tensor[] {
  check('maxValue', maxValue);
  return gradients.map((g) => clamp(g, -maxValue, maxValue));
}

export interface ClipOptions {
  /** Of all gradients together. */
  maxNorm?: number;
  /** Of each element; comes first where both are given. */
  maxValue?: number;
}

/** What clips: an optimizer's own method. */
interface Updates {
  update(parameters: readonly Parameter[], gradients: readonly Tensor[]): void;
}

/** Makes an optimizer clip its gradients, and returns it: `clipping(sgd({ lr: 0.1 }), { maxNorm: 1 })`. Errors: OptionError. */
export function clipping<T extends Updates>(optimizer: T, { maxNorm, maxValue }: ClipOptions): T {
  if (maxNorm !== undefined) check('maxNorm', maxNorm);
  if (maxValue !== undefined) check('maxValue', maxValue);
  const update = optimizer.update.bind(optimizer);
  optimizer.update = (parameters, gradients) => {
    const within = maxValue === undefined ? gradients : clipByValue(gradients, maxValue);
    update(parameters, maxNorm === undefined ? within : clipByGlobalNorm(within, maxNorm));
  };
  return optimizer;
}
