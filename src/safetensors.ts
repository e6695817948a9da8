// The safetensors format (https://github.com/huggingface/safetensors): length of the header (8 bytes,
// little-endian), header in JSON, then the data of the tensors one after the other without gaps.
import { checkShape, type DType, dtypes, type HostArray, type Shape, showShape, sizeOf } from './dtype.js';
import { DataError, DTypeError, FormatError, OptionError, ShapeError } from './errors.js';

export interface SavedTensor {
  dtype: DType;
  shape: Shape;
  /** Row-major. */
  data: HostArray;
  /** In the file the values of a float32 tensor take 16 bits (F16), those of an int32 tensor 8 (I8). */
  stored?: 'F16' | 'I8';
}

/** By name. */
export type SavedTensors = ReadonlyMap<string, SavedTensor> | Record<string, SavedTensor>;

export interface SafetensorsFile {
  tensors: Map<string, SavedTensor>;
  metadata: Record<string, string>;
}

/** The format's own limit, which keeps a damaged length from asking for more. */
const maxHeaderBytes = 100_000_000;
const metadataName = '__metadata__';

interface StoredType {
  dtype: DType;
  /** Bytes per element in the file. */
  bytes: number;
  /** The values of a narrower type in an array of the dtype. */
  widen?: (raw: ArrayBuffer) => HostArray;
  /** Named in what is read, so that it can be written in the same way. */
  stored?: 'F16' | 'I8';
}

const widenHalves =
  (value: (bits: number) => number) =>
  (raw: ArrayBuffer): HostArray =>
    Float32Array.from(new Uint16Array(raw), value);

const storedTypes: Record<string, StoredType> = {
  F64: { dtype: 'float64', bytes: 8 },
  F32: { dtype: 'float32', bytes: 4 },
  I32: { dtype: 'int32', bytes: 4 },
  U8: { dtype: 'uint8', bytes: 1 },
  BOOL: { dtype: 'bool', bytes: 1 },
  F16: { dtype: 'float32', bytes: 2, widen: widenHalves(widenFloat16), stored: 'F16' },
  BF16: { dtype: 'float32', bytes: 2, widen: widenHalves(widenBfloat16) },
  I8: { dtype: 'int32', bytes: 1, widen: (raw) => Int32Array.from(new Int8Array(raw)), stored: 'I8' },
};

const storedNames: Record<DType, string> = {
  float64: 'F64',
  float32: 'F32',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
};

/**
 * The bytes of a file with these tensors, larger element types first, so that every tensor is aligned.
 * Throws OptionError for a reserved name, DTypeError, ShapeError or DataError for a tensor that contradicts itself.
 */
