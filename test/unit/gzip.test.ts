// gzip in every runtime: what other programs packed, damaged streams, and bombs.

import * as assert from 'uvu/assert';
import { FormatError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { gunzip, isGzip } from '../../src/platform.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { gzip } from '../helpers/gzip.js';
import { suite } from '../helpers/suite.js';

const test = suite('gzip');

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (b) => Number.parseInt(b, 16));

test('unpacks what gzip(1) packed', async () => {
  // printf 'everygrad everygrad everygrad' | gzip -9n | xxd -p
  const packed = fromHex('1f8b08000000000002034b2d4b2daa4c2f4a4c5148c5640100a72e391b1d000000');
  assert.ok(isGzip(packed));
  const text = new TextDecoder().decode(await gunzip(packed, { maxBytes: 29 }));
  assert.is(text, 'everygrad everygrad everygrad');
});

test('unpacks megabytes of noise unchanged', async () => {
  const stream = new RandomStream(1, 0);
  const noise = Uint8Array.from({ length: 3_000_000 }, () => stream.bits() & 255);
  const back = await gunzip(await gzip(noise), { maxBytes: noise.length });
  assert.is(back.length, noise.length);
  assert.ok(back.every((b, i) => b === noise[i]));
});

test('the empty stream', async () => {
  assert.is((await gunzip(await gzip(new Uint8Array(0)), { maxBytes: 0 })).length, 0);
});

test('a limit that is exceeded by one byte is an error; firstOnly gives the start', async () => {
  const packed = await gzip(new Uint8Array(1000).fill(7));
  assert.is((await gunzip(packed, { maxBytes: 1000 })).length, 1000);
  const error = await rejectsWith(
    gunzip(packed, { maxBytes: 999, file: 'a.gz' }),
    FormatError,
    /^\[a.gz\].*more than the 999 bytes/,
  );
  assert.equal(error.values, { file: 'a.gz', bytes: packed.length, maxBytes: 999 });
  const first = await gunzip(packed, { maxBytes: 5, firstOnly: true });
  assert.equal([...first], [7, 7, 7, 7, 7]);
  assert.is((await gunzip(packed, { maxBytes: 2000, firstOnly: true })).length, 1000);
});

test('a bomb is given up after its first bytes', async () => {
  const random = new RandomStream(2, 0);
  const zeros = new Uint8Array(64 << 20);
  for (let i = 0; i < zeros.length; i += 1024) zeros[i] = random.bits() & 255;
  const packed = await gzip(zeros);
  // How much of it is given to the platform's own.
  const Own = DecompressionStream;
  let given = 0;
  globalThis.DecompressionStream = class {
    readonly readable: ReadableStream;
    readonly writable: WritableStream;

    constructor(format: CompressionFormat) {
      const { readable, writable } = new Own(format);
      const counted = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, to) {
          given += chunk.length;
          to.enqueue(chunk);
        },
      });
      counted.readable.pipeTo(writable as WritableStream).catch(() => undefined);
      [this.readable, this.writable] = [readable, counted.writable];
    }
  } as typeof DecompressionStream;
  try {
    await rejectsWith(gunzip(packed, { maxBytes: 1000 }), FormatError, /more than/);
  } finally {
    globalThis.DecompressionStream = Own;
  }
  // Node takes all in before it unpacks as much as is asked for.
  if (!environment.runtime.startsWith('node'))
    assert.ok(given > 0 && given < packed.length / 2, `${given} of ${packed.length} bytes were unpacked`);
});

test('every truncation of a stream is refused', async () => {
  const packed = await gzip(Uint8Array.from({ length: 300 }, (_, i) => (i * i) & 255));
  for (let n = 0; n < packed.length; n++)
    await rejectsWith(gunzip(packed.subarray(0, n), { maxBytes: 300, file: 'cut' }), FormatError, /^\[cut\]/);
});

test('damage to data or checksum is refused', async () => {
  const data = Uint8Array.from({ length: 300 }, (_, i) => (i * i) & 255);
  const packed = await gzip(data);
  for (const at of [0, 1, 2, packed.length - 8, packed.length - 1, packed.length >> 1]) {
    const damaged = packed.slice();
    damaged[at] = (damaged[at] as number) ^ 0x40;
    await rejectsWith(gunzip(damaged, { maxBytes: 300 }), FormatError, /gzip/);
  }
});

test.run();
