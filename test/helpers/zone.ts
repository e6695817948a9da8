// Memory for single kernel calls: operands between guard zones, outputs poisoned first, any number of threads.
import * as assert from 'uvu/assert';
import type { HostArray } from '../../src/dtype.js';
import type { Kernels } from './kernels.js';

const GUARD = 48;
const GUARD_BYTE = 0xa5;
const POISON = 0xff;

type Any = typeof Float32Array;
/** The arrays by suffix, all under one static type: which one it is does not matter to a test. */
export const arrays = {
  f32: Float32Array,
  f64: Float64Array as unknown as Any,
  i32: Int32Array as unknown as Any,
  u8: Uint8Array as unknown as Any,
  bool: Uint8Array as unknown as Any,
};
export type Suffix = keyof typeof arrays;

/** A word of an argument block: a whole number, or a float. */
export type Word = number | { f32: number };

/** Sizes around the widths of vectors, unrolled loops and blocks. */
export const SIZES = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 1023, 1024, 1025,
] as const;

export class Zone {
  readonly #kernels: Kernels;
  readonly #base: number;
  readonly #capacity: number;
  #top: number;
  #ranges: { at: number; size: number; input: Uint8Array | null }[] = [];

  constructor(kernels: Kernels, capacity = 1 << 20) {
    this.#kernels = kernels;
    this.#base = kernels.alloc(capacity);
    this.#capacity = capacity;
    this.#top = this.#base;
    this.reset();
  }

  /** Forgets what was placed; only the memory in use is wiped. */
  reset(): void {
    const used = this.#ranges.length === 0 ? this.#capacity : this.#top + GUARD - this.#base;
    new Uint8Array(this.#kernels.memory.buffer, this.#base, used).fill(GUARD_BYTE);
    this.#top = this.#base + GUARD;
    this.#ranges = [];
  }

  #place(size: number, input: Uint8Array | null): number {
    const at = this.#top;
    this.#top += ((size + 7) & ~7) + GUARD;
    if (this.#top + GUARD > this.#base + this.#capacity) throw new Error('the zone is full');
    this.#ranges.push({ at, size, input });
    return at;
  }

  /** Copies an array into the zone; it must be the same after the call. */
  input(array: HostArray): number {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const at = this.#place(bytes.length, bytes);
    new Uint8Array(this.#kernels.memory.buffer).set(bytes, at);
    return at;
  }

  /** Room for a result (or for an array that the kernel changes in place). */
  output(size: number, initial?: HostArray): number {
    const at = this.#place(size, null);
    this.poison(at, size);
    if (initial) {
      const bytes = new Uint8Array(initial.buffer, initial.byteOffset, initial.byteLength);
      new Uint8Array(this.#kernels.memory.buffer).set(bytes, at);
    }
    return at;
  }

  poison(at: number, size: number): void {
    new Uint8Array(this.#kernels.memory.buffer, at, size).fill(POISON);
  }

  words(list: readonly Word[]): number {
    const bytes = new DataView(new ArrayBuffer(list.length * 4));
    for (const [i, word] of list.entries()) {
      if (typeof word === 'number') bytes.setUint32(4 * i, word, true);
      else bytes.setFloat32(4 * i, word.f32, true);
    }
    return this.input(new Uint8Array(bytes.buffer));
  }

  read(type: Any, at: number, n: number): Float32Array<ArrayBuffer> {
    return new type(this.#kernels.memory.buffer as ArrayBuffer, at, n).slice();
  }

  /** Index of a kernel in the function table. */
  index(name: string): number {
    const table = this.#kernels.exports.table as unknown as WebAssembly.Table;
    const index = table.grow(1);
    table.set(index, this.#kernels.exports[name]);
    return index;
  }

  call(name: string, ...numbers: number[]): void {
    const kernel = this.#kernels.exports[name];
    if (!kernel) throw new Error(`there is no kernel ${name}`);
    kernel(...numbers);
  }

  /** Runs a kernel (args, thread, threads) with 1, 2, 3 and 8 threads: same bits each time, guards whole. */
  run(name: string, args: readonly Word[], type: Any, at: number, n: number): Float32Array<ArrayBuffer> {
    const block = this.words(args);
    const size = this.#ranges.find((r) => r.at === at)!.size;
    let first: Float32Array<ArrayBuffer> | undefined;
    for (const threads of [1, 2, 3, 8]) {
      this.poison(at, size);
      // last thread first: the order must not matter
      for (let thread = threads - 1; thread >= 0; thread--) this.call(name, block, thread, threads);
      this.verify(`${name}, ${threads} threads`);
      const got = this.read(type, at, n);
      first ??= got;
      const bits = (a: HostArray) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength).join();
      if (bits(got) !== bits(first)) assert.unreachable(`${name}: other bits with ${threads} threads`);
    }
    return first!;
  }

  /** Fails where a guard or an input was written to. */
  verify(label: string): void {
    const bytes = new Uint8Array(this.#kernels.memory.buffer);
    let end = this.#base;
    for (const { at, size, input } of [...this.#ranges, { at: this.#top, size: 0, input: null }]) {
      for (let i = end; i < at; i++) {
        if (bytes[i] !== GUARD_BYTE)
          assert.unreachable(`${label}: wrote ${i - end} bytes past an operand's end`);
      }
      for (const [i, byte] of input?.entries() ?? []) {
        if (bytes[at + i] !== byte) assert.unreachable(`${label}: changed an input`);
      }
      end = at + size;
    }
  }
}

/** Fails at the first element that differs; NaN equals NaN, and 0 differs from -0. */
export function same(label: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
  if (got.length !== expected.length)
    assert.unreachable(`${label}: ${got.length} elements, not ${expected.length}`);
  for (let i = 0; i < got.length; i++) {
    if (!Object.is(got[i], expected[i]))
      assert.unreachable(`${label}: [${i}] is ${got[i]}, not ${expected[i]}`);
  }
}

let seed = 12345;
/** xorshift32 in [0, 1): the same numbers in every runtime. */
export function random(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) / 2 ** 32;
}
