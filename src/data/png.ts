// PNG (ISO/IEC 15948), both ways. The bits are the same in every engine, which a browser's own decoder does not promise:
// it may apply colour profiles and multiplies colours by alpha.
import { checkOptionNames, DataError, FormatError, OptionError } from '../errors.js';

/** Pixels (height, width, channels), row-major, from 0 to 255. */
export interface Image {
  width: number;
  height: number;
  /** 1: grey, 2: grey and alpha, 3: red, green, blue, 4: and alpha. */
  channels: 1 | 2 | 3 | 4;
  data: Uint8Array;
}

/** Options of `decodePng`. */
export interface PngOptions {
  /**
   * Default true. False stores the pixels as they are: a larger file, with the same bytes in every engine; so does an
   * engine without CompressionStream.
   */
  compress?: boolean;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Colour types by number of channels. */
const colourTypes = [0, 0, 4, 2, 6];
/** Larger images are refused before anything is unpacked. */
const maxPixels = 2 ** 26;

let crcTable: Uint32Array | undefined;

function makeCrcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let c = byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
}

function crc32(bytes: Uint8Array): number {
  crcTable ??= makeCrcTable();
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = crcTable[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length; i++) {
    a = (a + bytes[i]!) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

/**
 * An image as a PNG file. Throws OptionError for sizes and channels that are none, DataError for a number of values that is
 * not height * width * channels.
 */
export async function encodePng(image: Image, options: PngOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  checkOptionNames('encodePng', options, ['compress']);
  const { width, height, channels, data } = image;
  for (const [name, value, most] of [
    ['width', width, 2 ** 31 - 1],
    ['height', height, 2 ** 31 - 1],
    ['channels', channels, 4],
  ] as const) {
    if (Number.isInteger(value) && value >= 1 && value <= most) continue;
    throw new OptionError({
      where: 'encodePng',
      problem: `${name} is ${value}`,
      hint: `a whole number from 1 to ${most}`,
      values: { [name]: value },
    });
  }
  const row = width * channels;
  if (
    !(data instanceof Uint8Array || (data as unknown) instanceof Uint8ClampedArray) ||
    data.length !== row * height
  ) {
    throw new DataError({
      where: 'encodePng',
      problem: `${data?.length} values for (${height},${width},${channels}) = ${row * height}`,
      hint: 'data is a Uint8Array of height * width * channels',
      values: { length: data?.length, width, height, channels },
    });
  }
  const lines = new Uint8Array((row + 1) * height); // each begins with its filter: 0, none
  for (let y = 0; y < height; y++) lines.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colourTypes[channels]!, 0, 0, 0], 8);
  const packs = options.compress !== false && typeof CompressionStream !== 'undefined';
  return joined([
    Uint8Array.from(signature),
    chunk('IHDR', header),
    chunk('IDAT', packs ? await deflated(lines) : stored(lines)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Length, type, data, checksum of the latter two. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** A zlib stream of blocks that are not compressed. */
function stored(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at < bytes.length; at += 65535) {
    const block = bytes.subarray(at, at + 65535);
    const { length } = block;
    const last = at + length === bytes.length;
    parts.push(
      Uint8Array.of(Number(last), length & 255, length >> 8, ~length & 255, (~length >> 8) & 255),
      block,
    );
  }
  const sum = new Uint8Array(4);
  new DataView(sum.buffer).setUint32(0, adler32(bytes));
  return joined([...parts, sum]);
}

export const isPng = (bytes: Uint8Array): boolean => signature.every((byte, i) => bytes[i] === byte);

interface Header {
  width: number;
  height: number;
  depth: number;
  /** 0 grey, 2 colours, 3 places in a palette, 4 grey and alpha, 6 colours and alpha. */
  colour: number;
  interlaced: boolean;
}

interface Chunks extends Header {
  packed: Uint8Array[];
  palette: Uint8Array | undefined;
  transparent: Uint8Array | undefined;
}

/** Samples of a pixel, and depths that there are, by colour type. */
const samplesOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const depthsOf: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/**
 * Decodes every kind of PNG: grey, colours, palettes, transparency (which makes an alpha channel), interlacing. Depths
 * below 8 bits are widened to 0..255, of 16 bits the upper 8 stay; colour profiles and gamma are left alone. `file` names
 * it in errors. Throws FormatError for a file that is damaged, cut off or no PNG, or has more than 2^26 pixels.
 */
export async function decodePng(bytes: Uint8Array, { file = 'png' }: { file?: string } = {}): Promise<Image> {
  const chunks = readChunks(bytes, file);
  const passes = passesOf(chunks);
  const size = passes.reduce((n, { rowBytes, height }) => n + (rowBytes + 1) * height, 0);
  const lines = await inflated(chunks.packed, size, file);
  const samples = samplesOf[chunks.colour]!;
  const pixels = new Uint16Array(chunks.width * chunks.height * samples);
  let at = 0;
  for (const pass of passes) {
    unfilter(lines, at, pass, Math.max(1, (chunks.depth * samples) >> 3), file);
    placePass(lines, at, pass, chunks, pixels);
    at += (pass.rowBytes + 1) * pass.height;
  }
  return toImage(pixels, chunks, file);
}

const damaged = (file: string, problem: string, values: Record<string, unknown> = {}) =>
  new FormatError({
    where: file,
    problem,
    hint: 'the file is corrupt, cut off or no PNG; fetch it again',
    values: { file, ...values },
  });

function readChunks(bytes: Uint8Array, file: string): Chunks {
  if (!isPng(bytes)) throw damaged(file, 'not a PNG: its first bytes are others');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let header: Header | undefined;
  let palette: Uint8Array | undefined;
  let transparent: Uint8Array | undefined;
  const packed: Uint8Array[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw damaged(file, `it ends at byte ${bytes.length}, within a chunk`);
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) throw damaged(file, `a chunk of ${length} bytes at byte ${at} is cut off`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end))
      throw damaged(file, `the checksum of chunk ${JSON.stringify(type)} at byte ${at} is wrong`);
    const data = bytes.subarray(at + 8, end);
    if (!header) header = readHeader(type, data, file);
    else if (type === 'PLTE') palette = data;
    else if (type === 'tRNS') transparent = data;
    else if (type === 'IDAT') packed.push(data);
    else if (type === 'IEND') return { ...header, palette, transparent, packed };
    else if ((bytes[at + 4]! & 32) === 0)
      throw damaged(file, `chunk ${JSON.stringify(type)} is unknown, and critical`);
    at = end + 4;
  }
}

function readHeader(type: string, data: Uint8Array, file: string): Header {
  if (type !== 'IHDR' || data.length !== 13) throw damaged(file, 'it does not begin with a header');
  const view = new DataView(data.buffer, data.byteOffset, 13);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, method, filter, interlace] = data.subarray(8) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (width * height === 0 || width * height > maxPixels)
    throw damaged(file, `its header tells of ${width} x ${height} pixels; from 1 to ${maxPixels} are read`, {
      width,
      height,
    });
  if (!depthsOf[colour]?.includes(depth) || method !== 0 || filter !== 0 || interlace > 1)
    throw damaged(
      file,
      `its header tells of depth ${depth}, colour type ${colour}, methods ${[method, filter, interlace]}`,
    );
  return { width, height, depth, colour, interlaced: interlace === 1 };
}

