// Examples in memory: slices, splits, the order of an epoch, and batches that reuse their buffers.
import { dtypes, type HostArray, type Shape, showShape, sizeOf } from '../dtype.js';
import { DataError, OptionError, ShapeError } from '../errors.js';
import { RandomStream, streams } from '../philox.js';
import {
  type Batch,
  type BatchOptions,
  batchOptions,
  checkArray,
  checkCount,
  checkRows,
  completeSpec,
  type DataSpec,
  type Dataset,
} from './spec.js';

/** Iterable with `for of` and `for await`; each iteration starts at the first batch, with its own buffers. */
export type BatchIterable = Iterable<Batch> & AsyncIterable<Batch>;

/** Inputs (length, ...inputShape) and targets (length, ...targetShape), row-major. The arrays are not copied. */
export interface ArrayDatasetOptions extends DataSpec {
  inputs: HostArray;
  targets: HostArray;
}

/** Examples in two typed arrays. uint8 images stay uint8; `scale` is applied on the device. */
export class ArrayDataset implements Dataset {
  readonly inputs: HostArray;
  readonly targets: HostArray;
  readonly inputShape: Shape;
  readonly inputDType;
  readonly targetShape: Shape;
  readonly targetDType;
  readonly scale: number;
  readonly classes: number | undefined;
  readonly name: string;
  /** Number of examples. */
  readonly length: number;
  readonly #inputSize: number;
  readonly #targetSize: number;

  /**
   * Throws DataError for empty data, lengths that differ, NaN or infinity, and labels out of range;
   * DTypeError for arrays that are not of their dtype; ShapeError for shapes that are none.
   */
  constructor({ inputs, targets, ...rest }: ArrayDatasetOptions) {
    const spec = completeSpec(rest);
    this.#inputSize = sizeOf(spec.inputShape);
    this.#targetSize = sizeOf(spec.targetShape);
    checkArray(`${spec.name}: inputs`, spec.inputDType, inputs);
    const length = this.#inputSize > 0 ? Math.floor(inputs.length / this.#inputSize) : 0;
    if (length === 0) {
      throw new DataError({
        where: spec.name,
        problem: `there is no example: ${inputs.length} input values of shape ${showShape(spec.inputShape)}`,
        hint: 'pass at least one example',
        values: { inputs: inputs.length, inputShape: spec.inputShape },
      });
    }
    checkRows(spec, inputs, targets, length);
    this.inputs = inputs;
    this.targets = targets;
    this.inputShape = spec.inputShape;
    this.inputDType = spec.inputDType;
    this.targetShape = spec.targetShape;
    this.targetDType = spec.targetDType;
    this.scale = spec.scale;
    this.classes = spec.classes;
    this.name = spec.name;
    this.length = length;
  }

  /** The first n examples, or all when there are fewer. A view, not a copy. */
  take(n: number): ArrayDataset {
    checkCount(`${this.name}.take`, 'n', n);
    return this.slice(0, Math.min(n, this.length));
  }

