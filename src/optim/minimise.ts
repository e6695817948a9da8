// Minimising a function of variables with second derivatives, or what can be learned of them: L-BFGS and Newton-CG.
import { OptionError } from '../errors.js';
import type { Variable } from '../graph.js';
import { backtracking, strongWolfe } from './line-search.js';
import {
  descend,
  dot,
  type Method,
  type MinimiseOptions,
  type MinimiseResult,
  Objective,
  type ObjectiveFunction,
  type Point,
  plus,
} from './objective.js';

/** Options of `lbfgs`. */
export interface LbfgsOptions extends MinimiseOptions {
  /** Steps that are remembered; 10 where not said. */
  history?: number;
  /** `strongWolfe` where not said. */
  lineSearch?: 'strongWolfe' | 'backtracking';
}

/** A remembered step: s, the change of x; y, that of the gradient; 1 / (s y). */
interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

/** -H g, H the inverse Hessian that the pairs (oldest first) suggest, by the two-loop recursion. */
export function twoLoopDirection(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  let q = gradient;
  const alphas = new Array<number>(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i]!;
    alphas[i] = rho * dot(s, q);
    q = plus(q, -alphas[i]!, y);
  }
  const last = pairs.at(-1);
  const scale = last ? 1 / (last.rho * dot(last.y, last.y)) : 1;
  let r: Float64Array = q.map((v) => v * scale);
  for (const [i, { s, y, rho }] of pairs.entries()) r = plus(r, alphas[i]! - rho * dot(y, r), s);
  return r.map((v) => -v);
}

/** The pair of a step, or null where the curvature along it is not positive by more than rounding. */
export function pairOf(from: Pick<Point, 'x' | 'gradient'>, to: Pick<Point, 'x' | 'gradient'>): Pair | null {
  const s = plus(to.x, -1, from.x);
  const y = plus(to.gradient, -1, from.gradient);
  const curvature = dot(s, y);
  return curvature > 1e-10 * Math.sqrt(dot(s, s) * dot(y, y)) ? { s, y, rho: 1 / curvature } : null;
}

function lbfgsMethod({ history = 10, lineSearch = 'strongWolfe' }: LbfgsOptions): Method {
  let pairs: Pair[] = [];
  return {
    direction: ({ gradient }) => twoLoopDirection(gradient, pairs),
    search: lineSearch === 'strongWolfe' ? strongWolfe : backtracking,
    // With nothing remembered the gradient's length says nothing about how far to go.
    firstTrial: (_, { gradient }) =>
      pairs.length > 0 ? 1 : Math.min(1, 1 / gradient.reduce((n, g) => n + Math.abs(g), 0)),
    moved(from, to) {
      const pair = to && pairOf(from, to);
      if (!to) pairs = [];
      else if (pair) pairs = [...pairs, pair].slice(-history);
    },
  };
}

/**
 * Minimises f by L-BFGS (Nocedal 1980; Liu and Nocedal 1989): f computes a scalar from the variables, on all data at once;
 * each step follows the inverse Hessian that the last steps suggest. The variables end where the value is smallest.
 */
export async function lbfgs(
  f: ObjectiveFunction,
  variables: readonly Variable[],
  options: LbfgsOptions = {},
): Promise<MinimiseResult> {
  checkCounts('lbfgs', options);
  return run(f, variables, options, () => lbfgsMethod(options));
}

/** Options of `newtonCg`. */
export interface NewtonCgOptions extends MinimiseOptions {
  /** Added to the Hessian's diagonal (Levenberg 1944), so that steps are shorter; 0 where not said. */
  damping?: number;
  /** Conjugate-gradient steps for one Newton step at most; the number of variables' elements, at most 200, where not said. */
  maxProducts?: number;
}

/**
 * The truncated Newton direction: solves (H + damping I) p = -g by conjugate gradients until the residual is
 * min(0.5, sqrt|g|) |g|, or until the curvature along a direction is not positive (Dembo and Steihaug 1983).
 */
async function newtonDirection(
  objective: Objective,
  gradient: Float64Array,
  { damping = 0, maxProducts = Math.min(200, gradient.length) }: NewtonCgOptions,
): Promise<Float64Array> {
  const norm = Math.sqrt(dot(gradient, gradient));
  const goal = Math.min(0.5, Math.sqrt(norm)) * norm;
  let p: Float64Array = new Float64Array(gradient.length);
  let residual = gradient;
  let direction: Float64Array = gradient.map((g) => -g);
  let square = dot(residual, residual);
  for (let i = 0; i < maxProducts; i++) {
    const product = plus(await objective.hessianTimes(direction), damping, direction);
    const curvature = dot(direction, product);
    // Downhill without end, as far as the second derivative knows: go that way, or with what there is.
    if (!(curvature > 1e-12 * dot(direction, direction))) return i === 0 ? direction : p;
    const step = square / curvature;
    p = plus(p, step, direction);
    residual = plus(residual, step, product);
    const next = dot(residual, residual);
    if (Math.sqrt(next) <= goal) return p;
    direction = plus(
      residual.map((r) => -r),
      next / square,
      direction,
    );
    square = next;
  }
  return p;
}

/**
 * Minimises f by Newton's method with conjugate gradients: curvature comes from Hessian-vector products (Pearlmutter 1994),
 * each about twice the work of a gradient; the Hessian itself is never made (Martens, "Deep learning via Hessian-free
 * optimization", 2010). The variables end where the value is smallest.
 */
export async function newtonCg(
  f: ObjectiveFunction,
  variables: readonly Variable[],
  options: NewtonCgOptions = {},
): Promise<MinimiseResult> {
  checkCounts('newtonCg', options);
  return run(f, variables, options, (objective) => ({
    direction: ({ gradient }) => newtonDirection(objective, gradient, options),
    search: backtracking,
    firstTrial: () => 1,
  }));
}

async function run(
  f: ObjectiveFunction,
  variables: readonly Variable[],
  options: MinimiseOptions,
  method: (objective: Objective) => Method,
): Promise<MinimiseResult> {
  const objective = new Objective(f, variables);
  try {
    return await descend(objective, method(objective), options);
  } finally {
    objective.dispose();
  }
}

/** Counts are whole numbers from 1, the others numbers from 0. */
function checkCounts(where: string, options: LbfgsOptions & NewtonCgOptions): void {
  const { maxIterations, history, maxProducts, tolerance, damping } = options;
  const counts = Object.entries({ maxIterations, history, maxProducts });
  const sizes = Object.entries({ tolerance, damping });
  const wrong =
    counts.find(([, n]) => n !== undefined && !(Number.isInteger(n) && n >= 1)) ??
    sizes.find(([, n]) => n !== undefined && !(n >= 0));
  if (!wrong) return;
  throw new OptionError({
    where,
    problem: `${wrong[0]} is ${wrong[1]}`,
    hint: wrong[0] in { tolerance, damping } ? 'a number >= 0' : 'a whole number from 1',
    values: { [wrong[0]]: wrong[1] },
  });
}
