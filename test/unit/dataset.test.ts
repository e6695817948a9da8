// Data sets in memory and as streams: batches, orders, buffers, and what is refused.

import * as assert from 'uvu/assert';
import { ArrayDataset, type ArrayDatasetOptions } from '../../src/data/dataset.js';
import type { Batch } from '../../src/data/spec.js';
import { dataset, type Example } from '../../src/data/stream.js';
import { DataError, DTypeError, OptionError, ShapeError } from '../../src/errors.js';
import { failsWith, rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('dataset');

/** Example i has inputs (i, i + 0.25) and label i % 3. */
function sample(n: number, changes: Partial<ArrayDatasetOptions> = {}): ArrayDataset {
  return new ArrayDataset({
    inputs: Float32Array.from({ length: 2 * n }, (_, i) => Math.floor(i / 2) + (i % 2) / 4),
    inputShape: [2],
    inputDType: 'float32',
    targets: Int32Array.from({ length: n }, (_, i) => i % 3),
    targetShape: [],
    targetDType: 'int32',
    classes: 3,
    name: 'sample',
    ...changes,
  });
}

const plain = ({ inputs, targets, size }: Batch) => ({ inputs: [...inputs], targets: [...targets], size });

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of source) all.push(value);
  return all;
}

test('batches come in order, the last one is smaller, dropLast leaves it out', () => {
  const batches = [...sampleBatches(7, { batchSize: 3 })];
  assert.equal(batches, [
    { inputs: [0, 0.25, 1, 1.25, 2, 2.25], targets: [0, 1, 2], size: 3 },
    { inputs: [3, 3.25, 4, 4.25, 5, 5.25], targets: [0, 1, 2], size: 3 },
    { inputs: [6, 6.25], targets: [0], size: 1 },
  ]);
  assert.is([...sampleBatches(7, { batchSize: 3, dropLast: true })].length, 2);
  assert.equal(
    [...sampleBatches(2, { batchSize: 100 })],
    [{ inputs: [0, 0.25, 1, 1.25], targets: [0, 1], size: 2 }],
  );
});

function* sampleBatches(n: number, options: Parameters<ArrayDataset['batches']>[0]) {
  for (const batch of sample(n).batches(options)) yield plain(batch);
}

test('for await sees the same batches as for', async () => {
  const batches = sample(8).batches({ batchSize: 3, shuffle: true, seed: 4 });
  const sync = [...batches].length;
  const once: unknown[] = [];
  for (const batch of batches) once.push(plain(batch));
  const again: unknown[] = [];
  for await (const batch of batches) again.push(plain(batch));
  assert.is(sync, 3);
  assert.equal(again, once);
});

test('two sets of buffers are used in turn, also for shuffled data', () => {
  const seen: Batch['inputs'][] = [];
  for (const { inputs } of sample(40).batches({ batchSize: 4, shuffle: true })) seen.push(inputs);
  assert.is(seen.length, 10);
  assert.is(new Set(seen).size, 2);
  assert.ok(seen[0] !== seen[1]);
  const held = sample(6).batches({ batchSize: 2 })[Symbol.iterator]();
  const first = (held.next() as IteratorYieldResult<Batch>).value;
  held.next();
  assert.equal([...first.targets], [0, 1], 'still valid after the next one');
});

test('an epoch shuffles every example exactly once and depends on seed and epoch only', () => {
  const order = (seed: number, epoch: number) => {
    const labels: number[] = [];
    for (const b of sample(50).batches({ batchSize: 7, shuffle: true, seed, epoch })) {
      for (let i = 0; i < b.size; i++) {
        const example = b.inputs[2 * i] as number;
        assert.is(b.inputs[2 * i + 1], example + 0.25);
        assert.is(b.targets[i], example % 3);
        labels.push(example);
      }
    }
    return labels;
  };
  const ascending = Array.from({ length: 50 }, (_, i) => i);
  assert.equal(order(1, 0), order(1, 0));
  assert.equal(order(1, 0), [...sample(50).shuffleOrder(1, 0)]);
  assert.equal(
    [...order(1, 0)].sort((a, b) => a - b),
    ascending,
  );
  assert.not.equal(order(1, 0), ascending);
  assert.not.equal(order(1, 0), order(1, 1));
  assert.not.equal(order(1, 0), order(2, 0));
});

