// Philox4x32-10, the counter-based random numbers of every backend: the obvious reference of the kernels.
// Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
import { OptionError } from './errors.js';

/** Four words of 32 bits. */
export type Words4 = [number, number, number, number];
/** Low and high word of the seed. */
export type Key = readonly [number, number];

/** Streams that the library itself draws from. Initial weights count theirs up from 0, forward passes from `forward`. */
export const streams = {
  forward: 0x40000000,
  /** One for each epoch. */
  augmentation: 0xfffe0000,
  shuffle: 0xffff0001,
  shuffleBuffer: 0xffff0002,
  digits: 0xffff0003,
  split: 0xffff0004,
} as const;

/** Upper 32 bits of the product of two unsigned 32-bit words, by 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16);
}

/** Ten rounds: `out` gets four random words (unsigned, 32 bits) for a counter of four words and a key of two. */
export function philox(counter: Readonly<Words4>, key: Key, out: Words4): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0 >>> 0;
  out[1] = c1 >>> 0;
  out[2] = c2 >>> 0;
  out[3] = c3 >>> 0;
  return out;
}

/** A seed as a key. Throws OptionError unless it is a whole number from 0 to 2^53 - 1. */
export function seedKey(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new OptionError({
      where: 'seed',
      problem: `${seed} is not a seed`,
      hint: 'a seed is a whole number from 0 to 2^53 - 1',
      values: { seed },
    });
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** The upper 24 bits of a word as a number in [0, 1), exact in float32. */
export const toUniform = (bits: number): number => (bits >>> 8) * 2 ** -24;

/** Fills `array` with uniform numbers in [0, 1); elements 4j to 4j+3 come from counter (j, stream, step, 0). */
export function uniformInto<A extends Float32Array | Float64Array>(
  array: A,
  key: Key,
  stream: number,
  step: number,
): A {
  const words: Words4 = [0, 0, 0, 0];
  const counter: Words4 = [0, stream, step, 0];
  for (let i = 0; i < array.length; i++) {
    if (i % 4 === 0) {
      counter[0] = i / 4;
      philox(counter, key, words);
    }
    array[i] = toUniform(words[i % 4] as number);
  }
  return array;
}

/** Random numbers one after the other, the same ones in every engine. */
export class RandomStream {
  readonly #key: Key;
  readonly #counter: Words4;
  readonly #words: Words4 = [0, 0, 0, 0];
  #used = 4;

  constructor(seed: number, stream: number, step = 0) {
    this.#key = seedKey(seed);
    this.#counter = [0, stream, step, 0];
  }

  /** 32 random bits, unsigned. */
  bits(): number {
    if (this.#used === 4) {
      philox(this.#counter, this.#key, this.#words);
      this.#counter[0]++;
      this.#used = 0;
    }
    return this.#words[this.#used++] as number;
  }

  /** In [0, 1), a multiple of 2^-24. */
  uniform(): number {
    return toUniform(this.bits());
  }

  /** A whole number in [0, n), each equally likely; n from 1 to 2^32. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new OptionError({
        where: 'RandomStream.integer',
        problem: `cannot draw a whole number below ${n}`,
        hint: 'n is a whole number from 1 to 2^32',
        values: { n },
      });
    }
    const fair = 2 ** 32 - (2 ** 32 % n);
    let bits = this.bits();
    while (bits >= fair) bits = this.bits();
    return bits % n;
  }

  /** The numbers 0 to n-1 in random order, each order equally likely (Fisher and Yates). */
  permutation(n: number): Int32Array {
    const order = new Int32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i] as number;
      order[i] = order[j] as number;
      order[j] = held;
    }
    return order;
  }
}
