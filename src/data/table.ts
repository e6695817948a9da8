// Rows of mixed columns, kept column by column: numbers and names of categories, either of which may be missing.
import { DataError, ShapeError } from '../errors.js';

/** Numbers; NaN where one is missing. */
export interface NumberColumn {
  readonly type: 'number';
  readonly values: Float64Array;
}

/** Names of categories; row i has `categories[codes[i]]`, or none where the code is -1. */
export interface CategoryColumn {
  readonly type: 'category' | 'label';
  readonly codes: Int32Array;
  /** Ordered by UTF-16 units, so that the order does not depend on that of the rows. */
  readonly categories: readonly string[];
}

/** A column of a table: numbers or categories. */
export type Column = NumberColumn | CategoryColumn;
/** One row by column name; null where a value is missing. */
export type Row = Record<string, number | string | null>;

/** What a table is made of. */
export interface TableOptions {
  /** Columns by name, all of the same length. Arrays of numbers (NaN: missing) or strings (null: missing). */
  columns:
    | Record<string, Column | ArrayLike<number> | readonly (string | null)[]>
    | ReadonlyMap<string, Column>;
  /** Used in error messages. */
  name?: string;
  /** The line of each row in its file, for error messages. */
  lines?: Int32Array | undefined;
}

/** A columnar table. Throws ShapeError for columns of different lengths, DataError for no column or bad codes. */
export class Table {
  readonly columns: ReadonlyMap<string, Column>;
  /** Number of rows. */
  readonly length: number;
  readonly name: string;
  readonly lines: Int32Array | undefined;

  constructor({ columns, name = 'table', lines }: TableOptions) {
    const given = columns instanceof Map ? columns : new Map(Object.entries(columns));
    this.columns = new Map([...given].map(([key, column]) => [key, toColumn(column, `${name}: ${key}`)]));
    const [first] = this.columns;
    if (!first) {
      throw new DataError({ where: name, problem: 'there is no column', hint: 'give at least one' });
    }
    this.length = lengthOf(first[1]);
    for (const [key, column] of this.columns) {
      if (lengthOf(column) === this.length) continue;
      throw new ShapeError({
        where: name,
        problem: `column ${key} has ${lengthOf(column)} rows, column ${first[0]} has ${this.length}`,
        hint: 'all columns have the same length',
        values: { column: key, length: lengthOf(column), expected: this.length },
      });
    }
    this.name = name;
    this.lines = lines;
  }

  /** Names of the columns, in order. */
  get names(): string[] {
    return [...this.columns.keys()];
  }

  /** Throws DataError, with the names that there are, for one that is not. */
  column(name: string): Column {
    const found = this.columns.get(name);
    if (found) return found;
    throw new DataError({
      where: this.name,
      problem: `there is no column ${JSON.stringify(name)}`,
      hint: `the columns are ${this.names.join(', ')}`,
      values: { column: name, columns: this.names },
    });
  }

  /** Row i by column name. Throws DataError for one that is not there. */
  row(i: number): Row {
    this.#checkRow(i);
    return Object.fromEntries([...this.columns].map(([name, column]) => [name, valueAt(column, i)]));
  }

  /** The rows `indices[0]`, `indices[1]`, ... in this order, as copies. Throws DataError for one that is not there. */
  select(indices: ArrayLike<number>): Table {
    const rows = Int32Array.from(indices);
    for (let i = 0; i < indices.length; i++) this.#checkRow(indices[i]!);
    const picked = ([name, column]: [string, Column]): [string, Column] => [name, selected(column, rows)];
    return new Table({
      columns: new Map([...this.columns].map(picked)),
      name: this.name,
      lines: this.lines && rows.map((i) => this.lines![i]!),
    });
  }

  /** `name: line 17`, or `name: row 15` for a table that does not come from a file. */
  place(row: number): string {
    return this.lines ? `${this.name}: line ${this.lines[row]}` : `${this.name}: row ${row}`;
  }

  #checkRow(i: number): void {
    if (Number.isInteger(i) && i >= 0 && i < this.length) return;
    throw new DataError({
      where: this.name,
      problem: `row ${i} is not one of ${this.length}`,
      values: { row: i, length: this.length },
    });
  }
}

const lengthOf = (column: Column): number =>
  column.type === 'number' ? column.values.length : column.codes.length;

/** What a column holds in row i; null if nothing. */
export function valueAt(column: Column, i: number): number | string | null {
  if (column.type !== 'number') return column.categories[column.codes[i]!] ?? null;
  const value = column.values[i]!;
  return Number.isNaN(value) ? null : value;
}

function selected(column: Column, rows: Int32Array): Column {
  if (column.type === 'number')
    return { ...column, values: Float64Array.from(rows, (i) => column.values[i]!) };
  return { ...column, codes: rows.map((i) => column.codes[i]!) };
}

/** Distinct names in the order of their UTF-16 units. */
export const distinct = (names: Iterable<string>): string[] => [...new Set(names)].sort();

/** A column of names; null is a missing one. */
export function categoryColumn(
  values: readonly (string | null)[],
  type: 'category' | 'label' = 'category',
): CategoryColumn {
  const used = new Set(values);
  used.delete(null);
  const categories = distinct(used as Set<string>);
  const codes = new Map(categories.map((name, code) => [name, code]));
  return { type, categories, codes: Int32Array.from(values, (v) => (v === null ? -1 : codes.get(v)!)) };
}

function toColumn(column: Column | ArrayLike<number> | readonly (string | null)[], where: string): Column {
  if (!('type' in column)) {
    const values = Array.from(column as ArrayLike<number | string | null>);
    if (values.every((v) => typeof v === 'number')) {
      return toColumn({ type: 'number', values: Float64Array.from(values) }, where);
    }
    if (values.every((v) => typeof v === 'string' || v === null)) return categoryColumn(values);
    throw new DataError({
      where,
      problem: 'it holds neither numbers nor strings alone',
      hint: 'numbers with NaN for a missing one, or strings with null for a missing one',
    });
  }
  if (column.type === 'number') {
    const infinite = column.values.findIndex((v) => Math.abs(v) === Number.POSITIVE_INFINITY);
    if (infinite < 0) return column;
    throw new DataError({
      where,
      problem: `row ${infinite} is ${column.values[infinite]}`,
      hint: 'numbers are finite, or NaN where one is missing',
      values: { row: infinite, value: column.values[infinite] },
    });
  }
  const { codes, categories } = column;
  const wrong = codes.findIndex((code) => !(code >= -1 && code < categories.length));
  if (wrong < 0) return column;
  throw new DataError({
    where,
    problem: `code ${codes[wrong]} of row ${wrong} is none of ${categories.length} categories`,
    hint: 'codes count from 0; -1 is a missing value',
    values: { row: wrong, code: codes[wrong], categories: categories.length },
  });
}
