// Writes a program into WASM memory: the list of calls, then the argument blocks and constants that they refer to.
import { type DType, dtypes } from '../../dtype.js';
import { DeviceError } from '../../errors.js';
import { alignUp } from './allocator.js';
import type { Heap } from './heap.js';

/** A word of an argument block: a number (an address, say), or the place of something in the program's own data. */
export type Word = number | { readonly data: number };

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The bits of a float32 as a word. */
export function floatWord(value: number): number {
  float[0] = value;
  return floatBits[0] as number;
}

export class ProgramBuilder {
  readonly #indices: ReadonlyMap<string, number>;
  /** Table index and place of the argument block, for each call. */
  readonly #calls: [number, number][] = [];
  #data: number[] = [];
  /** Places of words to which the data's address is added. */
  readonly #relative: number[] = [];
  readonly #constants = new Map<string, Word>();

  constructor(indices: ReadonlyMap<string, number>) {
    this.#indices = indices;
  }

  /** Index of a kernel in the function table. */
  index(kernel: string): number {
    const index = this.#indices.get(kernel);
    if (index !== undefined) return index;
    throw new DeviceError({
      where: 'wasm',
      problem: `there is no kernel ${kernel} in this build`,
      hint: 'the kernels and the library must be of the same version',
      values: { kernel },
    });
  }

  /** How many calls there are so far. */
  get count(): number {
    return this.#calls.length;
  }

  call(kernel: string, args: readonly Word[]): void {
    this.#calls.push([this.index(kernel), this.place(args)]);
  }

  /** Puts words into the data, at a multiple of 8 bytes; their place. */
  place(words: readonly Word[]): number {
    if (this.#data.length % 2) this.#data.push(0);
    const place = this.#data.length * 4;
    for (const word of words) {
      if (typeof word === 'number') this.#data.push(word);
      else {
        this.#relative.push(this.#data.length);
        this.#data.push(word.data);
      }
    }
    return place;
  }

  /** The place of a number in the form that a dtype has in memory; equal ones share a place. */
  constant(value: number, dtype: DType): Word {
    const key = `${dtype} ${Object.is(value, -0) ? '-0' : value}`;
    let word = this.#constants.get(key);
    if (!word) {
      const bytes = new ArrayBuffer(8);
      new dtypes[dtype].array(bytes)[0] = value;
      word = { data: this.place([...new Uint32Array(bytes)]) };
      this.#constants.set(key, word);
    }
    return word;
  }

  /** Writes everything into a new piece of memory. */
  finish(heap: Heap): { address: number; count: number } {
    const listBytes = alignUp(this.#calls.length * 8);
    const address = heap.allocate(listBytes + this.#data.length * 4);
    const data = address + listBytes;
    for (const i of this.#relative) this.#data[i] = (this.#data[i] as number) + data;
    const memory = new Uint32Array(heap.memory.buffer);
    memory.set(this.#data, data / 4);
    memory.set(
      this.#calls.flatMap(([index, place]) => [index, data + place]),
      address / 4,
    );
    return { address, count: this.#calls.length };
  }
}
