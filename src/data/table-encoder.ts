// Tables to examples: numbers to a common scale, categories to zeros and ones, missing values filled in.
import { checkOptionNames, DataError, FormatError, OptionError } from '../errors.js';
import { ArrayDataset } from './dataset.js';
import {
  type EncoderJSON,
  encoderFromJSON,
  LabelEncoder,
  minMaxScaler,
  OneHotEncoder,
  Scaler,
  standardScaler,
} from './encoders.js';
import {
  type CategoryColumn,
  type Column,
  categoryColumn,
  type NumberColumn,
  Table,
  valueAt,
} from './table.js';

/** Options of `tableEncoder`. */
export interface TableEncoderOptions {
  /** The column to learn: labels or categories become int32 labels, numbers stay numbers, float32 of shape (1). */
  target: string;
  /** The columns to learn from, in this order. Default: all but the target. */
  features?: readonly string[];
  /** To mean 0 and deviation 1 (default), to the range from 0 to 1, or as they are. */
  numbers?: 'standard' | 'minMax' | 'none';
  categories?: 'oneHot';
  /**
   * What becomes of a missing value: an error (default); the mean of a number and the most frequent category; the most
   * frequent value of both; or, with the first of these, a further input that is 1 where a value is missing, for the
   * columns in which one was when the encoder was fitted (a category has no other one then).
   */
  missing?: 'error' | 'mean' | 'mostFrequent' | 'indicator';
  /** What becomes of a category that was not there when the encoder was fitted: an error (default), or only zeros. */
  unknown?: 'error' | 'zeros';
}

const optionNames = ['target', 'features', 'numbers', 'categories', 'missing', 'unknown'];
const choices: Record<string, readonly string[]> = {
  numbers: ['standard', 'minMax', 'none'],
  categories: ['oneHot'],
  missing: ['error', 'mean', 'mostFrequent', 'indicator'],
  unknown: ['error', 'zeros'],
};

/** A column of numbers: (x - shift) / scale, then whether x was missing. */
interface NumberFeature {
  readonly name: string;
  readonly type: 'number';
  readonly scaler: Scaler | null;
  /** Stands for a missing value; null: an error. */
  readonly fill: number | null;
  readonly indicator: boolean;
}

/** A column of categories: a place for each, then whether it was missing. */
interface CategoryFeature {
  readonly name: string;
  readonly type: 'category';
  readonly oneHot: OneHotEncoder;
  readonly fill: string | null;
  readonly indicator: boolean;
}

type Feature = NumberFeature | CategoryFeature;
interface Target {
  readonly name: string;
  /** Null for a target that is a number. */
  readonly labels: LabelEncoder | null;
}

/** A table encoder as plain data, e.g. for `JSON.stringify`; `tableEncoderFromJSON` takes it. */
export interface TableEncoderJSON {
  kind: 'tableEncoder';
  target: { name: string; labels: EncoderJSON | null };
  features: (
    | { name: string; type: 'number'; scaler: EncoderJSON | null; fill: number | null; indicator: boolean }
    | { name: string; type: 'category'; oneHot: EncoderJSON; fill: string | null; indicator: boolean }
  )[];
}

/**
 * Fitted on `table`, which should be the training part alone: scales, categories and what stands for missing values come
 * from there. Throws OptionError for options, DataError for columns that are not there, missing values where they are an
 * error, and a column without any value.
 */
export function tableEncoder(table: Table, options: TableEncoderOptions): TableEncoder {
  checkOptionNames('tableEncoder', options, optionNames);
  for (const [option, known] of Object.entries(choices)) {
    const value = options[option as keyof TableEncoderOptions];
    if (value === undefined || known.includes(value as string)) continue;
    throw new OptionError({
      where: 'tableEncoder',
      problem: `${option} is ${String(value)}`,
      hint: `one of ${known.join(', ')}`,
      values: { [option]: value },
    });
  }
  const { target, features = table.names.filter((name) => name !== target) } = options;
  if (features.length === 0 || features.includes(target) || new Set(features).size < features.length) {
    throw new OptionError({
      where: 'tableEncoder',
      problem: `the features are ${features.join(', ') || 'none'}, the target is ${target}`,
      hint: 'at least one feature, each once, and not the target',
      values: { features, target },
    });
  }
  const learned = table.column(target);
  const labels = learned.type === 'number' ? null : new LabelEncoder(usedNames(learned));
  const fitted = features.map((name) => {
    const column = table.column(name);
    return column.type === 'number'
      ? numberFeature(table, name, column, options)
      : categoryFeature(table, name, column, options);
  });
  return new TableEncoder({ name: target, labels }, fitted);
}

/** Categories that occur; a part of a table may lack some. */
const usedNames = ({ codes, categories }: CategoryColumn): string[] => {
  const used = new Set(codes);
  return categories.filter((_, code) => used.has(code));
};

