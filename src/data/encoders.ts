// Numbers to a common scale, names to numbers, and back. An encoder is fitted when it is made, on the training part alone.
import { DataError, FormatError, OptionError } from '../errors.js';
import { checkCount } from './spec.js';
import { distinct } from './table.js';

/** An encoder as plain data, e.g. for `JSON.stringify`; `encoderFromJSON` takes it. */
export type EncoderJSON =
  | { kind: 'standardScaler' | 'minMaxScaler'; shift: number[]; scale: number[] }
  | { kind: 'oneHotEncoder'; categories: string[]; unknown: 'error' | 'zeros' }
  | { kind: 'labelEncoder'; classes: string[] };

/** Each column has its own shift and scale: y = (x - shift) / scale. Values are (rows, columns), row-major. */
export class Scaler {
  readonly kind: 'standardScaler' | 'minMaxScaler';
  readonly shift: readonly number[];
  readonly scale: readonly number[];

  constructor(kind: Scaler['kind'], shift: readonly number[], scale: readonly number[]) {
    this.kind = kind;
    this.shift = shift;
    this.scale = scale;
  }

  /** (rows, columns) to the common scale. Throws DataError for rows that are not whole, NaN and infinity. */
  transform(values: ArrayLike<number>): Float32Array<ArrayBuffer> {
    checkMatrix(this.kind, values, this.scale.length);
    return Float32Array.from(values, (x, i) => this.forward(x, i % this.scale.length));
  }

  /** (rows, columns) from the common scale to the one that they had. */
  inverse(values: ArrayLike<number>): Float64Array<ArrayBuffer> {
    checkMatrix(this.kind, values, this.scale.length);
    return Float64Array.from(values, (y, i) => this.backward(y, i % this.scale.length));
  }

  /** One value of a column. */
  forward(x: number, column: number): number {
    return (x - this.shift[column]!) / this.scale[column]!;
  }

  /** The value that was encoded as `y` in a column. */
  backward(y: number, column: number): number {
    return y * this.scale[column]! + this.shift[column]!;
  }

  /** As plain JSON; `encoderFromJSON` reads it. */
  toJSON(): EncoderJSON {
    return { kind: this.kind, shift: [...this.shift], scale: [...this.scale] };
  }
}

/** Options of `standardScaler` and `minMaxScaler`. */
export interface ScalerOptions {
  /** Columns of the matrix; 1 where not said. */
  columns?: number;
}

/**
 * To mean 0 and standard deviation 1 (of the population) in each column; a constant column only loses its mean.
 * `values` is (rows, columns). Throws DataError for no rows, rows that are not whole, NaN and infinity.
 */
export function standardScaler(values: ArrayLike<number>, { columns = 1 }: ScalerOptions = {}): Scaler {
  const rows = checkMatrix('standardScaler', values, columns);
  // Found exactly, because rounding makes a mean that differs from all values, and a deviation that is not 0.
  const varies = columnSums(values, columns, (x, c) => Number(x !== values[c]));
  const sums = columnSums(values, columns, (x) => x);
  const mean = sums.map((sum, c) => (varies[c] ? sum / rows : values[c]!));
  const squares = columnSums(values, columns, (x, c) => (x - mean[c]!) * (x - mean[c]!));
  return new Scaler(
    'standardScaler',
    mean,
    squares.map((sum) => Math.sqrt(sum / rows) || 1),
  );
}

/** To the range from 0 to 1 in each column; a constant column becomes 0. As `standardScaler` otherwise. */
export function minMaxScaler(values: ArrayLike<number>, { columns = 1 }: ScalerOptions = {}): Scaler {
  checkMatrix('minMaxScaler', values, columns);
  const least = new Array<number>(columns).fill(Number.POSITIVE_INFINITY);
  const most = new Array<number>(columns).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < values.length; i++) {
    const c = i % columns;
    least[c] = Math.min(least[c]!, values[i]!);
    most[c] = Math.max(most[c]!, values[i]!);
  }
  return new Scaler(
    'minMaxScaler',
    least,
    most.map((v, c) => v - least[c]! || 1),
  );
}

