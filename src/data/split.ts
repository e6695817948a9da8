// Which examples are for training, validation and tests: by fractions or in folds, stratified if asked for.
import type { HostArray } from '../dtype.js';
import { checkOptionNames, DataError, OptionError } from '../errors.js';
import { RandomStream, streams } from '../philox.js';
import { ArrayDataset } from './dataset.js';
import { Table } from './table.js';

/** What can be split: an ArrayDataset, a Table, or anything of which rows can be chosen, as an image folder. */
export type Splittable = ArrayDataset | Selectable;

/** Data of which rows can be chosen. */
export interface Selectable {
  readonly length: number;
  /** Labels, for `stratify: true`. */
  readonly targets?: HostArray | undefined;
  /** The same kind of data with these rows, in this order. */
  select(indices: ArrayLike<number>): unknown;
}

/** Options of `split`, `trainTestSplit` and `kFold`. */
export interface SplitOptions {
  /** Default 0. */
  seed?: number;
  /** Default true. Without it the parts are the first examples, those after them, and so on. */
  shuffle?: boolean;
  /**
   * Gives each part its share of every class: true for the labels of a data set, a column's name for a table, or one
   * label for each example.
   */
  stratify?: boolean | string | ArrayLike<number | string>;
}

const optionNames = ['seed', 'shuffle', 'stratify'];

/**
 * Splits into parts by name, e.g. `{ train: 0.6, validation: 0.2, test: 0.2 }`; the fractions sum to 1. Each example is
 * in one part. The order is decided by the seed alone, the same in every engine.
 * Throws OptionError for fractions that are none, do not sum to 1 or leave a part empty, and for no examples; DataError
 * for a class with fewer examples than there are parts, and labels that are missing.
 */
export function split<D extends Splittable, P extends Record<string, number>>(
  data: D,
  fractions: P,
  options: SplitOptions = {},
): { [part in keyof P]: D } {
  const names = Object.keys(fractions);
  const shares = Object.values(fractions);
  const sum = shares.reduce((a, b) => a + b, 0);
  if (names.length === 0 || !shares.every((f) => f > 0) || !(Math.abs(sum - 1) < 1e-9)) {
    throw new OptionError({
      where: 'split',
      problem: `the fractions are ${names.map((name) => `${name}: ${fractions[name]}`).join(', ') || 'none'}`,
      hint: 'they are above 0 and sum to 1',
      values: { fractions },
    });
  }
  const parts = divide('split', data, shares, options);
  for (const [i, part] of parts.entries()) {
    if (part.length > 0) continue;
    throw new OptionError({
      where: 'split',
      problem: `${names[i]}: ${shares[i]} of ${data.length} examples is none`,
      hint: 'give it a larger fraction, or take more examples',
      values: { fractions, length: data.length },
    });
  }
  const named = names.map((name, i) => [name, chosen(data, parts[i]!)]);
  return Object.fromEntries(named) as { [part in keyof P]: D };
}

/** `split` into two: `test` is the fraction of the test examples, 0.2 where not said. */
export function trainTestSplit<D extends Splittable>(
  data: D,
  { test = 0.2, ...options }: SplitOptions & { test?: number } = {},
): { train: D; test: D } {
  if (!(test > 0 && test < 1)) {
    throw new OptionError({
      where: 'trainTestSplit',
      problem: `test is ${test}`,
      hint: 'it is the fraction of the test examples, between 0 and 1',
      values: { test },
    });
  }
  return split(data, { train: 1 - test, test }, options);
}

/**
 * Cross-validation: as many pairs as there are folds; each example is once in `validation`, and in `train` otherwise.
 * Throws OptionError for fewer than 2 folds or fewer examples than folds; DataError as `split`.
 */
export function kFold<D extends Splittable>(
  data: D,
  { folds = 5, ...options }: SplitOptions & { folds?: number } = {},
): { train: D; validation: D }[] {
  if (!(Number.isInteger(folds) && folds >= 2 && folds <= data.length)) {
    throw new OptionError({
      where: 'kFold',
      problem: `${folds} folds of ${data.length} examples`,
      hint: 'folds is a whole number from 2 to the number of examples',
      values: { folds, length: data.length },
    });
  }
  const parts = divide('kFold', data, new Array<number>(folds).fill(1 / folds), options);
  return parts.map((part) => ({
    train: chosen(data, parts.filter((other) => other !== part).flat()),
    validation: chosen(data, part),
  }));
}