test('slices are views and keep what the data set says of itself', () => {
  const whole = sample(10, { scale: 0.5 });
  const part = whole.slice(4, 6);
  assert.is(part.length, 2);
  assert.equal([...part.inputs], [4, 4.25, 5, 5.25]);
  assert.is(part.inputs.buffer, whole.inputs.buffer);
  assert.equal([part.scale, part.classes, part.name, part.inputDType], [0.5, 3, 'sample', 'float32']);
  assert.is(whole.take(3).length, 3);
  assert.is(whole.take(99).length, 10);
  assert.equal(
    whole.split(0.7).map((p) => p.length),
    [7, 3],
  );
  assert.is(whole.split(0.7)[1].inputs[0], 7);
  assert.equal(whole.reshape([1, 2, 1]).inputShape, [1, 2, 1]);
  failsWith(() => whole.reshape([3]), ShapeError, /\(2\) are not \(3\)/);
  for (const [a, b] of [
    [-1, 3],
    [3, 3],
    [0, 11],
    [0.5, 2],
  ] as const)
    failsWith(() => whole.slice(a, b), OptionError, /there are no examples/);
  for (const f of [0, 1, 0.01, Number.NaN]) failsWith(() => whole.split(f), OptionError, /empty/);
  failsWith(() => whole.take(0), OptionError, /n is 0/);
});

test('fillBatch copies rows of any index list, and refuses others', () => {
  const inputs = new Float32Array(4);
  const targets = new Int32Array(2);
  sample(10).fillBatch([9, 8, 2], 1, 3, inputs, targets);
  assert.equal(
    [[...inputs], [...targets]],
    [
      [8, 8.25, 2, 2.25],
      [2, 2],
    ],
  );
  for (const bad of [10, -1, Number.NaN])
    failsWith(() => sample(10).fillBatch([bad], 0, 1, inputs, targets), DataError, /is not an example of 10/);
  failsWith(() => sample(10).fillBatch([1], 0, 2, inputs, targets), OptionError, /rows 0 to 2 of 1/);
});

test('bad data is refused with the place and the values', () => {
  const noInputs = { inputs: new Float32Array(0), targets: new Int32Array(0) };
  failsWith(() => sample(1, noInputs), DataError, /no example/);
  failsWith(() => sample(4, { targets: new Int32Array(3) }), DataError, /3 values for 4 x \(\) = 4/);
  failsWith(() => sample(2, { inputs: new Float32Array(5) }), DataError, /5 values for 2 x \(2\) = 4/);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const inputs = new Float32Array(20);
    inputs[13] = bad;
    inputs[15] = Number.NaN;
    const error = failsWith(() => sample(10, { inputs }), DataError, /at index 1 of example 6/);
    assert.ok(Object.is(error.values.value, bad));
    assert.is(error.values.index, 13);
  }
  for (const bad of [3, -1]) {
    const targets = new Int32Array(10);
    targets[7] = bad;
    const error = failsWith(
      () => sample(10, { targets }),
      DataError,
      /at index 7 is out of range .*from 0 to 2/,
    );
    assert.equal(error.values, { label: bad, index: 7, classes: 3 });
  }
  const halves = { targets: new Float32Array([0, 0.5]), targetDType: 'float32' } as const;
  failsWith(() => sample(2, halves), DataError, /label 0.5 at index 1/);
  assert.is(sample(2, { ...halves, classes: undefined }).length, 2);
  const infinite = {
    targets: new Float32Array([0, 1 / 0]),
    targetDType: 'float32',
    classes: undefined,
  } as const;
  failsWith(() => sample(2, infinite), DataError, /targets.*Infinity/);
  failsWith(
    () => sample(2, { inputs: new Float64Array(4) }),
    DTypeError,
    /float32 values are in a Float64Array/,
  );
  failsWith(() => sample(2, { inputs: undefined as never }), DTypeError, /undefined/);
  failsWith(() => sample(2, { inputDType: 'float16' as never }), DTypeError, /float16/);
  failsWith(() => sample(2, { inputShape: [-2] }), ShapeError, /usable/);
  failsWith(() => sample(2, { scale: Number.NaN }), OptionError, /scale/);
});

