// PNG: every kind is decoded, what is encoded comes back, and damaged files end in errors of the library.
import * as assert from 'uvu/assert';
import { decodePng, encodePng, type Image } from '../../src/data/index.js';
import { DataError, EverygradError, FormatError, OptionError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import { sha256 } from '../../src/platform.js';
import { decodeByPlatform } from '../../src/platform-images.js';
import { rejectsWith } from '../helpers/errors.js';
import { makePng, type PngKind, pngChunk, pngStart } from '../helpers/png.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('png');

const depths: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 4: [8, 16], 6: [8, 16] };
const channelsOf: Record<number, number> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/** Smooth enough for filters to matter, at any depth. */
const sample = (depth: number) => (x: number, y: number, s: number) =>
  (x * 37 + y * y * 11 + s * 71 + ((x * y) % 7) * (depth === 16 ? 257 : 1)) % 2 ** depth;

/** Upper 8 bits, or widened to 8. */
const eight = (value: number, depth: number) =>
  depth === 16 ? value >> 8 : Math.round((value * 255) / (2 ** depth - 1));

test('every colour type, depth, filter and order of the rows', async () => {
  let kinds = 0;
  for (const [colour, list] of Object.entries(depths)) {
    for (const depth of list) {
      for (const interlaced of [false, true]) {
        for (const [width, height] of [
          [1, 1],
          [3, 5],
          [13, 9],
        ] as const) {
          const kind: PngKind = { width, height, depth, colour: Number(colour), interlaced };
          const value = sample(depth);
          const bytes = await makePng({ ...kind, filter: (y) => (y + 1) % 5, parts: 1 + (kinds % 3) }, value);
          const image = await decodePng(bytes);
          const channels = channelsOf[colour as unknown as number]!;
          assert.equal([image.width, image.height, image.channels], [width, height, channels]);
          for (let i = 0; i < image.data.length; i++) {
            const [pixel, s] = [Math.floor(i / channels), i % channels];
            const expected = eight(value(pixel % width, Math.floor(pixel / width), s), depth);
            if (image.data[i] !== expected)
              assert.is(image.data[i], expected, `${JSON.stringify(kind)}: value ${i}`);
          }
          kinds++;
        }
      }
    }
  }
  assert.is(kinds, 66);
});

test('palettes and transparency make channels', async () => {
  const kind = { width: 4, height: 1, depth: 2, colour: 3 };
  const chunks = { PLTE: [10, 11, 12, 20, 21, 22, 30, 31, 32] };
  const places = await decodePng(await makePng({ ...kind, chunks }, (x) => x % 3));
  assert.equal([places.channels, ...places.data], [3, 10, 11, 12, 20, 21, 22, 30, 31, 32, 10, 11, 12]);
  const clear = await decodePng(await makePng({ ...kind, chunks: { ...chunks, tRNS: [7] } }, (x) => x % 2));
  assert.equal([clear.channels, ...clear.data.subarray(0, 8)], [4, 10, 11, 12, 7, 20, 21, 22, 255]);
  const grey = await makePng(
    { width: 2, height: 1, depth: 4, colour: 0, chunks: { tRNS: [0, 3] } },
    (x) => 3 + x,
  );
  assert.equal([...(await decodePng(grey)).data], [51, 0, 68, 255]);
  const key = { tRNS: [0, 1, 0, 2, 0, 3] };
  const rgb = await makePng(
    { width: 2, height: 1, depth: 8, colour: 2, chunks: key },
    (x, _, s) => s + 1 + x,
  );
  assert.equal([...(await decodePng(rgb)).data], [1, 2, 3, 0, 2, 3, 4, 255]);
});

const image = (width: number, height: number, channels: Image['channels']): Image => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: width * height * channels }, (_, i) => (i * i + 3 * i) % 251),
});

test('what is encoded comes back, packed or stored, in one block or several', async () => {
  for (const channels of [1, 2, 3, 4] as const) {
    for (const [width, height] of [
      [1, 1],
      [31, 7],
      [200, 130],
    ] as const) {
      const original = image(width, height, channels);
      for (const compress of [true, false])
        assert.equal(await decodePng(await encodePng(original, { compress })), original);
    }
  }
  const packed = await encodePng({ ...image(100, 100, 3), data: new Uint8Array(30000) });
  assert.ok(packed.length < 1000, `${packed.length} bytes`);
});

test('a stored file has the same bytes in every engine', async () => {
  const bytes = await encodePng(image(200, 130, 3), { compress: false });
  assert.is(await sha256(bytes), '5e731afc3bfa1fd2189c1702d951c991cdc563a775517799cf2cf5416c00d81f');
});

test('the platform reads what is encoded', async () => {
  for (const channels of [1, 3] as const) {
    const original = image(20, 10, channels);
    const seen = await decodeByPlatform(await encodePng(original));
    if (!seen) return skip('the platform reads what is encoded', 'this runtime has no decoder of images');
    const expected = Array.from({ length: 800 }, (_, i) =>
      i % 4 === 3 ? 255 : original.data[Math.floor(i / 4) * channels + (channels === 1 ? 0 : i % 4)],
    );
    assert.equal([seen.width, seen.height, [...seen.data]], [20, 10, expected]);
  }
});