function columnSums(
  values: ArrayLike<number>,
  columns: number,
  term: (x: number, column: number) => number,
): number[] {
  const sums = new Array<number>(columns).fill(0);
  for (let i = 0; i < values.length; i++) sums[i % columns]! += term(values[i]!, i % columns);
  return sums;
}

/** Number of rows. */
function checkMatrix(where: string, values: ArrayLike<number>, columns: number): number {
  checkCount(where, 'columns', columns);
  if (values.length === 0 || values.length % columns !== 0) {
    throw new DataError({
      where,
      problem: `${values.length} values in rows of ${columns}`,
      hint: 'whole rows, and at least one',
      values: { length: values.length, columns },
    });
  }
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new DataError({
      where,
      problem: `row ${Math.floor(i / columns)}, column ${i % columns} is ${values[i]}`,
      hint: 'numbers are finite; fill in missing ones before, or use tableEncoder',
      values: { row: Math.floor(i / columns), column: i % columns, value: values[i] },
    });
  }
  return values.length / columns;
}

/** Names as rows of zeros with a one in the name's place. */
export class OneHotEncoder {
  readonly kind = 'oneHotEncoder';
  /** Ordered by UTF-16 units. */
  readonly categories: readonly string[];
  /** What becomes of a name that was not there when it was fitted: an error, or a row of zeros. */
  readonly unknown: 'error' | 'zeros';
  readonly #codes: ReadonlyMap<string, number>;

  constructor(categories: readonly string[], unknown: 'error' | 'zeros' = 'error') {
    if (unknown !== 'error' && unknown !== 'zeros') {
      throw new OptionError({
        where: 'oneHotEncoder',
        problem: `unknown is ${unknown}`,
        hint: "'error' or 'zeros'",
        values: { unknown },
      });
    }
    this.categories = categories;
    this.unknown = unknown;
    this.#codes = codesOf(categories);
  }

  /** The place of a name; -1 for an unknown one with `unknown: 'zeros'`. Throws DataError otherwise. */
  code(value: string, where = 'oneHotEncoder'): number {
    const code = this.#codes.get(value);
    if (code !== undefined) return code;
    if (this.unknown === 'zeros') return -1;
    throw unknownName(where, value, this.categories, "with unknown: 'zeros' it becomes a row of zeros");
  }

  /** (rows) names to (rows, categories). Throws DataError for an unknown name. */
  transform(values: readonly string[]): Float32Array<ArrayBuffer> {
    const width = this.categories.length;
    const out = new Float32Array(values.length * width);
    values.forEach((value, i) => {
      const code = this.code(value, `oneHotEncoder: index ${i}`);
      if (code >= 0) out[i * width + code] = 1;
    });
    return out;
  }

  /** (rows, categories) to the names of the largest values; null where none is above 0. */
  inverse(values: ArrayLike<number>): (string | null)[] {
    const width = this.categories.length;
    const rows = checkMatrix('oneHotEncoder', values, width);
    return Array.from({ length: rows }, (_, row) => this.name(values, row * width));
  }

  /** The name of the largest of the values from `start` on; null if none is above 0. */
  name(values: ArrayLike<number>, start: number): string | null {
    let best = -1;
    for (let c = 0; c < this.categories.length; c++) {
      if (values[start + c]! > (best < 0 ? 0 : values[start + best]!)) best = c;
    }
    return this.categories[best] ?? null;
  }

  /** As plain JSON; `encoderFromJSON` reads it. */
  toJSON(): EncoderJSON {
    return { kind: this.kind, categories: [...this.categories], unknown: this.unknown };
  }
}

/** Fitted on the names that are there. Throws DataError for none, and for what is no string. */
export function oneHotEncoder(
  values: readonly string[],
  { unknown = 'error' }: { unknown?: 'error' | 'zeros' } = {},
): OneHotEncoder {
  return new OneHotEncoder(namesIn('oneHotEncoder', values), unknown);
}

