// Third pass: groups of ops that run as one step. Elementwise ops over one index space become a chain; where the
// backend can, a chain is applied to a kernel's result before it is stored.
import type { Backend, BackendName } from '../backend/backend.js';
import { sameShape } from '../dtype.js';
import type { Tensor } from '../graph.js';
import { type NeededGraph, type OpTensor, rootOf } from './graph.js';
import type { Placement } from './place.js';

/** Ops that run as one step: a kernel, a chain, or a kernel with a chain behind it. */
export interface Group {
  readonly backend: BackendName;
  readonly kernel: OpTensor | null;
  readonly chain: readonly OpTensor[];
}

export const membersOf = ({ kernel, chain }: Group): OpTensor[] => (kernel ? [kernel, ...chain] : [...chain]);

/** A group that is still growing. */
interface Draft {
  backend: BackendName;
  kernel: OpTensor | null;
  chain: OpTensor[];
}

export function fuse(
  graph: NeededGraph,
  placements: ReadonlyMap<Tensor, Placement>,
  backends: readonly Backend[],
): Group[] {
  const byName = new Map(backends.map((b) => [b.name, b]));
  const users = usersOf(graph);
  const kept = new Set<Tensor>([...graph.outputs.map(rootOf), ...graph.assignments.values()]);
  const draftOf = new Map<Tensor, Draft>();
  const drafts = new Set<Draft>();

  const inputsOf = (t: OpTensor): Tensor[] => t.source.inputs.map(rootOf);

  /**
   * Whether the drafts could run as one step: no way leads out of them and back in. Ways go from group to group, as a
   * group waits for all that any of its ops needs.
   */
  const joinable = (together: readonly Draft[]): boolean => {
    const seen = new Set<Draft>(together);
    const stack = [...together];
    while (stack.length > 0) {
      const draft = stack.pop()!;
      const outside = !together.includes(draft);
      for (const input of membersOf(draft).flatMap(inputsOf)) {
        const maker = draftOf.get(input);
        if (!maker) continue;
        if (outside && together.includes(maker)) return false;
        if (seen.has(maker)) continue;
        seen.add(maker);
        stack.push(maker);
      }
    }
    return true;
  };

  /** How many different tensors the step would bind. */
  const operands = (members: readonly OpTensor[]): number => {
    const outside = new Set(
      members
        .flatMap(inputsOf)
        .filter((i) => i.source.kind !== 'constant' && !members.includes(i as OpTensor)),
    );
    const written = members.filter((t) => kept.has(t) || users.get(t)!.some((u) => !members.includes(u)));
    return outside.size + Math.max(1, written.length);
  };

  for (const t of graph.ops) {
    const { backend: name } = placements.get(t)!;
    const backend = byName.get(name)!;
    const elementwise = t.source.op.kind === 'elementwise';
    let draft: Draft = {
      backend: name,
      kernel: elementwise ? null : t,
      chain: elementwise ? [t] : [],
    };
    draftOf.set(t, draft);
    if (elementwise) {
      for (const input of new Set(inputsOf(t))) {
        const other = draftOf.get(input);
        if (!other || other === draft || other.backend !== name || (other.kernel && draft.kernel)) continue;
        if (!joins(other, t, input, backend)) continue;
        const kernel = other.kernel ?? draft.kernel;
        const chain = [...other.chain, ...draft.chain].sort((a, b) => a.id - b.id);
        const all = kernel ? [kernel, ...chain] : chain;
        if (operands(all) > backend.maxOperands || !joinable([other, draft])) continue;
        drafts.delete(other);
        draft = { backend: name, kernel, chain };
        for (const member of all) draftOf.set(member, draft);
      }
    }
    drafts.add(draft);
  }
  return [...drafts].map(({ backend, kernel, chain }) => ({ backend, kernel, chain }));
}

/** Whether `t` may be computed together with the group that makes its input. */
function joins(other: Draft, t: OpTensor, input: Tensor, backend: Backend): boolean {
  const [first] = other.chain;
  if (first) return sameShape(first.shape, t.shape);
  const { op } = other.kernel!.source;
  return (
    backend.fusesEpilogue &&
    op.kind === 'kernel' &&
    op.webgpu.epilogue === true &&
    sameShape(input.shape, t.shape) &&
    t.source.inputs.includes(input)
  );
}

/** The ops that read each tensor. */
export function usersOf(graph: NeededGraph): Map<Tensor, OpTensor[]> {
  const users = new Map<Tensor, OpTensor[]>();
  for (const t of [...graph.ops, ...graph.feeds, ...graph.variables]) users.set(t, []);
  for (const t of graph.ops)
    for (const input of new Set(t.source.inputs.map(rootOf))) users.get(input)?.push(t);
  return users;
}