function numberFeature(
  table: Table,
  name: string,
  { values }: NumberColumn,
  { numbers = 'standard', missing = 'error' }: TableEncoderOptions,
): NumberFeature {
  const present = values.filter((v) => !Number.isNaN(v));
  const some = present.length < values.length;
  if (present.length === 0) throw noValue(table, name);
  if (some && missing === 'error') throw missingValue(table, values.findIndex(Number.isNaN), name);
  const scaler =
    numbers === 'none' ? null : numbers === 'minMax' ? minMaxScaler(present) : standardScaler(present);
  const mean = present.reduce((sum, v) => sum + v, 0) / present.length;
  const fill = missing === 'error' ? null : missing === 'mostFrequent' ? mostFrequent(present.sort()) : mean;
  return { name, type: 'number', scaler, fill, indicator: missing === 'indicator' && some };
}

function categoryFeature(
  table: Table,
  name: string,
  column: CategoryColumn,
  { missing = 'error', unknown = 'error' }: TableEncoderOptions,
): CategoryFeature {
  const present = column.codes.filter((code) => code >= 0).sort();
  const some = present.length < column.codes.length;
  if (present.length === 0) throw noValue(table, name);
  if (some && missing === 'error') throw missingValue(table, column.codes.indexOf(-1), name);
  const fill = missing === 'error' ? null : column.categories[mostFrequent(present)]!;
  const oneHot = new OneHotEncoder(usedNames(column), unknown);
  return { name, type: 'category', oneHot, fill, indicator: missing === 'indicator' && some };
}

/** Of sorted values; the least of those that are equally frequent. */
function mostFrequent(sorted: Float64Array | Int32Array): number {
  let best = sorted[0]!;
  let most = 0;
  let count = 0;
  sorted.forEach((value, i) => {
    count = value === sorted[i - 1] ? count + 1 : 1;
    if (count > most) [best, most] = [value, count];
  });
  return best;
}

const noValue = (table: Table, column: string) =>
  new DataError({
    where: table.name,
    problem: `column ${column} has no value at all`,
    hint: 'leave it out of features',
    values: { column },
  });

const missingValue = (table: Table, row: number, column: string, hint?: string) =>
  new DataError({
    where: table.place(row),
    problem: `column ${column} is missing`,
    hint: hint ?? "say what stands for it: missing: 'mean', 'mostFrequent' or 'indicator'",
    values: { row, column },
  });

const widthOf = (feature: Feature): number =>
  (feature.type === 'number' ? 1 : feature.oneHot.categories.length) + Number(feature.indicator);

/** What `tableEncoder` gives; knows tables with the same columns. */
export class TableEncoder {
  /** Names of the inputs: `age`, `age missing`, `job=clerk`, ... */
  readonly inputNames: readonly string[];
  /** Names of the labels; null for a target that is a number. */
  readonly classes: readonly string[] | null;
  readonly #target: Target;
  readonly #features: readonly Feature[];

  /** Use `tableEncoder` or `tableEncoderFromJSON`. */
  constructor(target: Target, features: readonly Feature[]) {
    this.#target = target;
    this.#features = features;
    this.classes = target.labels?.classes ?? null;
    this.inputNames = features.flatMap((feature) => {
      const { name, indicator } = feature;
      const own = feature.type === 'number' ? [name] : feature.oneHot.categories.map((c) => `${name}=${c}`);
      return indicator ? [...own, `${name} missing`] : own;
    });
  }

  /**
   * Examples with inputs (rows, inputNames), float32, and targets: (rows) int32 labels, or (rows, 1) float32.
   * Throws DataError, with line or row and column, for a missing target, a missing value where that is an error, an unknown
   * category, a column that is not there or of another type than when it was fitted.
   */
  transform(table: Table): ArrayDataset {
    const { name, labels } = this.#target;
    const column = table.column(name);
    const hint = 'leave out rows without a target';
    const spec = {
      name: table.name,
      inputs: this.inputs(table),
      inputShape: [this.inputNames.length],
      inputDType: 'float32',
    } as const;
    checkType(table, name, column, labels === null);
    const values = Array.from({ length: table.length }, (_, row) => {
      const value = valueAt(column, row);
      if (value === null) throw missingValue(table, row, name, hint);
      return labels ? labels.code(String(value), `${table.place(row)}, column ${name}`) : Number(value);
    });
    return labels
      ? new ArrayDataset({
          ...spec,
          targets: Int32Array.from(values),
          targetShape: [],
          targetDType: 'int32',
          classes: labels.classes.length,
        })
      : new ArrayDataset({
          ...spec,
          targets: Float32Array.from(values),
          targetShape: [1],
          targetDType: 'float32',
        });
  }

  /** Only the inputs (rows, inputNames), for tables without a target. Throws as `transform`. */
  inputs(table: Table): Float32Array<ArrayBuffer> {
    const width = this.inputNames.length;
    const out = new Float32Array(table.length * width);
    let first = 0;
    for (const feature of this.#features) {
      const column = table.column(feature.name);
      checkType(table, feature.name, column, feature.type === 'number');
      for (let row = 0; row < table.length; row++) {
        encodeValue(feature, valueAt(column, row), out, row * width + first, table, row);
      }
      first += widthOf(feature);
    }
    return out;
  }

