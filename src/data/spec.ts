// What a data set promises about its examples, and the checks that hold user data to it.
import {
  checkShape,
  type DType,
  dtypes,
  type HostArray,
  isFloat,
  type Shape,
  showShape,
  sizeOf,
} from '../dtype.js';
import { checkOptionNames, DataError, DTypeError, OptionError } from '../errors.js';

/** Shapes and dtypes of one example, without the batch axis. */
export interface DataSpec {
  inputShape: Shape;
  inputDType: DType;
  /** `[]` for one label per example. */
  targetShape: Shape;
  targetDType: DType;
  /** Inputs are multiplied by this on the device, e.g. 1/255 for uint8 images. Default 1. */
  scale?: number;
  /** Targets are labels from 0 to classes - 1. */
  classes?: number | undefined;
  /** Used in error messages. */
  name?: string;
}

/**
 * Rows of examples, one after the other. inputs are (size, ...inputShape), targets (size, ...targetShape).
 * A batch that comes from `ArrayDataset.batches` is valid until the next but one is drawn.
 */
export interface Batch {
  inputs: HostArray;
  targets: HostArray;
  size: number;
}

/** How the batches of an epoch are drawn. */
export interface BatchOptions {
  batchSize: number;
  /** A new order for each epoch, decided by seed and epoch alone. Default false. */
  shuffle?: boolean | undefined;
  /** Default 0. */
  seed?: number | undefined;
  /** Default 0. */
  epoch?: number | undefined;
  /** Leaves out a last batch of fewer than batchSize examples. Default false. */
  dropLast?: boolean | undefined;
}

/** What training reads from: arrays in memory or a stream. */
export interface Dataset extends Omit<Required<DataSpec>, 'classes'> {
  readonly classes: number | undefined;
  /** Number of examples; undefined when a stream does not know. */
  readonly length: number | undefined;
  /** Batches of one epoch, in the order that seed and epoch decide. Errors: OptionError. */
  batches(options: BatchOptions): AsyncIterable<Batch>;
}

/** Fills in the defaults and checks shapes, scale and classes. */
export function completeSpec(spec: DataSpec): Required<DataSpec> {
  const { name = 'dataset', scale = 1, classes } = spec;
  checkShape(`${name}: inputShape`, spec.inputShape);
  checkShape(`${name}: targetShape`, spec.targetShape);
  for (const dtype of [spec.inputDType, spec.targetDType]) {
    if (!Object.hasOwn(dtypes, dtype)) {
      throw new DTypeError({
        where: name,
        problem: `unknown dtype ${dtype}`,
        hint: `it is one of ${Object.keys(dtypes).join(', ')}`,
        values: { dtype },
      });
    }
  }
  if (!Number.isFinite(scale)) {
    throw new OptionError({
      where: name,
      problem: `scale ${scale} is not a finite number`,
      values: { scale },
    });
  }
  if (classes !== undefined) checkCount(name, 'classes', classes);
  return {
    name,
    scale,
    classes,
    inputShape: [...spec.inputShape],
    inputDType: spec.inputDType,
    targetShape: [...spec.targetShape],
    targetDType: spec.targetDType,
  };
}

/** Throws OptionError unless `value` is a whole number from 1. */
export function checkCount(where: string, option: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new OptionError({
      where,
      problem: `${option} is ${value}`,
      hint: `${option} is a whole number from 1`,
      values: { [option]: value },
    });
  }
}

/** Checks the options of `batches`, and fills in the defaults. */
export function batchOptions(name: string, options: BatchOptions) {
  const where = `${name}.batches`;
  checkOptionNames(where, options, ['batchSize', 'shuffle', 'seed', 'epoch', 'dropLast']);
  const { batchSize, shuffle = false, seed = 0, epoch = 0, dropLast = false } = options;
  checkCount(where, 'batchSize', batchSize);
  return { batchSize, shuffle, seed, epoch, dropLast };
}

/** Throws DTypeError unless the array is the one in which the host keeps this dtype. */
export function checkArray(where: string, dtype: DType, array: HostArray): void {
  const Wanted = dtypes[dtype].array;
  if (!(array instanceof Wanted)) {
    const found = (array as object | undefined)?.constructor?.name ?? String(array);
    throw new DTypeError({
      where,
      problem: `${dtype} values are in a ${found}`,
      hint: `pass a ${Wanted.name}`,
      values: { dtype, found },
    });
  }
}

/** Throws DataError for a length that is not `count` rows of `shape`. */
export function checkLength(where: string, array: HostArray, count: number, shape: Shape): void {
  const expected = count * sizeOf(shape);
  if (array.length !== expected) {
    throw new DataError({
      where,
      problem: `${array.length} values for ${count} x ${showShape(shape)} = ${expected}`,
      hint: 'inputs and targets must hold the same number of whole examples',
      values: { length: array.length, expected, count, shape },
    });
  }
}

/** Throws DataError at the first NaN or infinity. `first` is the index of the first row, for the message. */
export function checkFinite(where: string, dtype: DType, array: HostArray, rowSize: number, first = 0): void {
  if (!isFloat(dtype)) return;
  for (let i = 0; i < array.length; i++) {
    const value = array[i] as number;
    if (value - value === 0) continue; // false for NaN and both infinities
    const example = first + Math.floor(i / rowSize);
    throw new DataError({
      where,
      problem: `value ${value} at index ${i % rowSize} of example ${example}`,
      hint: 'inputs and targets must be finite numbers',
      values: { value, index: i, example },
    });
  }
}

/** Throws DataError at the first label that is not a whole number from 0 to classes - 1. */
export function checkLabels(where: string, labels: HostArray, classes: number, first = 0): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (label >= 0 && label < classes && Number.isInteger(label)) continue;
    throw new DataError({
      where,
      problem: `label ${label} at index ${first + i} is out of range`,
      hint: `labels are whole numbers from 0 to ${classes - 1}`,
      values: { label, index: first + i, classes },
    });
  }
}

/** All checks of `count` rows against a spec; `first` is the index of the first row, for messages. */
export function checkRows(
  spec: Required<DataSpec>,
  inputs: HostArray,
  targets: HostArray,
  count: number,
  first = 0,
): void {
  const { name, classes } = spec;
  checkArray(`${name}: inputs`, spec.inputDType, inputs);
  checkArray(`${name}: targets`, spec.targetDType, targets);
  checkLength(`${name}: inputs`, inputs, count, spec.inputShape);
  checkLength(`${name}: targets`, targets, count, spec.targetShape);
  checkFinite(`${name}: inputs`, spec.inputDType, inputs, sizeOf(spec.inputShape), first);
  if (classes === undefined) {
    checkFinite(`${name}: targets`, spec.targetDType, targets, sizeOf(spec.targetShape), first);
  } else {
    checkLabels(`${name}: targets`, targets, classes, first * sizeOf(spec.targetShape));
  }
}
