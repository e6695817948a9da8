// Optimizers with a step size of its own for each weight, and no bias corrections: Adagrad, RMSProp, Adadelta, Lion.
import type { Variable } from '../graph.js';
import { add, div, maximum, mul, sign, sqrt, square, sub } from '../ops/index.js';
import {
  averaged,
  checkFraction,
  checkNotNegative,
  checkPositive,
  type Item,
  Optimizer,
  type OptimizerOptions,
  withDecay,
} from './optimizer.js';

export interface AdagradOptions extends OptimizerOptions {
  /** 0.01 where not said. */
  lr?: number;
  /** The rate is divided by 1 + lrDecay steps; 0 where not said. */
  lrDecay?: number;
  /** What the sums of squares start at; 0 where not said. */
  initialAccumulator?: number;
  /** 1e-10 where not said. */
  eps?: number;
}

/** Adagrad (Duchi, Hazan and Singer 2011): s = s + g^2; p = p - lr g / (sqrt(s) + eps), as in PyTorch. */
export class Adagrad extends Optimizer {
  readonly #eps: number;
  readonly #start: number;
  readonly #lrDecay: number;
  /** 1 + lrDecay times the steps before. */
  readonly #divisor: Variable | null;

  constructor({
    lr = 0.01,
    lrDecay = 0,
    initialAccumulator = 0,
    eps = 1e-10,
    ...options
  }: AdagradOptions = {}) {
    super({ lr, ...options });
    checkPositive('eps', eps);
    checkNotNegative('lrDecay', lrDecay);
    checkNotNegative('initialAccumulator', initialAccumulator);
    this.#eps = eps;
    this.#start = initialAccumulator;
    this.#lrDecay = lrDecay;
    this.#divisor = lrDecay > 0 ? this.scalar('divisor of the rate', 1) : null;
  }

