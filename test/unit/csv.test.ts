// CSV: typed rows and tables from every source, the place of every error, and mutated files that end in own errors.
import * as assert from 'uvu/assert';
import { type CsvOptions, type CsvSource, csvRows, type Row, readCsv, Table } from '../../src/data/index.js';
import { DataError, EverygradError, FormatError, OptionError, StorageError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { hasFiles } from '../../src/platform.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('csv');

const encode = (text: string) => new TextEncoder().encode(text);
const people =
  'age,job,"home, town",paid\n39, clerk,Ulm,yes\n?,cook,"Aix ""en"" Provence",no\n28.5,,"a\nb",yes\n';

async function rowsOf(source: CsvSource, options?: CsvOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of csvRows(source, options)) rows.push(row);
  return rows;
}

/** A stream that gives `step` bytes at a time. */
function trickle(bytes: Uint8Array, step: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + step));
      at += step;
    },
  });
}

/** Both readers refuse, with the same class and words. */
async function refused(
  source: CsvSource,
  type: typeof EverygradError,
  pattern: RegExp,
  options: CsvOptions = {},
): Promise<EverygradError> {
  await rejectsWith(() => readCsv(source, options), type, pattern);
  return rejectsWith(() => rowsOf(source, options), type, pattern);
}

test('numbers, categories, quotes, blanks around values and missing ones', async () => {
  const table = await readCsv({ text: people }, { columns: { paid: 'label' } });
  assert.equal(table.names, ['age', 'job', 'home, town', 'paid']);
  assert.is(table.length, 3);
  const age = table.column('age');
  assert.ok(age.type === 'number');
  assert.equal([...age.values], [39, Number.NaN, 28.5]);
  const job = table.column('job');
  assert.ok(job.type === 'category');
  assert.equal(job.categories, ['clerk', 'cook']);
  assert.equal([...job.codes], [0, 1, -1]);
  assert.is(table.column('paid').type, 'label');
  assert.equal(table.row(1), { age: null, job: 'cook', 'home, town': 'Aix "en" Provence', paid: 'no' });
  assert.equal([...table.lines!], [2, 3, 4]);
  assert.is(table.select([2, 0]).place(0), 'csv: line 4');
  assert.equal(
    await rowsOf({ text: people }),
    [0, 1, 2].map((i) => table.row(i)),
  );
});

test('every source gives the same rows, however it is cut into pieces', async () => {
  const expected = await rowsOf({ text: people });
  const windows = encode(`\ufeff${people.replaceAll('\n', '\r\n')}`);
  const old = people.replaceAll('\n', '\r');
  const bytes = encode(people);
  const sources: CsvSource[] = [bytes, new Blob([bytes]), windows, { text: old }, { text: people.trimEnd() }];
  sources.push({ text: `\n${people.replace('39', '\n\n39')}\n\n` }, () => trickle(bytes, 5));
  for (let step = 1; step < 12; step++) sources.push(trickle(bytes, step), trickle(windows, step));
  for (const source of sources) assert.equal(await rowsOf(source), expected);
  const home = 'home, town';
  const accents = await rowsOf(trickle(encode('home\nÅrhus 😀'), 1));
  assert.equal(accents, [{ home: 'Århus 😀' }]);
  const latin = await rowsOf(Uint8Array.of(97, 10, 0xe9), { encoding: 'windows-1252' });
  assert.equal([latin[0]!.a, expected[0]![home]], ['é', 'Ulm']);
});

test('a file, an address, and what cannot be read', async () => {
  const url = new URL('test/golden/make.sh', environment.root);
  const options = { header: false, delimiter: '\u0001', quotes: false };
  const found = await rowsOf(hasFiles ? url : String(url), options);
  assert.match(String(found[0]!.c1), /^#!/);
  const absent = new URL('no-such-file.csv', environment.root);
  const error = await refused(absent, StorageError, /no-such-file\.csv\]/);
  assert.is(error.values.missing, true);
  await refused(5 as never, OptionError, /nothing that can be read/);
});

test('options: names, no header, delimiter, literal quotes, types, skipped columns, other words for missing', async () => {
  const text = '1;x;-;007;it\'s\n2;"y;3e2;8;"';
  const options: CsvOptions = {
    names: ['n', 'c', 'm', 'code', 'rest'],
    delimiter: ';',
    quotes: false,
    missing: ['-'],
    columns: { code: 'category', rest: 'skip' },
  };
  assert.equal(await rowsOf({ text }, options), [
    { n: 1, c: 'x', m: null, code: '007' },
    { n: 2, c: '"y', m: 300, code: '8' },
  ]);
  const some = await rowsOf({ text: people }, { others: 'skip', columns: { job: 'category' } });
  assert.equal(some, [{ job: 'clerk' }, { job: 'cook' }, { job: null }]);
  const plain = await rowsOf({ text: '1,a\n,b' }, { header: false });
  assert.equal(plain, [
    { c1: 1, c2: 'a' },
    { c1: null, c2: 'b' },
  ]);
  const renamed = await rowsOf({ text: 'a\n1' }, { header: true, names: ['b'] });
  assert.equal(renamed, [{ b: 1 }]);
  const tricky = await rowsOf({ text: 'v\n1e400\n2' });
  assert.equal(tricky, [{ v: '1e400' }, { v: '2' }], 'what is no finite number makes a category');
});

