// The shaders by base name, filled in for a call, and the pipelines made of them.
import argreduce from '../../../gpu/argreduce.wgsl';
import crossEntropy from '../../../gpu/cross_entropy.wgsl';
import elementwise from '../../../gpu/elementwise.wgsl';
import fill from '../../../gpu/fill.wgsl';
import matmul from '../../../gpu/matmul.wgsl';
import reduce from '../../../gpu/reduce.wgsl';
import tileBegin from '../../../gpu/tile_begin.wgsl';
import tiles from '../../../gpu/tiles.wgsl';
import tree from '../../../gpu/tree.wgsl';
import words from '../../../gpu/words.wgsl';
import { DeviceError } from '../../errors.js';
import type { Gpu, OnCompile } from './device.js';
import type { WebgpuBackend } from './index.js';
import { toolbox, variants } from './variants.js';

/** Shaders that are there; those of shaders-extra.ts are added when one of them is asked for. */
export const shaders: Record<string, string> = {
  argreduce,
  cross_entropy: crossEntropy,
  elementwise,
  fill,
  matmul,
  reduce,
  tile_begin: tileBegin,
  tiles,
  tree,
  words,
};

/** How many chains go in one dispatch; there when the shader `together` is. */
export const late: { together?: typeof import('./together.js').lowerTogether } = {};

/**
 * Loads what is not there yet, and holds the trials that variants wait for; a name that nobody knows is found out by
 * whoever uses it.
 */
export async function loadShaders(backend: WebgpuBackend, names: () => readonly string[]): Promise<void> {
  if (names().every((name) => name in shaders)) return;
  const { extraShaders, extraVariants, holdTrials, lowerTogether } = await import('./shaders-extra.js');
  late.together = lowerTogether;
  Object.assign(shaders, extraShaders);
  Object.assign(variants, { ...extraVariants(toolbox), ...variants });
  await holdTrials(backend, names(), variants.subgroups!);
}

export interface PipelineSource {
  readonly text: string;
  /** Ops in it, for error messages. */
  readonly label: string;
}

const declaration = /^@group\(0\) @binding\((\d+)\) var<storage, read_write> (\w+): (.+);$/gm;

/** Names of the buffers that a shader declares, in the order of their bindings; binding 0 are its sizes. */
export function bufferNames(text: string): string[] {
  const names: string[] = [];
  for (const [, binding, name] of text.matchAll(declaration)) names[Number(binding) - 1] = name!;
  return names;
}

/** Bytes that a shader needs at least in each buffer: those of one element of the array. */
function elementSizes(text: string): number[] {
  const alias = /^alias Word = (\w+);$/m.exec(text)?.[1] ?? '';
  const types = [...text.matchAll(declaration)].map(([, , , type]) => type!.replace('Word', alias));
  return types.map((type) => 4 * Number(/vec(\d)/.exec(type)?.[1] ?? 1));
}

/** Bytes from the sizes of one dispatch to those of the next: no adapter asks for a larger alignment. */
export const sizesStride = 256;

/** The members of a shader's `struct Sizes`, filled with values of these names. */
export function packSizes(text: string, values: Readonly<Record<string, number>>): DataView {
  const members = /struct Sizes ?\{([^}]*)\}/.exec(text)?.[1]?.matchAll(/(\w+): (\w+),/g) ?? [];
  const list = [...members].map(([, name, type]) => ({ value: values[name!]!, type }));
  const view = new DataView(new ArrayBuffer(4 * list.length));
  list.forEach(({ value, type }, i) => {
    if (type === 'f32') view.setFloat32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return view;
}

/**
 * Lets buffer `name` be another one that is bound already, as a buffer cannot be bound twice in one dispatch; the other
 * bindings keep their order.
 */
export function mergeBuffers(text: string, merged: ReadonlyMap<string, string>): string {
  if (merged.size === 0) return text;
  let next = 1;
  const kept = text.replace(declaration, (_, _slot, name: string, type: string) =>
    merged.has(name) ? '' : `@group(0) @binding(${next++}) var<storage, read_write> ${name}: ${type};`,
  );
  return [...merged].reduce((t, [from, to]) => t.replace(new RegExp(`\\b${from}\\b`, 'g'), to), kept);
}

/** Compiles pipelines, once for each text, in the background. */
export class PipelineCache {
  readonly #gpu: Gpu;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();

  /** Pipelines of the plans that are being compiled: how many are done, of how many. */
  readonly #progress = { done: 0, of: 0 };

  constructor(
    gpu: Gpu,
    private readonly onCompile?: OnCompile,
  ) {
    this.#gpu = gpu;
  }

  #compiled(): void {
    const progress = this.#progress;
    progress.done++;
    this.onCompile?.({ ...progress });
    if (progress.done === progress.of) progress.done = progress.of = 0;
  }

  /**
   * The same for all shaders with as many buffers of the same element sizes. The sizes are given, as wgpu (Deno, Firefox)
   * otherwise goes on to demand those of the pipeline before when the next one has the same layout.
   */
  layout(text: string): { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    const sizes = elementSizes(text);
    const key = sizes.join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const { device } = this.#gpu;
    const entry = (binding: number, type: GPUBufferBindingType, minBindingSize: number) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type, minBindingSize },
    });
    const buffers = sizes.map((size, i) => entry(i + 1, 'storage', size));
    const group = device.createBindGroupLayout({ entries: [entry(0, 'uniform', sizesStride), ...buffers] });
    const made = { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) };
    this.#layouts.set(key, made);
    return made;
  }

  get(source: PipelineSource): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(source.text);
    if (known) return known;
    const made = this.#compile(source);
    this.#pipelines.set(source.text, made);
    this.#progress.of++;
    made.then(
      () => this.#compiled(),
      () => {
        this.#pipelines.delete(source.text);
        this.#compiled();
      },
    );
    return made;
  }

  async #compile(source: PipelineSource): Promise<GPUComputePipeline> {
    const { device } = this.#gpu;
    const { text, label } = source;
    // Errors are thrown here, with what the compiler says, and must not fail the next run as well.
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code: text });
    const made = device.createComputePipelineAsync({
      label,
      layout: this.layout(text).pipeline,
      compute: { module, entryPoint: 'main' },
    });
    const scope = device.popErrorScope();
    try {
      const [pipeline, error] = await Promise.all([made, scope]);
      if (error) throw error;
      return pipeline;
    } catch (cause) {
      await Promise.allSettled([made, scope]);
      const { shaderError } = await import('./shader-error.js');
      throw await shaderError(DeviceError, source, module, cause as Error);
    }
  }
}