/** Names as whole numbers from 0, for targets. */
export class LabelEncoder {
  readonly kind = 'labelEncoder';
  /** Ordered by UTF-16 units. */
  readonly classes: readonly string[];
  readonly #codes: ReadonlyMap<string, number>;

  constructor(classes: readonly string[]) {
    this.classes = classes;
    this.#codes = codesOf(classes);
  }

  /** Throws DataError for a name that was not there when it was fitted. */
  code(value: string, where = 'labelEncoder'): number {
    const code = this.#codes.get(value);
    if (code !== undefined) return code;
    throw unknownName(where, value, this.classes, 'fit it on data with all classes');
  }

  /** (rows) names to (rows) labels. Throws DataError for an unknown name. */
  transform(values: readonly string[]): Int32Array<ArrayBuffer> {
    return Int32Array.from(values, (value, i) => this.code(value, `labelEncoder: index ${i}`));
  }

  /** Labels to names. Throws DataError for a number that is no label. */
  inverse(labels: ArrayLike<number>): string[] {
    return Array.from(labels, (label, i) => {
      const name = this.classes[label];
      if (name !== undefined) return name;
      throw new DataError({
        where: 'labelEncoder',
        problem: `label ${label} at index ${i} is out of range`,
        hint: `labels are whole numbers from 0 to ${this.classes.length - 1}`,
        values: { label, index: i },
      });
    });
  }

  /** As plain JSON; `encoderFromJSON` reads it. */
  toJSON(): EncoderJSON {
    return { kind: this.kind, classes: [...this.classes] };
  }
}

/** Fitted on the names that are there. Throws DataError for none, and for what is no string. */
export function labelEncoder(values: readonly string[]): LabelEncoder {
  return new LabelEncoder(namesIn('labelEncoder', values));
}

const codesOf = (names: readonly string[]) => new Map(names.map((name, code) => [name, code]));

function namesIn(where: string, values: readonly string[]): string[] {
  const wrong = values.findIndex((value) => typeof value !== 'string');
  if (wrong < 0 && values.length > 0) return distinct(values);
  throw new DataError({
    where,
    problem: wrong < 0 ? 'there are no values' : `${String(values[wrong])} at index ${wrong} is not a string`,
    hint: 'pass names; numbers become names with map(String)',
    values: { index: wrong },
  });
}

function unknownName(where: string, value: string, known: readonly string[], hint: string): DataError {
  const shown =
    known.length > 8 ? `${known.slice(0, 8).join(', ')}, ... (${known.length})` : known.join(', ');
  return new DataError({
    where,
    problem: `${JSON.stringify(value)} was not there when it was fitted; known: ${shown}`,
    hint,
    values: { value, known },
  });
}

/** An encoder from its plain data. Throws FormatError for what is none. */
export function encoderFromJSON(json: EncoderJSON): Scaler | OneHotEncoder | LabelEncoder {
  switch (json?.kind) {
    case 'standardScaler':
    case 'minMaxScaler': {
      const { kind, shift, scale } = json;
      const fits = isList(shift, Number.isFinite) && isList(scale, (v) => Number.isFinite(v) && v !== 0);
      if (fits && shift.length > 0 && shift.length === scale.length) return new Scaler(kind, shift, scale);
      break;
    }
    case 'oneHotEncoder':
      if (isNames(json.categories)) return new OneHotEncoder(json.categories, json.unknown);
      break;
    case 'labelEncoder':
      if (isNames(json.classes)) return new LabelEncoder(json.classes);
  }
  throw new FormatError({
    where: 'encoderFromJSON',
    problem: `this is not the plain data of an encoder: kind ${String((json as { kind?: unknown } | null)?.kind)}`,
    hint: 'pass what toJSON gave',
  });
}

const isList = <T>(list: unknown, check: (value: T) => boolean): list is T[] =>
  Array.isArray(list) && list.every(check);
const isNames = (list: unknown): list is string[] =>
  isList<unknown>(list, (name) => typeof name === 'string') && new Set(list).size === list.length;
