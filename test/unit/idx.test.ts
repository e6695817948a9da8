// The IDX parser: all element types, gzip, and 10,000 damaged files.

import * as assert from 'uvu/assert';
import { type IdxData, parseIdx } from '../../src/data/idx.js';
import { sizeOf } from '../../src/dtype.js';
import { FormatError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { rejectsWith } from '../helpers/errors.js';
import { gzip } from '../helpers/gzip.js';
import { suite } from '../helpers/suite.js';

const test = suite('idx');

function idx(code: number, shape: number[], elements: number[]): Uint8Array {
  const sizes = shape.flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
  return Uint8Array.from([0, 0, code, shape.length, ...sizes, ...elements]);
}

/** The result, or the FormatError; any other error fails the test. */
async function outcome(bytes: Uint8Array): Promise<IdxData | FormatError> {
  try {
    return await parseIdx(bytes, { file: 'x.idx' });
  } catch (error) {
    assert.instance(error, FormatError, String(error));
    assert.match((error as FormatError).message, /^\[x\.idx\] ./);
    return error as FormatError;
  }
}

const refused = (bytes: Uint8Array, pattern: RegExp) =>
  rejectsWith(parseIdx(bytes, { file: 'x.idx' }), FormatError, pattern);

test('each element type, big-endian', async () => {
  const cases: [number, number[], string, number[]][] = [
    [8, [0, 1, 254, 255], 'uint8', [0, 1, 254, 255]],
    [9, [0, 1, 254, 255], 'int32', [0, 1, -2, -1]],
    [11, [0x01, 0x02, 0xff, 0xfe], 'int32', [258, -2]],
    [12, [0x01, 0x02, 0x03, 0x04, 0xff, 0xff, 0xff, 0xfd], 'int32', [16909060, -3]],
    [13, [0x3f, 0xc0, 0, 0, 0xc0, 0x20, 0, 0], 'float32', [1.5, -2.5]],
    [14, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0], 'float64', [1.5, -2.5]],
  ];
  for (const [code, bytes, dtype, values] of cases) {
    const parsed = await parseIdx(idx(code, [values.length], bytes));
    assert.equal([parsed.dtype, parsed.shape, [...parsed.data]], [dtype, [values.length], values]);
  }
});

test('several axes, also inside a larger buffer and packed', async () => {
  const file = idx(8, [2, 1, 3], [1, 2, 3, 4, 5, 6]);
  const shifted = new Uint8Array(file.length + 9).subarray(5, 5 + file.length);
  shifted.set(file);
  for (const bytes of [file, shifted, await gzip(file)]) {
    const { shape, data } = await parseIdx(bytes);
    assert.equal(
      [shape, [...data]],
      [
        [2, 1, 3],
        [1, 2, 3, 4, 5, 6],
      ],
    );
  }
  assert.equal((await parseIdx(idx(8, [0, 28, 28], []))).shape, [0, 28, 28]);
});

test('files that are not IDX, cut off, or too long', async () => {
  const file = idx(8, [2, 3], [1, 2, 3, 4, 5, 6]);
  await refused(new Uint8Array(0), /starts with bytes \(none\)/);
  await refused(
    new TextEncoder().encode('<!doctype html>'),
    /starts with bytes 3c 21 64 6f .*expected 00 00/,
  );
  await refused(idx(10, [1], [1]), /not an IDX file/);
  await refused(Uint8Array.from([0, 0, 8, 0]), /not an IDX file/);
  await refused(file.subarray(0, 9), /ends within its header: 9 of 12/);
  await refused(file.subarray(0, 15), /tells of 6 bytes of data, the file has 3/);
  await refused(Uint8Array.from([...file, 0]), /tells of 6 bytes of data, the file has 7/);
  const packed = await gzip(file);
  for (let n = 0; n < packed.length; n++) assert.instance(await outcome(packed.subarray(0, n)), FormatError);
});

test('sizes blown up are refused before anything is allocated', async () => {
  const huge = idx(14, [0xffffffff, 0xffffffff, 0xffffffff], [1, 2, 3]);
  await refused(huge, /tells of 6\.3\d*e\+29 bytes of data, the file has 3/);
  await refused(await gzip(huge), /packed/);
  // A bomb: 16 MB of zeros behind a header of 4 elements.
  const bomb = new Uint8Array(16 << 20);
  bomb.set(idx(8, [4], []));
  await refused(await gzip(bomb), /more than the 12 bytes/);
});

test('10,000 damaged files end in a FormatError or a valid result', async () => {
  const random = new RandomStream(2024, 0);
  const bytes = (n: number) => Array.from({ length: n }, () => random.integer(256));
  const originals = [
    idx(8, [6, 5, 4], bytes(120)),
    idx(9, [30], bytes(30)),
    idx(11, [5, 3], bytes(30)),
    idx(12, [2, 4], bytes(32)),
    idx(13, [8], bytes(32)),
    idx(14, [2, 2], bytes(32)),
  ];
  const packed = await Promise.all(originals.map(gzip));
  let errors = 0;
  let results = 0;
  for (let i = 0; i < 10_000; i++) {
    const pool = i % 2 === 0 ? originals : packed;
    const mutated = mutate(pool[random.integer(pool.length)] as Uint8Array, random);
    // Some are damaged first and packed then, so that the damage reaches the parser.
    const found = await outcome(i % 10 === 0 ? await gzip(mutated) : mutated);
    if (found instanceof FormatError) {
      errors++;
      continue;
    }
    results++;
    assert.is(found.data.length, sizeOf(found.shape));
    assert.ok(found.data.byteLength <= 4 * 1032 * mutated.length + 4096);
  }
  assert.is(errors + results, 10_000);
  assert.ok(errors > 5000 && results > 500, `${errors} errors, ${results} results`);
});

function mutate(original: Uint8Array, random: RandomStream): Uint8Array {
  const bytes = original.slice();
  const kind = random.integer(5);
  if (kind === 0) return bytes.subarray(0, random.integer(bytes.length + 1));
  if (kind === 1) return Uint8Array.from([...bytes, ...new Uint8Array(1 + random.integer(20))]);
  if (kind === 2) {
    // A size, or what lies at its place in a packed file.
    const at = 4 + 4 * random.integer(2);
    for (let j = 0; j < 4; j++) bytes[at + j] = random.integer(2) * 255;
    return bytes;
  }
  const flips = 1 + random.integer(4);
  for (let j = 0; j < flips; j++) {
    const at = random.integer(kind === 3 ? Math.min(16, bytes.length) : bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
  }
  return bytes;
}

test.run();
