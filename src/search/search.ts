// A search over hyperparameters: a pool of trials, in an order that the seed decides, with results that are kept.
import { checkCount } from '../data/spec.js';
import { checkOptionNames, DataError, OptionError, StateError } from '../errors.js';
import { seedKey } from '../philox.js';
import { Halving, type HalvingOptions, type Report } from './halving.js';
import { checkSpace, type Scalar, type Space, signatureOf, type Values } from './space.js';
import { fileStorage, parseLine, type SearchStorage } from './storage.js';
import { type Observation, random, type Strategy } from './strategies.js';

/** What a trial function gets besides its parameters. */
export interface Trial {
  /** From 0. */
  readonly number: number;
  /** From 0, below the concurrency; no two trials that run at the same time have the same one: a worker's number. */
  readonly slot: number;
  /** How far the trial may go: `halving.max`, or infinity. */
  readonly budget: number;
  /**
   * Says what the trial came to with a part of its budget, such as an epoch, and whether it is to go on. Parts grow from
   * report to report. As `onEpoch: ({ epoch, validationLoss }) => trial.report(epoch, validationLoss)`.
   */
  report(budget: number, value: number): boolean;
  /** Aborted when the search is. */
  readonly signal: AbortSignal;
}

/** A trial that is done. */
export interface TrialRecord<S extends Space> {
  trial: number;
  parameters: Values<S>;
  /** What the function gave; of a trial that was stopped its last report; NaN if it failed. */
  value: number;
  /** 'stopped' by halving; 'failed' with a DataError, as of a loss that is no number any more. */
  state: 'done' | 'stopped' | 'failed';
  reports: readonly Report[];
  seconds: number;
  error?: string;
}

/** Options of `search`. */
export interface SearchOptions<S extends Space> {
  /** `random()` where not said; `grid()`, `bayesian()`. */
  strategy?: Strategy;
  /** How many trials there are in all, those of an interrupted search included; a grid has its own number. */
  trials?: number;
  /** Whether small or large values are good; 'minimise' where not said. */
  goal?: 'minimise' | 'maximise';
  /** 0 where not said. */
  seed?: number;
  /** Trials at the same time; 1 where not said. */
  concurrency?: number;
  /** Stops bad trials early. */
  halving?: HalvingOptions;
  /** File (Node, Deno, Bun) or other place for the results; a search that finds some there goes on from them. */
  storage?: string | URL | SearchStorage;
  /** No new trial starts; those that run are told and their results are not kept. */
  signal?: AbortSignal;
  /** Called after each trial. */
  onTrial?: (record: TrialRecord<S>) => void;
}

/** What `search` found. */
export interface SearchResult<S extends Space> {
  /** The best trial; null if none gave a number. */
  best: TrialRecord<S> | null;
  /** All trials, the best first; those that came to their end before those that were stopped, failed ones last. */
  trials: TrialRecord<S>[];
  /** The same as flat rows, for console.table or a file. */
  table: Record<string, Scalar>[];
  /** Whether it was interrupted. */
  interrupted: boolean;
}

const optionNames: readonly (keyof SearchOptions<Space>)[] = [
  ...([
    'strategy',
    'trials',
    'goal',
    'seed',
    'concurrency',
    'halving',
    'storage',
    'signal',
    'onTrial',
  ] as const),
];

/**
 * Looks for the parameters with the best value of a function, such as the validation loss of a model that was trained with
 * them: `await search({ lr: logUniform(1e-4, 1) }, ({ lr }, trial) => lossWith(lr, trial), { trials: 20 })`.
 *
 * The same space, options and seed give the same trials, also with several at the same time, if the function does not
 * depend on time: trial i begins when trials 0 to i - concurrency are over, and what it gets and whether it is stopped
 * follow from those alone. So an interrupted search ends as it would have without.
 *
 * For trials in threads of their own start as many `trainer()`s of everygrad/worker as the concurrency and use
 * `trainers[trial.slot]`.
 *
 * Errors: OptionError for a space or options that make no sense, StateError for results of another search in the storage,
 * FormatError for a damaged one, and whatever the function throws besides DataError, which makes a failed trial.
 */
