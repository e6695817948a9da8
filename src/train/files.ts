// Models to files and back: weights as safetensors, written aside and renamed.

import { dtypes, sameShape, showShape } from '../dtype.js';
import { checkOptionNames, FormatError, OptionError } from '../errors.js';
import type { Module } from '../nn/module.js';
import { readBytes, sha256, writeFileAtomic } from '../platform.js';
import { decodeSafetensors, encodeSafetensors, type SavedTensor } from '../safetensors.js';
import { read, tensor } from '../tensor.js';

/** How weights are written. */
export interface SaveOptions {
  /** float16 halves the file: weights are rounded to about three digits. float32 where not said. */
  dtype?: 'float32' | 'float16';
  /** Texts to keep in the file's header. */
  metadata?: Record<string, string>;
}

/** In the metadata of a file that also holds the state of an optimizer: its name. The tensors are `optimizer.0` and so on. */
export const optimizerKey = 'everygrad.optimizer';

/** The values of all parameters and buffers, by name. */
async function stateOf(model: Module): Promise<Map<string, SavedTensor>> {
  if (model.savedState) return model.savedState();
  await model.initialize();
  const named = [...model.namedVariables()];
  const values = await read(named.map(([, p]) => p));
  return new Map(named.map(([name, { shape, dtype }], i) => [name, { dtype, shape, data: values[i]! }]));
}

/**
 * The weights as the bytes of a safetensors file. DataError for a weight that float16 cannot hold; OptionError for
 * another dtype or option.
 */
export async function weightsToBytes(model: Module, options: SaveOptions = {}): Promise<Uint8Array> {
  checkOptionNames('save', options, ['dtype', 'metadata']);
  const { dtype = 'float32', metadata = {} } = options;
  const small = model.savedState !== undefined && dtype !== 'float32';
  if ((dtype !== 'float32' && dtype !== 'float16') || small) {
    throw new OptionError({
      where: 'save',
      problem: `dtype is ${String(dtype)}${small ? ' and the model is quantized' : ''}`,
      hint: small ? 'its weights are saved as it holds them' : 'float32 or float16',
      values: { dtype },
    });
  }
  const state = await stateOf(model);
  if (dtype === 'float16') {
    for (const [name, t] of state) if (t.dtype === 'float32') state.set(name, { ...t, stored: 'F16' });
  }
  return encodeSafetensors(state, { format: 'everygrad', ...metadata });
}

/** Puts weights into a model of the same structure. Nothing is changed unless all of them fit. */
export async function weightsFromBytes(model: Module, bytes: Uint8Array, file = 'weights'): Promise<void> {
  const { tensors, metadata } = decodeSafetensors(bytes, { file });
  const named = model.namedVariables();
  const missing = [...named.keys()].filter((name) => !tensors.has(name));
  const unknown = [...tensors.keys()].filter(
    (name) => !named.has(name) && !(metadata[optimizerKey] && /^optimizer\.\d/.test(name)),
  );
  if (missing.length + unknown.length > 0) {
    throw new FormatError({
      where: file,
      problem: `the file does not fit the model: missing ${missing.join(', ') || 'nothing'}, not in the model ${unknown.join(', ') || 'nothing'}`,
      hint: [...tensors.values()].some(({ stored }) => stored === 'I8')
        ? 'these are 8-bit weights: use loadQuantized'
        : 'load into a model of the same structure as the saved one',
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
  for (const [name, p] of named) {
    const { data, shape } = tensors.get(name)!;
    await p.assign(tensor(data, { shape, dtype: p.dtype }));
  }
}

/** Writes the weights to a safetensors file. A file that is there stays whole until the new one is complete. */
export async function save(model: Module, path: string | URL, options?: SaveOptions): Promise<void> {
  await writeFileAtomic(path, await weightsToBytes(model, options));
}

/**
 * Reads weights from a safetensors file or address into a model of the same structure. F16 and BF16 become float32; a
 * file of 8-bit weights is for `loadQuantized`.
 */
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
