// CSV files as typed rows, one by one, or as a table of columns.
import { checkOptionNames, DataError, type ErrorParts, FormatError, OptionError } from '../errors.js';
import { type CsvRecord, type CsvSource, csvRecords, sourceName } from './csv-records.js';
import { Stream } from './stream.js';
import { type CategoryColumn, type Column, categoryColumn, type Row, Table } from './table.js';

/** A category may be missing, a label (what is to be learned) may not; what is skipped is not kept. */
export type CsvType = 'number' | 'category' | 'label' | 'skip';

/** Options of `readCsv` and `csvRows`. */
export interface CsvOptions {
  /** Whether the first line names the columns. Default: true unless `names` is given. */
  header?: boolean;
  /** Names of the columns, instead of those of the header; without either they are c1, c2, ... */
  names?: readonly string[];
  /** What stands between fields, one character. Default a comma. */
  delimiter?: string;
  /** Whether a field may be quoted with ". Default true; false takes quotes as they are. */
  quotes?: boolean;
  /** Default utf-8. */
  encoding?: string;
  /** Types of columns by name. */
  columns?: Readonly<Record<string, CsvType>>;
  /** What becomes of the columns that are not in `columns`: their types are inferred (default), or they are skipped. */
  others?: 'infer' | 'skip';
  /** What stands for a missing value. Default: nothing, ?, NA, N/A, NaN, nan, null, NULL. */
  missing?: readonly string[];
  /** The file's name in errors. */
  name?: string;
}

