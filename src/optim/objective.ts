// A function of variables as second-order methods see it: value, gradient and Hessian-vector products of one long vector.
import { type Compiled, compile } from '../compile.js';
import { DataError, ShapeError } from '../errors.js';
import { gradients, hessianVectorProduct } from '../grad.js';
import type { Tensor, Variable } from '../graph.js';
import { read, tensor } from '../tensor.js';

/** A scalar function of the variables' values. */
export type ObjectiveFunction = (...variables: Tensor[]) => Tensor;

export interface Point {
  readonly x: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
}

/** Options of all minimisers. */
export interface MinimiseOptions {
  /** Steps at most; 100 where not said. */
  maxIterations?: number;
  /** It has converged when no element of the gradient is larger than this; 1e-5 where not said. */
  tolerance?: number;
  /** Called after each step; returning false stops. */
  onIteration?: (report: { iteration: number; value: number; gradientNorm: number }) => unknown;
  signal?: AbortSignal;
}

/** What a minimiser came to. */
export interface MinimiseResult {
  /** The smallest value found; the variables are where it is. */
  value: number;
  /** Largest element of the gradient there, by size. */
  gradientNorm: number;
  iterations: number;
  /** How often value and gradient were computed, and Hessian-vector products. */
  evaluations: number;
  products: number;
  /** Why it ended: `precision` when the values' own rounding hides any further decrease. */
  ended: 'converged' | 'maxIterations' | 'precision' | 'stopped';
}

/** Compiled value and gradient. The functions run where the plans do; the long vectors are the host's, in float64. */
export class Objective {
  evaluations = 0;
  products = 0;
  /** Where the variables are, once they were moved. */
  #where: Float64Array | null = null;
  readonly #valueAndGradient: Compiled<[], readonly Tensor[]>;
  readonly #product: Compiled<Tensor[], readonly Tensor[]>;

  constructor(
    f: ObjectiveFunction,
    private readonly variables: readonly Variable[],
  ) {
    if (variables.length === 0) {
      throw new ShapeError({
        where: 'minimise',
        problem: 'there are no variables',
        hint: 'pass the variables that the function depends on, as in model.parameters()',
      });
    }
    this.#valueAndGradient = compile(() => {
      const value = f(...variables);
      return [value, ...gradients(value, variables)];
    });
    this.#product = compile((...vs: Tensor[]) => hessianVectorProduct(f, variables, vs));
  }

  /** The variables' own values. */
  async start(): Promise<Float64Array> {
    return this.#joined(await read(this.variables));
  }

  /** Moves the variables to x, or as near as their dtype allows, and says where that is. */
  async move(x: Float64Array): Promise<Float64Array> {
    if (x === this.#where) return x;
    const parts = this.#split(x);
    await Promise.all(this.variables.map((v, i) => v.assign(parts[i]!)));
    this.#where = this.#joined(await read(parts));
    return this.#where;
  }

  /** Value and gradient at x, where the variables then are. */
  async at(x: Float64Array): Promise<Point> {
    this.evaluations++;
    const where = await this.move(x);
    const [value, ...parts] = await taken(await this.#valueAndGradient());
    return { x: where, value: value![0]!, gradient: this.#joined(parts) };
  }

  /** The Hessian where the variables are, times v. */
  async hessianTimes(v: Float64Array): Promise<Float64Array> {
    this.products++;
    return this.#joined(await taken(await this.#product(...this.#split(v))));
  }

  #split(x: Float64Array): Tensor[] {
    let at = 0;
    return this.variables.map(({ shape, dtype, size }) => {
      const part = x.slice(at, at + size);
      at += size;
      return tensor(dtype === 'float64' ? part : new Float32Array(part), { shape, dtype });
    });
  }

  #joined(parts: readonly ArrayLike<number>[]): Float64Array {
    const all = new Float64Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  dispose(): void {
    this.#valueAndGradient.dispose();
    this.#product.dispose();
  }
}

/** The values of results, which are freed. */
async function taken(results: readonly Tensor[]) {
  try {
    return await read(results);
  } finally {
    for (const r of results) (r as Variable).dispose();
  }
}

export const dot = (a: Float64Array, b: Float64Array): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
};
/** a + scale b. */
export const plus = (a: Float64Array, scale: number, b: Float64Array): Float64Array =>
  Float64Array.from(a, (v, i) => v + scale * b[i]!);
export const largestOf = (a: Float64Array): number => a.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** Finds the direction of the next step from where the variables are. */
export type Direction = (at: Point) => Float64Array | Promise<Float64Array>;

/** A step along a direction: the point that it leads to, or null when nothing is gained. */
export type LineSearch = (
  objective: Objective,
  from: Point,
  direction: Float64Array,
  first: number,
) => Promise<Point | null>;

export interface Method {
  direction: Direction;
  search: LineSearch;
  /** Length of the first trial step, as a part of the direction. */
  firstTrial(iteration: number, at: Point): number;
  /** Is told of each step; `null` when the search failed and what is remembered should be forgotten. */
  moved?(from: Point, to: Point | null): void;
}

/** The loop that line-search methods share. */
export async function descend(
  objective: Objective,
  method: Method,
  { maxIterations = 100, tolerance = 1e-5, onIteration, signal }: MinimiseOptions,
): Promise<MinimiseResult> {
  let at = await objective.at(await objective.start());
  if (!Number.isFinite(at.value)) {
    throw new DataError({
      where: 'minimise',
      problem: `the function is ${at.value} where the variables start`,
      hint: 'start elsewhere, or check the function for log(0) and division by 0',
      values: { value: at.value },
    });
  }
  const result = (iterations: number, ended: MinimiseResult['ended']): MinimiseResult => ({
    value: at.value,
    gradientNorm: largestOf(at.gradient),
    iterations,
    evaluations: objective.evaluations,
    products: objective.products,
    ended,
  });
  let again = false;
  for (let iteration = 1; ; iteration++) {
    if (largestOf(at.gradient) <= tolerance) return result(iteration - 1, 'converged');
    if (iteration > maxIterations) return result(iteration - 1, 'maxIterations');
    if (signal?.aborted) return result(iteration - 1, 'stopped');
    let direction = await method.direction(at);
    // Uphill only by rounding: the gradient's way is always down.
    if (!(dot(direction, at.gradient) < 0)) direction = at.gradient.map((g) => -g);
    const next = await method.search(objective, at, direction, method.firstTrial(iteration, at));
    if (!next) {
      await objective.move(at.x);
      if (again) return result(iteration - 1, 'precision');
      // What was remembered may have misled; once more from the gradient alone.
      again = true;
      method.moved?.(at, null);
      continue;
    }
    again = false;
    method.moved?.(at, next);
    at = next;
    // The search may have tried others after it.
    await objective.move(at.x);
    const report = { iteration, value: at.value, gradientNorm: largestOf(at.gradient) };
    if (onIteration?.(report) === false) return result(iteration, 'stopped');
  }
}