export async function search<S extends Space>(
  space: S,
  f: (parameters: Values<S>, trial: Trial) => number | Promise<number>,
  options: SearchOptions<S> = {},
): Promise<SearchResult<S>> {
  checkOptionNames('search', options, optionNames);
  checkSpace(space);
  const { strategy = random(), goal = 'minimise', seed = 0, concurrency = 1, storage } = options;
  const trials = options.trials ?? strategy.count?.(space);
  checkCount('search', 'trials', trials as number);
  checkCount('search', 'concurrency', concurrency);
  seedKey(seed);
  if (goal !== 'minimise' && goal !== 'maximise') {
    throw new OptionError({
      where: 'search',
      problem: `goal is ${String(goal)}`,
      hint: "'minimise' or 'maximise'",
      values: { goal },
    });
  }
  const kept = typeof storage === 'string' || storage instanceof URL ? fileStorage(storage) : storage;
  const settings = { space: signatureOf(space), strategy: strategy.signature, seed, goal, concurrency };
  const header = JSON.stringify({ ...settings, halving: options.halving ?? null });
  const known = kept ? await loadRecords<S>(kept, header) : new Map<number, TrialRecord<S>>();
  const pool = new Pool(space, f, { ...options, strategy, goal, seed, concurrency }, known, kept ?? null);
  await pool.run(Math.max(trials!, 0));
  return resultOf([...known.values()], goal, pool.interrupted);
}

/** The records in a storage, by number; writes the header of a new one. */
async function loadRecords<S extends Space>(
  storage: SearchStorage,
  header: string,
): Promise<Map<number, TrialRecord<S>>> {
  const lines = await storage.load();
  if (lines.length === 0) await storage.append(header);
  else if (lines[0] !== header) {
    parseLine(lines[0]!, 1);
    throw new StateError({
      where: 'search',
      problem: `the storage holds results of another search: ${lines[0]!.slice(0, 200)}, this one is ${header.slice(0, 200)}`,
      hint: 'use the same space, strategy, seed, goal, concurrency and halving, or another file',
    });
  }
  const records = lines.slice(1).map((line, i) => parseLine(line, i + 2) as unknown as TrialRecord<S>);
  const number = (v: number | null): number => v ?? Number.NaN; // JSON has no NaN
  return new Map(
    records.map((r) => [
      r.trial,
      {
        ...r,
        value: number(r.value),
        reports: r.reports.map(([budget, value]): Report => [budget, number(value)]),
      },
    ]),
  );
}

/** Runs trials, several at a time. */
class Pool<S extends Space> {
  interrupted = false;
  readonly #halving: Halving | null;
  readonly #sign: number;
  readonly #freeSlots: number[];
  readonly #stop = new AbortController();
  /** Parameters of trials that were started, in order. */
  readonly #started: Values<S>[] = [];

  constructor(
    private readonly space: S,
    private readonly f: (parameters: Values<S>, trial: Trial) => number | Promise<number>,
    private readonly options: SearchOptions<S> & { strategy: Strategy; seed: number; concurrency: number },
    private readonly known: Map<number, TrialRecord<S>>,
    private readonly storage: SearchStorage | null,
  ) {
    this.#halving = options.halving ? new Halving(options.halving) : null;
    this.#sign = options.goal === 'maximise' ? -1 : 1;
    this.#freeSlots = Array.from({ length: options.concurrency }, (_, i) => i);
  }

