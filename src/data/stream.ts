// Examples that arrive one by one from any iterable: map, shuffle with a buffer, batch, prefetch.
import { dtypes, type HostArray, sizeOf } from '../dtype.js';
import { DataError } from '../errors.js';
import { RandomStream, streams } from '../philox.js';
import { ArrayDataset, type ArrayDatasetOptions } from './dataset.js';
import {
  type Batch,
  type BatchOptions,
  batchOptions,
  checkCount,
  checkRows,
  completeSpec,
  type DataSpec,
  type Dataset,
} from './spec.js';

/** One example: inputs of inputShape and targets of targetShape, flat. */
export interface Example {
  inputs: HostArray;
  targets: HostArray;
}

/** Anything with `for await`, or a function that starts it anew for each epoch. */
export type Source<T> = Iterable<T> | AsyncIterable<T> | (() => Iterable<T> | AsyncIterable<T>);

/** Options of `shuffle`. */
export interface ShuffleOptions {
  seed?: number;
  epoch?: number;
}

/** Examples with which `StreamDataset.batches` shuffles at a time. */
const shuffleBuffer = 1024;

/** A lazy sequence; each `for await` starts it from the beginning. */
export class Stream<T> implements AsyncIterable<T> {
  protected readonly open: () => AsyncIterable<T>;

  constructor(open: () => AsyncIterable<T>) {
    this.open = open;
  }

  /** Starts anew. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    return this.open()[Symbol.asyncIterator]();
  }

  /** Applies a function, which may be async, to each element. */
  map<U>(change: (value: T, index: number) => U | Promise<U>): Stream<U> {
    return new Stream(() => mapped(this.open(), change));
  }

  /** The first n elements; the source is closed after them. */
  take(n: number): Stream<T> {
    checkCount('take', 'n', n);
    return new Stream(() => taken(this.open(), n));
  }

  /** Draws each element at random from the next `bufferSize` ones; a buffer as large as the data is a full shuffle. */
  shuffle(bufferSize: number, { seed = 0, epoch = 0 }: ShuffleOptions = {}): Stream<T> {
    checkCount('shuffle', 'bufferSize', bufferSize);
    return new Stream(() => shuffled(this.open(), bufferSize, seed, epoch));
  }

  /** Joins n examples to one batch in fresh arrays; the last one may be smaller. */
  batch(
    this: Stream<Example>,
    n: number,
    { dropLast = false }: { dropLast?: boolean | undefined } = {},
  ): Stream<Batch> {
    checkCount('batch', 'n', n);
    return new Stream(() => batched(this.open(), n, dropLast));
  }

  /** Asks the source for up to n elements ahead of their use. */
  prefetch(n: number): Stream<T> {
    checkCount('prefetch', 'n', n);
    return new Stream(() => prefetched(this.open(), n));
  }
}

/** A stream of examples, each checked against the spec as it passes. */
export class StreamDataset extends Stream<Example> implements Dataset {
  readonly inputShape;
  readonly inputDType;
  readonly targetShape;
  readonly targetDType;
  readonly scale: number;
  readonly classes: number | undefined;
  readonly name: string;
  readonly length: number | undefined;

  constructor(source: Source<Example | Batch>, spec: DataSpec, length?: number) {
    const full = completeSpec(spec);
    super(() => checkedExamples(source, full));
    this.inputShape = full.inputShape;
    this.inputDType = full.inputDType;
    this.targetShape = full.targetShape;
    this.targetDType = full.targetDType;
    this.scale = full.scale;
    this.classes = full.classes;
    this.name = full.name;
    this.length = length;
  }

  override take(n: number): StreamDataset {
    return new StreamDataset(super.take(n), this, this.length && Math.min(this.length, n));
  }

  override shuffle(bufferSize: number, options?: ShuffleOptions): StreamDataset {
    return new StreamDataset(super.shuffle(bufferSize, options), this, this.length);
  }

  override prefetch(n: number): StreamDataset {
    return new StreamDataset(super.prefetch(n), this, this.length);
  }

  /** One epoch for training, in fresh arrays. `shuffle` draws from a buffer of 1,024 examples. */
  batches(options: BatchOptions): Stream<Batch> {
    const { batchSize, shuffle, seed, epoch, dropLast } = batchOptions(this.name, options);
    const examples = shuffle ? super.shuffle(shuffleBuffer, { seed, epoch }) : this;
    return examples.batch(batchSize, { dropLast });
  }
}