const optionNames = [
  'header',
  'names',
  'delimiter',
  'quotes',
  'encoding',
  'columns',
  'others',
  'missing',
  'name',
];
const types: readonly string[] = ['number', 'category', 'label', 'skip'];
const defaultMissing = ['', '?', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL'];
/** Rows from which `csvRows` infers the types. */
const inferenceRows = 1000;
const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

type Settings = Required<Omit<CsvOptions, 'names'>> & { names: readonly string[] | undefined };

/**
 * The rows of a CSV file, one by one: a lazy stream with `map`, `take`, `shuffle` and `prefetch`, which holds no more
 * than a piece of the file. Types that are not given are inferred from the first 1,000 rows: a number if all of a
 * column's values are, a category otherwise. Values are trimmed; a missing one is null.
 *
 * Throws OptionError for options; when read, FormatError (with file, line, column and value) for an empty file, a
 * row with more or fewer fields than there are columns, quotes out of place, a number that is none, and column names that
 * are empty or occur twice; DataError for a column that is not there and a label that is missing; StorageError.
 */
export function csvRows(source: CsvSource, options: CsvOptions = {}): Stream<Row> {
  const settings = complete(source, options);
  return new Stream(() => typedRows(source, settings));
}

/**
 * A whole CSV file as a table. As `csvRows`, but the types that are not given are inferred from all rows, and the errors
 * come at once.
 */
export async function readCsv(source: CsvSource, options: CsvOptions = {}): Promise<Table> {
  const settings = complete(source, options);
  const lines: number[] = [];
  let kept: KeptColumn[] = [];
  let cells: string[][] = [];
  for await (const { columns, records } of namedRecords(source, settings)) {
    if (lines.length === 0) {
      kept = columns;
      cells = columns.map(() => []);
    }
    for (const record of records) {
      lines.push(record.line);
      for (let c = 0; c < kept.length; c++) cells[c]!.push(record.cells[kept[c]!.index]!);
    }
  }
  const typed = kept.map((column, c): [string, Column] => [
    column.name,
    toColumn({ ...column, type: column.type ?? inferred(cells[c]!) }, cells[c]!, lines, settings.name),
  ]);
  return new Table({ name: settings.name, columns: new Map(typed), lines: Int32Array.from(lines) });
}

function complete(source: CsvSource, options: CsvOptions): Settings {
  checkOptionNames('csv', options, optionNames);
  const { names, columns = {}, others = 'infer', delimiter = ',' } = options;
  const refuse = (problem: string, hint: string, values: Record<string, unknown>) => {
    throw new OptionError({ where: 'csv', problem, hint, values });
  };
  if (delimiter.length !== 1 || '"\r\n\ufeff'.includes(delimiter))
    refuse(`delimiter is ${JSON.stringify(delimiter)}`, 'one character, no quote and no line end', {
      delimiter,
    });
  for (const [column, type] of Object.entries(columns)) {
    if (!types.includes(type))
      refuse(`column ${column} is of type ${type}`, `the types are ${types.join(', ')}`, { column, type });
  }
  if (others !== 'infer' && others !== 'skip') refuse(`others is ${others}`, "'infer' or 'skip'", { others });
  const bad = names && badName(names);
  if (bad) refuse(`names: ${bad.problem}`, 'each column has a name of its own', { names });
  return {
    names,
    columns,
    others,
    delimiter,
    header: options.header ?? names === undefined,
    quotes: options.quotes ?? true,
    encoding: options.encoding ?? 'utf-8',
    missing: options.missing ?? defaultMissing,
    name: options.name ?? sourceName(source),
  };
}

function badName(names: readonly string[]): { at: number; problem: string } | undefined {
  const seen = new Set<string>();
  for (const [at, name] of names.entries()) {
    if (name === '' || name === '__proto__')
      return { at, problem: `column ${at + 1} cannot be named ${JSON.stringify(name)}` };
    if (seen.has(name)) return { at, problem: `column ${at + 1} is named ${name}, as another one` };
    seen.add(name);
  }
  return undefined;
}

/** A column that is read: its place in a record, and its type where one was given. */
interface KeptColumn {
  name: string;
  index: number;
  type: CsvType | undefined;
}

interface NamedRecords {
  columns: KeptColumn[];
  /** Trimmed; a missing value is empty. */
  records: CsvRecord[];
}

/** Records that have as many fields as there are columns; at least one. */
async function* namedRecords(source: CsvSource, settings: Settings): AsyncGenerator<NamedRecords> {
  const { name, header } = settings;
  const missing = new Set(settings.missing);
  let names: readonly string[] | undefined;
  let columns: KeptColumn[] = [];
  let rows = 0;
  for await (const records of csvRecords(source, settings)) {
    for (const { cells } of records) for (let c = 0; c < cells.length; c++) cells[c] = cells[c]!.trim();
    if (!names) {
      names = namesOf(records[0]!, settings);
      columns = keptColumns(names, settings);
      if (header) records.shift();
    }
    for (const { cells, line } of records) {
      if (cells.length === names.length) {
        for (let c = 0; c < cells.length; c++) if (missing.has(cells[c]!)) cells[c] = '';
        continue;
      }
      throw new FormatError({
        where: name,
        problem: `line ${line} has ${cells.length} fields for ${names.length} columns`,
        hint:
          cells.length < names.length
            ? `the first column without a value is ${names[cells.length]}; is the delimiter another, or a line cut off?`
            : `field ${names.length + 1} is in no column; is a field with a delimiter in it not quoted?`,
        values: { file: name, line, fields: cells.length, columns: names.length },
      });
    }
    rows += records.length;
    if (records.length > 0) yield { columns, records };
  }
  if (rows > 0) return;
  throw new FormatError({
    where: name,
    problem: names ? 'there is a header (line 1) and no row' : 'the file is empty',
    hint: names ? 'header: false takes the first line as a row' : 'is it the right file?',
    values: { file: name, line: 1 },
  });
}

function namesOf({ cells, line }: CsvRecord, { header, names, name }: Settings): readonly string[] {
  if (names) return names;
  if (!header) return cells.map((_, i) => `c${i + 1}`);
  const bad = badName(cells);
  if (!bad) return [...cells];
  throw new FormatError({
    where: name,
    problem: `line ${line}: ${bad.problem}`,
    hint: 'is there a header at all? header: false says that there is none, names gives others',
    values: { file: name, line, column: bad.at + 1, name: cells[bad.at] },
  });
}

function keptColumns(names: readonly string[], { columns, others, name }: Settings): KeptColumn[] {
  const absent = Object.keys(columns).find((column) => !names.includes(column));
  if (absent !== undefined) {
    throw new DataError({
      where: name,
      problem: `line 1: there is no column ${JSON.stringify(absent)}`,
      hint: `the columns are ${names.join(', ')}`,
      values: { file: name, line: 1, column: absent, columns: names },
    });
  }
  const kept = names
    .map((column, index): KeptColumn => {
      const given = Object.hasOwn(columns, column) ? columns[column] : undefined;
      return { name: column, index, type: given ?? (others === 'skip' ? 'skip' : undefined) };
    })
    .filter(({ type }) => type !== 'skip');
  if (kept.length > 0) return kept;
  throw new OptionError({ where: name, problem: 'all columns are skipped', hint: 'keep at least one' });
}

const isNumber = (cell: string): boolean => numberPattern.test(cell) && Number.isFinite(Number(cell));

/** Numbers if all values that are there can be read as one. */
function inferred(cells: readonly string[]): CsvType {
  return cells.every((cell) => cell === '' || isNumber(cell)) && cells.some((cell) => cell !== '')
    ? 'number'
    : 'category';
}

/** A cell as a value of its column. Throws FormatError or DataError with file, line and column. */
function parsed(cell: string, column: KeptColumn, line: number, file: string): number | string | null {
  const { type } = column;
  if (cell === '') {
    if (type !== 'label') return null;
    throw new DataError(
      partsOf(
        cell,
        column,
        line,
        file,
        'the label is missing',
        'leave such rows out, or read it as a category',
      ),
    );
  }
  if (type !== 'number') return cell;
  if (isNumber(cell)) return Number(cell);
  const problem = `${JSON.stringify(cell.slice(0, 40))} is not a number`;
  const hint =
    'if it stands for a missing value, say so in missing; otherwise give the column the type category';
  throw new FormatError(partsOf(cell, column, line, file, problem, hint));
}

const partsOf = (
  value: string,
  { name, index }: KeptColumn,
  line: number,
  file: string,
  problem: string,
  hint: string,
): ErrorParts => ({
  where: file,
  problem: `line ${line}, column ${name} (${index + 1}): ${problem}`,
  hint,
  values: { file, line, column: name, index, value },
});

function toColumn(
  column: KeptColumn,
  cells: readonly string[],
  lines: readonly number[],
  file: string,
): Column {
  if (column.type === 'number') {
    const values = new Float64Array(cells.length);
    for (let i = 0; i < cells.length; i++)
      values[i] = (parsed(cells[i]!, column, lines[i]!, file) as number | null) ?? Number.NaN;
    return { type: 'number', values };
  }
  const names = cells.map((cell, i) => parsed(cell, column, lines[i]!, file) as string | null);
  return categoryColumn(names, column.type as CategoryColumn['type']);
}

async function* typedRows(source: CsvSource, settings: Settings): AsyncGenerator<Row> {
  const { name } = settings;
  let waiting: CsvRecord[] = [];
  let columns: KeptColumn[] | undefined;
  let first: KeptColumn[] = [];
  const typed = (): KeptColumn[] => {
    const sample = waiting.slice(0, inferenceRows); // not all that came with the last piece: the same for every source
    return first.map((c) => ({ ...c, type: c.type ?? inferred(sample.map(({ cells }) => cells[c.index]!)) }));
  };
  const toRow = (record: CsvRecord): Row => {
    const row: Row = {};
    for (const column of columns!)
      row[column.name] = parsed(record.cells[column.index]!, column, record.line, name);
    return row;
  };
  for await (const named of namedRecords(source, settings)) {
    first = named.columns;
    if (columns) {
      for (const record of named.records) yield toRow(record);
      continue;
    }
    waiting = waiting.concat(named.records);
    if (waiting.length < inferenceRows && first.some((c) => c.type === undefined)) continue;
    columns = typed();
    for (const record of waiting) yield toRow(record);
    waiting = [];
  }
  if (columns) return;
  columns = typed();
  for (const record of waiting) yield toRow(record);
}
