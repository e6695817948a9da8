// A source of 200,000 examples passes through shuffling, batching and prefetch, and only few of them are held at a time.
import * as assert from 'uvu/assert';
import { csvRows, dataset, type Example } from '../../src/data/index.js';
import { suite } from '../helpers/suite.js';

const test = suite('large sources');

const count = 200_000;
const spec = {
  inputShape: [64],
  inputDType: 'float32',
  targetShape: [],
  targetDType: 'int32',
  classes: 10,
  name: 'generated',
} as const;

/** 50 MB of inputs in all; counts how many examples were given. */
function generated() {
  const state = { given: 0 };
  function* source(): Generator<Example> {
    state.given = 0;
    const inputs = new Float32Array(64); // the stream copies what it keeps
    for (let i = 0; i < count; i++) {
      inputs.fill(i);
      state.given++;
      yield { inputs, targets: Int32Array.of(i % 10) };
    }
  }
  return { state, source };
}

test('batches of a shuffled epoch: each example once, a buffer, a batch and what is prefetched ahead', async () => {
  const { state, source } = generated();
  const stream = dataset.from(source, { ...spec, length: count }).prefetch(16);
  const seen = new Uint8Array(count);
  let used = 0;
  let ahead = 0;
  let inPlace = 0;
  for await (const { inputs, targets, size } of stream.batches({ batchSize: 500, shuffle: true, seed: 3 })) {
    for (let row = 0; row < size; row++) {
      const i = inputs[64 * row]!;
      if (seen[i] || targets[row] !== i % 10 || inputs[64 * row + 63] !== i)
        assert.unreachable(`example ${i}`);
      seen[i] = 1;
      if (i === used + row) inPlace++;
    }
    used += size;
    ahead = Math.max(ahead, state.given - used);
  }
  assert.is(used, count);
  assert.ok(seen.every((n) => n === 1));
  assert.ok(inPlace < count / 100, `${inPlace} where they were`);
  assert.ok(ahead > 1000 && ahead <= 1024 + 16 + 3, `${ahead} examples ahead of their use`);
});

test('a CSV file of 200,000 rows that is made while it is read', async () => {
  let made = 0;
  let used = 0;
  let ahead = 0;
  const encoder = new TextEncoder();
  const file = () =>
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (made === count) return controller.close();
          let text = made === 0 ? 'a,b,label\n' : '';
          for (let i = 0; i < 1000; i++) text += `${made},${made++ / 4},${made % 3 ? 'yes' : 'no'}\n`;
          controller.enqueue(encoder.encode(text));
        },
      },
      { highWaterMark: 0 },
    );
  const examples = csvRows(file, { columns: { label: 'label' } }).map(({ a, b, label }) => ({
    inputs: Float32Array.of(Number(a), Number(b)),
    targets: Int32Array.of(label === 'yes' ? 1 : 0),
  }));
  const rows = dataset.from(() => examples, { ...spec, inputShape: [2], classes: 2, length: count });
  for await (const { inputs, size } of rows.batches({ batchSize: 1000 })) {
    if (inputs[0] !== used || inputs[2 * size - 1] !== (used + size - 1) / 4)
      assert.unreachable(`row ${used}`);
    used += size;
    ahead = Math.max(ahead, made - used);
  }
  assert.is(used, count);
  assert.ok(ahead <= 5000, `${ahead} rows ahead of their use`);
});

test.run();
