// Searches over hyperparameters: spaces, strategies, halving, order, interruption. No backend is needed.
import * as assert from 'uvu/assert';
import { cosPi, exponential } from '../../src/exact.js';
import { DataError, FormatError, StateError } from '../../src/index.js';
import { cholesky, expectedImprovement, GaussianProcess } from '../../src/search/gaussian-process.js';
import { Halving, type Report } from '../../src/search/halving.js';
import {
  bayesian,
  choice,
  grid,
  integer,
  logUniform,
  normalCdf,
  random,
  type SearchOptions,
  type SearchResult,
  type Space,
  type Strategy,
  search,
  uniform,
} from '../../src/search/index.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('search');

/** Branin's function, with three minima of 0.397887. */
const branin = ({ x, y }: { x: number; y: number }): number => {
  const valley = y - (5.1 / (4 * Math.PI * Math.PI)) * x * x + (5 / Math.PI) * x - 6;
  return valley * valley + 10 * (1 - 1 / (8 * Math.PI)) * cosPi(x / Math.PI) + 10;
};
const braninSpace = { x: uniform(-5, 10), y: uniform(0, 15) };

/** What does not depend on time. */
const outcome = ({ trials }: SearchResult<Space>): unknown[] => trials.map(({ seconds: _, ...rest }) => rest);

/** Storage in memory that holds `lines`. */
const memory = (lines: string[] = []) => ({
  lines,
  load: () => lines,
  append: (line: string) => void lines.push(line),
});

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

test('values of a space are in their ranges and cover them', async () => {
  const space = {
    a: uniform(-2, 3),
    lr: logUniform(1e-4, 1),
    n: integer(3, 5),
    kind: choice('relu', 'tanh', true, 7),
  };
  const { trials } = await search(space, () => 0, { trials: 400, seed: 1 });
  const all = trials.map(({ parameters }) => parameters);
  assert.ok(all.every(({ a, lr }) => a >= -2 && a < 3 && lr >= 1e-4 && lr <= 1));
  assert.equal([...new Set(all.map(({ n }) => n))].sort(), [3, 4, 5]);
  assert.is(new Set(all.map(({ kind }) => kind)).size, 4);
  // Half of the learning rates are below the geometric mean.
  const low = all.filter(({ lr }) => lr < 0.01).length;
  assert.ok(low > 160 && low < 240, `${low}`);
});

test('a grid has all combinations, both ends of ranges included', async () => {
  const space = { lr: logUniform(0.01, 1), n: integer(1, 2), on: choice(false, true) };
  const { trials, table, best } = await search(space, ({ lr, n, on }) => lr * n + Number(on), {
    strategy: grid({ points: 3 }),
  });
  assert.is(trials.length, 3 * 2 * 2);
  assert.is(new Set(trials.map(({ parameters }) => JSON.stringify(parameters))).size, 12);
  const rates = [...new Set(trials.map(({ parameters }) => parameters.lr))].sort();
  assert.ok(Math.abs(rates[0]! - 0.01) < 1e-12 && Math.abs(rates[1]! - 0.1) < 1e-12 && rates[2] === 1);
  assert.equal(best!.parameters, { lr: rates[0], n: 1, on: false });
  assert.equal(Object.keys(table[0]!), ['trial', 'value', 'lr', 'n', 'on', 'state', 'seconds']);
  assert.ok(table.every((row, i) => i === 0 || row.value! >= table[i - 1]!.value!));
});

test('Bayesian search finds the minimum of Branin’s function in fewer trials than random search', async () => {
  const bestOf = async (strategy: Strategy, trials: number, seed: number): Promise<number> =>
    (await search(braninSpace, branin, { strategy, trials, seed })).best!.value;
  const few: number[] = [];
  for (let seed = 0; seed < 5; seed++) {
    const [model, chance] = [await bestOf(bayesian(), 30, seed), await bestOf(random(), 150, seed)];
    few.push(model);
    assert.ok(model < chance, `seed ${seed}: ${model} after 30 trials, ${chance} after 150 at random`);
  }
  assert.ok(Math.max(...few) < 0.5, few.join());
  assert.ok((await bestOf(bayesian({ kernel: 'rbf' }), 30, 1)) < 0.5);
});

