// Models to files and back: weights as safetensors, written aside and renamed.
import { dtypes, sameShape, showShape } from '../dtype.js';
import { FormatError } from '../errors.js';
import type { Module } from '../nn/module.js';
import { readBytes, sha256, writeFileAtomic } from '../platform.js';
import { decodeSafetensors, encodeSafetensors, type SavedTensor } from '../safetensors.js';
import { read, tensor } from '../tensor.js';

/** The values of all parameters and buffers, by name. */
async function stateOf(model: Module): Promise<Map<string, SavedTensor>> {
  await model.initialize();
  const named = [...model.namedVariables()];
  const values = await read(named.map(([, p]) => p));
  return new Map(named.map(([name, { shape, dtype }], i) => [name, { dtype, shape, data: values[i]! }]));
}

/** The weights as the bytes of a safetensors file. */
export async function weightsToBytes(
  model: Module,
  metadata: Record<string, string> = {},
): Promise<Uint8Array> {
  return encodeSafetensors(await stateOf(model), { format: 'everygrad', ...metadata });
}

/** Puts weights into a model of the same structure. Nothing is changed unless all of them fit. */
export async function weightsFromBytes(model: Module, bytes: Uint8Array, file = 'weights'): Promise<void> {
  const { tensors } = decodeSafetensors(bytes, { file });
  const named = model.namedVariables();
  const missing = [...named.keys()].filter((name) => !tensors.has(name));
  const unknown = [...tensors.keys()].filter((name) => !named.has(name));
  if (missing.length + unknown.length > 0) {
    throw new FormatError({
      where: file,
      problem: `the file does not fit the model: missing ${missing.join(', ') || 'nothing'}, not in the model ${unknown.join(', ') || 'nothing'}`,
      hint: 'load into a model of the same structure as the saved one',
      values: { missing, unknown },
    });
  }
  for (const [name, p] of named) {
    const { shape, dtype } = tensors.get(name)!;
    if (!sameShape(shape, p.shape) || dtype !== p.dtype) {
      throw new FormatError({
        where: file,
        problem: `${name} is ${dtype} ${showShape(shape)} in the file, ${p.dtype} ${showShape(p.shape)} in the model`,
        hint: 'load into a model of the same structure as the saved one',
        values: { name, file: shape, model: p.shape },
      });
    }
  }
  await model.initialize();
  for (const [name, p] of named) {
    const { data, shape } = tensors.get(name)!;
    await p.assign(tensor(data, { shape, dtype: p.dtype }));
  }
}

/** Writes the weights to a safetensors file. A file that is there stays whole until the new one is complete. */
export async function save(
  model: Module,
  path: string | URL,
  metadata?: Record<string, string>,
): Promise<void> {
  await writeFileAtomic(path, await weightsToBytes(model, metadata));
}

/** Reads weights from a safetensors file or address into a model of the same structure. */
export async function load(model: Module, path: string | URL): Promise<void> {
  await weightsFromBytes(model, await readBytes(path), String(path));
}

/** SHA-256 of all weights and buffers, in the order of the model: equal for equal bits. */
export async function weightsSha256(model: Module): Promise<string> {
  const state = [...(await stateOf(model)).values()];
  const total = state.reduce((n, { data, dtype }) => n + data.length * dtypes[dtype].bytes, 0);
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const { data } of state) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return sha256(bytes);
}