  async run(trials: number): Promise<void> {
    const { concurrency, signal } = this.options;
    const stop = (): void => this.#stop.abort();
    signal?.addEventListener('abort', stop);
    const running: Promise<void>[] = [];
    try {
      for (let trial = 0; trial < trials; trial++) {
        if (trial >= concurrency) await running[trial - concurrency];
        if (signal?.aborted) {
          this.interrupted = true;
          break;
        }
        const parameters = this.known.get(trial)?.parameters ?? this.#suggest(trial);
        this.#started.push(parameters);
        const one = this.known.has(trial) ? Promise.resolve() : this.#one(trial, parameters);
        one.catch(() => undefined); // awaited in turn
        running.push(one);
      }
      await Promise.all(running);
    } catch (error) {
      this.#stop.abort();
      await Promise.allSettled(running);
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Numbers of the trials whose results a trial may depend on: those that are over whatever the speed of the others. */
  #before(trial: number): TrialRecord<S>[] {
    const last = trial - this.options.concurrency;
    return Array.from({ length: Math.max(0, last + 1) }, (_, i) => this.known.get(i)!).filter(Boolean);
  }

  #suggest(trial: number): Values<S> {
    const { strategy, seed } = this.options;
    const over = strategy.learns ? this.#before(trial) : [];
    const observations: Observation<S>[] = over.map(({ parameters, value }) => ({
      parameters,
      value: Number.isFinite(value) ? this.#sign * value : Number.POSITIVE_INFINITY,
    }));
    for (const parameters of strategy.learns ? this.#started.slice(over.length) : [])
      observations.push({ parameters, value: null });
    return strategy.suggest(this.space, trial, seed, observations);
  }

  async #one(trial: number, parameters: Values<S>): Promise<void> {
    const slot = this.#freeSlots.shift()!;
    const start = performance.now();
    const reports: Report[] = [];
    const others = this.#before(trial).map((r) => r.reports.map(([b, v]): Report => [b, this.#sign * v]));
    let stopped = false;
    const report = (budget: number, value: number): boolean => {
      if (!(budget > (reports.at(-1)?.[0] ?? 0))) {
        throw new OptionError({
          where: 'search',
          problem: `trial ${trial} reports for ${budget} after ${reports.at(-1)?.[0] ?? 0}`,
          hint: 'budgets grow from report to report, as the numbers of epochs do',
          values: { trial, budget },
        });
      }
      reports.push([budget, value]);
      if (this.#stop.signal.aborted) return false;
      const own = reports.map(([b, v]): Report => [b, this.#sign * v]);
      if (!this.#halving || this.#halving.goesOn(own, others)) return true;
      stopped = budget < this.#halving.max;
      return false;
    };
    const record: TrialRecord<S> = {
      trial,
      parameters,
      value: Number.NaN,
      state: 'done',
      reports,
      seconds: 0,
    };
    try {
      const budget = this.#halving?.max ?? Number.POSITIVE_INFINITY;
      const value = await this.f(parameters, {
        number: trial,
        slot,
        budget,
        report,
        signal: this.#stop.signal,
      });
      if (typeof value !== 'number' && !stopped) {
        throw new OptionError({
          where: 'search',
          problem: `the function gave ${String(value)} in trial ${trial}`,
          hint: 'return the number that is to become small or large, such as a validation loss',
          values: { trial, value },
        });
      }
      record.value = stopped ? reports.at(-1)![1] : value;
      if (stopped) record.state = 'stopped';
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      Object.assign(record, { state: 'failed', error: error.message });
    } finally {
      this.#freeSlots.push(slot);
    }
    if (this.#stop.signal.aborted) {
      this.interrupted = true;
      return;
    }
    record.seconds = (performance.now() - start) / 1000;
    this.known.set(trial, record);
    await this.storage?.append(JSON.stringify(record));
    this.options.onTrial?.(record);
  }
}

function resultOf<S extends Space>(
  trials: TrialRecord<S>[],
  goal: 'minimise' | 'maximise',
  interrupted: boolean,
): SearchResult<S> {
  const sign = goal === 'maximise' ? -1 : 1;
  const group = ({ state, value }: TrialRecord<S>): number =>
    Number.isNaN(value) || state === 'failed' ? 2 : Number(state === 'stopped');
  trials.sort((a, b) => group(a) - group(b) || sign * (a.value - b.value) || a.trial - b.trial);
  const [first] = trials;
  return {
    best: first && group(first) < 2 ? first : null,
    trials,
    table: trials.map(({ trial, parameters, value, state, seconds }) => ({
      ...{ trial, value, ...(parameters as Record<string, Scalar>), state, seconds },
    })),
    interrupted,
  };
}