  /** Examples from `start` up to, not including, `end`. A view, not a copy. */
  slice(start: number, end: number = this.length): ArrayDataset {
    if (
      !(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= this.length)
    ) {
      throw new OptionError({
        where: `${this.name}.slice`,
        problem: `there are no examples ${start} to ${end} in ${this.length}`,
        hint: '0 <= start < end <= length',
        values: { start, end, length: this.length },
      });
    }
    return new ArrayDataset({
      ...this.#spec(),
      inputs: this.inputs.subarray(start * this.#inputSize, end * this.#inputSize),
      targets: this.targets.subarray(start * this.#targetSize, end * this.#targetSize),
    });
  }

  /** Two views: the first `fraction` of the examples, rounded, and the others. Neither may be empty. */
  split(fraction: number): [ArrayDataset, ArrayDataset] {
    const at = Math.round(this.length * fraction);
    if (!(at > 0 && at < this.length)) {
      throw new OptionError({
        where: `${this.name}.split`,
        problem: `fraction ${fraction} of ${this.length} examples leaves one side empty`,
        hint: 'the fraction is between 0 and 1',
        values: { fraction, length: this.length },
      });
    }
    return [this.slice(0, at), this.slice(at)];
  }

  /** The same data seen with another input shape of the same size, e.g. `[28, 28, 1]` for convolutions. */
  reshape(inputShape: Shape): ArrayDataset {
    if (sizeOf(inputShape) !== this.#inputSize) {
      throw new ShapeError({
        where: `${this.name}.reshape`,
        problem: `inputs of shape ${showShape(this.inputShape)} are not ${showShape(inputShape)}`,
        hint: `the product of the sizes must stay ${this.#inputSize}`,
        values: { from: this.inputShape, to: inputShape },
      });
    }
    return new ArrayDataset({ ...this.#spec(), inputShape, inputs: this.inputs, targets: this.targets });
  }

  /** The order of one epoch: each example once, the same for the same seed and epoch in every engine. */
  shuffleOrder(seed: number, epoch: number): Int32Array {
    return new RandomStream(seed, streams.shuffle, epoch).permutation(this.length);
  }

  /**
   * Copies the examples `indices[start]` to `indices[end - 1]` into the front of the two arrays,
   * inputs (end - start, ...inputShape) and targets (end - start, ...targetShape). Allocates nothing.
   */
  fillBatch(
    indices: ArrayLike<number>,
    start: number,
    end: number,
    inputsOut: HostArray,
    targetsOut: HostArray,
  ): void {
    if (!(0 <= start && start <= end && end <= indices.length)) {
      throw new OptionError({
        where: `${this.name}.fillBatch`,
        problem: `rows ${start} to ${end} of ${indices.length} indices`,
        hint: '0 <= start <= end <= indices.length',
        values: { start, end, length: indices.length },
      });
    }
    for (let i = start; i < end; i++) {
      const index = indices[i] as number;
      if (!(index >= 0 && index < this.length)) {
        throw new DataError({
          where: `${this.name}.fillBatch`,
          problem: `index ${index} is not an example of ${this.length}`,
          values: { index, length: this.length },
        });
      }
    }
    gatherRows(this.inputs, this.#inputSize, indices, start, end, inputsOut);
    gatherRows(this.targets, this.#targetSize, indices, start, end, targetsOut);
  }

  /**
   * The batches of one epoch. Two sets of buffers are used in turn and nothing is allocated per step,
   * so a batch is valid until the next but one is drawn. The last batch may be smaller; see its `size`.
   */
  batches(options: BatchOptions): BatchIterable {
    const { batchSize, shuffle, seed, epoch, dropLast } = batchOptions(this.name, options);
    if (dropLast && batchSize > this.length) {
      throw new OptionError({
        where: `${this.name}.batches`,
        problem: `batchSize ${batchSize} is more than the ${this.length} examples, and dropLast drops them all`,
        hint: 'use a smaller batch or dropLast: false',
        values: { batchSize, length: this.length },
      });
    }
    const iterate = () => {
      const order = shuffle ? this.shuffleOrder(seed, epoch) : identity(this.length);
      return new BatchIterator(this, order, Math.min(batchSize, this.length), dropLast);
    };
    return {
      [Symbol.iterator]: iterate,
      [Symbol.asyncIterator]() {
        const batches = iterate();
        return { next: async () => ({ ...batches.next() }) };
      },
    };
  }

  /** Fresh arrays for `rows` examples. */
  allocate(rows: number): Batch {
    return {
      inputs: new dtypes[this.inputDType].array(rows * this.#inputSize),
      targets: new dtypes[this.targetDType].array(rows * this.#targetSize),
      size: rows,
    };
  }

  #spec(): Required<DataSpec> {
    const { name, scale, classes, inputShape, inputDType, targetShape, targetDType } = this;
    return { name, scale, classes, inputShape, inputDType, targetShape, targetDType };
  }
}

function identity(n: number): Int32Array {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  return order;
}

/** Element by element, because a `subarray` per row would be garbage in every step. */
function gatherRows(
  from: HostArray,
  rowSize: number,
  indices: ArrayLike<number>,
  start: number,
  end: number,
  to: HostArray,
): void {
  let at = 0;
  for (let i = start; i < end; i++) {
    const first = (indices[i] as number) * rowSize;
    for (let j = 0; j < rowSize; j++) to[at++] = from[first + j] as number;
  }
}

/** Hands out the same two batches and the same result object again and again. */
class BatchIterator implements Iterator<Batch, undefined> {
  readonly #data: ArrayDataset;
  readonly #order: Int32Array;
  readonly #batchSize: number;
  readonly #end: number;
  readonly #batches: [Batch, Batch];
  #result: { done: boolean; value: Batch | undefined } = { done: false, value: undefined };
  #at = 0;
  #turn: 0 | 1 = 0;

  constructor(data: ArrayDataset, order: Int32Array, batchSize: number, dropLast: boolean) {
    this.#data = data;
    this.#order = order;
    this.#batchSize = batchSize;
    this.#end = dropLast ? data.length - (data.length % batchSize) : data.length;
    this.#batches = [data.allocate(batchSize), data.allocate(batchSize)];
  }

  next(): IteratorResult<Batch, undefined> {
    const result = this.#result as IteratorResult<Batch, undefined>;
    if (this.#at === this.#end) {
      result.done = true;
      result.value = undefined;
      return result;
    }
    const end = Math.min(this.#at + this.#batchSize, this.#end);
    const rows = end - this.#at;
    const batch = rows < this.#batchSize ? this.#data.allocate(rows) : this.#batches[this.#turn];
    this.#data.fillBatch(this.#order, this.#at, end, batch.inputs, batch.targets);
    this.#at = end;
    this.#turn = this.#turn === 0 ? 1 : 0;
    result.value = batch;
    return result;
  }
}
