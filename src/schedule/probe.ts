// Running steps of a plan on a backend to see what they take: operands and programs for them. Loads on demand.
import type { Backend, ChainInput, Memory, Operand, Step } from '../backend/backend.js';
import type { Spec, Tensor } from '../graph.js';
import type { ElementwiseOp, KernelOp } from '../ops/define.js';
import type { Steps } from './features.js';
import type { Group } from './fuse.js';
import type { OpTensor } from './graph.js';
import type { PlanParts } from './plan.js';

/** A step with memory of its own. */
export class Probe {
  readonly step: Step;
  readonly #memory: Memory[] = [];

  private constructor(
    private readonly backend: Backend,
    private readonly parts: PlanParts,
    make: (probe: Probe) => Step,
  ) {
    try {
      this.step = make(this);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** A step that computes a number from a number. */
  static small(backend: Backend, parts: PlanParts): Probe {
    return new Probe(backend, parts, (probe) => {
      const spec: Spec = { shape: [1], dtype: 'float32' };
      const [from, to] = [probe.#operand(spec), probe.#operand(spec)];
      const site = { inputs: [spec], output: spec, attributes: {} };
      const instruction = { op: parts.negation, site, inputs: [{ kind: 'operand', operand: from } as const] };
      return {
        kernel: null,
        chain: { shape: spec.shape, instructions: [instruction], stores: [{ instruction: 0, to }] },
      };
    });
  }

  /** A step as it would be in a plan. */
  static of(group: Group, steps: Steps, parts: PlanParts): Probe {
    return new Probe(steps.backend, parts, (probe) => probe.#step(group, steps));
  }

  /** Bytes that a step's operands need. */
  static bytes(group: Group, { backend }: Steps, { membersOf, rootOf }: PlanParts): number {
    const members = membersOf(group);
    const all = new Set<Tensor>([...members, ...members.flatMap((t) => t.source.inputs.map(rootOf))]);
    return [...all].reduce((n, t) => n + backend.bytesOf(t), 0);
  }

  #operand({ shape, dtype }: Spec): Operand {
    const { backend, parts } = this;
    const memory = backend.allocate(Math.max(backend.bytesOf({ shape, dtype }), backend.alignment));
    this.#memory.push(memory);
    // What a GPU computes with does not matter, unless it says where to read.
    if (backend.name !== 'webgpu' || !dtype.startsWith('float')) {
      const length = shape.reduce((a, b) => a * b, 1);
      backend.write(memory, 0, new parts.dtypes[dtype].array(length), dtype);
    }
    return { memory, offset: 0, shape, dtype };
  }

  #step({ kernel, chain }: Group, steps: Steps): Step {
    const { rootOf, siteOf } = this.parts;
    const members = kernel ? [kernel, ...chain] : chain;
    const places = new Map<Tensor, Operand>();
    const read = (t: Tensor): Operand => {
      const root = rootOf(t);
      if (!places.has(root)) places.set(root, this.#operand(root));
      return { ...places.get(root)!, shape: t.shape };
    };
    const input = (t: Tensor): ChainInput => {
      const root = rootOf(t);
      if (root.source.kind === 'constant')
        return { kind: 'constant', value: root.source.value, dtype: t.dtype };
      const index = chain.indexOf(root as OpTensor);
      if (index >= 0) return { kind: 'instruction', index };
      return root === kernel ? { kind: 'kernel' } : { kind: 'operand', operand: read(t) };
    };
    const call = kernel && {
      op: kernel.source.op as KernelOp,
      site: siteOf(kernel),
      inputs: kernel.source.inputs.map(read),
      output: steps.stored(kernel, members) ? this.#operand(kernel) : null,
    };
    const instructions = chain.map((t) => ({
      op: t.source.op as ElementwiseOp,
      site: siteOf(t),
      inputs: t.source.inputs.map(input),
    }));
    // New values go where the old ones are, as in a plan, unless a kernel reads those.
    const variables = new Map([...steps.graph.assignments].map(([variable, value]) => [value, variable]));
    const target = (t: OpTensor): Operand => {
      const old = places.get(variables.get(t)!);
      return old && !call && old.shape.join() === t.shape.join() ? old : this.#operand(t);
    };
    const stores = chain.flatMap((t, instruction) =>
      steps.stored(t, members) ? [{ instruction, to: target(t) }] : [],
    );
    return {
      kernel: call,
      chain: chain.length > 0 ? { shape: chain[0]!.shape, instructions, stores } : null,
    };
  }

  /** Something small of the step's memory: who reads it waits for all that was given before. */
  get end(): Memory {
    return this.#memory[0]!;
  }

  free(): void {
    for (const memory of this.#memory) this.backend.free(memory);
    this.#memory.length = 0;
  }
}
