// Optimizers: rules that assign new values to parameters. They are made of ops, so they fuse and run on any backend.
import { OptionError } from '../errors.js';
import { type Tensor, Variable } from '../graph.js';
import type { Parameter } from '../nn/module.js';
import { add, div, full, mul, sqrt, square, sub, zeros } from '../ops/index.js';

export * from './clip.js';

/** Keeps its state in variables; `update` records the assignments of one step. */
export abstract class Optimizer {
  /** A scalar variable, so that schedules can change it between steps without a new plan. */
  readonly learningRate: Variable;
  readonly #states = new Map<Parameter, Variable[]>();
  readonly #shared: Variable[] = [];

  constructor(readonly lr: number) {
    check('lr', lr, lr > 0 && Number.isFinite(lr), 'a number > 0');
    this.learningRate = this.scalar('learningRate', lr);
  }

  /** Records new values of the parameters from their gradients; in a traced function. */
  abstract update(parameters: readonly Parameter[], gradients: readonly Tensor[]): void;

  /** All variables besides the parameters, in a fixed order: what a checkpoint has to hold. */
  state(): Variable[] {
    return [...this.#shared, ...[...this.#states.values()].flat()];
  }

  /** Variables of the parameter's shape that start at 0; the same ones at each call. */
  protected stateOf(parameter: Parameter, count: number): Variable[] {
    const known = this.#states.get(parameter);
    if (known) return known;
    const made = Array.from({ length: count }, () => {
      const { shape, dtype } = parameter;
      return new Variable(shape, dtype, () => zeros(shape, dtype), 'optimizer state');
    });
    this.#states.set(parameter, made);
    return made;
  }

  /** A scalar variable of the optimizer itself. */
  protected scalar(name: string, value: number): Variable {
    const made = new Variable([], 'float32', () => full([], value), name);
    this.#shared.push(made);
    return made;
  }

  dispose(): void {
    for (const v of this.state()) v.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function check(name: string, value: number, right: boolean, rule: string): void {
  if (!right)
    throw new OptionError({
      where: 'optimizer',
      problem: `${name} is ${value}`,
      hint: rule,
      values: { [name]: value },
    });
}

const checkFraction = (name: string, value: number): void =>
  check(name, value, value >= 0 && value < 1, 'from 0, below 1');
const checkDecay = (value: number): void => check('weightDecay', value, value >= 0, 'a number >= 0');

/** The gradient with the L2 term: parameters that decay (weights, not biases) are pulled to 0. */
const withDecay = (p: Parameter, gradient: Tensor, weightDecay: number): Tensor =>
  weightDecay > 0 && p.decays ? add(gradient, mul(p, weightDecay)) : gradient;

export interface SgdOptions {
  lr: number;
  /** 0 where not said. */
  momentum?: number;
  /** Looks ahead (Nesterov 1983); needs momentum. */
  nesterov?: boolean;
  /** L2: weightDecay/2 times the sum of squared weights is added to the loss; biases are left out. */
  weightDecay?: number;
}

/** Stochastic gradient descent: v = momentum v + g; p = p - lr v, as in PyTorch. */
export class Sgd extends Optimizer {
  readonly #momentum: number;
  readonly #nesterov: boolean;
  readonly #weightDecay: number;

  constructor({ lr, momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions) {
    super(lr);
    checkFraction('momentum', momentum);
    checkDecay(weightDecay);
    if (nesterov) check('momentum', momentum, momentum > 0, 'nesterov needs a momentum > 0');
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.#weightDecay = weightDecay;
  }

  update(parameters: readonly Parameter[], gradients: readonly Tensor[]): void {
    for (const [i, p] of parameters.entries()) {
      const g = withDecay(p, gradients[i]!, this.#weightDecay);
      p.assign(sub(p, mul(this.#direction(p, g), this.learningRate)));
    }
  }

  #direction(p: Parameter, g: Tensor): Tensor {
    if (this.#momentum === 0) return g;
    const [velocity] = this.stateOf(p, 1) as [Variable];
    const v = add(mul(velocity, this.#momentum), g);
    velocity.assign(v);
    return this.#nesterov ? add(g, mul(v, this.#momentum)) : v;
  }
}

export interface AdamOptions {
  /** 0.001 where not said. */
  lr?: number;
  /** Decay of the means of gradients and of their squares; [0.9, 0.999] where not said. */
  betas?: readonly [number, number];
  /** 1e-8 where not said. */
  eps?: number;
  /** L2 as in `sgd`, or with `decoupled` the decay of AdamW. Biases are left out. */
  weightDecay?: number;
  /** Decay the weights themselves, not through the gradient (Loshchilov and Hutter 2019). */
  decoupled?: boolean;
}

/** Adam (Kingma and Ba 2015): p = p - lr m' / (sqrt(v') + eps), m' and v' corrected for their start at 0. */
export class Adam extends Optimizer {
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #eps: number;
  readonly #weightDecay: number;
  readonly #decoupled: boolean;
  /** beta1 and beta2 to the power of the step. */
  readonly #power1: Variable;
  readonly #power2: Variable;

  constructor({
    lr = 1e-3,
    betas = [0.9, 0.999],
    eps = 1e-8,
    weightDecay = 0,
    decoupled = false,
  }: AdamOptions = {}) {
    super(lr);
    checkFraction('betas[0]', betas[0]);
    checkFraction('betas[1]', betas[1]);
    check('eps', eps, eps > 0, 'a number > 0');
    checkDecay(weightDecay);
    [this.#beta1, this.#beta2] = betas;
    this.#eps = eps;
    this.#weightDecay = weightDecay;
    this.#decoupled = decoupled;
    this.#power1 = this.scalar('beta1^step', 1);
    this.#power2 = this.scalar('beta2^step', 1);
  }

  update(parameters: readonly Parameter[], gradients: readonly Tensor[]): void {
    const [beta1, beta2] = [this.#beta1, this.#beta2];
    const power1 = mul(this.#power1, beta1);
    const power2 = mul(this.#power2, beta2);
    const stepSize = div(this.learningRate, sub(1, power1));
    const correction = sqrt(sub(1, power2));
    const shrink = sub(1, mul(this.learningRate, this.#weightDecay));
    for (const [i, p] of parameters.entries()) {
      const decays = this.#weightDecay > 0 && p.decays;
      const g = this.#decoupled ? gradients[i]! : withDecay(p, gradients[i]!, this.#weightDecay);
      const [mean, meanSquare] = this.stateOf(p, 2) as [Variable, Variable];
      const m = add(mul(mean, beta1), mul(g, 1 - beta1));
      const v = add(mul(meanSquare, beta2), mul(square(g), 1 - beta2));
      const start = decays && this.#decoupled ? mul(p, shrink) : p;
      p.assign(sub(start, div(mul(m, stepSize), add(div(sqrt(v), correction), this.#eps))));
      mean.assign(m);
      meanSquare.assign(v);
    }
    this.#power1.assign(power1);
    this.#power2.assign(power2);
  }
}

/** Stochastic gradient descent, with momentum if asked for. */
export const sgd = (options: SgdOptions): Sgd => new Sgd(options);
/** Adam. */
export const adam = (options?: AdamOptions): Adam => new Adam(options);
/** Adam with decoupled weight decay, 0.01 where not said. */
export const adamW = (options: AdamOptions = {}): Adam =>
  new Adam({ weightDecay: 0.01, ...options, decoupled: true });
