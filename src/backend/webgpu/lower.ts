// From steps to dispatches: which shader text, which constants, which buffers. Plain data, no GPU needed.
import { type Shape, sizeOf } from '../../dtype.js';
import { DeviceError } from '../../errors.js';
import type { ShaderBinding, ShaderCall } from '../../ops/define.js';
import { spread } from '../../ops/shader-calls.js';
import type { Chain, KernelCall, Memory, Operand, Step } from '../backend.js';
import { chainSource, isStreamed, loadsOf, needsMath, type Slot, takesFour, withMath } from './chain.js';
import { elementBytes } from './memory.js';
import { bufferNames, late, mergeBuffers, type PipelineSource, packSizes, shaders } from './shaders.js';
import { fillTemplate, type Scope } from './template.js';
import { type Capabilities, choose } from './variants.js';

export interface Binding {
  readonly memory: Memory;
  readonly offset: number;
  /** 0 for a tensor without elements. */
  readonly bytes: number;
}

/** One run of one pipeline. */
export interface Dispatch extends PipelineSource {
  /** What the shader's uniform `sizes` holds. */
  readonly sizes: DataView;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [number, number, number];
}

export interface LowerOptions extends Capabilities {
  /** How many buffers a shader may have. */
  readonly maxBuffers: number;
  /** Bytes of a buffer that a shader may have. */
  readonly mostBound: number;
  /** Memory for a kernel's result that only its chain reads, where the two do not fit into one shader. */
  readonly scratch: (bytes: number) => Memory;
  readonly fill: (memory: Memory, words: Int32Array) => void;
}

const placeOf = ({ memory, offset }: Operand | Binding, other: Binding): boolean =>
  memory === other.memory && offset === other.offset;

const bindingOf = ({ memory, offset, shape }: Operand): Binding => ({
  memory,
  offset,
  bytes: sizeOf(shape) * elementBytes,
});

const bug = (where: string, problem: string): DeviceError =>
  new DeviceError({ where, problem, hint: 'this is a bug in the plan' });

const show = ({ offset, bytes }: Binding): string => `bytes ${offset} to ${offset + bytes}`;

/** Buffers of one dispatch, each place once. */
class Bindings {
  readonly list: Binding[] = [];
  readonly #label: string;

  constructor(label: string) {
    this.#label = label;
  }

  /** The number of the operand's binding, a new one where the place is not bound yet. */
  add(operand: Operand): number {
    const binding = bindingOf(operand);
    const known = binding.bytes > 0 ? this.list.findIndex((b) => b.bytes > 0 && placeOf(b, binding)) : -1;
    if (known >= 0) {
      // A scalar may start where a larger tensor does, as long as nobody writes there; bind the larger.
      if (binding.bytes > this.list[known]!.bytes) this.list[known] = binding;
      return known;
    }
    this.list.push(binding);
    return this.list.length - 1;
  }

