// Encoders: there and back, fitted on the training part alone, plain data, the same bits everywhere, and bad input.
import * as assert from 'uvu/assert';
import {
  encoderFromJSON,
  labelEncoder,
  minMaxScaler,
  type OneHotEncoder,
  oneHotEncoder,
  Scaler,
  standardScaler,
  Table,
  type TableEncoderOptions,
  tableEncoder,
  tableEncoderFromJSON,
} from '../../src/data/index.js';
import { DataError, FormatError, OptionError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { sha256 } from '../../src/platform.js';
import { failsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('encoders');

const again = <T>(json: T): T => JSON.parse(JSON.stringify(json));

test('standardScaler: mean 0, deviation 1, and back; new rows by the numbers of the old ones', () => {
  const values = [1, 10, 5, 3, 10, 6, 5, 10, 13]; // 3 rows of 3
  const scaler = standardScaler(values, { columns: 3 });
  assert.equal(scaler.shift, [3, 10, 8]);
  const deviations = [Math.sqrt(8 / 3), 1, Math.sqrt((9 + 4 + 25) / 3)];
  assert.equal(scaler.scale, deviations);
  const scaled = scaler.transform(values);
  assert.equal([scaled[1], scaled[4], scaled[3]], [0, 0, 0]);
  assert.ok(Math.abs(scaled[0]! + 2 / deviations[0]!) < 1e-6);
  const back = scaler.inverse(scaled);
  values.forEach((v, i) => {
    assert.ok(Math.abs(back[i]! - v) < 1e-5);
  });
  assert.ok(Math.abs(scaler.transform([30, 11, 8])[1]! - 1) < 1e-7);
});

test('a constant column stays finite, also where rounding moves its mean', () => {
  const scaler = standardScaler(new Array(30).fill(0.1));
  assert.equal([scaler.shift, scaler.scale], [[0.1], [1]]);
  assert.equal([...minMaxScaler([7, 7]).transform([7, 8])], [0, 1]);
});

test('minMaxScaler: from 0 to 1, and beyond for new rows', () => {
  const scaler = minMaxScaler([2, -1, 4, 1, 6, 0], { columns: 2 });
  assert.equal([...scaler.transform([2, -1, 4, 1, 8, 2])], [0, 0, 0.5, 1, 1.5, 1.5]);
  assert.equal([...scaler.inverse([0, 0, 0.5, 1])], [2, -1, 4, 1]);
});

test('oneHotEncoder and labelEncoder: there and back, and names that were not there', () => {
  const encoder = oneHotEncoder(['red', 'green', 'red', 'blue']);
  assert.equal(encoder.categories, ['blue', 'green', 'red']);
  assert.equal([...encoder.transform(['red', 'blue'])], [0, 0, 1, 1, 0, 0]);
  assert.equal(encoder.inverse([0.1, 0.2, 0.7, 0, 0, 0]), ['red', null]);
  failsWith(
    () => encoder.transform(['red', 'pink']),
    DataError,
    /index 1\] "pink" .*known: blue, green, red/,
  );
  assert.equal([...oneHotEncoder(['a', 'b'], { unknown: 'zeros' }).transform(['c', 'b'])], [0, 0, 0, 1]);
  const labels = labelEncoder(['no', 'yes', 'no']);
  assert.equal([...labels.transform(['yes', 'no'])], [1, 0]);
  assert.equal(labels.inverse([1, 0]), ['yes', 'no']);
  failsWith(() => labels.transform(['maybe']), DataError, /"maybe"/);
  failsWith(() => labels.inverse([0, 2]), DataError, /label 2 at index 1/);
});

test('encoders are plain data', () => {
  const scaler = standardScaler([1, 2, 4.7]);
  const copy = encoderFromJSON(again(scaler.toJSON()));
  assert.instance(copy, Scaler);
  assert.equal((copy as Scaler).transform([3]), scaler.transform([3]));
  const oneHot = encoderFromJSON(again(oneHotEncoder(['a', 'b'], { unknown: 'zeros' }).toJSON()));
  assert.equal([...(oneHot as OneHotEncoder).transform(['b', 'x'])], [0, 1, 0, 0]);
  assert.equal(again(labelEncoder(['u', 'v'])), { kind: 'labelEncoder', classes: ['u', 'v'] });
  const bad = [
    null,
    {},
    { kind: 'standardScaler', shift: [1], scale: [0] },
    { kind: 'minMaxScaler', shift: [1, 2], scale: [1] },
    { kind: 'labelEncoder', classes: ['a', 'a'] },
    { kind: 'oneHotEncoder', categories: [1] },
  ];
  for (const json of bad) failsWith(() => encoderFromJSON(json as never), FormatError, /not the plain data/);
  failsWith(
    () => encoderFromJSON({ kind: 'oneHotEncoder', categories: [], unknown: 'x' as never }),
    OptionError,
    /x/,
  );
});

test('bad values', () => {
  failsWith(() => standardScaler([]), DataError, /0 values in rows of 1/);
  failsWith(() => minMaxScaler([1, 2, 3], { columns: 2 }), DataError, /3 values in rows of 2/);
  failsWith(() => standardScaler([1, 2, 3, Number.NaN], { columns: 2 }), DataError, /row 1, column 1 is NaN/);
  failsWith(() => standardScaler([1], { columns: 0 }), OptionError, /columns is 0/);
  failsWith(() => oneHotEncoder([]), DataError, /no values/);
  failsWith(() => labelEncoder(['a', 3 as never]), DataError, /3 at index 1 is not a string/);
});

const train = new Table({
  name: 'people.csv',
  columns: {
    age: [20, Number.NaN, 40, 20, 60],
    job: ['cook', 'clerk', null, 'cook', 'clerk'],
    good: ['yes', 'no', 'yes', 'no', 'yes'],
  },
});
const fitted = (options: Partial<TableEncoderOptions>) =>
  tableEncoder(train, { target: 'good', numbers: 'none', ...options });
const rowsOf = (inputs: ArrayLike<number>, width: number) =>
  Array.from({ length: inputs.length / width }, (_, i) =>
    Array.from(inputs).slice(i * width, (i + 1) * width),
  );

test('tableEncoder: missing values by each strategy', () => {
  const mean = fitted({ missing: 'mean' });
  assert.equal(mean.inputNames, ['age', 'job=clerk', 'job=cook']);
  const examples = mean.transform(train);
  assert.equal(rowsOf(examples.inputs, 3), [
    [20, 0, 1],
    [35, 1, 0],
    [40, 1, 0],
    [20, 0, 1],
    [60, 1, 0],
  ]);
  assert.equal([...examples.targets], [1, 0, 1, 0, 1]);
  assert.equal([examples.classes, mean.classes, examples.targetShape], [2, ['no', 'yes'], []]);
  assert.equal(rowsOf(fitted({ missing: 'mostFrequent' }).inputs(train), 3)[1], [20, 1, 0]);
  const indicator = fitted({ missing: 'indicator' });
  assert.equal(indicator.inputNames, ['age', 'age missing', 'job=clerk', 'job=cook', 'job missing']);
  assert.equal(rowsOf(indicator.inputs(train), 5).slice(1, 3), [
    [35, 1, 1, 0, 0],
    [40, 0, 0, 0, 1],
  ]);
  const back = indicator.inverse(indicator.inputs(train));
  for (let i = 0; i < train.length; i++)
    assert.equal({ ...back.row(i), good: null }, { ...train.row(i), good: null });
  failsWith(() => fitted({}), DataError, /people\.csv: row 1\] column age is missing/);
});

