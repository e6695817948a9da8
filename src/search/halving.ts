// Early stopping of bad trials: at some budgets only the best part goes on.
import { checkCount } from '../data/spec.js';
import { OptionError } from '../errors.js';

/** Options of successive halving. */
export interface HalvingOptions {
  /** Budget of a trial that goes through to the end, in whatever `report` counts: epochs, say. */
  max: number;
  /** The budget at which it is decided for the first time; 1 where not said. */
  min?: number;
  /** One of so many goes on, to so many times the budget; 3 where not said. */
  factor?: number;
}

/** What trials came to at a budget. */
export type Report = readonly [budget: number, value: number];

/**
 * Successive halving without waiting (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
 * optimization", 2016; Li et al., "A system for massively parallel hyperparameter tuning", 2020): a trial that reaches the
 * budget min factor^k goes on if it is among the best 1/factor of those that reached it before, itself included. As long as
 * there are fewer than `factor` of them it goes on.
 */
export class Halving {
  readonly max: number;
  readonly #budgets: number[] = [];
  readonly #factor: number;

  constructor({ max, min = 1, factor = 3 }: HalvingOptions) {
    checkCount('search', 'halving.max', max);
    checkCount('search', 'halving.min', min);
    checkCount('search', 'halving.factor', factor);
    if (factor < 2 || min >= max) {
      throw new OptionError({
        where: 'search',
        problem: `halving goes from ${min} to ${max} by the factor ${factor}`,
        hint: 'min is less than max, the factor 2 or more',
        values: { min, max, factor },
      });
    }
    this.max = max;
    this.#factor = factor;
    for (let budget = min; budget < max; budget *= factor) this.#budgets.push(budget);
  }

  /** The last report at or before each deciding budget that a trial reached; small values are good. */
  #atBudget(reports: readonly Report[], budget: number): number | undefined {
    return reports.find(([at]) => at >= budget)?.[1];
  }

  /** Whether a trial with these reports, the last one just made, goes on; `others` are those of earlier trials. */
  goesOn(reports: readonly Report[], others: readonly (readonly Report[])[]): boolean {
    const now = reports.at(-1)![0];
    const before = reports.at(-2)?.[0] ?? Number.NEGATIVE_INFINITY;
    if (now >= this.max) return false;
    return this.#budgets.every((budget) => {
      if (!(before < budget && budget <= now)) return true;
      const own = reports.at(-1)![1];
      const values = others.flatMap((list) => this.#atBudget(list, budget) ?? []);
      const places = Math.floor((values.length + 1) / this.#factor);
      // NaN is worse than all.
      const better = values.filter((v) => v <= own || Number.isNaN(own)).length;
      return places === 0 ? !Number.isNaN(own) : better < places;
    });
  }
}