test('bad batch options are refused', () => {
  for (const batchSize of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    failsWith(() => sample(3).batches({ batchSize }), OptionError, /batchSize is/);
  failsWith(
    () => sample(3).batches({ batchSize: 2, suffle: true } as never),
    OptionError,
    /unknown option suffle/,
  );
  failsWith(() => sample(3).batches({ batchSize: 4, dropLast: true }), OptionError, /drops them all/);
});

/** A source that counts how far it was read and whether it was closed. */
function counted(n: number) {
  const state = { started: 0, given: 0, closed: 0 };
  async function* source(): AsyncGenerator<Example> {
    state.started++;
    try {
      for (let i = 0; i < n; i++) {
        await Promise.resolve();
        state.given++;
        yield { inputs: new Float32Array([i, -i]), targets: new Int32Array([i % 3]) };
      }
    } finally {
      state.closed++;
    }
  }
  return { state, source };
}

const spec = {
  inputShape: [2],
  inputDType: 'float32',
  targetShape: [],
  targetDType: 'int32',
  classes: 3,
  name: 'stream',
} as const;

test('a stream of examples is checked, batched, and started anew for each epoch', async () => {
  const { state, source } = counted(7);
  const stream = dataset.from(source, spec);
  for (let epoch = 1; epoch <= 2; epoch++) {
    const batches = (await collect(stream.batches({ batchSize: 3 }))).map(plain);
    assert.equal(batches[1], { inputs: [3, -3, 4, -4, 5, -5], targets: [0, 1, 2], size: 3 });
    assert.equal(batches[2], { inputs: [6, -6], targets: [0], size: 1 });
    assert.is(batches.length, 3);
    assert.is(state.started, epoch);
  }
  assert.is((await collect(stream.batch(3, { dropLast: true }))).length, 2);
  const asBatches = dataset.from(() => sample(7).batches({ batchSize: 2 }), spec);
  const held = await collect(asBatches);
  assert.equal(
    held.map((e) => e.inputs[0]),
    [0, 1, 2, 3, 4, 5, 6],
    'batches are taken apart and copied',
  );
});

test('map, take and prefetch keep order; take closes the source', async () => {
  const { state, source } = counted(1000);
  const stream = dataset.from(source, spec);
  const firsts = await collect(
    stream
      .prefetch(4)
      .take(5)
      .map(async ({ inputs }, i) => [inputs[0], i]),
  );
  assert.equal(firsts, [
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
  assert.is(state.closed, 1);
  assert.ok(state.given >= 8 && state.given <= 10, `${state.given} given`);
});

test('prefetch asks ahead of use', async () => {
  const { state, source } = counted(100);
  const reader = dataset.from(source, spec).prefetch(6)[Symbol.asyncIterator]();
  await reader.next();
  await new Promise((done) => setTimeout(done, 5));
  assert.is(state.given, 7);
  await reader.return?.();
  assert.is(state.closed, 1);
});

test('an error in the source reaches the reader, also through prefetch', async () => {
  async function* broken(): AsyncGenerator<Example> {
    yield { inputs: new Float32Array(2), targets: new Int32Array(1) };
    throw new RangeError('disk on fire');
  }
  const reading = collect(dataset.from(broken, spec).prefetch(3).shuffle(2).batch(2));
  await rejectsWith(() => reading, RangeError as never, /disk on fire/);
});

test('shuffle gives every element once, mixes within its buffer only, and follows its seed', async () => {
  const order = async (size: number, seed: number, epoch = 0) => {
    const stream = dataset.from(counted(60).source, spec).shuffle(size, { seed, epoch });
    return (await collect(stream)).map((e) => e.inputs[0] as number);
  };
  const ascending = Array.from({ length: 60 }, (_, i) => i);
  const shuffled = await order(10, 1);
  assert.equal(
    [...shuffled].sort((a, b) => a - b),
    ascending,
  );
  assert.not.equal(shuffled, ascending);
  assert.ok(shuffled.every((value, position) => value <= position + 10));
  assert.equal(await order(10, 1), shuffled);
  assert.not.equal(await order(10, 2), shuffled);
  assert.not.equal(await order(10, 1, 1), shuffled);
  assert.equal(await order(1, 5), ascending);
});

test('bad examples and empty sources are refused with their index', async () => {
  const one = (inputs: Float32Array, label: number) => ({ inputs, targets: new Int32Array([label]) });
  const good = one(new Float32Array(2), 0);
  const read = (examples: Example[]) => () => collect(dataset.from(examples, spec).batch(2));
  await rejectsWith(
    read([good, one(new Float32Array(3), 0)]),
    DataError,
    /example 1.*3 values for 1 x \(2\)/,
  );
  await rejectsWith(read([good, good, one(new Float32Array(2), 9)]), DataError, /label 9 at index 2/);
  await rejectsWith(
    read([one(new Float32Array([1, Number.NaN]), 0)]),
    DataError,
    /NaN at index 1 of example 0/,
  );
  await rejectsWith(read([]), DataError, /gave no example/);
  const used = counted(1).source();
  await collect(dataset.from(used, spec));
  await rejectsWith(() => collect(dataset.from(used, spec)), DataError, /read before/);
});

test('dataset.from of arrays is an ArrayDataset', () => {
  const made = dataset.from({ ...spec, inputs: new Float32Array(6), targets: new Int32Array(3) });
  assert.instance(made, ArrayDataset);
  assert.is(made.length, 3);
});

test.run();