test('tableEncoder: what it knows comes from the training part alone', () => {
  const encoder = fitted({ missing: 'mean', numbers: 'standard', features: ['job', 'age'] });
  assert.equal(encoder.inputNames, ['job=clerk', 'job=cook', 'age']);
  const held = new Table({ columns: { job: [null, 'cook'], age: [Number.NaN, 35], good: ['no', 'no'] } });
  assert.equal(rowsOf(encoder.inputs(held), 3), [
    [1, 0, 0],
    [0, 1, 0],
  ]);
  const other = new Table({
    name: 'new',
    columns: { job: ['cook', 'pilot'], age: [1, 2], good: ['no', 'no'] },
  });
  failsWith(() => encoder.transform(other), DataError, /new: row 1, column job\] "pilot" was not there/);
  const lenient = fitted({ missing: 'mean', unknown: 'zeros' });
  assert.equal(rowsOf(lenient.transform(other).inputs, 3)[1], [2, 0, 0]);
  const scaled = encoder.transform(train).inputs;
  assert.ok(Math.abs(scaled[2]! - (20 - 35) / Math.sqrt((15 * 15 * 2 + 25 + 625) / 4)) < 1e-6);
  assert.equal(encoder.inverse(scaled).row(4).job, 'clerk');
});

test('tableEncoder: a number as target, and the errors of tables', () => {
  const regression = tableEncoder(train, { target: 'age', features: ['good'] });
  assert.is(regression.classes, null);
  const complete = train.select([0, 2]);
  const { targets, targetShape } = regression.transform(complete);
  assert.equal([[...targets], targetShape], [[20, 40], [1]]);
  failsWith(() => regression.transform(train), DataError, /row 1\] column age is missing .*without a target/);
  failsWith(() => fitted({ target: 'better' }), DataError, /no column "better" .*age, job, good/);
  failsWith(() => fitted({ features: ['good'] }), OptionError, /the features are good, the target is good/);
  failsWith(() => fitted({ missing: 'median' as never }), OptionError, /missing is median .*mostFrequent/);
  failsWith(() => fitted({ nombers: 'none' } as never), OptionError, /nombers/);
  const empty = new Table({ columns: { a: [Number.NaN, Number.NaN], b: ['x', 'y'] } });
  failsWith(() => tableEncoder(empty, { target: 'b', missing: 'mean' }), DataError, /column a has no value/);
  const typed = new Table({ columns: { age: ['old'], job: ['cook'], good: ['no'] } });
  failsWith(() => fitted({ missing: 'mean' }).inputs(typed), DataError, /column age is of type category/);
  failsWith(() => fitted({ missing: 'mean' }).inverse([1, 2]), DataError, /2 values in rows of 3/);
});

