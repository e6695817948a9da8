// Comma-separated text, record by record (RFC 4180): where it comes from, and the strict use of the parser.
import { FormatError, OptionError } from '../errors.js';
import { readPieces, streamPieces } from '../platform-files.js';

/**
 * Where the text comes from: a path or address, bytes, a Blob or File, a stream of bytes, the text itself, or a function
 * that opens a stream anew for each reading.
 */
export type CsvSource =
  | string
  | URL
  | Uint8Array
  | Blob
  | ReadableStream<Uint8Array>
  | { readonly text: string }
  | (() => ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>);

/** One record and the line (from 1) on which it begins. */
export interface CsvRecord {
  cells: string[];
  line: number;
}

export interface RecordOptions {
  name: string;
  delimiter: string;
  quotes: boolean;
  encoding: string;
  /** For error messages: whether the first record names the columns, and names that count instead. */
  header: boolean;
  names: readonly string[] | undefined;
}

/** Characters or bytes that are parsed at once. */
const pieceSize = 65536;
/** Characters of one record; more is taken for a quote that was never closed, so that memory stays bounded. */
const maxRecord = 2 ** 20;

/** What a source is called in errors where the user gives no name. */
export function sourceName(source: CsvSource): string {
  if (typeof source === 'string' || source instanceof URL) return String(source);
  return (source as { name?: string }).name || 'csv'; // a File has a name, a function may have one
}

async function* bytesOf(
  source: Exclude<CsvSource, { text: string }>,
  name: string,
): AsyncGenerator<Uint8Array> {
  if (typeof source === 'string' || source instanceof URL) yield* readPieces(source);
  else if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += pieceSize) yield source.subarray(at, at + pieceSize);
  } else if (source instanceof Blob) yield* streamPieces(source.stream(), name);
  else if (typeof source === 'function') yield* streamPieces(await source(), name);
  else if (source instanceof ReadableStream) yield* streamPieces(source, name);
  else {
    throw new OptionError({
      where: name,
      problem: 'the source is nothing that can be read',
      hint: 'a path, an address, bytes, a Blob, a ReadableStream, { text } or a function that opens a stream',
    });
  }
}

/** The text, piece by piece; a byte order mark is dropped. */
async function* textOf(source: CsvSource, { name, encoding }: RecordOptions): AsyncGenerator<string> {
  if (typeof source === 'object' && 'text' in source && typeof source.text === 'string') {
    const { text } = source;
    for (let at = 0; at < text.length; at += pieceSize) yield text.slice(at, at + pieceSize);
    return;
  }
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(encoding);
  } catch (cause) {
    throw new OptionError({
      where: name,
      problem: `this engine does not know the encoding ${encoding}`,
      hint: 'utf-8, windows-1252, utf-16le and others',
      values: { encoding },
      cause,
    });
  }
  for await (const bytes of bytesOf(source as Exclude<CsvSource, { text: string }>, name)) {
    for (let at = 0; at < bytes.length; at += pieceSize)
      yield decoder.decode(bytes.subarray(at, at + pieceSize), { stream: true });
  }
  yield decoder.decode();
}

/** Lines end with \n here, whatever they end with in the file; also within quotes. */
async function* withPlainLineEnds(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let held = '';
  for await (const piece of pieces) {
    let text = held + piece;
    held = text.endsWith('\r') ? '\r' : '';
    if (held) text = text.slice(0, -1);
    if (text) yield text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  }
  if (held) yield '\n';
}

function newlines(text: string, end = text.length): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** The field, from 0, that a character of a record is in, and where it begins; those before it are as they should be. */
function fieldAt(record: string, index: number, { delimiter, quotes }: RecordOptions): [number, number] {
  let [field, from] = [0, 0];
  let quoted = false; // a quote that is written twice closes and opens again
  for (let at = 0; at < index; at++) {
    if (quotes && record[at] === '"' && record[from] === '"') quoted = !quoted;
    else if (record[at] === delimiter && !quoted) [field, from] = [field + 1, at + 1];
  }
  return [field, from];
}

