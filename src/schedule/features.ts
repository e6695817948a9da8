// What is counted of ops for the cost model: family of kernels, flops, bytes that go through memory. Loads on demand.
import type { Backend } from '../backend/backend.js';
import type { Tensor } from '../graph.js';
import type { Group } from './fuse.js';
import type { NeededGraph, OpTensor } from './graph.js';
import type { PlanParts } from './plan.js';

/** What an op adds to the step that it runs in. */
export interface Features {
  /** Ops of a family take the same time for the same flops and bytes, more or less. */
  readonly family: string;
  readonly flops: number;
  /** Read from memory or written there: what stays in registers or in a chain's blocks does not count. */
  readonly bytes: number;
  /** The first one of its step. */
  readonly starts: boolean;
  /** Of all ops of the family in the step. */
  readonly together: { readonly flops: number; readonly bytes: number };
  /** Equal for ops that take the same time. */
  readonly signature: string;
}

export const chains = 'elementwise';

/** The family of an op on a backend, by the kernels that compute it. */
export function familyOf({ siteOf }: PlanParts, t: OpTensor, backend: Backend): string {
  const { op } = t.source;
  if (op.kind !== 'kernel') return chains;
  const site = siteOf(t);
  const calls =
    backend.name === 'webgpu'
      ? op.webgpu.calls(site)?.map(({ shader }) => shader)
      : op.wasm.calls(site)?.map(({ kernel }) => kernel);
  return calls && calls.length > 0 ? [...new Set(calls)].join('+') : op.name;
}

/** The ops of a graph in the steps that they would run in if a backend took all that it can. */
export class Steps {
  readonly groups: readonly Group[];
  readonly features: ReadonlyMap<OpTensor, Features>;
  readonly #kept: ReadonlySet<Tensor>;
  readonly #users = new Map<Tensor, OpTensor[]>();

  constructor(
    private readonly parts: PlanParts,
    readonly graph: NeededGraph,
    readonly backend: Backend,
    host: Backend,
  ) {
    const { fuse, rootOf, siteOf } = parts;
    this.#kept = new Set([...graph.outputs.map(rootOf), ...graph.assignments.values()]);
    for (const t of graph.ops) {
      for (const root of new Set(t.source.inputs.map(rootOf))) {
        const users = this.#users.get(root);
        if (users) users.push(t);
        else this.#users.set(root, [t]);
      }
    }
    const on = (t: OpTensor): Backend => (backend.supports(t.source.op, siteOf(t)) ? backend : host);
    const placements = new Map(graph.ops.map((t) => [t, { backend: on(t).name, why: '', seconds: 0 }]));
    this.groups = fuse(graph, placements, [backend, host]).filter((g) => g.backend === backend.name);
    this.features = new Map(this.groups.flatMap((group) => this.#count(group)));
  }

  /** Whether a result is read after its step, and so is written to memory. */
  stored(t: OpTensor, members: readonly OpTensor[]): boolean {
    return this.#kept.has(t) || (this.#users.get(t) ?? []).some((user) => !members.includes(user));
  }

  #count(group: Group): [OpTensor, Features][] {
    const { membersOf, rootOf, siteOf } = this.parts;
    const members = membersOf(group);
    const seen = new Set<Tensor>(members);
    const counted = members.map((t) => {
      let bytes = this.stored(t, members) ? this.backend.bytesOf(t) : 0;
      for (const root of t.source.inputs.map(rootOf)) {
        if (seen.has(root) || (root.source.kind === 'constant' && t !== group.kernel)) continue;
        seen.add(root);
        bytes += this.backend.bytesOf(root);
      }
      const { flops } = t.source.op.cost(siteOf(t));
      // Each op of a chain goes through all elements, if only to copy them.
      return { t, bytes, flops: t === group.kernel ? flops : flops + t.size };
    });
    const chain = counted.filter(({ t }) => t !== group.kernel);
    const sums = {
      flops: chain.reduce((n, { flops }) => n + flops, 0),
      bytes: chain.reduce((n, { bytes }) => n + bytes, 0),
    };
    return counted.map(({ t, flops, bytes }, i) => {
      const together = t === group.kernel ? { flops, bytes } : sums;
      const { op, inputs, attributes } = t.source;
      const what = `${op.name} ${inputs.map((x) => `${x.dtype}${x.shape}`).join(';')} ${JSON.stringify(attributes)}`;
      const signature = `${what} ${bytes} ${i === 0 ? together.flops + together.bytes : '+'}`;
      return [
        t,
        { family: familyOf(this.parts, t, this.backend), flops, bytes, starts: i === 0, together, signature },
      ];
    });
  }
}