  /**
   * The table that inputs (rows, inputNames) came from: numbers as float32 kept them, values that were filled in, and
   * missing ones where the encoder marks them.
   */
  inverse(inputs: ArrayLike<number>): Table {
    const width = this.inputNames.length;
    const rows = inputs.length / width;
    if (!Number.isInteger(rows) || rows === 0) {
      throw new DataError({
        where: 'tableEncoder.inverse',
        problem: `${inputs.length} values in rows of ${width}`,
        hint: 'whole rows, and at least one',
        values: { length: inputs.length, width },
      });
    }
    let first = 0;
    const columns = this.#features.map((feature): [string, Column] => {
      const start = first;
      first += widthOf(feature);
      const marked = (row: number) => feature.indicator && inputs[row * width + first - 1]! > 0.5;
      return [feature.name, decoded(feature, inputs, rows, width, start, marked)];
    });
    return new Table({ columns: new Map(columns) });
  }

  /** As plain JSON; `tableEncoderFromJSON` reads it. */
  toJSON(): TableEncoderJSON {
    const { name, labels } = this.#target;
    const features = this.#features.map((feature) =>
      feature.type === 'number'
        ? { ...feature, scaler: feature.scaler?.toJSON() ?? null }
        : { ...feature, oneHot: feature.oneHot.toJSON() },
    );
    return { kind: 'tableEncoder', target: { name, labels: labels?.toJSON() ?? null }, features };
  }
}

function decoded(
  feature: Feature,
  inputs: ArrayLike<number>,
  rows: number,
  width: number,
  start: number,
  marked: (row: number) => boolean,
): Column {
  if (feature.type === 'category') {
    const name = (row: number) => (marked(row) ? null : feature.oneHot.name(inputs, row * width + start));
    return categoryColumn(Array.from({ length: rows }, (_, row) => name(row)));
  }
  const { scaler } = feature;
  const values = Float64Array.from({ length: rows }, (_, row) => {
    const value = inputs[row * width + start]!;
    return marked(row) ? Number.NaN : scaler ? scaler.backward(value, 0) : value;
  });
  return { type: 'number', values };
}

function encodeValue(
  feature: Feature,
  value: number | string | null,
  out: Float32Array,
  at: number,
  table: Table,
  row: number,
): void {
  const { name, indicator } = feature;
  const known = value ?? feature.fill;
  if (known === null) throw missingValue(table, row, name);
  if (value === null && indicator) out[at + widthOf(feature) - 1] = 1;
  if (feature.type === 'number') {
    out[at] = feature.scaler ? feature.scaler.forward(Number(known), 0) : Number(known);
  } else if (value !== null || !indicator) {
    const code = feature.oneHot.code(String(known), `${table.place(row)}, column ${name}`);
    if (code >= 0) out[at + code] = 1;
  }
}

function checkType(table: Table, name: string, column: Column, number: boolean): void {
  if ((column.type === 'number') === number) return;
  throw new DataError({
    where: table.name,
    problem: `column ${name} is of type ${column.type}, and was ${number ? 'a number' : 'none'} when the encoder was fitted`,
    hint: "give its type when the file is read: columns: { name: 'category' }",
    values: { column: name, type: column.type },
  });
}

/** A table encoder from its plain data. Throws FormatError for what is none. */
export function tableEncoderFromJSON(json: TableEncoderJSON): TableEncoder {
  const refuse = (): never => {
    throw new FormatError({
      where: 'tableEncoderFromJSON',
      problem: 'this is not the plain data of a table encoder',
      hint: 'pass what toJSON gave',
    });
  };
  const { kind, target, features } = json ?? refuse();
  if (kind !== 'tableEncoder' || typeof target?.name !== 'string' || !Array.isArray(features)) refuse();
  const labels = target.labels ? encoderFromJSON(target.labels) : null;
  if (labels !== null && !(labels instanceof LabelEncoder)) return refuse();
  const read = features.map((feature): Feature => {
    const { name, indicator } = feature;
    if (typeof name !== 'string' || typeof indicator !== 'boolean') return refuse();
    if (feature.type === 'number') {
      const scaler = feature.scaler ? encoderFromJSON(feature.scaler) : null;
      const fill = feature.fill ?? null;
      if ((scaler !== null && !(scaler instanceof Scaler)) || (fill !== null && !Number.isFinite(fill)))
        return refuse();
      return { name, type: 'number', scaler, fill, indicator };
    }
    const oneHot = encoderFromJSON(feature.oneHot);
    if (!(oneHot instanceof OneHotEncoder)) return refuse();
    return { name, type: 'category', oneHot, fill: feature.fill ?? null, indicator };
  });
  return new TableEncoder({ name: target.name, labels }, read);
}
