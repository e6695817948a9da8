// Writes PNGs of every kind for tests, plainly and apart from the library's own writer.

export interface PngKind {
  width: number;
  height: number;
  depth: number;
  /** 0 grey, 2 colours, 3 palette, 4 grey and alpha, 6 colours and alpha. */
  colour: number;
  interlaced?: boolean;
  /** Filter of row y. */
  filter?: (y: number) => number;
  /** Further chunks before the pixels, by type. */
  chunks?: Record<string, number[]>;
  /** Writes the pixels in so many IDAT chunks. */
  parts?: number;
}

const samplesOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

function crc(bytes: number[]): number {
  let c = -1;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return ~c;
}

const word = (n: number): number[] => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

export function pngChunk(type: string, data: number[]): number[] {
  const body = [...Array.from(type, (c) => c.charCodeAt(0)), ...data];
  return [...word(data.length), ...body, ...word(crc(body))];
}

export const pngStart = [137, 80, 78, 71, 13, 10, 26, 10];

/** One row of samples as bytes. */
function packed(samples: number[], depth: number): number[] {
  if (depth === 16) return samples.flatMap((s) => [s >> 8, s & 255]);
  const bits = samples.map((s) => s.toString(2).padStart(depth, '0')).join('');
  return (bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2));
}

function filtered(row: number[], above: number[], filter: number, step: number): number[] {
  return row.map((value, i) => {
    const [a, b, c] = [row[i - step] ?? 0, above[i] ?? 0, i < step ? 0 : (above[i - step] ?? 0)];
    const p = a + b - c;
    const [nearest] = [a, b, c].sort((x, y) => Math.abs(p - x) - Math.abs(p - y)); // a stable sort: a, b, c on ties
    return (value - ([0, a, b, Math.floor((a + b) / 2), nearest!][filter] ?? 0)) & 255;
  });
}

/** `sample(x, y, s)` is sample s of a pixel, at the depth of the file. */
export async function makePng(
  kind: PngKind,
  sample: (x: number, y: number, s: number) => number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, depth, colour, interlaced = false, filter = () => 0, chunks = {}, parts = 1 } = kind;
  const samples = samplesOf[colour]!;
  const step = Math.max(1, (depth * samples) / 8);
  const lines: number[] = [];
  for (const [x0, y0, dx, dy] of (interlaced ? adam7 : [[0, 0, 1, 1]]) as [
    number,
    number,
    number,
    number,
  ][]) {
    let above: number[] = [];
    for (let y = y0, n = 0; y < height; y += dy, n++) {
      const row: number[] = [];
      for (let x = x0; x < width; x += dx) for (let s = 0; s < samples; s++) row.push(sample(x, y, s));
      if (row.length === 0) continue;
      const bytes = packed(row, depth);
      lines.push(filter(n), ...filtered(bytes, above, filter(n), step));
      above = bytes;
    }
  }
  const stream = new Blob([Uint8Array.from(lines)]).stream().pipeThrough(new CompressionStream('deflate'));
  const data = [...new Uint8Array(await new Response(stream).arrayBuffer())];
  const each = Math.ceil(data.length / parts);
  return Uint8Array.from([
    ...pngStart,
    ...pngChunk('IHDR', [...word(width), ...word(height), depth, colour, 0, 0, Number(interlaced)]),
    ...Object.entries(chunks).flatMap(([type, bytes]) => pngChunk(type, bytes)),
    ...Array.from({ length: parts }, (_, i) => pngChunk('IDAT', data.slice(i * each, (i + 1) * each))).flat(),
    ...pngChunk('IEND', []),
  ]);
}
