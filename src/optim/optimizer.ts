// What all optimizers share: learning rates, groups of parameters, decay, clipping, constraints, averages, state.
import { sizeOf } from '../dtype.js';
import { engine } from '../engine.js';
import { checkOptionNames, OptionError, StateError } from '../errors.js';
import { type Tensor, Variable } from '../graph.js';
import type { Parameter } from '../nn/module.js';
import {
  add,
  clamp,
  div,
  full,
  matmul,
  maximum,
  minimum,
  mul,
  reshape,
  sign,
  sqrt,
  square,
  sum,
  zeros,
} from '../ops/index.js';
import { tensor } from '../tensor.js';

/** What can be set for all parameters and, in a group, for some. */
interface Penalties {
  /** L2: weightDecay/2 times the sum of squared weights is added to the loss; biases are left out. */
  weightDecay?: number;
  /** L1: l1 times the sum of the weights' sizes is added to the loss; biases are left out. */
  l1?: number;
  /** Whether weightDecay, l1 and maxNorm are for biases too; no where not said. */
  decayBiases?: boolean;
}

/** Parameters with settings of their own. What a group does not say is as for the others. */
export interface ParameterGroup extends Penalties {
  /** The parameters, or a test that picks them. */
  parameters: readonly Parameter[] | ((p: Parameter) => boolean);
  /** Learning rate at first; schedules change it in proportion to the optimizer's own. */
  lr?: number;
}

/** Options of every optimizer. */
export interface OptimizerOptions extends Penalties {
  lr?: number;
  /** Parameters with a learning rate or decay of their own; the first group that a parameter is in counts. */
  groups?: readonly ParameterGroup[];
  /** Gradients are cut to [-clipValue, clipValue]. */
  clipValue?: number;
  /** All gradients are scaled so that their common norm is at most this (Pascanu et al. 2013). */
  clipNorm?: number;
  /** After each step the incoming weights of a unit are scaled so that their norm is at most this (Srivastava et al. 2014). */
  maxNorm?: number;
  /** Keeps a moving average of the weights: average = decay average + (1 - decay) weight, after each step. See `swap`. */
  averageDecay?: number;
}

/** A parameter in one step: its gradient (clipped, with the L1 term) and the settings that hold for it. */
export interface Item {
  readonly parameter: Parameter;
  readonly gradient: Tensor;
  /** The same tensor for all parameters of one learning rate. */
  readonly lr: Tensor;
  /** 0 for a parameter that does not decay. */
  readonly weightDecay: number;
}

/** Keeps its state in variables; `update` records the assignments of one step. */
export abstract class Optimizer {
  /** The learning rate that it was made with. */
  readonly lr: number;
  /** A scalar variable, so that schedules can change it between steps without a new plan. */
  readonly learningRate: Variable;
  readonly #options: OptimizerOptions;
  readonly #states = new Map<Parameter, Variable[]>();
  readonly #averages = new Map<Parameter, Variable>();
  readonly #shared: Variable[] = [];

  /** Options of a kind of optimizer are taken out before: what is left must be one of all. */
  constructor(options: OptimizerOptions & { lr: number }) {
    const { lr, groups = [], clipValue, clipNorm, maxNorm, averageDecay } = options;
    const penalties = ['lr', 'weightDecay', 'l1', 'decayBiases'];
    checkOptionNames('optimizer', options, [
      ...penalties,
      ...['groups', 'clipValue', 'clipNorm', 'maxNorm', 'averageDecay'],
    ]);
    for (const group of groups) checkOptionNames('optimizer: groups', group, ['parameters', ...penalties]);
    checkPositive('lr', lr);
    for (const each of [options, ...groups]) {
      if (each.weightDecay !== undefined) checkNotNegative('weightDecay', each.weightDecay);
      if (each.l1 !== undefined) checkNotNegative('l1', each.l1);
    }
    for (const group of groups) if (group.lr !== undefined) checkPositive('lr of a group', group.lr);
    for (const [name, value] of Object.entries({ clipValue, clipNorm, maxNorm }))
      if (value !== undefined) checkPositive(name, value);
    if (averageDecay !== undefined) checkFraction('averageDecay', averageDecay);
    this.lr = lr;
    this.#options = options;
    this.learningRate = this.scalar('learningRate', lr);
  }

  /** Records new values of the parameters from their settings and gradients; in a traced function. */
  protected abstract apply(items: readonly Item[]): void;

