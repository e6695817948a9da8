// Data sets of several inputs and targets, side by side in columns.
import type { HostArray } from '../dtype.js';
import { DataError } from '../errors.js';
import { ArrayDataset } from './dataset.js';
import { checkCount } from './spec.js';

/** What `joinColumns` puts together. */
export interface JoinColumnsOptions {
  /** Number of examples. */
  length: number;
  /** Inputs by name, each (length, ...), row-major. */
  inputs: Readonly<Record<string, HostArray>>;
  /** Targets by name, each (length, ...); labels are one number for each example. */
  targets: Readonly<Record<string, HostArray>>;
  /** Used in error messages. */
  name?: string;
}

/**
 * A data set of several inputs and targets for `nn.functional` and `loss.multiTask`: their elements lie side by side, in the
 * order of the names, as float32. Errors: DataError for lengths that do not fit, NaN or infinity, and whole numbers that
 * float32 does not hold (from 16,777,217).
 */
export function joinColumns({ length, inputs, targets, name = 'columns' }: JoinColumnsOptions): ArrayDataset {
  checkCount(name, 'length', length);
  const [x, inputWidth] = side(`${name}: inputs`, length, inputs);
  const [y, targetWidth] = side(`${name}: targets`, length, targets);
  return new ArrayDataset({
    ...{ inputs: x, inputShape: [inputWidth], inputDType: 'float32', name },
    ...{ targets: y, targetShape: [targetWidth], targetDType: 'float32' },
  });
}

function side(
  where: string,
  length: number,
  arrays: Readonly<Record<string, HostArray>>,
): [Float32Array, number] {
  const list = Object.entries(arrays).map(([name, values]) => ({
    name,
    values,
    width: values.length / length,
  }));
  const total = list.reduce((n, { width }) => n + width, 0);
  const wrong = list.find(({ width }) => !Number.isInteger(width) || width === 0);
  if (wrong || list.length === 0) {
    throw new DataError({
      where,
      problem: wrong
        ? `${wrong.name} has ${wrong.values.length} values for ${length} examples`
        : 'there are none',
      hint: 'each has the same number of values for every example, at least one',
      values: { length, ...(wrong && { name: wrong.name, values: wrong.values.length }) },
    });
  }
  const out = new Float32Array(length * total);
  let column = 0;
  for (const { name, values, width } of list) {
    for (let i = 0; i < values.length; i++) {
      const value = Number(values[i]);
      const at = Math.floor(i / width) * total + column + (i % width);
      out[at] = value;
      if (Number.isInteger(value) && out[at] !== value) {
        throw new DataError({
          where,
          problem: `${name} has ${value} in example ${Math.floor(i / width)}, which float32 does not hold`,
          hint: 'whole numbers up to 16,777,216',
          values: { name, value },
        });
      }
    }
    column += width;
  }
  return [out, total];
}
