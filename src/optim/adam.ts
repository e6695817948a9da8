// Adam and what was made of it: AdamW, AMSGrad, LAMB.
import type { Tensor, Variable } from '../graph.js';
import { add, div, less, logicalAnd, maximum, mul, sqrt, square, sub, where } from '../ops/index.js';
import {
  averaged,
  checkFraction,
  checkPositive,
  globalNorm,
  type Item,
  Optimizer,
  type OptimizerOptions,
  withDecay,
} from './optimizer.js';

export interface MomentOptions extends OptimizerOptions {
  /** 0.001 where not said. */
  lr?: number;
  /** Decay of the means of gradients and of their squares; [0.9, 0.999] where not said. */
  betas?: readonly [number, number];
  /** 1e-8 for Adam, 1e-6 for LAMB where not said. */
  eps?: number;
}

export interface AdamOptions extends MomentOptions {
  /** weightDecay is not L2 as in `sgd` but shrinks the weights themselves (Loshchilov and Hutter 2019). */
  decoupled?: boolean;
  /** Divides by the largest mean square so far, so that steps never grow (Reddi, Kale and Kumar 2018). */
  amsgrad?: boolean;
}

/** What the family has in common: the betas and their powers. */
abstract class Moments extends Optimizer {
  protected readonly eps: number;
  readonly #betas: readonly [number, number];
  /** beta1 and beta2 to the power of the step. */
  readonly #power1: Variable;
  readonly #power2: Variable;

  constructor({ betas = [0.9, 0.999], lr = 1e-3, eps = 1e-8, ...options }: MomentOptions) {
    super({ lr, ...options });
    checkFraction('betas[0]', betas[0]);
    checkFraction('betas[1]', betas[1]);
    checkPositive('eps', eps);
    this.#betas = betas;
    this.eps = eps;
    this.#power1 = this.scalar('beta1^step', 1);
    this.#power2 = this.scalar('beta2^step', 1);
  }

  /** 1 - beta1^step and 1 - beta2^step: the part of the means that is not their start at 0. */
  protected corrections(): [Tensor, Tensor] {
    const powers = [mul(this.#power1, this.#betas[0]), mul(this.#power2, this.#betas[1])] as const;
    this.#power1.assign(powers[0]);
    this.#power2.assign(powers[1]);
    return [sub(1, powers[0]), sub(1, powers[1])];
  }

  /** The next means of the gradients and of their squares; `others` are further states of the parameter. */
  protected moments(parameter: Item['parameter'], g: Tensor, others = 0): [Tensor, Tensor, ...Variable[]] {
    const [mean, meanSquare, ...rest] = this.stateOf(parameter, 2 + others) as [Variable, Variable];
    const m = averaged(mean, g, this.#betas[0]);
    const v = averaged(meanSquare, square(g), this.#betas[1]);
    mean.assign(m);
    meanSquare.assign(v);
    return [m, v, ...rest];
  }
}

/** Adam (Kingma and Ba 2015): p = p - lr m' / (sqrt(v') + eps), m' and v' corrected for their start at 0. */
export class Adam extends Moments {
  readonly #decoupled: boolean;
  readonly #amsgrad: boolean;

  constructor({ decoupled = false, amsgrad = false, ...options }: AdamOptions = {}) {
    super(options);
    this.#decoupled = decoupled;
    this.#amsgrad = amsgrad;
  }

  protected apply(items: readonly Item[]): void {
    const [correction1, correction2] = this.corrections();
    const root2 = sqrt(correction2);
    const stepSizes = new Map<Tensor, Tensor>();
    for (const item of items) {
      const { parameter: p, gradient, lr, weightDecay } = item;
      const stepSize = stepSizes.get(lr) ?? div(lr, correction1);
      stepSizes.set(lr, stepSize);
      const g = this.#decoupled ? gradient : withDecay(item);
      const [m, v, largest] = this.moments(p, g, this.#amsgrad ? 1 : 0);
      let size = v;
      if (largest) {
        size = maximum(largest, v);
        largest.assign(size);
      }
      const start = weightDecay > 0 && this.#decoupled ? mul(p, sub(1, mul(lr, weightDecay))) : p;
      p.assign(sub(start, div(mul(m, stepSize), add(div(sqrt(size), root2), this.eps))));
    }
  }
}

/**
 * LAMB (You et al., "Large batch optimization for deep learning", 2020): Adam's direction, with the decay of AdamW, scaled
 * for each parameter to the norm of its weights: r = m' / (sqrt(v') + eps) + weightDecay p;
 * p = p - lr (|p| / |r|) r, the ratio 1 where one of the norms is 0.
 */
export class Lamb extends Moments {
  constructor({ eps = 1e-6, ...options }: MomentOptions = {}) {
    super({ eps, ...options });
  }

  protected apply(items: readonly Item[]): void {
    const [correction1, correction2] = this.corrections();
    for (const { parameter: p, gradient, lr, weightDecay } of items) {
      const [m, v] = this.moments(p, gradient);
      const adam = div(div(m, correction1), add(sqrt(div(v, correction2)), this.eps));
      const r = weightDecay > 0 ? add(adam, mul(p, weightDecay)) : adam;
      const [weights, step] = [globalNorm([p]), globalNorm([r])];
      const ratio = where(logicalAnd(less(0, weights), less(0, step)), div(weights, step), 1);
      p.assign(sub(p, mul(r, mul(ratio, lr))));
    }
  }
}

/** Adam. */
export const adam = (options?: AdamOptions): Adam => new Adam(options);
/** Adam with decoupled weight decay, 0.01 where not said. */
export const adamW = (options: AdamOptions = {}): Adam =>
  new Adam({ weightDecay: 0.01, ...options, decoupled: true });
/** Adam that divides by the largest mean square so far. */
export const amsGrad = (options: AdamOptions = {}): Adam => new Adam({ ...options, amsgrad: true });
/** LAMB, for large batches. */
export const lamb = (options?: MomentOptions): Lamb => new Lamb(options);