export function encodeSafetensors(
  tensors: SavedTensors,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const entries: [string, SavedTensor][] = isMap(tensors) ? [...tensors] : Object.entries(tensors);
  entries.sort(([, a], [, b]) => bytesOf(b) - bytesOf(a));
  const fields: [string, unknown][] = Object.keys(metadata).length > 0 ? [[metadataName, metadata]] : [];
  let end = 0;
  for (const [name, tensor] of entries) {
    checkTensor(name, tensor);
    const begin = end;
    end += tensor.data.length * bytesOf(tensor);
    const { dtype, shape, stored = storedNames[dtype] } = tensor;
    fields.push([name, { dtype: stored, shape, data_offsets: [begin, end] }]);
  }
  // Not by JSON.stringify of one object, which would put names like "0" first and lose "__proto__".
  const json = fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',');
  const header = new TextEncoder().encode(`{${json}}`);
  const headerBytes = Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, 8 + header.length, 8 + headerBytes);
  bytes.set(header, 8);
  let at = 8 + headerBytes;
  for (const [, tensor] of entries) {
    const data = narrowed(tensor);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** Bytes per element in the file; 0 for what is refused later. */
const bytesOf = ({ dtype, stored }: SavedTensor): number =>
  (stored ? storedTypes[stored]?.bytes : dtypes[dtype]?.bytes) ?? 0;

/** The values as the file holds them. */
function narrowed({ data, stored }: SavedTensor): HostArray | Uint16Array | Int8Array {
  if (stored === 'F16') return Uint16Array.from(data, narrowFloat16);
  return stored === 'I8' ? Int8Array.from(data) : data;
}

const isMap = (tensors: SavedTensors): tensors is ReadonlyMap<string, SavedTensor> => tensors instanceof Map;

function checkTensor(name: string, { dtype, shape, data, stored }: SavedTensor): void {
  const where = `save: ${name}`;
  if (name === metadataName) {
    throw new OptionError({ where, problem: 'the format reserves this name', hint: 'use another name' });
  }
  const Wanted = dtypes[dtype]?.array;
  if (!Wanted || !(data instanceof Wanted)) {
    throw new DTypeError({
      where,
      problem: `dtype ${dtype} does not fit data in a ${(data as object | undefined)?.constructor.name}`,
      hint: `dtypes are ${Object.keys(dtypes).join(', ')}, each with its typed array`,
      values: { dtype },
    });
  }
  checkShape(where, shape);
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError({
      where,
      problem: `${data.length} values for shape ${showShape(shape)}`,
      hint: `the shape takes ${sizeOf(shape)} values`,
      values: { shape, length: data.length },
    });
  }
  if (stored !== undefined && (stored === 'F16' ? 'float32' : 'int32') !== dtype) {
    throw new DTypeError({
      where,
      problem: `dtype ${dtype} cannot be stored as ${stored}`,
      hint: 'F16 takes float32, I8 takes int32',
      values: { dtype, stored },
    });
  }
  const rule = stored ? narrowRules[stored] : dtype === 'bool' ? boolRule : null;
  const wrong = rule ? data.findIndex((v) => !rule.fits(v)) : -1;
  if (wrong >= 0) {
    throw new DataError({
      where,
      problem: `${stored ?? dtype} value ${data[wrong]} at index ${wrong}`,
      hint: rule!.hint,
      values: { index: wrong, value: data[wrong] },
    });
  }
}

const boolRule = { fits: (v: number) => v <= 1, hint: 'bool values are 0 or 1' };
const narrowRules = {
  F16: {
    fits: (v: number) => !(Math.abs(v) >= 65520) || Math.abs(v) === Number.POSITIVE_INFINITY,
    hint: 'half precision ends at 65504; store float32',
  },
  I8: { fits: (v: number) => v >= -128 && v <= 127, hint: '8 bits hold whole numbers from -128 to 127' },
};

/**
 * The tensors of a file, copied; F16 and BF16 become float32, I8 becomes int32. `file` is for errors.
 * Throws FormatError for anything that the format does not allow, before allocating for it.
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  { file = 'safetensors' }: { file?: string } = {},
): SafetensorsFile {
  const fail: Fail = (problem, values = {}, cause = undefined) => {
    throw new FormatError({
      where: file,
      problem,
      hint: 'the file is damaged, cut off, or not a safetensors file',
      values: { file, ...values },
      cause,
    });
  };
  const { header, dataStart } = readHeader(bytes, fail);
  const { [metadataName]: metadata = {}, ...rest } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((v) => typeof v === 'string')) {
    return fail(`${metadataName} is not an object of strings`);
  }
  const available = bytes.length - dataStart;
  const found = Object.entries(rest).map(([name, value]) => readEntry(name, value, available, fail));
  checkOffsets(found, available, fail);
  const tensors = new Map<string, SavedTensor>();
  for (const { name, stored, shape, begin, end } of found) {
    // Not by slice, which in Node's Buffer shares memory.
    const raw = new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end));
    const tensor: SavedTensor = { dtype: stored.dtype, shape, data: readData(name, stored, raw, fail) };
    tensors.set(name, stored.stored ? { ...tensor, stored: stored.stored } : tensor);
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

type Fail = (problem: string, values?: Record<string, unknown>, cause?: unknown) => never;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readHeader(bytes: Uint8Array, fail: Fail): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < 8)
    return fail(`the file has ${bytes.length} bytes, its header alone takes 8`, { bytes: bytes.length });
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  const limit = Math.min(maxHeaderBytes, bytes.length - 8);
  if (length > BigInt(limit)) {
    return fail(`the header should take ${length} bytes, at most ${limit} are possible`, {
      headerBytes: String(length),
      bytes: bytes.length,
    });
  }
  const dataStart = 8 + Number(length);
  let text = '';
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataStart));
    header = JSON.parse(text);
  } catch (error) {
    return fail('the header is not JSON', { headerBytes: Number(length) }, error);
  }
  if (!isRecord(header) || bytes[8] !== 0x7b)
    return fail('the header is not a JSON object that starts with {');
  const twice = duplicateName(text);
  if (twice !== undefined) return fail(`the name ${twice} is there twice`, { name: twice });
  return { header, dataStart };
}

/** The first name that an object in this valid JSON text has twice; JSON.parse would drop its first value. */
function duplicateName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const start = at++;
      while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
      let next = at + 1;
      while (' \t\r\n'.includes(text[next] as string)) next++;
      if (text[next] !== ':') continue;
      const name = JSON.parse(text.slice(start, at + 1)) as string;
      const names = open.at(-1);
      if (names?.has(name)) return name;
      names?.add(name);
    }
  }
  return undefined;
}