  /** Records one step: new values of the parameters from their gradients; in a traced function. */
  update(parameters: readonly Parameter[], gradients: readonly Tensor[]): void {
    const { clipValue, clipNorm, maxNorm, averageDecay } = this.#options;
    // What is averaged must be there before it changes.
    if (averageDecay !== undefined) for (const p of parameters) this.#averageOf(p);
    let clipped = gradients;
    if (clipValue !== undefined) clipped = clipByValue(clipped, clipValue);
    if (clipNorm !== undefined) clipped = clipByGlobalNorm(clipped, clipNorm);
    const rates = new Map<number, Tensor>([[this.lr, this.learningRate]]);
    this.apply(parameters.map((p, i) => this.#item(p, clipped[i]!, rates)));
    for (const p of parameters) {
      if (maxNorm !== undefined && (p.decays || this.#options.decayBiases)) p.assign(limitNorm(p, maxNorm));
      if (averageDecay === undefined) continue;
      const average = this.#averageOf(p);
      average.assign(averaged(average, p, averageDecay));
    }
  }

  #item(parameter: Parameter, gradient: Tensor, rates: Map<number, Tensor>): Item {
    const group = this.#options.groups?.find(({ parameters }) =>
      typeof parameters === 'function' ? parameters(parameter) : parameters.includes(parameter),
    );
    const { weightDecay = 0, l1 = 0, decayBiases = false } = { ...this.#options, ...defined(group) };
    const decays = parameter.decays || decayBiases;
    const own = group?.lr ?? this.lr;
    const lr = rates.get(own) ?? mul(this.learningRate, own / this.lr);
    rates.set(own, lr);
    return {
      parameter,
      gradient: decays && l1 > 0 ? add(gradient, mul(sign(parameter), l1)) : gradient,
      lr,
      weightDecay: decays ? weightDecay : 0,
    };
  }

  /** Sets the learning rate of the steps to come; groups with one of their own follow in proportion. */
  setLearningRate(lr: number): Promise<void> {
    return this.learningRate.assign(tensor(lr));
  }

  /**
   * Exchanges weights and their moving averages, for evaluation; a second call exchanges them back. Needs `averageDecay`,
   * and a step before.
   */
  async swap(): Promise<void> {
    if (this.#averages.size === 0) {
      throw new StateError({
        where: 'swap',
        problem: 'there are no averages of the weights',
        hint: 'make the optimizer with averageDecay, as in optim.adam({ averageDecay: 0.999 }), and train first',
      });
    }
    const pairs = [...this.#averages].flatMap(([p, average]): [Variable, Tensor][] => [
      [p, average],
      [average, p],
    ]);
    await (await engine()).assign(new Map(pairs));
  }

  #averageOf(p: Parameter): Variable {
    const known = this.#averages.get(p);
    if (known) return known;
    const made = new Variable(p.shape, p.dtype, () => mul(p, 1), 'average of weights');
    this.#averages.set(p, made);
    return made;
  }

  /** All variables besides the parameters, in a fixed order: what a checkpoint has to hold. */
  state(): Variable[] {
    return [...this.#shared, ...[...this.#states.values()].flat(), ...this.#averages.values()];
  }

  /** Variables of the parameter's shape that start at `value`; the same ones at each call. */
  protected stateOf(parameter: Parameter, count: number, value = 0): Variable[] {
    const known = this.#states.get(parameter);
    if (known) return known;
    const made = Array.from({ length: count }, () => {
      const { shape, dtype } = parameter;
      const first = () => (value === 0 ? zeros(shape, dtype) : full(shape, value, dtype));
      return new Variable(shape, dtype, first, 'optimizer state');
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

  /** Frees the memory of its state and averages. */
  dispose(): void {
    for (const v of this.state()) v.dispose();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Without what is undefined, so that defaults stay. */
const defined = <T extends object>(options: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;

export function check(name: string, value: number, right: boolean, rule: string): void {
  if (!right)
    throw new OptionError({
      where: 'optimizer',
      problem: `${name} is ${value}`,
      hint: rule,
      values: { [name]: value },
    });
}

export const checkPositive = (name: string, value: number): void =>
  check(name, value, value > 0 && Number.isFinite(value), 'a number > 0');
export const checkFraction = (name: string, value: number): void =>
  check(name, value, value >= 0 && value < 1, 'from 0, below 1');
export const checkNotNegative = (name: string, value: number): void =>
  check(name, value, value >= 0 && Number.isFinite(value), 'a number >= 0');

/** The gradient with the L2 term: parameters that decay (weights, not biases) are pulled to 0. */
export const withDecay = ({ parameter, gradient, weightDecay }: Item): Tensor =>
  weightDecay > 0 ? add(gradient, mul(parameter, weightDecay)) : gradient;

/** A moving average's next value: decay old + (1 - decay) value. */
export const averaged = (old: Tensor, value: Tensor, decay: number): Tensor =>
  add(mul(old, decay), mul(value, 1 - decay));

function checkLimit(where: string, limit: number): void {
  if (limit > 0 && Number.isFinite(limit)) return;
  throw new OptionError({
    where,
    problem: `the limit is ${limit}`,
    hint: 'a number > 0',
    values: { limit },
  });
}

/** Each element cut to [-limit, limit]. Errors: OptionError. */
export function clipByValue(gradients: readonly Tensor[], limit: number): Tensor[] {
  checkLimit('clipByValue', limit);
  return gradients.map((g) => clamp(g, -limit, limit));
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
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  const [first, ...rest] = gradients.map(sumOfSquares);
  if (first) return sqrt(rest.reduce((a, b) => add(a, b), first));
  throw new OptionError({ where: 'globalNorm', problem: 'there are no tensors', hint: 'give at least one' });
}

/**
 * All gradients times min(1, limit / (norm + 1e-6)), the norm that of all of them together, so that their direction stays
 * (Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013); as in PyTorch.
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], limit: number): Tensor[] {
  checkLimit('clipByGlobalNorm', limit);
  const factor = minimum(div(limit, add(globalNorm(gradients), 1e-6)), 1);
  return gradients.map((g) => mul(g, factor));
}

/** Weights (..., units) with the incoming ones of each unit scaled to a norm of at most `limit`. */
export function limitNorm(weights: Tensor, limit: number): Tensor {
  const incoming = weights.shape.map((_, i) => i).slice(0, -1);
  const squares = square(weights);
  const norms = sqrt(incoming.length > 0 ? sum(squares, incoming, { keepDims: true }) : squares);
  return mul(weights, minimum(div(limit, maximum(norms, 1e-12)), 1));
}