test('Bayesian search of choices and whole numbers, for a maximum', async () => {
  const space = { n: integer(0, 40), kind: choice('a', 'b', 'c') };
  const f = ({ n, kind }: { n: number; kind: string }): number =>
    (kind === 'b' ? 10 : 0) - (n - 17) ** 2 / 20;
  const { best } = await search(space, f, { strategy: bayesian(), trials: 25, goal: 'maximise', seed: 3 });
  assert.equal(best!.parameters.kind, 'b');
  assert.ok(Math.abs(best!.parameters.n - 17) <= 2, `${best!.parameters.n}`);
});

test('the same seed gives the same trials, with any number of them at once and however long each takes', async () => {
  const run = (seed: number, wait: (n: number) => number): Promise<SearchResult<typeof braninSpace>> =>
    search(
      braninSpace,
      async (p, { number }) => {
        await pause(wait(number));
        return branin(p);
      },
      { strategy: bayesian({ initial: 4, candidates: 200 }), trials: 12, concurrency: 3, seed },
    );
  const [a, b, c] = [
    await run(1, (n) => (n * 7) % 5),
    await run(1, (n) => 5 - (n % 5)),
    await run(2, () => 0),
  ];
  assert.equal(outcome(a), outcome(b));
  assert.is.not(a.best!.value, c.best!.value);
});

test('never more trials at once than asked for, each in a slot of its own', async () => {
  const busy = new Set<number>();
  let most = 0;
  await search(
    braninSpace,
    async (_, { slot, number }) => {
      assert.not.ok(busy.has(slot));
      busy.add(slot);
      most = Math.max(most, busy.size);
      await pause((number * 3) % 4);
      busy.delete(slot);
      return 0;
    },
    { trials: 20, concurrency: 3 },
  );
  assert.is(most, 3);
});

test('halving stops bad trials and leaves good ones their budget', async () => {
  let spent = 0;
  // The value falls with the budget towards x.
  const f = (
    { x }: { x: number },
    trial: { budget: number; report(b: number, v: number): boolean },
  ): number => {
    for (let epoch = 1; epoch <= trial.budget; epoch++) {
      spent++;
      if (!trial.report(epoch, x + 1 / epoch)) break;
    }
    return x + 1 / trial.budget;
  };
  const options = { trials: 60, halving: { min: 1, max: 27, factor: 3 }, seed: 5 };
  const { best, trials } = await search({ x: uniform(0, 1) }, f, options);
  const done = trials.filter(({ state }) => state === 'done');
  const stopped = trials.filter(({ state }) => state === 'stopped');
  assert.is(done.length + stopped.length, 60);
  assert.ok(done.length >= 2 && done.length < 20, `${done.length}`);
  assert.ok(done.every(({ reports }) => reports.length === 27));
  assert.ok(stopped.every(({ reports }) => [1, 3, 9].includes(reports.length)));
  assert.ok(spent < (60 * 27) / 2, `${spent} epochs`);
  const least = Math.min(...trials.map(({ parameters }) => parameters.x));
  assert.ok(best!.parameters.x - least < 0.05, `${best!.parameters.x} and ${least}`);
  assert.ok(
    trials.slice(0, done.length).every(({ state }) => state === 'done'),
    'stopped ones come later',
  );
});

