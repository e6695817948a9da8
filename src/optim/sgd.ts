// Stochastic gradient descent, with momentum and Nesterov's look ahead.
import type { Tensor, Variable } from '../graph.js';
import { add, mul, sub } from '../ops/index.js';
import { check, checkFraction, type Item, Optimizer, type OptimizerOptions, withDecay } from './optimizer.js';

export interface SgdOptions extends OptimizerOptions {
  lr: number;
  /** 0 where not said. */
  momentum?: number;
  /** Looks ahead (Nesterov 1983); needs momentum. */
  nesterov?: boolean;
}

/** Stochastic gradient descent: v = momentum v + g; p = p - lr v, as in PyTorch. */
export class Sgd extends Optimizer {
  readonly #momentum: number;
  readonly #nesterov: boolean;

  constructor({ momentum = 0, nesterov = false, ...options }: SgdOptions) {
    super(options);
    checkFraction('momentum', momentum);
    if (nesterov) check('momentum', momentum, momentum > 0, 'nesterov needs a momentum > 0');
    this.#momentum = momentum;
    this.#nesterov = nesterov;
  }

  protected apply(items: readonly Item[]): void {
    for (const item of items) {
      const { parameter: p, lr } = item;
      p.assign(sub(p, mul(this.#direction(item, withDecay(item)), lr)));
    }
  }

  #direction({ parameter }: Item, g: Tensor): Tensor {
    if (this.#momentum === 0) return g;
    const [velocity] = this.stateOf(parameter, 1) as [Variable];
    const v = add(mul(velocity, this.#momentum), g);
    velocity.assign(v);
    return this.#nesterov ? add(g, mul(v, this.#momentum)) : v;
  }
}

/** Stochastic gradient descent, with momentum if asked for. */
export const sgd = (options: SgdOptions): Sgd => new Sgd(options);
