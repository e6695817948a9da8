// Models with smaller weights, for inference: the same forward pass with other values in the parameters' places.
//
// A model is not rebuilt from other layers. Its own forward pass records the graph, and in that graph every use of a
// parameter is replaced: a product x W or a convolution by one of 8-bit rows where W is held so, any other use by ops
// that make floats of what is held (so an embedding has small weights too, and computes in float32). This works for any
// module, also those that users write.
import { type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { engine } from '../engine.js';
import { checkOptionNames, DataError, FormatError, OptionError, StateError } from '../errors.js';
import { record, type Tensor, Variable, withValuesAsRecorded } from '../graph.js';
import type { ConvAttributes } from '../ops/conv-geometry.js';
import {
  conv2d,
  conv2dInt8,
  dequantizeRows,
  fromHalf,
  matmul,
  matmulInt8,
  type QuantizedRows,
  quantizeByRow,
  reshape,
  toHalf,
  transpose,
} from '../ops/index.js';
import { byteAt, mostWords, wordsOfRow } from '../ops/int8.js';
import { readBytes } from '../platform.js';
import { decodeSafetensors, narrowFloat16, type SavedTensor, widenFloat16 } from '../safetensors.js';
import { read, tensor } from '../tensor.js';
import { type Buffer, type Context, Module, type Parameter } from './module.js';

/** Options of `quantize`. */
export interface QuantizeOptions {
  /**
   * `int8`: a quarter of the memory; 8-bit numbers with a scale for each output (the last axis), and products and
   * convolutions in whole numbers, for which inputs are quantised at run time, row by row or image by image. `float16`:
   * half of the memory, computed in float32.
   */
  weights: 'int8' | 'float16';
}

/** What stands for a parameter. */
type Held = { readonly shape: Shape } & (
  | { readonly kind: 'float32'; readonly values: Variable }
  /** Words of two halves. */
  | { readonly kind: 'float16'; readonly values: Variable }
  /** Rows of words, one for each output (the last axis), and a scale for each row. */
  | { readonly kind: 'int8'; readonly values: Variable; readonly scale: Variable }
);

/** The last axis, and what all others hold together. */
const matrixOf = (shape: Shape): { rest: number; outputs: number } => ({
  rest: sizeOf(shape.slice(0, -1)),
  outputs: shape.at(-1)!,
});

/** All that a model remembers, by name. */
const variablesOf = (model: Module): Map<string, Variable> => model.namedVariables();

const scaleName = (name: string): string => `${name}.scale`;

/** A model for inference whose weights take less memory. Made by `quantize` or `loadQuantized`. */
export class Quantized extends Module {
  readonly #structure: Module;
  readonly #held: ReadonlyMap<Tensor, Held>;
  readonly #names: ReadonlyMap<string, Held>;

  constructor(structure: Module, held: ReadonlyMap<string, Held>) {
    super();
    this.#structure = structure;
    this.#names = held;
    this.#held = new Map([...variablesOf(structure)].map(([name, v]) => [v, held.get(name)!]));
  }

  forward(x: Tensor, context: Context): Tensor {
    const own = [...variablesOf(this.#structure).values()];
    const y = withoutValues(own, () => this.#structure.forward(x, context));
    return replaceParameters(y, x, this.#held);
  }

  /** There are none: nothing of it can be trained. */
  override namedVariables(prefix = ''): Map<string, Parameter | Buffer> {
    if (prefix === '') return new Map();
    throw new StateError({
      where: 'quantize',
      problem: `a quantized model is part of another one, at ${prefix}`,
      hint: 'quantize the whole model, so that it can be saved',
    });
  }

  /** Bytes of all weights in memory. */
  get bytes(): number {
    return this.#variables().reduce((n, v) => n + 4 * v.size, 0);
  }

  #variables(): Variable[] {
    return [...this.#names.values()].flatMap((h) => (h.kind === 'int8' ? [h.values, h.scale] : [h.values]));
  }

  /** 8-bit weights in the shape of the parameter, with `NAME.scale` for its last axis; F16; all else as it is. */
  override async savedState(): Promise<Map<string, SavedTensor>> {
    const variables = this.#variables();
    const data = await read(variables);
    const of = (v: Variable) => data[variables.indexOf(v)]!;
    const state = new Map<string, SavedTensor>();
    for (const [name, held] of this.#names) {
      const { shape, kind, values } = held;
      if (kind === 'float32') state.set(name, { dtype: 'float32', shape, data: of(values) });
      else if (kind === 'float16') {
        const words = of(values);
        const floats = new Float32Array(sizeOf(shape)).map((_, i) =>
          widenFloat16((words[i >> 1]! >> (16 * (i & 1))) & 0xffff),
        );
        state.set(name, { dtype: 'float32', shape, data: floats, stored: 'F16' });
      } else {
        const { outputs } = matrixOf(shape);
        const step = values.shape[1]!;
        const words = of(values);
        const bytes = new Int32Array(sizeOf(shape)).map((_, i) =>
          byteAt(words, (i % outputs) * step, Math.trunc(i / outputs)),
        );
        state.set(name, { dtype: 'int32', shape, data: bytes, stored: 'I8' });
        state.set(scaleName(name), { dtype: 'float32', shape: [outputs], data: of(held.scale) });
      }
    }
    return state;
  }

  /** Frees the weights. The model that it was made from is another one, and stays. */
  override dispose(): void {
    for (const v of this.#variables()) v.dispose();
  }
}

/** Runs `f`, in which variables are names only: their own values may be gone. */
function withoutValues<R>(variables: readonly Variable[], f: () => R): R {
  const gone = variables.filter((p) => p.disposed);
  for (const p of gone) p.disposed = false;
  try {
    return f();
  } finally {
    for (const p of gone) p.disposed = true;
  }
}

/** The graph of `y` up to `x`, with what is held for each parameter in its place. */
function replaceParameters(y: Tensor, x: Tensor, held: ReadonlyMap<Tensor, Held>): Tensor {
  const seen = new Set<Tensor>([x]);
  const order: Tensor[] = [];
  for (const stack = [y]; stack.length > 0; ) {
    const t = stack.pop()!;
    if (seen.has(t)) continue;
    seen.add(t);
    order.push(t);
    if (t.source.kind === 'op') stack.push(...t.source.inputs);
  }
  const made = new Map<Tensor, Tensor>();
  const now = (t: Tensor): Tensor => {
    const known = made.get(t);
    if (known) return known;
    const h = held.get(t);
    const floats = h ? floatsOf(h) : t;
    made.set(t, floats);
    return floats;
  };
  // One quantisation of a tensor that goes into several products.
  const rows = new Map<Tensor, QuantizedRows>();
  const rowsOf = (t: Tensor): QuantizedRows => {
    const known = rows.get(t) ?? quantizeByRow(reshape(t, [t.shape[0]!, sizeOf(t.shape.slice(1))]));
    rows.set(t, known);
    return known;
  };
  /** What a parameter is held by, also where it is seen in another shape of the same outputs (conv1d does that). */
  const heldOf = (t: Tensor | undefined): Held | undefined => {
    if (!t) return undefined;
    const { source } = t;
    const isView = source.kind === 'op' && source.op === reshape.definition;
    const h = held.get(isView ? source.inputs[0]! : t);
    return h?.shape.at(-1) === t.shape.at(-1) ? h : undefined;
  };
  return withValuesAsRecorded(() => {
    // Inputs have smaller ids than what is made of them.
    for (const t of order.sort((a, b) => a.id - b.id)) {
      if (t.source.kind !== 'op') continue;
      const { op, inputs, attributes } = t.source;
      const weight = heldOf(inputs[1]);
      if (op === matmul.definition && weight?.kind === 'int8' && takesRows(t, weight)) {
        const { q, scale } = rowsOf(now(inputs[0]!));
        made.set(t, matmulInt8(q, weight.values, scale, weight.scale));
      } else if (op === conv2d.definition && weight?.kind === 'int8' && takesImages(weight)) {
        const x = now(inputs[0]!);
        const { q, scale } = rowsOf(x);
        const kernel = inputs[1]!.shape.slice(0, 2);
        const image = x.shape.slice(1);
        made.set(
          t,
          conv2dInt8(q, weight.values, scale, weight.scale, image, kernel, attributes as ConvAttributes),
        );
      } else {
        const replaced = inputs.map(now);
        if (replaced.some((r, i) => r !== inputs[i])) made.set(t, record(op, replaced, attributes));
      }
    }
    return now(y);
  });
}

/** Whether a product x W, W held in 8 bits, can be computed so: plain matrices, a sum that fits 32 bits. */
function takesRows({ source }: Tensor, { values, shape }: Held): boolean {
  if (source.kind !== 'op') return false;
  const { transA, transB } = source.attributes;
  const plain = source.inputs[0]!.rank === 2 && shape.length === 2 && !transA && !transB;
  return plain && values.shape[1]! <= mostWords;
}

/**
 * Whether a convolution with a filter held in 8 bits is computed so. With a few products for each output (a single input
 * channel, or each channel on its own) it costs more to lay out patches than whole numbers save.
 */
function takesImages({ values, shape }: Held): boolean {
  return sizeOf(shape.slice(0, -1)) >= fewestProducts && values.shape[1]! <= mostWords;
}
const fewestProducts = 24;

/** A parameter's values as floats. */
function floatsOf(held: Held): Tensor {
  if (held.kind === 'float32') return held.values;
  if (held.kind === 'float16') return fromHalf(held.values, held.shape);
  const { rest } = matrixOf(held.shape);
  return reshape(transpose(dequantizeRows(held.values, held.scale, rest)), held.shape);
}

/** What is held for a parameter with these values. */
function hold(name: string, shape: Shape, data: Float32Array, weights: QuantizeOptions['weights']): Held {
  const given = () => tensor(data, { shape });
  if (shape.length < 2) {
    return { shape, kind: 'float32', values: new Variable(shape, 'float32', given, name) };
  }
  const limit = weights === 'float16' ? 65520 : Number.POSITIVE_INFINITY;
  const wrong = data.findIndex((v) => !(Math.abs(v) < limit));
  if (wrong >= 0) {
    throw new DataError({
      where: `quantize: ${name}`,
      problem: `weight ${wrong} is ${data[wrong]}`,
      hint: weights === 'float16' ? 'half precision ends at 65504' : 'weights must be finite',
      values: { index: wrong, value: data[wrong] },
    });
  }
  if (weights === 'float16') {
    const words = [Math.ceil(data.length / 2)];
    return { shape, kind: 'float16', values: new Variable(words, 'int32', () => toHalf(given()), name) };
  }
  const { rest, outputs } = matrixOf(shape);
  // One graph for both, so that it is computed once.
  let both: QuantizedRows | null = null;
  const rows = () => (both ??= quantizeByRow(transpose(reshape(given(), [rest, outputs]))));
  return {
    shape,
    kind: 'int8',
    values: new Variable([outputs, wordsOfRow(rest)], 'int32', () => rows().q, name),
    scale: new Variable([outputs], 'float32', () => rows().scale, scaleName(name)),
  };
}

/** Brings what is held to the device, one parameter after the other, and forgets the host's values. */
async function settle(structure: Module, held: Map<string, Held>): Promise<Quantized> {
  const e = await engine();
  for (const h of held.values()) {
    const variables = h.kind === 'int8' ? [h.values, h.scale] : [h.values];
    await e.initialize(variables);
    for (const v of variables) v.initial = null;
  }
  return new Quantized(structure, held);
}

/**
 * A model for inference with smaller weights: all parameters of two axes and more as `weights` says, the others (biases) in
 * float32. The values are its own, so the model that it is made from can be disposed or trained on.
 *
 * 8 bits: symmetric, one scale for each output; W is about q * max|W| / 127, rounded to nearest, and x likewise for each
 * row (Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018).
 *
 * Throws OptionError for other options, StateError where there is nothing to quantise, DataError for a weight that is not
 * finite or that float16 cannot hold.
 */
export async function quantize(model: Module, options: QuantizeOptions): Promise<Quantized> {
  const weights = options?.weights;
  checkOptionNames('quantize', options, ['weights']);
  if (weights !== 'int8' && weights !== 'float16') {
    throw new OptionError({
      where: 'quantize',
      problem: `weights is ${String(weights)}`,
      hint: "{ weights: 'int8' } or { weights: 'float16' }",
      values: { weights },
    });
  }
  const named = [...variablesOf(model)];
  if (!named.some(([, p]) => p.rank >= 2)) {
    throw new StateError({
      where: 'quantize',
      problem: 'the model has no weights of two axes or more',
      hint: 'quantize a model with layers such as nn.linear, once',
    });
  }
  await model.initialize();
  const values = await read(named.map(([, p]) => p));
  const held = named.map(([name, { shape }], i): [string, Held] => [
    name,
    hold(name, shape, values[i] as Float32Array, weights),
  ]);
  return settle(model, new Map(held));
}

/**
 * A quantised model from the bytes that `save` wrote of one (or of a model, with dtype float16). `structure` is a model of
 * the same structure; its own weights are neither needed nor made. Throws FormatError where the file does not fit it.
 */
export async function quantizedFromBytes(
  structure: Module,
  bytes: Uint8Array,
  file = 'weights',
): Promise<Quantized> {
  const { tensors } = decodeSafetensors(bytes, { file });
  const fail = (problem: string, hint: string, values: Record<string, unknown>): never => {
    throw new FormatError({ where: file, problem, hint, values: { file, ...values } });
  };
  const take = (name: string, shape: Shape): SavedTensor => {
    const found = tensors.get(name);
    tensors.delete(name);
    if (!found)
      return fail(`${name} is missing`, 'load a file that was saved from a quantized model', { name });
    if (sameShape(found.shape, shape)) return found;
    return fail(
      `${name} is ${showShape(found.shape)} in the file, ${showShape(shape)} in the model`,
      'give a model of the same structure as the saved one',
      { name, file: found.shape, model: shape },
    );
  };
  const held = new Map<string, Held>();
  for (const [name, { shape }] of variablesOf(structure)) {
    const saved = take(name, shape);
    const isWeight = shape.length >= 2;
    if (isWeight && saved.stored === 'I8') {
      const scale = take(scaleName(name), [shape.at(-1)!]);
      checkScale(scaleName(name), scale, fail);
      held.set(name, fromBytes(name, shape, saved, scale));
    } else if (isWeight && saved.stored === 'F16') {
      held.set(name, fromHalves(name, shape, saved));
    } else if (!isWeight && saved.dtype === 'float32') {
      held.set(name, hold(name, shape, saved.data as Float32Array, 'int8'));
    } else {
      fail(
        `${name} is ${saved.stored ?? saved.dtype} in the file, expected ${isWeight ? 'I8 or F16' : 'float32'}`,
        isWeight ? 'load() it, then quantize()' : 'load a file that was saved from a quantized model',
        { name, dtype: saved.dtype },
      );
    }
  }
  const unknown = [...tensors.keys()];
  if (unknown.length > 0) {
    fail(
      `the file does not fit the model: not in the model ${unknown.join(', ')}`,
      'give a model of the same structure as the saved one',
      { unknown },
    );
  }
  return settle(structure, held);
}

function checkScale(
  name: string,
  { dtype, data }: SavedTensor,
  fail: (problem: string, hint: string, values: Record<string, unknown>) => never,
): void {
  const wrong = data.findIndex((v) => !(v > 0 && v < Number.POSITIVE_INFINITY));
  if (dtype === 'float32' && wrong < 0) return;
  const problem = dtype === 'float32' ? `has ${data[wrong]} at index ${wrong}` : `is ${dtype}`;
  fail(`${name} ${problem}`, 'scales are float32, finite and above 0', { name, dtype, index: wrong });
}

/** 8-bit numbers in a parameter's shape as packed rows. */
function fromBytes(name: string, shape: Shape, { data }: SavedTensor, scale: SavedTensor): Held {
  const { rest, outputs } = matrixOf(shape);
  const packed = [outputs, wordsOfRow(rest)];
  const words = new Int32Array(sizeOf(packed));
  for (let i = 0; i < data.length; i++) {
    const k = Math.trunc(i / outputs);
    words[(i % outputs) * packed[1]! + (k >> 2)]! |= (data[i]! & 255) << (8 * (k & 3));
  }
  const scales = () => tensor(scale.data, { shape: scale.shape });
  return {
    shape,
    kind: 'int8',
    values: new Variable(packed, 'int32', () => tensor(words, { shape: packed }), name),
    scale: new Variable([outputs], 'float32', scales, scaleName(name)),
  };
}

function fromHalves(name: string, shape: Shape, { data }: SavedTensor): Held {
  const words = new Int32Array(Math.ceil(data.length / 2));
  data.forEach((v, i) => {
    words[i >> 1]! |= narrowFloat16(v) << (16 * (i & 1));
  });
  const values = new Variable([words.length], 'int32', () => tensor(words), name);
  return { shape, kind: 'float16', values };
}

/** A quantised model from a file or address, see `quantizedFromBytes`. */
export async function loadQuantized(structure: Module, path: string | URL): Promise<Quantized> {
  return quantizedFromBytes(structure, await readBytes(path), String(path));
}