test('errors name the file, the line, the column and the value', async () => {
  const named = (text: string) => new File([text], 'people.csv');
  const cases: [string, typeof EverygradError, RegExp, CsvOptions?][] = [
    ['', FormatError, /^\[people\.csv\] the file is empty/],
    ['\n \n', FormatError, /people\.csv/],
    ['a,b\n', FormatError, /a header \(line 1\) and no row/],
    [
      'a,b\n1,2\n3\n',
      FormatError,
      /^\[people\.csv\] line 3 has 1 fields for 2 columns .*without a value is b/,
    ],
    ['a,b\n1,"2\n2"\n3,4,5\n', FormatError, /line 4 has 3 fields for 2 columns/],
    [
      'a,b\n1,2\n3,4x\n',
      FormatError,
      /line 3, column b \(2\): "4x" is not a number/,
      { columns: { b: 'number' } },
    ],
    ['a,b\n1,\n', DataError, /line 2, column b \(2\): the label is missing/, { columns: { b: 'label' } }],
    [
      'a,b\n1,2',
      DataError,
      /line 1: there is no column "c" \(the columns are a, b\)/,
      { columns: { c: 'skip' } },
    ],
    [
      'a,b\n1,"2\n3,4\n',
      FormatError,
      /line 2, column b \(2\), character 3: a quote that is never closed: "\\"2" /,
    ],
    [
      'a,b\n1,"2"x\n3,4\n',
      FormatError,
      /line 2, column b \(2\), character 3: a quoted field goes on after its closing quote: .*2..x/,
    ],
    [
      'a,b\n"x\n""y",1\n3," 4" ,5"',
      FormatError,
      /line 4, column 3, character 10: a quote within a field .*: "5\\""/,
    ],
    ['a,b\n1, "2"\n', FormatError, /line 2, column b \(2\), character 4: a quote within/],
    ['a,"b\n1,2\n', FormatError, /line 1, column 2, character 3: a quote that is never closed/],
    ['"1,5""","x\ny",4"\n', FormatError, /line 2, column c3 \(3\), character 5: a quote/, { header: false }],
    [
      'a;b\n"1;5";4"',
      FormatError,
      /line 2, column v \(2\), character 8/,
      { delimiter: ';', names: ['u', 'v'], header: true },
    ],
    ['a,,b\n1,2,3', FormatError, /line 1: column 2 cannot be named ""/],
    ['a,b,a\n1,2,3', FormatError, /line 1: column 3 is named a, as another/],
    ['__proto__\n1', FormatError, /__proto__/],
  ];
  for (const [text, type, pattern, options] of cases) await refused(named(text), type, pattern, options);
  const error = await refused(
    encode('a,b\n1,\xff\n').map((b) => (b === 0xc3 ? 0xff : b)),
    FormatError,
    /line 2/,
  );
  assert.match(
    error.message,
    /^\[csv\] line 2, column b \(2\), character 3: a character that is not utf-8: "\ufffd/,
  );
  const { file, line, column, index, character, value } = error.values;
  assert.equal([file, line, column, index, character, value], ['csv', 2, 'b', 1, 3, '\ufffd\ufffd']);
  const gone = trickle(encode(people), 9);
  await rowsOf(gone);
  await refused(gone, StorageError, /was read before \(a stream can be read once/);
});

test('a late row of another type is an error of the stream, and a category of the table', async () => {
  const text = `v\n${'1\n'.repeat(1500)}x\n`;
  assert.is((await readCsv({ text })).column('v').type, 'category');
  const says = /line 1502, column v \(1\): "x" is not a number/;
  await rejectsWith(rowsOf({ text }), FormatError, says);
});

test('bad options', async () => {
  const bad: [unknown, RegExp][] = [
    [{ delimiter: ';;' }, /delimiter is ";;"/],
    [{ delimiter: '"' }, /delimiter/],
    [{ columns: { a: 'float' } }, /column a is of type float/],
    [{ others: 'keep' }, /others is keep/],
    [{ names: ['a', 'a'] }, /names: column 2 is named a/],
    [{ headers: true }, /unknown option headers/],
    [{ encoding: 'klingon' }, /klingon/],
    [{ columns: { age: 'skip' }, others: 'skip' }, /all columns are skipped/],
  ];
  for (const [options, pattern] of bad)
    await rejectsWith(() => rowsOf(encode(people), options as CsvOptions), OptionError, pattern);
});

test('rows are a stream: map, take, prefetch; the source is closed when the reader stops', async () => {
  let given = 0;
  let cancelled = false;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(encode(`${given++},x\n`)),
      cancel() {
        cancelled = true;
      },
    });
  const columns = { n: 'number' } as const;
  const stream = csvRows(endless, { names: ['n', 'c'], columns, others: 'skip' });
  const seen: unknown[] = [];
  for await (const n of stream
    .map((row) => row.n)
    .prefetch(3)
    .take(5))
    seen.push(n);
  assert.equal(seen, [0, 1, 2, 3, 4]);
  assert.ok(cancelled);
  assert.ok(given < 100, `${given} pieces read for five rows`);
});