interface Entry {
  name: string;
  stored: StoredType;
  shape: number[];
  begin: number;
  end: number;
}

function readEntry(name: string, value: unknown, available: number, fail: Fail): Entry {
  if (!isRecord(value)) return fail(`tensor ${name} is not described by an object`, { name });
  const { dtype, shape, data_offsets: offsets } = value;
  const stored =
    typeof dtype === 'string' && Object.hasOwn(storedTypes, dtype) ? storedTypes[dtype] : undefined;
  if (!stored) {
    const known = Object.keys(storedTypes).join(', ');
    return fail(`tensor ${name} has dtype ${JSON.stringify(dtype)}, known are ${known}`, { name, dtype });
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    return fail(`tensor ${name} has shape ${JSON.stringify(shape)}, which is no list of sizes`, {
      name,
      shape,
    });
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail(`tensor ${name} has offsets ${JSON.stringify(offsets)}, expected [begin, end]`, {
      name,
      offsets,
    });
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > available) {
    return fail(`tensor ${name} lies at bytes ${begin} to ${end} of ${available}`, {
      name,
      begin,
      end,
      available,
    });
  }
  const expected = sizeOf(shape) * stored.bytes;
  if (end - begin !== expected) {
    const problem = `tensor ${name}, ${dtype} of ${showShape(shape)}, takes ${expected} bytes but has ${end - begin}`;
    return fail(problem, { name, dtype, shape, begin, end, expected });
  }
  return { name, stored, shape, begin, end };
}

/** In order of their offsets, each tensor starts where the one before it ends, and the last ends the file. */
function checkOffsets(entries: Entry[], available: number, fail: Fail): void {
  let at = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) {
      const rule = begin < at ? 'overlaps' : 'leaves a gap after';
      fail(`tensor ${name} at byte ${begin} ${rule} the one before it, which ends at ${at}`, {
        name,
        begin,
        expected: at,
      });
    }
    at = end;
  }
  if (at !== available) fail(`the tensors end at byte ${at} of ${available}`, { end: at, available });
}

function readData(
  name: string,
  { dtype, widen }: StoredType,
  raw: Uint8Array<ArrayBuffer>,
  fail: Fail,
): HostArray {
  if (widen) return widen(raw.buffer);
  if (dtype === 'bool') {
    const at = raw.findIndex((v) => v > 1);
    if (at >= 0)
      return fail(`tensor ${name}, BOOL, has value ${raw[at]} at index ${at}`, { name, index: at });
  }
  return new dtypes[dtype].array(raw.buffer);
}

const floatBits = new Uint32Array(1);
const floatValue = new Float32Array(floatBits.buffer);

function widenBfloat16(bits: number): number {
  floatBits[0] = bits << 16;
  return floatValue[0] as number;
}

/** The bits of the half that is nearest to a float32, ties to even; any NaN is 0x7e00. */
export function narrowFloat16(value: number): number {
  floatValue[0] = value;
  const bits = floatBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00; // 65520, from where on it is infinity
  // Normal: half of the last place is added, less where the result is even already.
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  // Subnormal: beside 1/2, whose last place is 2^-24, the sum rounds as it should.
  floatValue[0] = Math.abs(floatValue[0] as number) + 0.5;
  return sign | ((floatBits[0] as number) - 0x3f000000);
}

/** IEEE 754 binary16: sign, 5 bits of exponent with bias 15, 10 bits of fraction. */
export function widenFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  floatBits[0] = ((bits & 0x8000) << 16) | ((exponent + 112) << 23) | (fraction << 13);
  return floatValue[0] as number;
}