test('who goes on at a deciding budget', () => {
  const halving = new Halving({ max: 9, min: 1, factor: 3 });
  const at = (value: number): Report[] => [[1, value]];
  assert.ok(halving.goesOn(at(5), []));
  assert.ok(halving.goesOn(at(5), [at(1)]), 'as long as there are fewer than three');
  assert.not.ok(halving.goesOn(at(5), [at(1), at(6)]));
  assert.ok(halving.goesOn(at(0), [at(1), at(6)]));
  assert.not.ok(halving.goesOn(at(1), [at(1), at(6)]), 'a tie goes to the earlier one');
  assert.not.ok(halving.goesOn(at(Number.NaN), []));
  assert.ok(
    halving.goesOn(
      [
        [1, 0],
        [2, 100],
      ],
      [at(1), at(1)],
    ),
    '2 decides nothing',
  );
  assert.not.ok(
    halving.goesOn(
      [
        [1, 0],
        [9, 0],
      ],
      [],
    ),
    'the budget is spent',
  );
});

test('an interrupted search goes on where it was and ends as it would have', async () => {
  const options: SearchOptions<typeof braninSpace> = {
    strategy: bayesian({ initial: 3, candidates: 100 }),
    ...{ trials: 10, concurrency: 2, seed: 4 },
  };
  const whole = await search(braninSpace, branin, options);
  const stop = new AbortController();
  const storage = memory();
  const first = await search(
    braninSpace,
    async (p, { number, signal }) => {
      if (number === 5) stop.abort();
      await pause(1);
      return signal.aborted ? Number.NaN : branin(p);
    },
    { ...options, storage, signal: stop.signal },
  );
  assert.is(first.interrupted, true);
  assert.ok(first.trials.length >= 4 && first.trials.length < 6, `${first.trials.length}`);
  let again = 0;
  const rest = await search(
    braninSpace,
    (p) => {
      again++;
      return branin(p);
    },
    { ...options, storage },
  );
  assert.equal(outcome(rest), outcome(whole));
  assert.is(again, 10 - first.trials.length);
  assert.is(storage.lines.length, 11);
  // Once more: all is there. More trials: only those are new.
  assert.equal(
    outcome(await search(braninSpace, () => assert.unreachable('again') as never, { ...options, storage })),
    outcome(whole),
  );
  assert.is((await search(braninSpace, branin, { ...options, storage, trials: 12 })).trials.length, 12);
});

test('what a storage may not hold', async () => {
  const storage = memory();
  await search(braninSpace, branin, { trials: 2, storage });
  const more = { trials: 3, storage };
  await rejectsWith(
    () => search(braninSpace, branin, { ...more, seed: 1 }),
    StateError,
    /results of another search/,
  );
  await rejectsWith(
    () => search({ x: uniform(0, 1), y: uniform(0, 1) }, branin, more),
    StateError,
    /another search/,
  );
  await rejectsWith(
    () => search(braninSpace, branin, { trials: 2, storage: memory(['no json']) }),
    FormatError,
    /line 1/,
  );
  storage.lines.push('{"trial": 2, "par');
  await rejectsWith(
    () => search(braninSpace, branin, more),
    FormatError,
    /line 4 of the results is no JSON object/,
  );
});

test('a trial that diverges is a failed one; any other error ends the search', async () => {
  const storage = memory();
  const f = ({ x }: { x: number }): number => {
    if (x < 0.5) throw new DataError({ where: 'fit', problem: 'the loss became NaN' });
    return x;
  };
  const { trials, best } = await search({ x: uniform(0, 1) }, f, {
    trials: 12,
    storage,
    strategy: bayesian(),
  });
  const failed = trials.filter(({ state }) => state === 'failed');
  assert.ok(failed.length > 0 && failed.length < 12);
  assert.equal(trials.slice(-failed.length), failed);
  assert.match(failed[0]!.error!, /the loss became NaN/);
  assert.ok(best!.value >= 0.5);
  const loaded = await search({ x: uniform(0, 1) }, f, { trials: 12, storage, strategy: bayesian() });
  assert.equal(loaded.trials, trials);
  const all = await search({ x: uniform(0, 0.4) }, f, { trials: 3 });
  assert.is(all.best, null);
  const broken = (): number => {
    throw new TypeError('a mistake');
  };
  await rejectsWith(() => search(braninSpace, broken, { trials: 3 }), TypeError, /a mistake/);
  await rejectsWith(
    () => search(braninSpace, () => undefined as never, { trials: 3 }),
    /gave undefined in trial 0/,
  );
  await rejectsWith(
    () => search(braninSpace, (_, trial) => Number(trial.report(2, 1) && trial.report(2, 1)), { trials: 1 }),
    /reports for 2 after 2/,
  );
});