test('a record without an end is refused, not kept for ever', async () => {
  let pieces = 0;
  const endless = () => {
    pieces = 0;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        pieces++;
        controller.enqueue(encode(pieces === 1 ? 'a,b\n1,"2' : 'blah, blah\n'.repeat(1000)));
      },
    });
  };
  await refused(endless, FormatError, /line 2: a record of more than 1048576 characters/);
  assert.ok(pieces < 600, `${pieces} pieces read`);
});

test('random tables come back as they were written, in pieces of any size', async () => {
  const random = new RandomStream(9, 1);
  const letters = ['a', 'B', '7', '"', ',', '\n', ' ', 'ß', '😀', ';', "'"];
  for (let round = 0; round < 150; round++) {
    const width = 2 + random.integer(4);
    const names = Array.from({ length: width }, (_, c) => `n${c}`);
    const table = Array.from({ length: 1 + random.integer(8) }, () =>
      names.map(() =>
        Array.from({ length: random.integer(6) }, () => letters[random.integer(letters.length)])
          .join('')
          .trim(),
      ),
    );
    const written = table.map((row) =>
      row
        .map((v) => (/[",\n]/.test(v) || random.integer(3) === 0 ? `"${v.replaceAll('"', '""')}"` : v))
        .join(','),
    );
    const end = ['\n', '\r\n', '\r'][random.integer(3)]!;
    const bytes = encode(written.join('\n').replaceAll('\n', end) + (random.integer(2) ? end : ''));
    const columns = Object.fromEntries(names.map((name) => [name, 'category' as const]));
    const rows = await rowsOf(trickle(bytes, 1 + random.integer(bytes.length + 1)), {
      names,
      columns,
      missing: [''],
    });
    const expected = table.map((row) =>
      Object.fromEntries(row.map((v, c) => [names[c], v === '' ? null : v])),
    );
    assert.equal(rows, expected, JSON.stringify(written));
  }
});

test('mutated files end in rows or in errors of the library', async () => {
  const random = new RandomStream(7, 1);
  const seedText = `${people}${'1,x,"y, z",no\n'.repeat(3)}`;
  const special = ['"', ',', '\n', '\r', '\0', '\ufffd', ';', '?', 'é', ' ', '""', '-'];
  let right = 0;
  let wrong = 0;
  for (let round = 0; round < 1500; round++) {
    let text = seedText;
    for (let edit = random.integer(3); edit > 0; edit--) {
      const at = random.integer(text.length + 1);
      const until = Math.min(text.length, at + random.integer(6));
      text = text.slice(0, at) + (special[random.integer(special.length + 4)] ?? '') + text.slice(until);
    }
    const bytes = encode(text);
    for (let flip = random.integer(4) - 1; flip > 0; flip--)
      bytes[random.integer(bytes.length)] = random.bits() & 255;
    const columns = random.integer(2) ? ({ paid: 'label', age: 'number' } as const) : {};
    const source = random.integer(2) ? bytes : trickle(bytes, 1 + random.integer(40));
    try {
      const table = await readCsv(source, { columns, quotes: random.integer(8) > 0 });
      assert.ok(table.length > 0);
      right++;
    } catch (error) {
      assert.instance(error, EverygradError, `round ${round}: ${(error as Error).stack}`);
      assert.match((error as Error).message, /line \d+|empty|no row/);
      wrong++;
    }
  }
  assert.ok(right > 100 && wrong > 100, `${right} read, ${wrong} refused`);
});

test('a table of arrays checks what it is given', () => {
  const table = new Table({ columns: { n: [1, Number.NaN], c: ['b', null] } });
  assert.equal(
    [table.row(0), table.row(1)],
    [
      { n: 1, c: 'b' },
      { n: null, c: null },
    ],
  );
  const bad: [Record<string, unknown>, RegExp][] = [
    [{}, /no column/],
    [{ a: [1], b: ['x', 'y'] }, /column b has 2 rows, column a has 1/],
    [{ a: [1, 'x'] }, /neither numbers nor strings/],
    [{ a: [1 / 0] }, /row 0 is Infinity/],
    [{ a: { type: 'category', categories: ['x'], codes: Int32Array.of(1) } }, /code 1 of row 0/],
  ];
  for (const [columns, pattern] of bad)
    assert.throws(
      () => new Table({ columns: columns as never }),
      (e: Error) => pattern.test(e.message),
    );
  assert.throws(
    () => table.select([2]),
    (e: Error) => e instanceof DataError && /row 2 is not one of 2/.test(e.message),
  );
  assert.throws(
    () => table.column('x'),
    (e: Error) => /the columns are n, c/.test(e.message),
  );
});

test.run();