/** A part of the pixels: from (x, y) every dx-th of every dy-th row. */
interface Pass {
  x: number;
  y: number;
  dx: number;
  dy: number;
  width: number;
  height: number;
  rowBytes: number;
}

/** The seven passes of Adam7, or one with everything. */
function passesOf({ width, height, depth, colour, interlaced }: Header): Pass[] {
  const starts = interlaced
    ? [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
      ]
    : [[0, 0, 1, 1]];
  return (starts as [number, number, number, number][])
    .map(([x, y, dx, dy]) => {
      const w = Math.ceil((width - x) / dx);
      return {
        x,
        y,
        dx,
        dy,
        width: w,
        height: Math.ceil((height - y) / dy),
        rowBytes: Math.ceil((w * depth * samplesOf[colour]!) / 8),
      };
    })
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

/** Unpacks to exactly `size` bytes; no more than that and a piece is ever kept. */
async function inflated(packed: Uint8Array[], size: number, file: string): Promise<Uint8Array> {
  const bytes = packed.reduce((n, part) => n + part.length, 0);
  // Deflate cannot pack better than 1032 to 1, so larger sizes are a lie of the header.
  if (size > 1032 * bytes)
    throw damaged(file, `its pixels unpack to less than ${size} bytes`, { size, packed: bytes });
  const out = new Uint8Array(size);
  let length = 0;
  const pieces = packed.flatMap((part) =>
    Array.from({ length: Math.ceil(part.length / 16384) }, (_, i) => part.slice(i * 16384, (i + 1) * 16384)),
  );
  const source = new ReadableStream<BufferSource>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece as Uint8Array<ArrayBuffer>);
      else controller.close();
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('deflate')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > size) break;
      out.set(value, length - value.length);
    }
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError({
      where: file,
      problem: `its pixels cannot be unpacked: ${said}`,
      hint: 'the file is corrupt or cut off; fetch it again',
      values: { file },
      cause,
    });
  }
  if (length === size) return out;
  await reader.cancel().catch(() => {});
  throw damaged(file, `its pixels unpack to ${length > size ? 'more' : 'less'} than ${size} bytes`, { size });
}