  /** One place that is bound twice would be an error of the device that names no op. */
  check(): void {
    const sorted = this.list.filter((b) => b.bytes > 0);
    for (const a of sorted) {
      for (const b of sorted) {
        if (a === b || a.memory !== b.memory || a.offset > b.offset || a.offset + a.bytes <= b.offset)
          continue;
        throw bug(this.#label, `its operands overlap: ${show(a)} and ${show(b)} of one memory`);
      }
    }
  }
}

/** A store may go where an operand is loaded from only if each element is loaded by who stores it. */
function checkStores(label: string, chain: Chain, kernelOutput: Operand | null): void {
  const targets = [...chain.stores.map(({ to }) => to), ...(kernelOutput ? [kernelOutput] : [])];
  for (const to of targets) {
    if (sizeOf(to.shape) !== sizeOf(chain.shape)) {
      throw bug(label, `it stores (${to.shape}) from a chain over (${chain.shape})`);
    }
    for (const load of loadsOf(chain)) {
      if (sizeOf(to.shape) > 0 && placeOf(load, bindingOf(to)) && !isStreamed(load.shape, chain.shape)) {
        throw bug(label, `it broadcasts the operand (${load.shape}) that it overwrites`);
      }
    }
  }
}

const chainLabel = ({ instructions }: Chain): string => instructions.map(({ op }) => op.name).join('+');

/** Chains that do not depend on each other, in one dispatch. Null if together they have too many buffers. */
function lowerChains(chains: readonly Chain[], maxBuffers: number): Dispatch | null {
  const label = chains.map(chainLabel).join(', ');
  const bindings = new Bindings(label);
  const bind = (operand: Operand): Slot => {
    const slot = bindings.add(operand);
    return { binding: slot + 1, name: `buffer${slot}` };
  };
  const sources = chains.map((chain, c) => {
    checkStores(label, chain, null);
    const lanes = takesFour(chain) ? 4 : 1;
    const text = chainSource(chain, { lanes, bind, size: (n) => `${n}u` });
    return {
      count: sizeOf(chain.shape) / lanes,
      lines: suffixed(text, c).split('\n'),
    };
  });
  if (bindings.list.length > maxBuffers && chains.length > 1) return null;
  bindings.check();
  // What several need is said once; one buffer cannot be bound as words and as groups of four.
  const shared = new Set(sources.flatMap(({ lines }) => lines.filter((line) => isShared.test(line))));
  if ([...shared].filter((line) => line.startsWith('@')).length > bindings.list.length) return null;
  const own = sources.flatMap(({ lines }) => lines.filter((line) => !isShared.test(line)));
  const THREADS = sources.reduce((n, { count }) => n + count, 0) <= 4096 ? 64 : 256;
  const sizes: Record<string, number> = {};
  let first = 0;
  sources.forEach(({ count }, c) => {
    sizes[`FIRST${c}`] = first;
    sizes[`COUNT${c}`] = count;
    first += Math.ceil(count / THREADS) * THREADS;
  });
  const text = fillTemplate(shaders.elementwise!, {
    chains: withMath([...shared, ...own].join('\n')),
    CHAINS: chains.length,
    THREADS,
  });
  return {
    text,
    sizes: packSizes(text, sizes),
    bindings: bindings.list,
    label,
    workgroups: spread(first / THREADS),
  };
}

/** With names of its own, beside another chain. */
const suffixed = (text: string, end: string | number): string =>
  text.replace(/\b(op\d+|Stored|chain|finish)\b/g, `$1_${end}`);

const isShared = /^(@group|var<private>)/;

function operandOf(call: KernelCall, binding: ShaderBinding, scratch: Operand | null): Operand | null {
  if (binding === 'scratch') return scratch;
  return binding === 'output' ? call.output : call.inputs[binding.input]!;
}

function shaderOf(label: string, { shader }: Pick<ShaderCall, 'shader'>): string {
  const text = shaders[shader];
  if (text === undefined) throw bug(label, `there is no shader gpu/${shader}.wgsl`);
  return text;
}

const noChain = (shape: Shape): Chain => ({ shape, instructions: [], stores: [] });

/**
 * A shader; where it has a place for a chain, it ends in one, if only in one that stores its result, and may start with one.
 * Null if they have too many buffers.
 */
function lowerCall(
  call: KernelCall,
  shaderCall: ShaderCall,
  chain: Chain,
  output: Operand | null,
  scratch: Operand | null,
  options: LowerOptions,
  prologue?: Chain,
): Dispatch | null {
  const { constants } = shaderCall;
  const label = [prologue && chainLabel(prologue), call.op.name, chainLabel(chain)].filter(Boolean).join('+');
  const template = shaderOf(label, shaderCall);
  const ends = template.includes('{{epilogue}}');
  const operands = shaderCall.bindings.flatMap((binding) => {
    const stored = binding === 'output' || (ends && binding === 'scratch' && output === scratch);
    if (ends && (stored || (prologue && typeof binding === 'object'))) return [];
    const operand = operandOf(call, binding, scratch);
    if (!operand) throw bug(label, `it has no ${binding}`);
    return { operand, stored };
  });
  // Other files of gpu/ are put in by their names.
  const filled = (more?: Scope): string =>
    fillTemplate(template, {
      ...shaders,
      SUBGROUP: options.subgroup,
      ...constants,
      ...shaderCall.types,
      ...more,
    });
  let text = ends ? template : filled();
  const names = bufferNames(text);

  const bindings = new Bindings(label);
  const merged = new Map<string, string>();
  const slotNames: string[] = [];
  operands.forEach(({ operand }, i) => {
    const slot = bindings.add(operand);
    if (slotNames[slot] === undefined) slotNames[slot] = names[i]!;
    else merged.set(names[i]!, slotNames[slot]);
  });
  const slots = bindings.list.length;
  // Shapes of chains as uniforms, so that layers of any size share the kernel's pipeline.
  const extra: Record<string, number> = { ...shaderCall.sizes };
  const reads = operands.filter(({ stored }) => !stored).map(({ operand }) => operand);
  const stores = operands.filter(({ stored }) => stored).map(({ operand }) => operand);
  if (ends) {
    let declared = slots;
    const bind = (operand: Operand): Slot => {
      const slot = bindings.add(operand);
      const name = slotNames[slot] ?? `buffer${slot}`;
      // Binding numbers in the text are given before buffers are merged.
      return { name, binding: slot < declared ? null : slot - slots + operands.length + 1 };
    };
    const size = (n: number): string => {
      const name = `E${Object.keys(extra).length}`;
      extra[name] = n;
      return `sizes.${name}`;
    };
    checkStores(label, chain, output);
    stores.push(...chain.stores.map(({ to }) => to), ...(output ? [output] : []));
    let before = '';
    if (prologue) {
      checkStores(label, prologue, null);
      reads.push(...loadsOf(prologue));
      before = suffixed(chainSource(prologue, { lanes: 1, bind, size }), 'before');
      before = before.replace('finish_before', 'fetch').replace(/^var.*/m, '');
      declared = bindings.list.length;
    }
    const kernel = { dtype: call.site.output.dtype, output };
    const after = chainSource(chain, { lanes: constants.LANES === 4 ? 4 : 1, bind, size, kernel });
    if (bindings.list.length > options.maxBuffers) return null;
    const members = Object.keys(extra).map((name) => `  ${name}: u32,`);
    text = filled({
      epilogue: withMath(`${before}\n${after}`),
      epilogueSizes: members.join('\n'),
      STORED: Number(!prologue),
    });
  }
  if (stores.some((to) => reads.some((from) => sizeOf(from.shape) > 0 && placeOf(from, bindingOf(to))))) {
    throw bug(label, 'it stores where the kernel reads');
  }
  bindings.check();
  return {
    text: mergeBuffers(text, merged),
    sizes: packSizes(text, { ...constants, ...extra }),
    bindings: bindings.list,
    label,
    workgroups: shaderCall.workgroups,
  };
}

/** The calls of a variant, the last one with the chain. Null if that has too many buffers. */
function lowerFused(
  call: KernelCall,
  general: ShaderCall,
  chain: Chain,
  options: LowerOptions,
  prologue?: Chain,
): Dispatch[] | null {
  const inputs = general.bindings.flatMap((binding) =>
    typeof binding === 'string' ? [] : [call.inputs[binding.input]!],
  );
  const LANES = general.constants.LANES === 4 && takesFour(chain, inputs) ? 4 : 1;
  const calls = choose({ ...general, constants: { ...general.constants, LANES } }, options);
  const scratch = scratchOf(calls, options);
  const dispatches = calls.map((shaderCall, i) => {
    const [after, to] = i < calls.length - 1 ? [noChain(scratch!.shape), scratch] : [chain, call.output];
    const before = i === 0 ? prologue : undefined;
    return lowerCall(call, shaderCall, after, to, scratch, options, before);
  });
  return dispatches.every((d) => d !== null) ? dispatches : null;
}

/** The chain with the kernel's result read from memory. */
const afterKernel = (chain: Chain, result: Operand): Chain => ({
  ...chain,
  instructions: chain.instructions.map((instruction) => ({
    ...instruction,
    inputs: instruction.inputs.map((input) =>
      input.kind === 'kernel' ? { kind: 'operand', operand: { ...result, shape: chain.shape } } : input,
    ),
  })),
});

function lowerKernel(
  call: KernelCall,
  chain: Chain | null,
  options: LowerOptions,
  prologue?: Chain,
): Dispatch[] {
  const { op, site } = call;
  const calls = op.webgpu.calls(site);
  if (!calls) throw bug(op.name, 'it has no WebGPU kernel for these dtypes');
  if (chain && sizeOf(chain.shape) !== sizeOf(site.output.shape)) {
    throw bug(op.name, `a chain over (${chain.shape}) cannot follow a result of (${site.output.shape})`);
  }
  const [first] = calls;
  if (op.webgpu.epilogue && first && calls.length === 1) {
    const fused = lowerFused(call, first, chain ?? noChain(site.output.shape), options, prologue);
    if (fused) return fused;
  }
  if (prologue) throw bug(op.name, 'it does not fit into one shader with the chain before it');
  if (!chain && call.output) return lowerCalls(call, calls, options);
  // In two: the kernel into memory, the chain from there.
  const result = call.output ?? {
    ...site.output,
    memory: options.scratch(sizeOf(site.output.shape) * elementBytes),
    offset: 0,
  };
  const alone = { ...call, output: result };
  return [
    ...lowerKernel(alone, null, options),
    ...(chain ? [lowerChains([afterKernel(chain, result)], options.maxBuffers)!] : []),
  ];
}

function lowerCalls(call: KernelCall, general: readonly ShaderCall[], options: LowerOptions): Dispatch[] {
  const calls = general.flatMap((shaderCall) => choose(shaderCall, options));
  const scratch = scratchOf(calls, options);
  return calls.map((shaderCall) => {
    const to = shaderCall.bindings.includes('output') ? call.output : scratch;
    return lowerCall(call, shaderCall, noChain(to!.shape), to, scratch, options)!;
  });
}

/** Memory between the calls of a kernel. */
function scratchOf(calls: readonly ShaderCall[], options: LowerOptions): Operand | null {
  const elements = Math.max(0, ...calls.map(({ scratch = 0 }) => scratch));
  const memory = elements > 0 ? options.scratch(elements * elementBytes) : null;
  return memory && { memory, offset: 0, shape: [elements], dtype: 'float32' };
}

const isWork = ({ workgroups }: Dispatch): boolean => workgroups.every((n) => n > 0);

/** Names of the shaders that the steps need. */
export const shadersOf = (steps: readonly Step[], options: LowerOptions): string[] => {
  const chains = steps.flatMap(({ kernel, chain }) => (kernel ? [] : (chain ?? [])));
  const operands = chains.reduce((n, chain) => n + loadsOf(chain).length + chain.stores.length, 0);
  return steps.flatMap(({ kernel, chain, prologue }) => {
    const calls = kernel?.op.webgpu.calls(kernel.site)?.flatMap((call) => choose(call, options)) ?? [];
    const math = [prologue, chain].some((c) =>
      c?.instructions.some(({ op, site }) => needsMath.test(op.webgpu.expression(site))),
    );
    const many = operands > options.maxBuffers;
    return [...calls.map(({ shader }) => shader), ...(math ? ['math'] : []), ...(many ? ['together'] : [])];
  });
};

const overlap = (a: Operand, b: Operand): boolean =>
  a.memory === b.memory &&
  a.offset < b.offset + sizeOf(b.shape) * elementBytes &&
  b.offset < a.offset + sizeOf(a.shape) * elementBytes;

/** What a step reads and writes. */
function touched({ kernel, chain, prologue }: Step): {
  reads: readonly Operand[];
  writes: readonly Operand[];
} {
  const chains = [prologue ?? [], chain ?? []].flat();
  const writes = [kernel?.output ?? [], ...chains.map(({ stores }) => stores.map(({ to }) => to))].flat();
  return { reads: [...(kernel?.inputs ?? []), ...chains.flatMap(loadsOf)], writes };
}

const meet = (a: readonly Operand[], b: readonly Operand[]): boolean =>
  a.some((x) => b.some((y) => overlap(x, y)));

/** Chains that do not depend on each other, as many in one dispatch as their buffers allow. */
function lowerWaiting(chains: readonly Chain[], { maxBuffers }: LowerOptions): Dispatch[] {
  const list: Dispatch[] = [];
  let some: Chain[] = [];
  for (const chain of chains) {
    const joined = some.length > 0 && lowerChains([...some, chain], maxBuffers);
    if (joined) list.pop();
    some = joined ? [...some, chain] : [chain];
    list.push(joined || lowerChains(some, maxBuffers)!);
  }
  return list;
}

/** What together.ts needs of the core. */
const togetherParts = { chainSource, suffixed, withMath, fillTemplate, shaders, spread, lowerWaiting };
export type TogetherParts = typeof togetherParts;

export type StepDispatch = Dispatch & { readonly step: number };

/**
 * The dispatches of steps, each with the number of its step. Chains wait as long as no kernel depends on them, or they on it:
 * batches, of which each depends on the one before, go in one dispatch each: the updates of many parameters above all.
 */
export function lowerSteps(steps: readonly Step[], options: LowerOptions): StepDispatch[] {
  const dispatches: StepDispatch[] = [];
  const batches: { chain: Chain; step: number; own: ReturnType<typeof touched> }[][] = [];
  const flush = (count: number): void => {
    for (const batch of batches.splice(0, count)) {
      const { step } = batch.at(-1)!;
      const chains = batch.map(({ chain }) => chain);
      const list = (late.together ?? lowerWaiting)(chains, options, togetherParts);
      dispatches.push(...list.map((d) => ({ ...d, step })));
    }
  };
  for (const [i, step] of steps.entries()) {
    const { kernel, chain, prologue } = step;
    const own = touched(step);
    const depends = ({ own: w }: (typeof batches)[number][number]): boolean =>
      meet(w.writes, [...own.reads, ...own.writes]) || meet(w.reads, own.writes);
    let after = batches.length;
    while (after > 0 && !batches[after - 1]!.some(depends)) after--;
    if (kernel) {
      flush(after);
      const list = lowerKernel(kernel, chain, options, prologue).filter(isWork);
      dispatches.push(...list.map((d) => ({ ...d, step: i })));
    } else if (chain && sizeOf(chain.shape) > 0) {
      if (after === batches.length) batches.push([]);
      batches[after]!.push({ chain, step: i, own });
    }
  }
  flush(batches.length);
  return dispatches;
}