  protected apply(items: readonly Item[]): void {
    const divisor = this.#divisor;
    for (const item of items) {
      const { parameter: p, lr } = item;
      const g = withDecay(item);
      const [total] = this.stateOf(p, 1, this.#start) as [Variable];
      const s = add(total, square(g));
      const rate = divisor ? div(lr, divisor) : lr;
      p.assign(sub(p, mul(div(g, add(sqrt(s), this.#eps)), rate)));
      total.assign(s);
    }
    divisor?.assign(add(divisor, this.#lrDecay));
  }
}

export interface RmsPropOptions extends OptimizerOptions {
  /** 0.01 where not said. */
  lr?: number;
  /** Decay of the mean of squares; 0.99 where not said. */
  alpha?: number;
  /** Divides by the standard deviation of the gradients instead of their root mean square (Graves 2013). */
  centered?: boolean;
  /** 0 where not said. */
  momentum?: number;
  /** 1e-8 where not said. */
  eps?: number;
}

/**
 * RMSProp (Hinton, "Neural networks for machine learning", lecture 6e, 2012): v = alpha v + (1 - alpha) g^2;
 * p = p - lr g / (sqrt(v) + eps), as in PyTorch. Centred: sqrt(v - m^2), m the mean of the gradients.
 */
export class RmsProp extends Optimizer {
  readonly #alpha: number;
  readonly #eps: number;
  readonly #centered: boolean;
  readonly #momentum: number;

  constructor({
    lr = 0.01,
    alpha = 0.99,
    centered = false,
    momentum = 0,
    eps = 1e-8,
    ...options
  }: RmsPropOptions = {}) {
    super({ lr, ...options });
    checkFraction('alpha', alpha);
    checkFraction('momentum', momentum);
    checkPositive('eps', eps);
    this.#alpha = alpha;
    this.#eps = eps;
    this.#centered = centered;
    this.#momentum = momentum;
  }

  protected apply(items: readonly Item[]): void {
    for (const item of items) {
      const { parameter: p, lr } = item;
      const g = withDecay(item);
      const states = this.stateOf(p, 1 + Number(this.#centered) + Number(this.#momentum > 0));
      const meanSquare = states[0]!;
      const v = averaged(meanSquare, square(g), this.#alpha);
      meanSquare.assign(v);
      let size = v;
      if (this.#centered) {
        const mean = states[1]!;
        const m = averaged(mean, g, this.#alpha);
        mean.assign(m);
        // Rounding may take the variance below 0.
        size = maximum(sub(v, square(m)), 0);
      }
      let step = div(g, add(sqrt(size), this.#eps));
      if (this.#momentum > 0) {
        const velocity = states.at(-1)!;
        step = add(mul(velocity, this.#momentum), step);
        velocity.assign(step);
      }
      p.assign(sub(p, mul(step, lr)));
    }
  }
}

export interface AdadeltaOptions extends OptimizerOptions {
  /** 1 where not said. */
  lr?: number;
  /** Decay of both means; 0.9 where not said. */
  rho?: number;
  /** 1e-6 where not said. */
  eps?: number;
}

/**
 * Adadelta (Zeiler 2012): v = rho v + (1 - rho) g^2; d = g sqrt(u + eps) / sqrt(v + eps);
 * u = rho u + (1 - rho) d^2; p = p - lr d, as in PyTorch.
 */
export class Adadelta extends Optimizer {
  readonly #rho: number;
  readonly #eps: number;

  constructor({ lr = 1, rho = 0.9, eps = 1e-6, ...options }: AdadeltaOptions = {}) {
    super({ lr, ...options });
    checkFraction('rho', rho);
    checkPositive('eps', eps);
    this.#rho = rho;
    this.#eps = eps;
  }

  protected apply(items: readonly Item[]): void {
    for (const item of items) {
      const { parameter: p, lr } = item;
      const g = withDecay(item);
      const [squares, steps] = this.stateOf(p, 2) as [Variable, Variable];
      const v = averaged(squares, square(g), this.#rho);
      const d = mul(div(sqrt(add(steps, this.#eps)), sqrt(add(v, this.#eps))), g);
      p.assign(sub(p, mul(d, lr)));
      steps.assign(averaged(steps, square(d), this.#rho));
      squares.assign(v);
    }
  }
}

export interface LionOptions extends OptimizerOptions {
  /** 0.0001 where not said. */
  lr?: number;
  /** Weight of the mean in the direction, and its decay; [0.9, 0.99] where not said. */
  betas?: readonly [number, number];
}

/**
 * Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023): p = p - lr (sign(beta1 m + (1 - beta1) g) +
 * weightDecay p); m = beta2 m + (1 - beta2) g.
 */
export class Lion extends Optimizer {
  readonly #betas: readonly [number, number];

  constructor({ lr = 1e-4, betas = [0.9, 0.99], ...options }: LionOptions = {}) {
    super({ lr, ...options });
    checkFraction('betas[0]', betas[0]);
    checkFraction('betas[1]', betas[1]);
    this.#betas = betas;
  }

  protected apply(items: readonly Item[]): void {
    for (const { parameter: p, gradient, lr, weightDecay } of items) {
      const [mean] = this.stateOf(p, 1) as [Variable];
      const direction = sign(averaged(mean, gradient, this.#betas[0]));
      p.assign(sub(p, mul(weightDecay > 0 ? add(direction, mul(p, weightDecay)) : direction, lr)));
      mean.assign(averaged(mean, gradient, this.#betas[1]));
    }
  }
}

/** Adagrad. */
export const adagrad = (options?: AdagradOptions): Adagrad => new Adagrad(options);
/** RMSProp. */
export const rmsProp = (options?: RmsPropOptions): RmsProp => new RmsProp(options);
/** Adadelta. */
export const adadelta = (options?: AdadeltaOptions): Adadelta => new Adadelta(options);
/** Lion. */
export const lion = (options?: LionOptions): Lion => new Lion(options);
