// A Gaussian process in double precision, and how much a point promises to improve on the best one so far.
// Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5. Only + - * / sqrt and the
// functions of exact.ts, so that a search goes the same way in every engine.
import { exponential, logarithm } from '../exact.js';

/** How alike the values at two points are. */
export type Kernel = 'matern52' | 'rbf';

/** Lower triangle L of a symmetric positive definite matrix (n, n), A = L L^T, row-major; null if A is none. */
export function cholesky(a: Float64Array, n: number): Float64Array | null {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (i !== j) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > 0) l[i * n + i] = Math.sqrt(sum);
      else return null;
    }
  }
  return l;
}

/** x of L x = b. */
export function forwardSolve(l: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * x[k]!;
    x[i] = sum / l[i * n + i]!;
  }
  return x;
}

/** x of L^T x = b. */
export function backwardSolve(l: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i]!;
    for (let k = i + 1; k < n; k++) sum -= l[k * n + i]! * x[k]!;
    x[i] = sum / l[i * n + i]!;
  }
  return x;
}

/** Density of the standard normal distribution. */
export const normalPdf = (z: number): number => exponential((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/**
 * Distribution function of the standard normal distribution: 1/2 + pdf(z) (z + z^3/3 + z^5/(3 5) + ...), and in the tails
 * the continued fraction pdf(z) / (z + 1/(z + 2/(z + ...))). Marsaglia, "Evaluating the normal distribution", 2004.
 */
export function normalCdf(z: number): number {
  if (Math.abs(z) > 5) {
    const x = Math.abs(z);
    let fraction = x;
    for (let k = 60; k >= 1; k--) fraction = x + k / fraction;
    const tail = normalPdf(x) / fraction;
    return z < 0 ? tail : 1 - tail;
  }
  let [sum, term] = [z, z];
  for (let k = 3; k < 400; k += 2) {
    term *= (z * z) / k;
    if (sum + term === sum) break;
    sum += term;
  }
  return 0.5 + normalPdf(z) * sum;
}

/**
 * Expected improvement on `best` where small values are wanted: s (u cdf(u) + pdf(u)) with u = (best - mean) / s
 * (Jones, Schonlau and Welch, "Efficient global optimization of expensive black-box functions", 1998).
 */
export function expectedImprovement(mean: number, std: number, best: number): number {
  if (!(std > 0)) return Math.max(0, best - mean);
  const u = (best - mean) / std;
  return std * (u * normalCdf(u) + normalPdf(u));
}

/** k(r) for the scaled distance r: exp(-r^2/2), or (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r). */
function kernelValue(kernel: Kernel, squared: number): number {
  if (kernel === 'rbf') return exponential(-squared / 2);
  const r = Math.sqrt(5 * squared);
  return (1 + r + (r * r) / 3) * exponential(-r);
}

/** Lengths over which the function changes along each coordinate, and the variance of noise, of a signal of variance 1. */
interface Scales {
  lengths: Float64Array;
  noise: number;
}

interface Fit {
  factor: Float64Array;
  alpha: Float64Array;
  likelihood: number;
}

interface Scaled extends Scales {
  fit: Fit;
}

/** The distribution of functions that go through (about) the given points. */
export class GaussianProcess {
  readonly #points: readonly Float64Array[];
  readonly #scales: Scales;
  readonly #factor: Float64Array;
  readonly #alpha: Float64Array;
  readonly #mean: number;
  readonly #std: number;

  /**
   * Values are brought to mean 0 and variance 1. Lengths and noise are those of the largest marginal likelihood on a
   * coarse grid: first one length for all coordinates, then twice each coordinate's own.
   */
  constructor(
    points: readonly Float64Array[],
    values: ArrayLike<number>,
    readonly kernel: Kernel = 'matern52',
  ) {
    const n = values.length;
    const list = Array.from(values);
    this.#points = points;
    this.#mean = list.reduce((a, b) => a + b, 0) / n;
    this.#std = Math.sqrt(list.reduce((sum, v) => sum + (v - this.#mean) ** 2, 0) / n) || 1;
    const y = Float64Array.from(list, (v) => (v - this.#mean) / this.#std);
    const coordinates = points[0]!.length;
    const likelier = (best: Scaled | null, lengths: Float64Array, noise: number): Scaled | null => {
      const fit = this.#fit({ lengths, noise }, y);
      return fit && !(best && best.fit.likelihood >= fit.likelihood) ? { lengths, noise, fit } : best;
    };
    let best: Scaled | null = null;
    for (const length of [0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
      for (const noise of [1e-6, 1e-3, 0.1])
        best = likelier(best, new Float64Array(coordinates).fill(length), noise);
    for (let round = 0; round < 2; round++) {
      for (let d = 0; d < coordinates; d++) {
        for (const factor of [0.5, 2]) {
          const own: Float64Array = best!.lengths.slice();
          own[d]! *= factor;
          best = likelier(best, own, best!.noise);
        }
      }
    }
    // There is one: with the largest noise the matrix is positive definite.
    const { fit, lengths, noise } = best!;
    this.#scales = { lengths, noise };
    [this.#factor, this.#alpha] = [fit.factor, fit.alpha];
  }

  #covariance(a: Float64Array, b: Float64Array, lengths: Float64Array): number {
    let squared = 0;
    for (let d = 0; d < a.length; d++) {
      const apart = (a[d]! - b[d]!) / lengths[d]!;
      squared += apart * apart;
    }
    return kernelValue(this.kernel, squared);
  }

  #fit({ lengths, noise }: Scales, y: Float64Array): Fit | null {
    const n = y.length;
    const k = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++)
        k[i * n + j] = this.#covariance(this.#points[i]!, this.#points[j]!, lengths);
      k[i * n + i] = 1 + noise + 1e-10;
    }
    const factor = cholesky(k, n);
    if (!factor) return null;
    const alpha = backwardSolve(factor, forwardSolve(factor, y));
    // log p(y) = -y^T alpha / 2 - sum(log L_ii) - n log(2 pi) / 2; the last does not matter.
    let likelihood = 0;
    for (let i = 0; i < n; i++) likelihood -= (y[i]! * alpha[i]!) / 2 + logarithm(factor[i * n + i]!);
    return { factor, alpha, likelihood };
  }

  /** Mean and standard deviation of the function (without noise) at a point. */
  at(point: Float64Array): { mean: number; std: number } {
    const { lengths } = this.#scales;
    const k = Float64Array.from(this.#points, (p) => this.#covariance(p, point, lengths));
    let mean = 0;
    for (let i = 0; i < k.length; i++) mean += k[i]! * this.#alpha[i]!;
    const v = forwardSolve(this.#factor, k);
    let variance = 1;
    for (let i = 0; i < v.length; i++) variance -= v[i]! * v[i]!;
    return { mean: this.#mean + this.#std * mean, std: this.#std * Math.sqrt(Math.max(0, variance)) };
  }
}