/** `dataset.from`: typed arrays become an ArrayDataset, any iterable of examples or batches a StreamDataset. */
export const dataset = { from };

/** A data set of arrays in memory. */
function from(arrays: ArrayDatasetOptions): ArrayDataset;
/** A data set of any iterable of examples or batches. */
function from(source: Source<Example | Batch>, spec: DataSpec & { length?: number }): StreamDataset;
function from(
  source: ArrayDatasetOptions | Source<Example | Batch>,
  spec?: DataSpec & { length?: number },
): ArrayDataset | StreamDataset {
  if (!spec) return new ArrayDataset(source as ArrayDatasetOptions);
  const { length, ...rest } = spec;
  return new StreamDataset(source as Source<Example | Batch>, rest, length);
}

async function* checkedExamples(
  source: Source<Example | Batch>,
  spec: Required<DataSpec>,
): AsyncGenerator<Example> {
  const inputSize = sizeOf(spec.inputShape);
  const targetSize = sizeOf(spec.targetShape);
  const { array: InputArray } = dtypes[spec.inputDType];
  const { array: TargetArray } = dtypes[spec.targetDType];
  let index = 0;
  for await (const { inputs, targets, ...rest } of typeof source === 'function' ? source() : source) {
    const size = 'size' in rest ? rest.size : 1;
    checkCount(`${spec.name}: example ${index}`, 'size', size);
    checkRows({ ...spec, name: `${spec.name}: example ${index}` }, inputs, targets, size, index);
    for (let row = 0; row < size; row++) {
      // Copies, because a source may reuse its arrays while examples wait in a buffer here.
      yield {
        inputs: new InputArray(inputs.subarray(row * inputSize, (row + 1) * inputSize)),
        targets: new TargetArray(targets.subarray(row * targetSize, (row + 1) * targetSize)),
      };
    }
    index += size;
  }
  if (index === 0) {
    throw new DataError({
      where: spec.name,
      problem: 'the source gave no example',
      hint: 'it is empty or was read before; pass a function that starts it anew for each epoch',
    });
  }
}

async function* mapped<T, U>(
  source: AsyncIterable<T>,
  change: (value: T, index: number) => U | Promise<U>,
): AsyncGenerator<U> {
  let index = 0;
  for await (const value of source) yield await change(value, index++);
}

async function* taken<T>(source: AsyncIterable<T>, n: number): AsyncGenerator<T> {
  let left = n;
  for await (const value of source) {
    yield value;
    if (--left === 0) return;
  }
}

async function* shuffled<T>(
  source: AsyncIterable<T>,
  bufferSize: number,
  seed: number,
  epoch: number,
): AsyncGenerator<T> {
  const random = new RandomStream(seed, streams.shuffleBuffer, epoch);
  const buffer: T[] = [];
  for await (const value of source) {
    if (buffer.length < bufferSize) {
      buffer.push(value);
      continue;
    }
    const at = random.integer(bufferSize);
    yield buffer[at] as T;
    buffer[at] = value;
  }
  for (const at of random.permutation(buffer.length)) yield buffer[at] as T;
}

async function* prefetched<T>(source: AsyncIterable<T>, n: number): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const pending: Promise<IteratorResult<T>>[] = [];
  const ask = () => {
    const result = iterator.next();
    result.catch(() => {}); // raised where it is awaited below, or dropped when the reader stops early
    pending.push(result);
  };
  try {
    for (let i = 0; i < n; i++) ask();
    for (;;) {
      ask();
      const result = await (pending.shift() as Promise<IteratorResult<T>>);
      if (result.done) return;
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function* batched(source: AsyncIterable<Example>, n: number, dropLast: boolean): AsyncGenerator<Batch> {
  let waiting: Example[] = [];
  for await (const example of source) {
    if (waiting.push(example) < n) continue;
    yield joined(waiting);
    waiting = [];
  }
  if (waiting.length > 0 && !dropLast) yield joined(waiting);
}

function joined(examples: Example[]): Batch {
  return {
    inputs: concatenated(examples.map((e) => e.inputs)),
    targets: concatenated(examples.map((e) => e.targets)),
    size: examples.length,
  };
}

function concatenated(rows: HostArray[]): HostArray {
  const [first] = rows as [HostArray];
  const HostArrayOf = first.constructor as new (length: number) => HostArray;
  const all = new HostArrayOf(rows.length * first.length);
  rows.forEach((row, i) => {
    all.set(row, i * first.length);
  });
  return all;
}
