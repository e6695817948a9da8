// Which point is tried next: all of a grid, random ones, or those that a model of the function finds promising.
import { checkCount } from '../data/spec.js';
import { OptionError } from '../errors.js';
import { RandomStream } from '../philox.js';
import { expectedImprovement, GaussianProcess, type Kernel } from './gaussian-process.js';
import { coordinatesOf, gridOf, randomPoint, type Space, type Values, valuesAt } from './space.js';

/** A trial that is over (small values are good; infinite if it failed) or still going on (null). */
export interface Observation<S extends Space> {
  parameters: Values<S>;
  value: number | null;
}

/** How the next trial is chosen. */
export interface Strategy {
  /** Two strategies with the same text make the same suggestions. */
  readonly signature: string;
  /** Whether suggestions depend on the results so far. */
  readonly learns: boolean;
  /** How many trials make the search complete, if there is such a number. */
  count?(space: Space): number;
  /** The parameters of a trial, decided by space, seed, number and the observations. */
  suggest<S extends Space>(
    space: S,
    trial: number,
    seed: number,
    observations: readonly Observation<S>[],
  ): Values<S>;
}

/**
 * Every combination of `points` values of each range (both ends included, equally spaced; in logarithms for logUniform) and
 * of all values of choices.
 */
export function grid({ points = 3 }: { points?: number } = {}): Strategy {
  checkCount('search.grid', 'points', points);
  return {
    signature: `grid ${points}`,
    learns: false,
    count: (space) => gridOf(space, points).length,
    suggest(space, trial) {
      const all = gridOf(space, points);
      return all[trial % all.length]!;
    },
  };
}

/** Points drawn by the seed, each on its own (Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012). */
export const random = (): Strategy => ({
  signature: 'random',
  learns: false,
  suggest: (space, trial, seed) =>
    valuesAt(space, randomPoint(new RandomStream(seed, trialStream + trial), Object.keys(space).length)),
});

/** Options of `bayesian`. */
export interface BayesianOptions {
  /** Trials before the model takes over, spread by a Latin hypercube; 5 where not said. */
  initial?: number;
  /** 'matern52' where not said, for functions that are not smooth all over; or 'rbf'. */
  kernel?: Kernel;
  /** Points among which the most promising one is found; 1000 where not said. */
  candidates?: number;
}

/**
 * A Gaussian process models the results so far, and the point with the largest expected improvement is tried next (Snoek,
 * Larochelle and Adams, "Practical Bayesian optimization of machine learning algorithms", 2012). Trials that are going on
 * count as if they had come to the mean of the others, so that the next one goes elsewhere. Failed trials count as the
 * worst. The cost of a suggestion grows with the third power of the number of trials: good for some hundreds.
 */
export function bayesian(options: BayesianOptions = {}): Strategy {
  const { initial = 5, kernel = 'matern52', candidates = 1000 } = options;
  checkCount('search.bayesian', 'initial', initial);
  checkCount('search.bayesian', 'candidates', candidates);
  if (kernel !== 'matern52' && kernel !== 'rbf') {
    throw new OptionError({
      where: 'search.bayesian',
      problem: `kernel is ${String(kernel)}`,
      hint: "'matern52' or 'rbf'",
      values: { kernel },
    });
  }
  return {
    signature: `bayesian ${initial} ${kernel} ${candidates}`,
    learns: true,
    suggest(space, trial, seed, observations) {
      const dimensions = Object.keys(space).length;
      const finite = observations.flatMap(({ value }) => (Number.isFinite(value) ? value! : []));
      if (trial < initial || finite.length < 2)
        return valuesAt(space, latinPoint(trial, initial, dimensions, seed));
      const worst = Math.max(...finite);
      const middle = finite.reduce((a, b) => a + b, 0) / finite.length;
      const values = observations.map(({ value }) =>
        value === null ? middle : Number.isFinite(value) ? value : worst,
      );
      const points = observations.map(({ parameters }) => coordinatesOf(space, parameters));
      const model = new GaussianProcess(points, values, kernel);
      const best = Math.min(...finite);
      const stream = new RandomStream(seed, trialStream + trial);
      const found = (list: readonly number[][]): { point: number[]; gain: number } => {
        let [point, gain] = [list[0]!, -1];
        for (const candidate of list) {
          const { mean, std } = model.at(coordinatesOf(space, valuesAt(space, candidate)));
          const promised = expectedImprovement(mean, std, best);
          if (promised > gain) [point, gain] = [candidate, promised];
        }
        return { point, gain };
      };
      let winner = found(Array.from({ length: candidates }, () => randomPoint(stream, dimensions)));
      // Closer and closer around the most promising one.
      for (const width of [0.1, 0.03, 0.01, 0.003]) {
        const around = Array.from({ length: Math.ceil(candidates / 10) }, () =>
          winner.point.map((u) =>
            Math.min(1 - 2 ** -30, Math.max(0, u + width * (2 * stream.uniform() - 1))),
          ),
        );
        const near = found(around);
        if (near.gain > winner.gain) winner = near;
      }
      return valuesAt(space, winner.point);
    },
  };
}

/** Streams of the trials and of the Latin hypercube, away from those that models draw from. */
const [trialStream, latinStream] = [0xa0000000, 0xb0000000];

/** Point `trial` of n: along each dimension every n-th of the range has one point. Later ones are random. */
function latinPoint(trial: number, n: number, dimensions: number, seed: number): number[] {
  const jitter = randomPoint(new RandomStream(seed, trialStream + trial), dimensions);
  if (trial >= n) return jitter;
  return jitter.map((u, d) => (new RandomStream(seed, latinStream + d).permutation(n)[trial]! + u) / n);
}