async function refused(bytes: Uint8Array | number[], pattern: RegExp): Promise<void> {
  const decoding = decodePng(Uint8Array.from(bytes), { file: 'cat.png' });
  assert.match((await rejectsWith(decoding, FormatError, pattern)).message, /^\[cat\.png\]/);
}

test('damaged files are refused, and none is unpacked further than its header says', async () => {
  const good = await encodePng(image(9, 9, 3));
  const header = (...values: number[]) => [...pngStart, ...pngChunk('IHDR', values)];
  const end = pngChunk('IEND', []);
  await refused([], /not a PNG/);
  await refused(new TextEncoder().encode('<html>page</html>'), /not a PNG/);
  await refused(good.subarray(0, 20), /ends at byte 20|cut off/);
  await refused(good.subarray(0, good.length - 12), /ends at byte/);
  await refused(
    good.map((b, i) => (i === 50 ? b ^ 1 : b)),
    /checksum of chunk "IDAT"/,
  );
  await refused([...pngStart, ...end, ...end], /does not begin with a header/);
  await refused([...header(0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0), ...end], /0 x 1 pixels/);
  await refused([...header(255, 0, 0, 0, 255, 0, 0, 0, 8, 0, 0, 0, 0), ...end], /4278190080 x 4278190080/);
  await refused([...header(0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0, 0, 0), ...end], /depth 3, colour type 0/);
  await refused([...header(0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 2), ...end], /methods 0,0,2/);
  await refused(
    [...header(0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0), ...pngChunk('ABCD', []), ...end],
    /critical/,
  );
  await refused(
    [...header(0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0), ...pngChunk('IDAT', [1, 2, 3]), ...end],
    /unpack/,
  );
  const kind = { width: 2, height: 2, depth: 8, colour: 0 };
  await refused(await makePng({ ...kind, filter: () => 5 }, () => 0), /row 0 has filter 5/);
  await refused(await makePng({ ...kind, depth: 2, colour: 3 }, () => 0), /palette has no bytes/);
  const short = { PLTE: [1, 2, 3] };
  await refused(
    await makePng({ ...kind, depth: 2, colour: 3, chunks: short }, () => 2),
    /colour 2 of a palette of 1/,
  );
  await refused(await makePng({ ...kind, chunks: { tRNS: [1] } }, () => 0), /tRNS has 1 bytes/);
  // More pixels packed than the header tells of: what a small file could unpack to is not kept.
  const bomb = await makePng({ ...kind, width: 2000, height: 2000 }, () => 0);
  const small = [...header(0, 0, 0, 2, 0, 0, 0, 2, 8, 0, 0, 0, 0), ...bomb.subarray(33)];
  await refused(small, /more than 6 bytes/);
  const large = [...header(0, 0, 16, 0, 0, 0, 16, 0, 8, 0, 0, 0, 0), ...bomb.subarray(33)];
  await refused(large, /less than 16781312 bytes/);
  const larger = [...header(0, 0, 7, 208, 0, 0, 7, 209, 8, 0, 0, 0, 0), ...bomb.subarray(33)];
  await refused(larger, /less than 4004001 bytes/); // one row
});

test('mutated files end in images or in errors of the library', async () => {
  const random = new RandomStream(3, 1);
  const kinds: PngKind[] = [
    {
      width: 7,
      height: 6,
      depth: 4,
      colour: 3,
      interlaced: true,
      chunks: { PLTE: [...new Array(48).keys()] },
    },
    { width: 5, height: 5, depth: 16, colour: 6, filter: (y) => y % 5 },
  ];
  const seeds = await Promise.all(kinds.map((kind) => makePng(kind, sample(kind.depth))));
  let wrong = 0;
  for (let round = 0; round < 400; round++) {
    const seed = seeds[round % 2]!;
    const bytes = random.integer(4) ? seed.slice() : seed.slice(0, random.integer(seed.length));
    for (let edit = random.integer(4); edit > 0 && bytes.length > 0; edit--)
      bytes[random.integer(bytes.length)] = random.bits() & 255;
    const mended = random.integer(2) ? withChecksums(bytes) : bytes;
    const found = await decodePng(mended).catch((e: unknown) => e);
    if (!(found instanceof Error)) continue;
    assert.instance(found, EverygradError, `round ${round}: ${found.stack}`);
    wrong++;
  }
  assert.ok(wrong > 100, `${wrong} refused`);
});

/** With checksums that are right, so that what they guard is reached. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer);
  const out = [...bytes];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    out.splice(at, length + 12, ...pngChunk(type, [...bytes.subarray(at + 8, at + 8 + length)]));
    at += length + 12;
  }
  return Uint8Array.from(out);
}

test('bad images are not encoded', async () => {
  const bad: [unknown, typeof DataError, RegExp][] = [
    [{ ...image(2, 2, 3), data: new Uint8Array(11) }, DataError, /11 values for \(2,2,3\) = 12/],
    [{ ...image(2, 2, 3), width: 0 }, OptionError, /width is 0/],
    [{ ...image(2, 2, 3), channels: 5 }, OptionError, /channels is 5/],
    [{ ...image(2, 2, 1), data: [1, 2, 3, 4] }, DataError, /Uint8Array/],
  ];
  for (const [given, type, pattern] of bad) {
    const error = await encodePng(given as Image).catch((e: unknown) => e);
    assert.instance(error, type);
    assert.match((error as Error).message, pattern);
  }
});

test.run();