test('spaces and options that make no sense', async () => {
  const cases: [() => unknown, RegExp][] = [
    [() => uniform(1, 1), /\[search\.uniform\] the range is 1 to 1/],
    [() => uniform(0, Number.POSITIVE_INFINITY), /range is 0 to Infinity/],
    [() => logUniform(0, 1), /\[search\.logUniform\] the range is 0 to 1/],
    [() => integer(0, 1.5), /range is 0 to 1.5/],
    [() => choice(), /the values are \[\]/],
    [() => choice('a', 'a'), /the values are \["a","a"\]/],
    [() => choice(Number.NaN), /the values are \[null\]/],
    [() => search({}, () => 0, { trials: 1 }), /the space has no dimension/],
    [() => search({ lr: [0, 1] } as never, () => 0, { trials: 1 }), /lr is \[0,1\]/],
    [() => search(braninSpace, branin), /trials is undefined/],
    [() => search(braninSpace, branin, { trials: 1, concurrency: 0 }), /concurrency is 0/],
    [() => search(braninSpace, branin, { trials: 1, seed: -1 }), /-1 is not a seed/],
    [() => search(braninSpace, branin, { trials: 1, goal: 'x' as never }), /goal is x/],
    [() => search(braninSpace, branin, { trial: 1 } as never), /unknown option trial/],
    [() => search(braninSpace, branin, { trials: 1, halving: { max: 1 } }), /halving goes from 1 to 1/],
    [() => bayesian({ kernel: 'x' as never }), /kernel is x/],
    [() => grid({ points: 0 }), /points is 0/],
  ];
  for (const [action, message] of cases) await rejectsWith(action, message);
});

test('the normal distribution, against known values', () => {
  const known: [number, number][] = [
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1.959963984540054, 0.025],
    [3, 0.9986501019683699],
    [-5.5, 1.898956246588779e-8],
    [-8, 6.220960574271786e-16],
    [6, 0.9999999990134123],
  ];
  for (const [z, p] of known)
    assert.ok(Math.abs(normalCdf(z) - p) <= 1e-12 * Math.max(p, 1e-8) + 1e-15 * p, `${z}`);
  assert.ok(Math.abs(expectedImprovement(1, 1, 1) - 0.3989422804014327) < 1e-12);
  assert.is(expectedImprovement(1, 0, 3), 2);
});

test('a Gaussian process goes through its points and is unsure between them', () => {
  const a = Float64Array.of(4, 2, 0, 2, 5, 3, 0, 3, 6);
  const l = cholesky(a, 3)!;
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) {
      let sum = 0;
      for (let k = 0; k < 3; k++) sum += l[i * 3 + k]! * l[j * 3 + k]!;
      assert.ok(Math.abs(sum - a[i * 3 + j]!) < 1e-12);
    }
  assert.is(cholesky(Float64Array.of(1, 2, 2, 1), 2), null);
  const xs = [0, 0.2, 0.35, 0.6, 0.8, 1];
  const f = (x: number): number => exponential(-x) * cosPi(2 * x);
  for (const kernel of ['matern52', 'rbf'] as const) {
    const model = new GaussianProcess(
      xs.map((x) => Float64Array.of(x)),
      xs.map(f),
      kernel,
    );
    for (const x of xs) {
      const { mean, std } = model.at(Float64Array.of(x));
      assert.ok(Math.abs(mean - f(x)) < 0.01 && std < 0.02, `${kernel} at ${x}: ${mean} +- ${std}`);
    }
    const between = model.at(Float64Array.of(0.48));
    assert.ok(between.std > model.at(Float64Array.of(0.6)).std);
    assert.ok(Math.abs(between.mean - f(0.48)) < 0.1);
  }
});

test.run();
