// The state of an optimizer beside the weights of a model: what its next training goes on with, kept in memory or in a file.
import { sameShape } from '../dtype.js';
import { Variable } from '../graph.js';
import type { Module } from '../nn/module.js';
import { decodeSafetensors, encodeSafetensors, type SavedTensor } from '../safetensors.js';
import { read, tensor } from '../tensor.js';
import type { Course, Keeper } from './checkpoints.js';
import { optimizerKey } from './files.js';

/** The name of an optimizer, and its state: variables while it trains, values afterwards. */
export interface OptimizerState {
  readonly name: string;
  readonly state: readonly (Variable | SavedTensor)[];
}

/** Variables as they are, all read in one go: between two steps of a training that runs. */
export async function valuesOf(tensors: OptimizerState['state']): Promise<SavedTensor[]> {
  const values = await read(tensors.filter((t) => t instanceof Variable));
  return tensors.map((t) =>
    t instanceof Variable ? { dtype: t.dtype, shape: t.shape, data: values.shift()! } : t,
  );
}

/** Gives the optimizer of a training that starts this state, unless that is of other parameters or options. */
export async function restoreState(
  { training, data, settings }: Course,
  kept: OptimizerState,
): Promise<void> {
  await training.ready(Math.min(settings.batchSize, data.length ?? settings.batchSize));
  const { optimizer } = training;
  const [variables, values] = [optimizer.state(), await valuesOf(kept.state)];
  const fits =
    variables.length === values.length && variables.every((v, i) => sameShape(v.shape, values[i]!.shape));
  for (const [i, v] of fits ? variables.entries() : []) {
    const { data: saved, shape, dtype } = values[i]!;
    // The rate is what this training says.
    if (v !== optimizer.learningRate) await v.assign(tensor(saved, { shape, dtype }));
  }
}

const nothing = async (): Promise<void> => undefined;

/** For a training that keeps no checkpoints. */
export const fromTheStart: Keeper = {
  ...{ epoch: 1, batches: 0, seconds: 0 },
  ...{ due: () => false, save: nothing, finish: nothing, settle: nothing },
};

/** A model's weights and this state as the bytes of a safetensors file. */
export async function trainedToBytes(
  model: Module,
  { name, state }: OptimizerState,
  metadata: Record<string, string> = {},
): Promise<Uint8Array> {
  const named = [...model.namedVariables()];
  const values = await valuesOf([...named.map(([, v]) => v), ...state]);
  const names = [...named.map(([key]) => key), ...state.map((_, i) => `optimizer.${i}`)];
  const tensors = new Map(names.map((key, i) => [key, values[i]!]));
  return encodeSafetensors(tensors, { format: 'everygrad', [optimizerKey]: name, ...metadata });
}

/** The state in a file, if one is in it. */
export function stateFromBytes(bytes: Uint8Array): OptimizerState | undefined {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const name = metadata[optimizerKey];
  if (name === undefined) return undefined;
  const state: SavedTensor[] = [];
  for (let t = tensors.get('optimizer.0'); t; t = tensors.get(`optimizer.${state.length}`)) state.push(t);
  return { name, state };
}