/** Where a field that is not quoted has a quote in it; -1 if none has. `raw` is the text of the record. */
function strayQuote(raw: string, cells: string[]): number {
  let at = 0;
  for (const cell of cells) {
    if (raw[at] !== '"') {
      if (cell.includes('"')) return at + cell.indexOf('"');
      at += cell.length + 1;
      continue;
    }
    at += cell.length + 2;
    for (let i = cell.indexOf('"'); i >= 0; i = cell.indexOf('"', i + 1)) at++; // written twice
    while (raw[at] === ' ' || raw[at] === '\t') at++;
    at++;
  }
  return -1;
}

const quoteHint =
  'a field with quotes in it is quoted as a whole, and its own are written twice; quotes: false takes all as they are';

/**
 * The records of a source, as many at a time as a piece of it holds. Blank lines are left out; the delimiter is one
 * character. Throws FormatError with line, column, character and value for quotes that are not closed or stand where none
 * may be, and text that is not of its encoding; with the line for records of more than a million characters.
 */
export async function* csvRecords(source: CsvSource, options: RecordOptions): AsyncGenerator<CsvRecord[]> {
  const { name, delimiter, quotes } = options;
  const { default: Papa } = await import('papaparse');
  let text = '';
  let start = 0;
  let line = 1;
  let records: CsvRecord[] = [];
  let first: readonly string[] | undefined;
  const nameOf = (column: number): string | undefined => {
    if (options.names) return options.names[column];
    return options.header ? first?.[column]?.trim() : `c${column + 1}`;
  };
  /** An error at a place of the record that begins at `start`. */
  const fail = (index: number, problem: string, hint: string) => {
    const record = text.slice(start);
    const at = index - start;
    const [field, from] = fieldAt(record, at, options);
    const [rest] = record.slice(from).split('\n', 1) as [string];
    const value = (rest.startsWith('"') ? rest : rest.split(delimiter, 1)[0]!).slice(0, 40);
    const place = { line: line + newlines(record, at), column: nameOf(field), index: field };
    const named = place.column === undefined ? field + 1 : `${place.column} (${field + 1})`;
    const character = at - record.lastIndexOf('\n', at - 1);
    throw new FormatError({
      where: name,
      problem: `line ${place.line}, column ${named}, character ${character}: ${problem}: ${JSON.stringify(value)}`,
      hint,
      values: { file: name, ...place, character, value },
    });
  };
  const parser = new Papa.Parser({
    delimiter,
    newline: '\n',
    ...(!quotes && { fastMode: true }),
    step({ data, errors, meta }) {
      const cells = data[0]!;
      const [error] = errors;
      const raw = text.slice(start, meta.cursor);
      if (error?.code === 'MissingQuotes') fail(error.index! - 1, 'a quote that is never closed', quoteHint);
      if (error) fail(error.index! - 1, 'a quoted field goes on after its closing quote', quoteHint);
      if (raw.includes('\ufffd'))
        fail(
          start + raw.indexOf('\ufffd'),
          `a character that is not ${options.encoding}`,
          'give its encoding',
        );
      const quoted = quotes && raw.includes('"');
      const stray = quoted ? strayQuote(raw, cells) : -1;
      if (stray >= 0) fail(start + stray, 'a quote within a field that is not quoted', quoteHint);
      if (cells.length > 1 || cells[0] !== '') {
        first ??= cells;
        records.push({ cells, line });
      }
      line += quoted ? newlines(raw) : 1;
      start = meta.cursor;
    },
  });
  const parse = (partial: boolean): CsvRecord[] => {
    records = [];
    start = 0;
    parser.parse(text, 0, partial);
    text = text.slice(start);
    start = 0;
    return records;
  };
  // A record that does not end is looked at again only when there is twice as much of it, or it would take forever.
  let enough = 0;
  for await (const piece of withPlainLineEnds(textOf(source, options))) {
    text += piece;
    if (text.length < enough) continue;
    const found = parse(true);
    enough = text.length > 0 && found.length === 0 ? 2 * text.length : 0;
    if (text.length > maxRecord) {
      throw new FormatError({
        where: name,
        problem: `line ${line}: a record of more than ${maxRecord} characters begins here`,
        hint: 'is there a quote that is never closed, or is the delimiter another?',
        values: { file: name, line },
      });
    }
    if (found.length > 0) yield found;
  }
  if (text) {
    const found = parse(false);
    if (found.length > 0) yield found;
  }
}
