// The IDX format of MNIST (http://yann.lecun.com/exdb/mnist/): two zero bytes, element type, rank, sizes, elements;
// everything big-endian. Packed by gzip or not.
import { type DType, dtypes, type HostArray } from '../dtype.js';
import { FormatError } from '../errors.js';
import { gunzip, isGzip } from '../platform.js';

/** What an IDX file holds. */
export interface IdxData {
  shape: number[];
  /** Row-major. For uint8 a view of the file's bytes, otherwise a copy. */
  data: HostArray;
  /** int8 and int16 are widened to int32. */
  dtype: DType;
}

interface ElementType {
  bytes: number;
  dtype: DType;
  read(view: DataView, at: number): number;
}

/** By the third byte of the file. */
const elementTypes: Record<number, ElementType> = {
  8: { bytes: 1, dtype: 'uint8', read: (view, at) => view.getUint8(at) },
  9: { bytes: 1, dtype: 'int32', read: (view, at) => view.getInt8(at) },
  11: { bytes: 2, dtype: 'int32', read: (view, at) => view.getInt16(at) },
  12: { bytes: 4, dtype: 'int32', read: (view, at) => view.getInt32(at) },
  13: { bytes: 4, dtype: 'float32', read: (view, at) => view.getFloat32(at) },
  14: { bytes: 8, dtype: 'float64', read: (view, at) => view.getFloat64(at) },
};

/** More than any data set has; bounds how much of a packed file is unpacked to see its header. */
const maxRank = 32;

/**
 * Parses the bytes of an IDX file; `file` names it in errors. Throws FormatError unless magic, sizes and
 * length agree exactly. Nothing is allocated before the sizes are known to fit the file.
 */
export async function parseIdx(
  bytes: Uint8Array,
  { file = 'idx' }: { file?: string } = {},
): Promise<IdxData> {
  if (!isGzip(bytes)) return parseUnpacked(bytes, file);
  const start = await gunzip(bytes, { maxBytes: 4 + 4 * maxRank, file, firstOnly: true });
  const { offset, dataBytes } = parseHeader(start, file);
  // Deflate cannot pack better than 1032 to 1, so larger sizes are a lie of the header.
  if (offset + dataBytes > 1032 * bytes.length) throw wrongLength(file, dataBytes, `${bytes.length} packed`);
  return parseUnpacked(await gunzip(bytes, { maxBytes: offset + dataBytes, file }), file);
}

function parseUnpacked(bytes: Uint8Array, file: string): IdxData {
  const { type, shape, offset, dataBytes } = parseHeader(bytes, file);
  if (bytes.length - offset !== dataBytes) throw wrongLength(file, dataBytes, bytes.length - offset);
  const { dtype } = type;
  if (dtype === 'uint8') {
    return { shape, dtype, data: new Uint8Array(bytes.buffer, bytes.byteOffset + offset, dataBytes) };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, dataBytes);
  const data = new dtypes[dtype].array(dataBytes / type.bytes);
  for (let i = 0; i < data.length; i++) data[i] = type.read(view, i * type.bytes);
  return { shape, dtype, data };
}

interface Header {
  type: ElementType;
  shape: number[];
  /** Where the elements start. */
  offset: number;
  /** How many bytes they take. */
  dataBytes: number;
}

function parseHeader(bytes: Uint8Array, file: string): Header {
  const [zero0, zero1, code, rank] = bytes;
  const type = elementTypes[code as number];
  if (zero0 !== 0 || zero1 !== 0 || !type || !rank || rank > maxRank) {
    const found = Array.from(bytes.subarray(0, 4), (b) => b.toString(16).padStart(2, '0')).join(' ');
    throw new FormatError({
      where: file,
      problem: `not an IDX file: it starts with bytes ${found || '(none)'}`,
      hint: `expected 00 00, an element type (08, 09, 0b, 0c, 0d, 0e) and a rank from 1 to ${maxRank}`,
      values: { file, magic: found },
    });
  }
  const offset = 4 + 4 * rank;
  if (bytes.length < offset) {
    throw new FormatError({
      where: file,
      problem: `the file ends within its header: ${bytes.length} of ${offset} bytes`,
      hint: 'the file is cut off; fetch it again',
      values: { file, bytes: bytes.length, expected: offset },
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, offset);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const dataBytes = shape.reduce((n, size) => n * size, type.bytes);
  return { type, shape, offset, dataBytes };
}

const wrongLength = (file: string, expected: number, found: number | string) =>
  new FormatError({
    where: file,
    problem: `the header tells of ${expected} bytes of data, the file has ${found}`,
    hint: 'the file is cut off or corrupt; fetch it again',
    values: { file, expected, found },
  });
