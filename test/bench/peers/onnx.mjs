// ONNX files from a list of nodes: as much of the protobuf format as that takes.
// Numbers of fields are those of onnx.proto (github.com/onnx/onnx).

const utf8 = new TextEncoder();

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

/** A message as a list of byte arrays; large ones are copied only once, at the end. */
const field = {
  int: (number, value) => [Uint8Array.from([...varint(number << 3), ...varint(value)])],
  float: (number, value) => [
    Uint8Array.from([(number << 3) | 5, ...new Uint8Array(Float32Array.of(value).buffer)]),
  ],
  bytes: (number, ...parts) => {
    const chunks = parts.flat();
    const length = chunks.reduce((n, { byteLength }) => n + byteLength, 0);
    return [Uint8Array.from([...varint((number << 3) | 2), ...varint(length)]), ...chunks];
  },
  text: (number, value) => field.bytes(number, utf8.encode(value)),
};

const FLOAT = 1;
const types = { float: 1, int: 2, ints: 7 };

function attribute([name, value]) {
  const list = Array.isArray(value);
  const type = list ? 'ints' : Number.isInteger(value) ? 'int' : 'float';
  const body = {
    ints: () => value.flatMap((v) => field.int(8, v)),
    int: () => field.int(3, value),
    float: () => field.float(2, value),
  };
  return field.bytes(5, field.text(1, name), body[type](), field.int(20, types[type]));
}

/** `{ op, inputs, output, attributes }` */
const node = ({ op, inputs, output, attributes = {} }) =>
  field.bytes(
    1,
    inputs.flatMap((name) => field.text(1, name)),
    field.text(2, output),
    field.text(4, op),
    Object.entries(attributes).flatMap(attribute),
  );

const constant = ([name, { values, shape }]) =>
  field.bytes(
    5,
    shape.flatMap((d) => field.int(1, d)),
    field.int(2, FLOAT),
    field.text(8, name),
    field.bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  );

function port(number, name, shape) {
  const dimensions = shape.flatMap((d) => field.bytes(1, field.int(1, d)));
  const tensorType = field.bytes(1, field.int(1, FLOAT), field.bytes(2, dimensions));
  return field.bytes(number, field.text(1, name), field.bytes(2, tensorType));
}

/** The bytes of a float32 model: input `x`, the output of the last node, constants `{ name: { values, shape } }`. */
export function onnxModel({ nodes, constants, inputShape, outputShape }) {
  const graph = field.bytes(
    7,
    nodes.flatMap(node),
    field.text(2, 'model'),
    Object.entries(constants).flatMap(constant),
    port(11, 'x', inputShape),
    port(12, nodes.at(-1).output, outputShape),
  );
  const opset = field.bytes(8, field.text(1, ''), field.int(2, 15));
  const parts = [...field.int(1, 8), ...graph, ...opset];
  const bytes = new Uint8Array(parts.reduce((n, { byteLength }) => n + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
