// Random numbers: the published vectors, the layout of counters, fair integers and permutations.

import * as assert from 'uvu/assert';
import { OptionError } from '../../src/errors.js';
import { type Key, philox, RandomStream, seedKey, uniformInto, type Words4 } from '../../src/philox.js';
import { suite } from '../helpers/suite.js';

const test = suite('philox');

// From kat_vectors of the Random123 distribution (philox4x32, 10 rounds): counter, key, result.
const knownAnswers: [Words4, Key, Words4][] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

/** The same by BigInt arithmetic, straight from the paper. */
function philoxBig(counter: Words4, key: Key): number[] {
  let c = counter.map(BigInt);
  let [k0, k1] = [BigInt(key[0]), BigInt(key[1])];
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const [c0, c1, c2, c3] = c as [bigint, bigint, bigint, bigint];
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    c = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return c.map(Number);
}

test('published known answers', () => {
  for (const [counter, key, expected] of knownAnswers) {
    assert.equal(philox(counter, key, [0, 0, 0, 0]), expected);
  }
});

test('agrees with BigInt arithmetic on 2,000 counters', () => {
  const stream = new RandomStream(5, 1);
  for (let i = 0; i < 2000; i++) {
    const counter: Words4 = [stream.bits(), stream.bits(), stream.bits(), stream.bits()];
    const key: Key = [stream.bits(), stream.bits()];
    assert.equal(philox(counter, key, [0, 0, 0, 0]), philoxBig(counter, key));
  }
});

test('element i of uniformInto comes from word i % 4 of counter (i / 4, stream, step, 0)', () => {
  const key = seedKey(2 ** 40 + 3);
  assert.equal(key, [3, 256]);
  const filled = uniformInto(new Float32Array(11), key, 7, 9);
  for (let i = 0; i < 11; i++) {
    const words = philoxBig([Math.floor(i / 4), 7, 9, 0], key);
    assert.is(filled[i], Math.floor((words[i % 4] as number) / 256) / 2 ** 24);
  }
  const stream = new RandomStream(2 ** 40 + 3, 7, 9);
  assert.equal(
    [...filled],
    Array.from({ length: 11 }, () => stream.uniform()),
  );
});

test('uniform numbers: mean 1/2, variance 1/12, in [0, 1)', () => {
  const values = uniformInto(new Float64Array(100_000), seedKey(1), 0, 0);
  const mean = values.reduce((s, v) => s + v, 0) / values.length;
  const variance = values.reduce((s, v) => s + (v - mean) * (v - mean), 0) / values.length;
  assert.ok(Math.abs(mean - 0.5) < 0.004, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1 / 12) < 0.002, `variance ${variance}`);
  assert.ok(values.every((v) => v >= 0 && v < 1));
});

test('integers are fair, also where 2^32 is far from a multiple of n', () => {
  const stream = new RandomStream(3, 0);
  const n = 3 * 2 ** 30; // taking remainders alone would give the first third of the range half of all draws
  let low = 0;
  for (let i = 0; i < 30_000; i++) {
    const value = stream.integer(n);
    assert.ok(value >= 0 && value < n);
    if (value < n / 3) low++;
  }
  assert.ok(Math.abs(low / 30_000 - 1 / 3) < 0.012, `${low} of 30000`);
  assert.is(new RandomStream(3, 0).integer(1), 0);
  for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1])
    assert.throws(
      () => stream.integer(bad),
      (e: unknown) => e instanceof OptionError,
    );
});

test('permutations hold every number once; all 24 orders of 4 are equally likely', () => {
  assert.equal(
    [...new RandomStream(1, 2).permutation(1000)].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  assert.equal([...new RandomStream(1, 2).permutation(0)], []);
  const counts = new Map<string, number>();
  const stream = new RandomStream(11, 0);
  for (let i = 0; i < 24_000; i++) {
    const order = stream.permutation(4).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.is(counts.size, 24);
  // Standard deviation of a count is 31.
  for (const [order, count] of counts) assert.ok(Math.abs(count - 1000) < 160, `${order}: ${count}`);
});

test('seed, stream and step each change the numbers; bad seeds are OptionErrors', () => {
  const first = (seed: number, stream: number, step: number) => new RandomStream(seed, stream, step).bits();
  assert.is(
    new Set([first(0, 0, 0), first(1, 0, 0), first(2 ** 32, 0, 0), first(0, 1, 0), first(0, 0, 1)]).size,
    5,
  );
  for (const bad of [-1, 0.5, 2 ** 53, Number.NaN])
    assert.throws(
      () => seedKey(bad),
      (e: unknown) => e instanceof OptionError && Object.is(e.values.seed, bad),
    );
});

test.run();
