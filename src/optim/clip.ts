// Gradient clipping: by the length of all gradients together (Pascanu et al. 2013), or element by element.
import { OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import type { Parameter } from '../nn/module.js';
import { add, clamp, div, matmul, minimum, mul, reshape, sqrt } from '../ops/index.js';

function check(name: string, value: number): void {
  if (value > 0 && Number.isFinite(value)) return;
  throw new OptionError({
    where: 'clip',
    problem: `${name} is ${value}`,
    hint: 'a number > 0',
    values: { [name]: value },
  });
}

/** sqrt of the sum of all squares of all tensors: a scalar. Each is read once, as a vector times itself. */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  const squares = tensors.map((t) => reshape(matmul(reshape(t, [1, t.size]), reshape(t, [t.size, 1])), []));
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