test('a table encoder is plain data, and gives the same bits in every engine', async () => {
  const random = new RandomStream(11, 1);
  const length = 500;
  const columns = {
    a: Float64Array.from({ length }, () =>
      random.integer(9) === 0 ? Number.NaN : random.uniform() * 1e4 - 17,
    ),
    b: Float64Array.from({ length }, () => random.uniform() / 3),
    c: Array.from({ length }, () => ['x', 'y', 'z', null][random.integer(4)]!),
    y: Array.from({ length }, () => 'no yes'.split(' ')[random.integer(2)]!),
  };
  const table = new Table({ columns });
  const all: number[] = [];
  for (const numbers of ['standard', 'minMax'] as const) {
    for (const missing of ['mean', 'mostFrequent', 'indicator'] as const) {
      const encoder = tableEncoder(table, { target: 'y', numbers, missing });
      const copy = tableEncoderFromJSON(again(encoder.toJSON()));
      assert.equal(again(copy.toJSON()), again(encoder.toJSON()));
      const { inputs, targets } = copy.transform(table);
      assert.equal(inputs, encoder.inputs(table));
      all.push(...inputs, ...targets);
    }
  }
  const bytes = new Uint8Array(Float32Array.from(all).buffer);
  assert.is(await sha256(bytes), 'b179411358a34748e74e15b56c072bfbc956a1cee13c31ae7c143310104adba0');
  const json = again(tableEncoder(table, { target: 'y', missing: 'mean' }).toJSON());
  for (const bad of [null, {}, { ...json, features: [{}] }, { ...json, target: {} }])
    failsWith(() => tableEncoderFromJSON(bad as never), FormatError, /not the plain data/);
});

test.run();