/** Undoes the filters of a pass in place; `step` is the distance to the pixel on the left, in bytes. */
function unfilter(
  lines: Uint8Array,
  start: number,
  { rowBytes, height }: Pass,
  step: number,
  file: string,
): void {
  for (let y = 0; y < height; y++) {
    const row = start + y * (rowBytes + 1);
    const filter = lines[row]!;
    if (filter > 4) throw damaged(file, `row ${y} has filter ${filter}`);
    if (filter === 0) continue;
    for (let i = 1; i <= rowBytes; i++) {
      const a = i > step ? lines[row + i - step]! : 0;
      const b = y > 0 ? lines[row + i - rowBytes - 1]! : 0;
      const c = y > 0 && i > step ? lines[row + i - rowBytes - 1 - step]! : 0;
      const guess = filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : paeth(a, b, c);
      lines[row + i] = lines[row + i]! + guess;
    }
  }
}

/** Of the left, the upper and the upper left one, the nearest to a + b - c. */
function paeth(a: number, b: number, c: number): number {
  const toA = Math.abs(b - c);
  const toB = Math.abs(a - c);
  const toC = Math.abs(a + b - 2 * c);
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
}

/** Samples of a pass, at their depth, to their pixels. */
function placePass(
  lines: Uint8Array,
  start: number,
  pass: Pass,
  { width, depth, colour }: Header,
  pixels: Uint16Array,
): void {
  const samples = samplesOf[colour]!;
  for (let y = 0; y < pass.height; y++) {
    const row = start + y * (pass.rowBytes + 1) + 1;
    for (let x = 0; x < pass.width; x++) {
      const to = ((pass.y + y * pass.dy) * width + pass.x + x * pass.dx) * samples;
      for (let s = 0; s < samples; s++) {
        const n = x * samples + s;
        if (depth === 8) pixels[to + s] = lines[row + n]!;
        else if (depth === 16) pixels[to + s] = lines[row + 2 * n]! * 256 + lines[row + 2 * n + 1]!;
        else {
          const bit = n * depth;
          pixels[to + s] = (lines[row + (bit >> 3)]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
        }
      }
    }
  }
}

function toImage(
  pixels: Uint16Array,
  { width, height, depth, colour, palette, transparent }: Chunks,
  file: string,
): Image {
  const count = width * height;
  if (colour === 3) return fromPalette(pixels, { width, height, palette, transparent }, file);
  const samples = samplesOf[colour]!;
  /** The one colour that is transparent, at the depth of the file. */
  const key = (colour === 0 || colour === 2) && transparent ? keyOf(transparent, samples, file) : undefined;
  const channels = (samples + (key ? 1 : 0)) as Image['channels'];
  const data = new Uint8Array(count * channels);
  const factor = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  for (let i = 0; i < count; i++) {
    let same = true;
    for (let s = 0; s < samples; s++) {
      const sample = pixels[i * samples + s]!;
      data[i * channels + s] = depth === 16 ? sample >> 8 : sample * factor;
      same &&= sample === key?.[s];
    }
    if (key) data[i * channels + samples] = same ? 0 : 255;
  }
  return { width, height, channels, data };
}

function keyOf(transparent: Uint8Array, samples: number, file: string): number[] {
  if (transparent.length !== 2 * samples) throw damaged(file, `its tRNS has ${transparent.length} bytes`);
  return Array.from({ length: samples }, (_, s) => transparent[2 * s]! * 256 + transparent[2 * s + 1]!);
}

function fromPalette(
  pixels: Uint16Array,
  { width, height, palette, transparent }: Pick<Chunks, 'width' | 'height' | 'palette' | 'transparent'>,
  file: string,
): Image {
  if (!palette || palette.length === 0 || palette.length % 3 !== 0 || palette.length > 768)
    throw damaged(file, `its palette has ${palette?.length ?? 'no'} bytes`);
  const channels = transparent ? 4 : 3;
  const data = new Uint8Array(pixels.length * channels);
  for (let i = 0; i < pixels.length; i++) {
    const place = pixels[i]!;
    if (3 * place >= palette.length)
      throw damaged(file, `pixel ${i} has colour ${place} of a palette of ${palette.length / 3}`);
    for (let s = 0; s < 3; s++) data[i * channels + s] = palette[3 * place + s]!;
    if (transparent) data[i * channels + 3] = transparent[place] ?? 255;
  }
  return { width, height, channels, data };
}
