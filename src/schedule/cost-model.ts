// What steps take, as a function of their counted flops and bytes that is fitted to a handful of measured ones. Plain
// numbers; loads on demand.

/** What was counted of a step, and the seconds that it took. */
export type Sample = readonly [flops: number, bytes: number, seconds: number];

/** seconds = fixed + flops * perFlop + bytes * perByte. */
export type Rate = readonly [fixed: number, perFlop: number, perByte: number];

/** How much the assumed proportions of a rate weigh beside one sample. */
const prior = 0.02;
/** Seconds of steps from which on they tell how fast a backend is. */
const certain = 1e-4;
/** Distance, in powers of 2 of flops and bytes, beyond which a sample says little of another step. */
const reach = 2;

export const secondsBy = ([fixed, perFlop, perByte]: Rate, flops: number, bytes: number): number =>
  fixed + flops * perFlop + bytes * perByte;

/** By how much longer flops and bytes took than assumed, the start of the steps aside; large steps say most. */
function slowness(samples: readonly Sample[], assumed: Rate): number {
  const [fixed, perFlop, perByte] = assumed;
  let [took, expected] = [certain, certain];
  for (const [flops, bytes, seconds] of samples) {
    took += Math.max(seconds - fixed, 0);
    expected += secondsBy([0, perFlop, perByte], flops, bytes);
  }
  return took / expected;
}

/**
 * The rate with the smallest squares of relative errors, without negative parts (so it is found among the solutions in
 * which some parts are 0). What the samples do not decide keeps the proportions of the assumed one.
 */
export function fit(samples: readonly Sample[], assumed: Rate): Rate {
  const by = slowness(samples, assumed);
  const start: Rate = [assumed[0], assumed[1] * by, assumed[2] * by];
  if (samples.length < 2) return start;
  // Unknown are multiples u of the parts of `start`: |X u - 1|^2 + prior |u - 1|^2 is to be small.
  const rows = samples.map(([f, b, s]) => [start[0] / s, (f * start[1]) / s, (b * start[2]) / s] as const);
  let best: Rate = [1, 1, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let free = 1; free < 8; free++) {
    const chosen = [0, 1, 2].filter((j) => (free >> j) & 1);
    const u = solve(
      chosen.map((i) => chosen.map((j) => dot(rows, i, j) + (i === j ? prior : 0))),
      chosen.map((i) => rows.reduce((n, row) => n + row[i]!, 0) + prior),
    );
    if (u.some((x) => x < 0)) continue;
    const parts = [0, 1, 2].map((j) => (chosen.includes(j) ? u[chosen.indexOf(j)]! : 0)) as unknown as Rate;
    const error =
      rows.reduce((n, row) => n + (row[0] * parts[0] + row[1] * parts[1] + row[2] * parts[2] - 1) ** 2, 0) +
      parts.reduce((n, x) => n + prior * (x - 1) ** 2, 0);
    if (error < least) [best, least] = [parts, error];
  }
  return [best[0] * start[0], best[1] * start[1], best[2] * start[2]];
}

const dot = (rows: readonly Rate[], i: number, j: number): number =>
  rows.reduce((n, row) => n + row[i]! * row[j]!, 0);

/** A x = b by elimination; A is symmetric and positive definite. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  for (let k = 0; k < n; k++) {
    for (let i = k + 1; i < n; i++) {
      const factor = a[i]![k]! / a[k]![k]!;
      for (let j = k; j < n; j++) a[i]![j]! -= factor * a[k]![j]!;
      b[i]! -= factor * b[k]!;
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) b[i]! -= a[i]![j]! * b[j]!;
    b[i]! /= a[i]![i]!;
  }
  return b;
}

/** By how much a step near to measured ones will differ from the rate, as those did. */
export function correction(samples: readonly Sample[], rate: Rate, flops: number, bytes: number): number {
  const far = (a: number, b: number): number => (Math.log2(1 + a) - Math.log2(1 + b)) / reach;
  let [sum, weights] = [0, 0.05];
  for (const [f, b, s] of samples) {
    const weight = Math.exp(-(far(f, flops) ** 2 + far(b, bytes) ** 2) / 2);
    sum += weight * Math.log(s / Math.max(secondsBy(rate, f, b), 1e-12));
    weights += weight;
  }
  return Math.exp(sum / weights);
}

/** What a family of kernels takes, from what was measured of it. */
export class FamilyModel {
  readonly #rate: Rate;

  constructor(
    private readonly samples: readonly Sample[],
    /** For what nobody measured. */
    assumed: Rate,
  ) {
    this.#rate = fit(samples, assumed);
  }

  /**
   * Seconds that flops and bytes add to a step.
   * @param starts the step would not be there without them
   * @param together of all ops of the family in the step
   */
  seconds(flops: number, bytes: number, starts: boolean, together: { flops: number; bytes: number }): number {
    const [fixed, perFlop, perByte] = this.#rate;
    const by = correction(this.samples, this.#rate, together.flops, together.bytes);
    return by * secondsBy([starts ? fixed : 0, perFlop, perByte], flops, bytes);
  }
}