/** The rows `indices[0]`, `indices[1]`, ... as data of the same kind. */
function chosen<D extends Splittable>(data: D, indices: readonly number[]): D {
  if (!(data instanceof ArrayDataset)) return (data as Selectable).select(indices) as D;
  const { inputs, targets } = data.allocate(indices.length);
  data.fillBatch(indices, 0, indices.length, inputs, targets);
  const { name, scale, classes, inputShape, inputDType, targetShape, targetDType } = data;
  const spec = { name, scale, classes, inputShape, inputDType, targetShape, targetDType };
  return new ArrayDataset({ ...spec, inputs, targets }) as ArrayDataset & D;
}

/** Indices of each part, in the order of the shuffle. */
function divide(
  where: string,
  data: Splittable,
  shares: readonly number[],
  options: SplitOptions,
): number[][] {
  checkOptionNames(where, options, optionNames);
  const { seed = 0, shuffle = true, stratify = false } = options;
  const { length } = data;
  if (!(length > 0)) {
    throw new OptionError({ where, problem: 'there are no examples to split', values: { length } });
  }
  const order = shuffle
    ? new RandomStream(seed, streams.split).permutation(length)
    : Int32Array.from({ length }, (_, i) => i);
  if (stratify === false) return consecutive(order, shares);
  const labels = labelsOf(where, data, stratify);
  const groups = new Map<number | string, number[]>();
  order.forEach((index, place) => {
    const label = labels[index]!;
    const group = groups.get(label);
    if (group) group.push(place);
    else groups.set(label, [place]);
  });
  for (const [label, { length: count }] of groups) {
    if (count >= shares.length) continue;
    throw new DataError({
      where,
      problem: `class ${label} has ${count} examples for ${shares.length} parts`,
      hint: 'a class needs at least as many examples as there are parts; take fewer parts, or leave the class out',
      values: { label, count, parts: shares.length },
    });
  }
  const partOf = dealt([...groups.values()].flat(), shares);
  const parts = shares.map((): number[] => []);
  order.forEach((index, place) => {
    parts[partOf[place]!]!.push(index);
  });
  return parts;
}

/** The first ones for the first part, and so on; sizes are rounded so that they sum up. */
function consecutive(order: Int32Array, shares: readonly number[]): number[][] {
  let sum = 0;
  let from = 0;
  return shares.map((share, i) => {
    sum += share;
    const to = i === shares.length - 1 ? order.length : Math.round(sum * order.length);
    const part = Array.from(order.subarray(from, to));
    from = to;
    return part;
  });
}

/**
 * Deals places, class by class, to the parts: always to the part that lags most behind its share, so that no part is more
 * than about one example off within a class or in all.
 */
function dealt(places: readonly number[], shares: readonly number[]): Int32Array {
  const given = shares.map(() => 0);
  const partOf = new Int32Array(places.length);
  for (const [n, place] of places.entries()) {
    let best = 0;
    for (let part = 1; part < shares.length; part++) {
      const lag = shares[part]! * (n + 1) - given[part]!;
      if (lag > shares[best]! * (n + 1) - given[best]! + 1e-9) best = part;
    }
    given[best]!++;
    partOf[place] = best;
  }
  return partOf;
}

function labelsOf(
  where: string,
  data: Splittable,
  stratify: true | string | ArrayLike<number | string>,
): ArrayLike<number | string> {
  const refuse = (problem: string, hint: string): never => {
    throw new DataError({ where, problem, hint });
  };
  const hint = 'stratify is true for data with labels, a column of a table, or one label for each example';
  if (typeof stratify === 'object') {
    if (stratify.length === data.length) return stratify;
    return refuse(`${stratify.length} labels to stratify ${data.length} examples`, hint);
  }
  if (data instanceof Table) {
    if (stratify === true)
      return refuse('a table is stratified by a column', "give its name: stratify: 'class'");
    const column = data.column(stratify);
    if (column.type === 'number') return column.values; // all NaNs are one class
    return column.codes; // and so are all missing values
  }
  const { targets } = data as Selectable;
  if (stratify === true && targets?.length === data.length) return targets;
  return refuse('the examples have no label each', hint);
}
