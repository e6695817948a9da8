// The loss of every batch, written into a ring on the device and read only now and then.

import { checkCount } from '../data/spec.js';
import { checkOptionNames } from '../errors.js';
import { Tensor, Variable } from '../graph.js';
import { add, equal, full, where, zeros } from '../ops/index.js';
import { read, tensor } from '../tensor.js';

/** Options of `lossRing`. */
export interface LossRingOptions {
  /** Batches between two reads, each of which waits for the device; 100 where not said. */
  every?: number;
  /** Gets the losses in order; `first` is the number of the first one's batch in this training, from 0. */
  onLosses: (report: { first: number; losses: Float32Array }) => void;
}

/** For one training at a time. */
export class LossRing {
  readonly #every: number;
  readonly #onLosses: LossRingOptions['onLosses'];
  readonly #ring: Variable;
  /** Where the next loss goes. */
  readonly #at = new Variable([], 'int32', () => zeros([], 'int32'), 'place in the ring');
  readonly #places: Tensor;
  #count = 0;
  #first = 0;

  constructor({ every = 100, onLosses }: LossRingOptions) {
    checkCount('lossRing', 'every', every);
    this.#every = every;
    this.#onLosses = onLosses;
    this.#ring = new Variable([every], 'float32', () => zeros([every]), 'ring of losses');
    const data = Int32Array.from({ length: every }, (_, i) => i);
    this.#places = new Tensor({ kind: 'data', data }, [every], 'int32');
  }

  /** What it keeps on the device. */
  get variables(): readonly Variable[] {
    return [this.#ring, this.#at];
  }

  /** Records that a batch's loss, a scalar, goes into the ring. */
  record(loss: Tensor): void {
    this.#ring.assign(where(equal(this.#places, this.#at), loss, this.#ring));
    const last = equal(this.#at, this.#every - 1);
    this.#at.assign(where(last, full([], 0, 'int32'), add(this.#at, 1)));
  }

  /** Counts a batch; true when the ring is full. */
  ran(): boolean {
    return ++this.#count === this.#every;
  }

  /** Hands out what the ring holds. */
  async read(): Promise<void> {
    const count = this.#count;
    if (count === 0) return;
    const [losses] = await read([this.#ring]);
    if (count < this.#every) await this.#at.assign(tensor(0, { dtype: 'int32' }));
    this.#onLosses({ first: this.#first, losses: (losses as Float32Array).slice(0, count) });
    this.#first += count;
    this.#count = 0;
  }

  /** Frees the ring's memory. */
  dispose(): void {
    for (const v of this.variables) v.dispose();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * For `fit`: every batch's loss, in the order of training, in pieces of `every`. On a GPU the training need not wait for
 * each: the losses gather there. With batches in parts, for want of memory, a part's loss stands for its batch's.
 */
export function lossRing(options: LossRingOptions): LossRing {
  checkOptionNames('lossRing', options, ['every', 'onLosses']);
  return new LossRing(options);
}
