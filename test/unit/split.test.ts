// Splits: each example once, sizes, shares of classes, the same order everywhere, and what cannot be split.
import * as assert from 'uvu/assert';
import {
  ArrayDataset,
  kFold,
  type SplitOptions,
  split,
  Table,
  trainTestSplit,
} from '../../src/data/index.js';
import { DataError, OptionError } from '../../src/errors.js';
import { sha256 } from '../../src/platform.js';
import { suite } from '../helpers/suite.js';

const test = suite('split');

/** Example i has input i; every tenth one is of class 2, the others of 0 and 1 in turn. */
const sample = (length: number): ArrayDataset =>
  new ArrayDataset({
    name: 'sample',
    inputs: Float32Array.from({ length }, (_, i) => i),
    inputShape: [1],
    inputDType: 'float32',
    targets: Int32Array.from({ length }, (_, i) => (i % 10 === 9 ? 2 : i % 2)),
    targetShape: [],
    targetDType: 'int32',
    classes: 3,
  });

const ascending = (length: number) => Array.from({ length }, (_, i) => i);
const sorted = (parts: ArrayDataset[]) => parts.flatMap((p) => [...p.inputs]).sort((a, b) => a - b);
const counts = ({ targets }: ArrayDataset) =>
  [0, 1, 2].map((c) => targets.filter((t: number) => t === c).length);

test('fractions: each example once, rounded sizes, everything else stays', () => {
  const parts = split(sample(101), { train: 0.6, validation: 0.2, test: 0.2 }, { seed: 3 });
  assert.equal([parts.train.length, parts.validation.length, parts.test.length], [61, 20, 20]);
  assert.equal(sorted(Object.values(parts)), ascending(101));
  assert.equal([parts.test.classes, parts.test.name, parts.test.inputShape], [3, 'sample', [1]]);
  for (const [i, input] of parts.test.inputs.entries())
    assert.is(parts.test.targets[i], sample(101).targets[input]);
  const plain = trainTestSplit(sample(10), { shuffle: false, test: 0.3 });
  assert.equal([[...plain.train.inputs], [...plain.test.inputs]], [ascending(7), [7, 8, 9]]);
});

test('stratified: every part has its share of every class', () => {
  for (const length of [60, 97, 1000]) {
    const all = counts(sample(length));
    const fractions = { a: 0.5, b: 0.3, c: 0.2 };
    const parts = split(sample(length), fractions, { stratify: true, seed: length });
    assert.equal(sorted(Object.values(parts)), ascending(length));
    for (const [name, share] of Object.entries(fractions)) {
      const found = parts[name as 'a'];
      assert.ok(Math.abs(found.length - share * length) <= 1, `${name}: ${found.length} of ${length}`);
      for (const [c, count] of counts(found).entries())
        assert.ok(Math.abs(count - share * all[c]!) < 2, `${name}: ${count} of ${all[c]} of class ${c}`);
    }
    assert.not.equal(
      [...parts.a.inputs],
      [...parts.a.inputs].sort((x, y) => x - y),
    );
  }
});

test('folds: each example is validated once and trained on otherwise', () => {
  for (const stratify of [false, true]) {
    const pairs = kFold(sample(53), { folds: 5, stratify, seed: 1 });
    assert.equal(sorted(pairs.map((p) => p.validation)), ascending(53));
    for (const { train, validation } of pairs) {
      assert.equal(sorted([train, validation]), ascending(53));
      assert.ok([10, 11].includes(validation.length));
      if (stratify) assert.is(counts(validation)[2], 1);
    }
  }
});

test('tables by a column, and by labels that are given', () => {
  const table = new Table({
    columns: { id: ascending(40), kind: ascending(40).map((i) => (i < 30 ? 'often' : null)) },
  });
  const { train, test: held } = trainTestSplit(table, { test: 0.2, stratify: 'kind' });
  const missing = (part: Table) => ascending(part.length).filter((i) => part.row(i).kind === null).length;
  assert.equal([missing(train), missing(held), train.length], [8, 2, 32]);
  const byHand = split(
    table,
    { a: 0.5, b: 0.5 },
    { stratify: ascending(40).map((i) => (i < 4 ? 'x' : 'y')) },
  );
  const few = (part: Table) => ascending(part.length).filter((i) => (part.row(i).id as number) < 4).length;
  assert.equal([few(byHand.a), few(byHand.b)], [2, 2]);
});

test('decided by the seed alone: the same order in every engine', async () => {
  const orders = (seed: number): Int32Array => {
    const plain = split(sample(200), { a: 0.7, b: 0.3 }, { seed });
    const strata = split(sample(200), { a: 0.7, b: 0.3 }, { seed, stratify: true });
    const folds = kFold(sample(200), { folds: 7, seed, stratify: true }).map((p) => p.train);
    return Int32Array.from([plain.a, plain.b, strata.a, strata.b, ...folds].flatMap((p) => [...p.inputs]));
  };
  assert.equal(orders(5), orders(5));
  assert.not.equal(orders(5), orders(6));
  const bytes = new Uint8Array(orders(5).buffer as ArrayBuffer);
  assert.is(await sha256(bytes), '8c6a30e476731d2a1f1489f155516ebd3c4fd719cf6777232163477501ae06f8');
});

test('what cannot be split', () => {
  const none = { length: 0, select: () => none };
  const bad: [() => unknown, typeof DataError, RegExp][] = [
    [() => split(none, { a: 0.5, b: 0.5 }), OptionError, /no examples to split/],
    [() => trainTestSplit(none), OptionError, /no examples/],
    [() => kFold(none), OptionError, /5 folds of 0 examples/],
    [() => split(sample(9), {}), OptionError, /the fractions are none/],
    [() => split(sample(9), { a: 0.5, b: 0.4 }), OptionError, /a: 0.5, b: 0.4 .*sum to 1/],
    [() => split(sample(9), { a: 1, b: 0 }), OptionError, /above 0/],
    [() => split(sample(9), { a: Number.NaN, b: 1 }), OptionError, /NaN/],
    [() => split(sample(3), { a: 0.99, b: 0.01 }), OptionError, /b: 0.01 of 3 examples is none/],
    [() => trainTestSplit(sample(3), { test: 1 }), OptionError, /test is 1/],
    [() => kFold(sample(9), { folds: 1 }), OptionError, /1 folds/],
    [() => kFold(sample(9), { folds: 2.5 }), OptionError, /2.5 folds/],
    [() => kFold(sample(30), { stratify: true }), DataError, /class 2 has 3 examples for 5 parts/],
    [() => kFold(sample(9), { stratfy: true } as SplitOptions), OptionError, /unknown option stratfy/],
    [() => kFold(sample(9), { stratify: ['a'] }), DataError, /1 labels to stratify 9 examples/],
    [() => kFold(sample(9), { stratify: 'kind' }), DataError, /no label each/],
  ];
  for (const [attempt, type, pattern] of bad)
    assert.throws(attempt, (e: Error) => e instanceof type && pattern.test(e.message), String(pattern));
});

test.run();
