// safetensors: files written by hand from the published format, round trips, and 10,000 damaged files.

import * as assert from 'uvu/assert';
import { type DType, dtypes, sizeOf } from '../../src/dtype.js';
import { DataError, DTypeError, FormatError, OptionError, ShapeError } from '../../src/errors.js';
import { RandomStream } from '../../src/philox.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
  type SavedTensor,
} from '../../src/safetensors.js';
import { failsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('safetensors');

/** A file by hand: header text as it stands, then data. */
function file(header: string, data: number[] = [], headerBytes?: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length = headerBytes ?? text.length;
  const prefix = Array.from({ length: 8 }, (_, i) => Math.floor(length / 2 ** (8 * i)) % 256);
  return Uint8Array.from([...prefix, ...text, ...data]);
}

const entry = (dtype: string, shape: unknown, begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

function refused(bytes: Uint8Array, pattern: RegExp): FormatError {
  const error = failsWith(() => decodeSafetensors(bytes, { file: 'w.safetensors' }), FormatError, pattern);
  assert.match(error.message, /^\[w\.safetensors\] /);
  return error;
}

const values = ({ tensors }: SafetensorsFile, name: string) => [...(tensors.get(name) as SavedTensor).data];

test('reads a file written by hand, with each dtype, in any order, at odd offsets', () => {
  const header = `{"u":${entry('U8', [3], 4, 7)},"__metadata__":{"by":"hand"},"f":${entry('F32', [1], 0, 4)},
    "i":${entry('I32', [2, 1], 7, 15)},"d":${entry('F64', [], 15, 23)},"b":${entry('BOOL', [2], 23, 25)},
    "none":${entry('F32', [0, 5], 25, 25)}}  `;
  const f = [0, 0, 0xc0, 0x3f];
  const i = [1, 2, 0, 0, 0xfe, 0xff, 0xff, 0xff];
  const d = [0, 0, 0, 0, 0, 0, 0x04, 0xc0];
  const decoded = decodeSafetensors(file(header, [...f, 9, 8, 255, ...i, ...d, 1, 0]));
  assert.equal(decoded.metadata, { by: 'hand' });
  assert.equal([...decoded.tensors.keys()], ['u', 'f', 'i', 'd', 'b', 'none']);
  assert.equal(values(decoded, 'f'), [1.5]);
  assert.equal(values(decoded, 'u'), [9, 8, 255]);
  assert.equal(values(decoded, 'i'), [513, -2]);
  assert.equal(values(decoded, 'd'), [-2.5]);
  assert.equal(values(decoded, 'b'), [1, 0]);
  assert.equal(decoded.tensors.get('none'), { dtype: 'float32', shape: [0, 5], data: new Float32Array(0) });
  assert.equal(decoded.tensors.get('i')?.shape, [2, 1]);
  assert.equal(decodeSafetensors(file('{}')).tensors.size, 0);
});

test('float16 and bfloat16 become float32', () => {
  const halves: [number, number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x83ff, -1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
    [0x8000, -0],
  ];
  const brains: [number, number][] = [
    [0x3f80, 1],
    [0xc020, -2.5],
    [0x7f80, Number.POSITIVE_INFINITY],
    [0x4049, 3.140625],
    [0x0001, 2 ** -133],
  ];
  for (const [dtype, cases] of [
    ['F16', halves],
    ['BF16', brains],
  ] as const) {
    const data = cases.flatMap(([bits]) => [bits & 255, bits >> 8]);
    const decoded = decodeSafetensors(file(`{"h":${entry(dtype, [cases.length], 0, data.length)}}`, data));
    const found = decoded.tensors.get('h') as SavedTensor;
    assert.is(found.dtype, 'float32');
    cases.forEach(([bits, value], i) => {
      assert.ok(
        Object.is(found.data[i], value),
        `${dtype} ${bits.toString(16)}: ${found.data[i]}, not ${value}`,
      );
    });
  }
});

test('narrow types are written as they were read', () => {
  const tensors: Record<string, SavedTensor> = {
    i: { dtype: 'int32', shape: [3], data: new Int32Array([-128, 0, 127]), stored: 'I8' },
    h: { dtype: 'float32', shape: [1, 3], data: new Float32Array([1.5, -0, 0.1]), stored: 'F16' },
    f: { dtype: 'float32', shape: [1], data: new Float32Array([0.1]) },
  };
  const bytes = encodeSafetensors(tensors);
  const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
  assert.is(bytes.length, 8 + headerBytes + 4 + 6 + 3);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  assert.equal(header.i, { dtype: 'I8', shape: [3], data_offsets: [10, 13] });
  assert.equal(header.h, { dtype: 'F16', shape: [1, 3], data_offsets: [4, 10] });
  assert.equal([...bytes.subarray(-9)], [0x00, 0x3e, 0x00, 0x80, 0x66, 0x2e, 128, 0, 127]);
  const decoded = decodeSafetensors(bytes);
  assert.equal(decoded.tensors.get('i'), tensors.i);
  assert.equal(values(decoded, 'h'), [1.5, -0, 0.0999755859375]);
  assert.is(decoded.tensors.get('h')?.stored, 'F16');
  assert.is(decoded.tensors.get('f')?.stored, undefined);
  assert.equal(encodeSafetensors(decoded.tensors), bytes);
});

const everyDType = (): Map<string, SavedTensor> =>
  new Map<string, SavedTensor>([
    ['layer.0.bias', { dtype: 'uint8', shape: [3], data: new Uint8Array([1, 2, 255]) }],
    ['10', { dtype: 'float32', shape: [2, 2], data: new Float32Array([1.5, -0, Number.NaN, 1e-45]) }],
    ['2', { dtype: 'float64', shape: [], data: new Float64Array([Math.PI]) }],
    ['ключ "x"\n', { dtype: 'int32', shape: [1, 2], data: new Int32Array([-1, 2 ** 31 - 1]) }],
    ['__proto__', { dtype: 'bool', shape: [2], data: new Uint8Array([1, 0]) }],
    ['half', { dtype: 'float32', shape: [2], data: new Float32Array([0.5, -2]), stored: 'F16' }],
    ['byte', { dtype: 'int32', shape: [3], data: new Int32Array([-128, 0, 127]), stored: 'I8' }],
    ['empty', { dtype: 'float32', shape: [0], data: new Float32Array(0) }],
    ['view', { dtype: 'float32', shape: [2], data: new Float32Array([9, 1, 2, 9]).subarray(1, 3) }],
  ]);

test('what was written is read back, aligned, from any position in memory', () => {
  const original = everyDType();
  const bytes = encodeSafetensors(original, { epoch: '3' });
  const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
  assert.is(headerBytes % 8, 0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  for (const [name, tensor] of original) {
    assert.is(
      Object.getOwnPropertyDescriptor(header, name)?.value.data_offsets[0] %
        (tensor.stored ? { F16: 2, I8: 1 }[tensor.stored] : tensor.data.BYTES_PER_ELEMENT),
      0,
    );
  }
  const shifted = new Uint8Array(bytes.length + 3).subarray(3);
  shifted.set(bytes);
  for (const source of [bytes, shifted]) {
    const { tensors, metadata } = decodeSafetensors(source);
    assert.equal(metadata, { epoch: '3' });
    assert.is(tensors.size, original.size);
    for (const [name, { dtype, shape, data }] of original) {
      const found = tensors.get(name) as SavedTensor;
      assert.equal([found.dtype, found.shape], [dtype, shape], name);
      assert.ok(data.every((v, i) => Object.is(v, found.data[i])) && found.data.length === data.length, name);
    }
  }
  const record = { a: { dtype: 'float32', shape: [1], data: new Float32Array([7]) } } as const;
  const decoded = decodeSafetensors(encodeSafetensors(record));
  assert.equal(values(decoded, 'a'), [7]);
  assert.equal(decoded.metadata, {});
});

test('what was read does not share memory with the file', () => {
  const bytes = file(`{"u":${entry('U8', [2], 0, 2)}}`, [1, 2]);
  const decoded = decodeSafetensors(bytes);
  bytes.fill(0);
  assert.equal(values(decoded, 'u'), [1, 2]);
});

test('tensors that contradict themselves are not written', () => {
  const data = new Float32Array(2);
  const write = (tensor: Partial<SavedTensor>, name = 'w') => {
    return () => encodeSafetensors({ [name]: { dtype: 'float32', shape: [2], data, ...tensor } });
  };
  const is = (type: new (...args: never[]) => Error) => (e: unknown) => e instanceof type;
  assert.throws(write({ shape: [3] }), is(ShapeError));
  assert.throws(write({ shape: [-2] }), is(ShapeError));
  assert.throws(write({ dtype: 'int32' }), is(DTypeError));
  assert.throws(write({ dtype: 'float16' as DType }), is(DTypeError));
  assert.throws(write({ data: undefined as never }), is(DTypeError));
  assert.throws(write({ dtype: 'bool', data: new Uint8Array([1, 2]) }), is(DataError));
  assert.throws(write({}, '__metadata__'), is(OptionError));
  assert.throws(write({ stored: 'I8' }), is(DTypeError));
  assert.throws(write({ stored: 'I4' as 'I8' }), is(DTypeError));
  const int = { dtype: 'int32', stored: 'I8' } as const;
  assert.throws(write({ ...int, stored: 'F16', data: new Int32Array(2) }), is(DTypeError));
  assert.throws(write({ ...int, data: new Int32Array([1, 128]) }), is(DataError));
  assert.throws(write({ ...int, data: new Int32Array([1, -129]) }), is(DataError));
  assert.throws(write({ stored: 'F16', data: new Float32Array([1, 65520]) }), /F16 value 65520 at index 1/);
  const special = new Float32Array([Number.NaN, -Infinity]);
  assert.equal([...write({ stored: 'F16', data: special })().subarray(-4)], [0x00, 0x7e, 0x00, 0xfc]);
});

test('each rule of the format', () => {
  const ok = entry('U8', [2], 0, 2);
  refused(new Uint8Array(5), /5 bytes, its header alone takes 8/);
  refused(file('{}', [], 3), /header should take 3 bytes, at most 2 are possible/);
  refused(file('{}', [], 2 ** 52), /should take 4503599627370496 bytes/);
  refused(file('{"a":', []), /not JSON/);
  refused(file('{"a\u0000":1}', []), /not JSON/);
  refused(Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x7b]), /not JSON/);
  refused(file(' {}'), /starts with \{/);
  refused(file('[]'), /starts with \{/);
  refused(file('{}', [0]), /end at byte 0 of 1/);
  refused(file('{"a":3}'), /a is not described/);
  refused(file('{"__metadata__":{"a":1}}'), /object of strings/);
  refused(file('{"__metadata__":[]}'), /object of strings/);
  refused(file(`{"a":${entry('I64', [1], 0, 8)}}`, new Array(8).fill(0)), /dtype "I64", known are F64/);
  refused(file(`{"a":${entry('constructor', [1], 0, 8)}}`, new Array(8).fill(0)), /dtype "constructor"/);
  for (const shape of [[-1], [1.5], 'x', null, [null], [2 ** 60]])
    refused(file(`{"a":${entry('U8', shape, 0, 2)}}`, [0, 0]), /which is no list of sizes/);
  refused(file('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0]}}', [0, 0]), /expected \[begin, end\]/);
  refused(file('{"a":{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}}', [0, 0]), /expected \[begin, end\]/);
  refused(file(`{"a":${entry('U8', [2], 2, 0)}}`, [0, 0]), /bytes 2 to 0/);
  refused(file(`{"a":${entry('U8', [3], 0, 3)}}`, [0, 0]), /bytes 0 to 3 of 2/);
  refused(file(`{"a":${entry('F32', [2], 0, 2)}}`, [0, 0]), /takes 8 bytes but has 2/);
  refused(
    file(`{"a":${entry('F32', [4294967296, 4294967296], 0, 2)}}`, [0, 0]),
    /takes 7378\d+ bytes but has 2/,
  );
  refused(file(`{"a":${ok},"b":${entry('U8', [2], 1, 3)}}`, [0, 0, 0]), /b at byte 1 overlaps/);
  refused(file(`{"a":${ok},"b":${entry('U8', [1], 3, 4)}}`, [0, 0, 0, 0]), /b at byte 3 leaves a gap/);
  refused(file(`{"a":${entry('U8', [1], 1, 2)}}`, [0, 0]), /a at byte 1 leaves a gap/);
  refused(file(`{"a":${ok}}`, [0, 0, 0]), /end at byte 2 of 3/);
  const twice = refused(file(`{"a":${ok},"\\u0061" :${ok}}`, [0, 0]), /name a is there twice/);
  assert.equal(twice.values, { file: 'w.safetensors', name: 'a' });
  refused(
    file(`{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, [0, 0]),
    /dtype is there twice/,
  );
  refused(file(`{"a":${entry('BOOL', [2], 0, 2)}}`, [0, 2]), /BOOL, has value 2 at index 1/);
  refused(file('['.repeat(200_000)), /not JSON/);
});

test('10,000 damaged files end in a FormatError or a valid result', () => {
  const random = new RandomStream(7, 0);
  const original = encodeSafetensors(everyDType(), { epoch: '3', note: 'a "quoted" \\ note' });
  const headerEnd = 8 + new DataView(original.buffer).getUint32(0, true);
  let errors = 0;
  let results = 0;
  for (let n = 0; n < 10_000; n++) {
    const mutated = mutate(original, headerEnd, random);
    try {
      const { tensors } = decodeSafetensors(mutated, { file: 'x' });
      results++;
      for (const { dtype, shape, data } of tensors.values()) {
        assert.is(data.length, sizeOf(shape));
        assert.instance(data, dtypes[dtype].array);
      }
      const total = [...tensors.values()].reduce((sum, t) => sum + t.data.byteLength, 0);
      assert.ok(total <= 4 * mutated.length); // from 8 bits to 32
    } catch (error) {
      assert.instance(error, FormatError, String((error as Error).stack));
      assert.match((error as FormatError).message, /^\[x\] ./);
      errors++;
    }
  }
  assert.is(errors + results, 10_000);
  assert.ok(errors > 5000 && results > 300, `${errors} errors, ${results} results`);
});

function mutate(original: Uint8Array, headerEnd: number, random: RandomStream): Uint8Array {
  const bytes = original.slice();
  const set = (at: number, value: number) => {
    bytes[at] = value;
  };
  const kind = random.integer(6);
  if (kind === 0) return bytes.subarray(0, random.integer(bytes.length + 1));
  if (kind === 1) return Uint8Array.from([...bytes, ...new Uint8Array(1 + random.integer(9))]);
  if (kind === 2) set(random.integer(8), random.integer(256));
  for (let i = random.integer(3); kind === 3 && i >= 0; i--) {
    const at = random.integer(bytes.length);
    set(at, (bytes[at] as number) ^ (1 << random.integer(8)));
  }
  // Digits, brackets and quotes of the header: mostly still JSON, with other shapes, offsets and names.
  const characters = '0123456789[]{},:" e-.';
  for (let i = random.integer(2); kind >= 4 && i >= 0; i--) {
    let at = 8 + random.integer(headerEnd - 8);
    while (kind === 5 && at > 8 && !'0123456789'.includes(String.fromCharCode(bytes[at] as number))) at--;
    set(at, characters.charCodeAt(random.integer(kind === 5 ? 10 : characters.length)));
  }
  return bytes;
}

test.run();
