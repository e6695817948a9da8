// Second pass: which backend computes which op. With two backends the best assignment is a minimum cut.
import type { Backend, BackendName } from '../backend/backend.js';
import { DeviceError } from '../errors.js';
import type { Spec, Tensor } from '../graph.js';
import type { Site } from '../ops/define.js';
import { type NeededGraph, type OpTensor, rootOf } from './graph.js';
import { Network } from './mincut.js';

/** Where an op runs and what speaks for it. */
export interface Placement {
  readonly backend: BackendName;
  readonly why: string;
  /** Estimated seconds. */
  readonly seconds: number;
}

export const siteOf = ({ shape, dtype, source: { inputs, attributes } }: OpTensor): Site => ({
  inputs,
  output: { shape, dtype },
  attributes,
});

/** Estimated seconds of an op on a backend. */
export function estimate(t: OpTensor, { rates }: Backend): number {
  const { flops, bytes } = t.source.op.cost(siteOf(t));
  return rates.overhead + flops / rates.flopsPerSecond + bytes / rates.bytesPerSecond;
}

const transferSeconds = (spec: Spec, backend: Backend): number =>
  backend.rates.transferOverhead + backend.bytesOf(spec) / backend.rates.transferBytesPerSecond;

/**
 * Places all ops. `backends` is in order of preference; the last one is at the host's side and must be able to do what
 * the others cannot. One backend takes all that it supports; two share by the cost model when `share` is set.
 */
export function place(
  graph: NeededGraph,
  backends: readonly Backend[],
  share: boolean,
): Map<Tensor, Placement> {
  const [first, host] = [backends[0]!, backends.at(-1)!];
  const able = new Map(graph.ops.map((t) => [t, backends.filter((b) => b.supports(t.source.op, siteOf(t)))]));
  for (const [t, list] of able) {
    if (list.length > 0) continue;
    throw new DeviceError({
      where: t.source.op.name,
      problem: `no backend has a kernel for ${t.source.inputs.map((i) => `${i.dtype}(${i.shape})`).join(', ')}`,
      hint: `backends in use: ${backends.map((b) => b.name).join(', ')}`,
    });
  }
  const onFirst = share && backends.length === 2 ? cut(graph, first, host, able) : null;
  return new Map(
    graph.ops.map((t): [Tensor, Placement] => {
      const list = able.get(t)!;
      const backend = list.length === 1 ? list[0]! : onFirst ? (onFirst.has(t) ? first : host) : list[0]!;
      const why =
        backends.length === 1
          ? 'the only backend in use'
          : list.length === 1
            ? 'the only backend with a kernel for it'
            : onFirst
              ? 'minimum cut of estimated times and transfers'
              : 'chosen by the device option';
      return [t, { backend: backend.name, why, seconds: estimate(t, backend) }];
    }),
  );
}

/** The ops for which `first` is better, all costs and transfers of a step taken together. */
function cut(graph: NeededGraph, first: Backend, host: Backend, able: Map<OpTensor, Backend[]>): Set<Tensor> {
  const network = new Network();
  const source = network.node(); // the side of `first`
  const sink = network.node(); // the side of `host`
  const nodes = new Map<Tensor, number>();
  const nodeOf = (t: Tensor): number => {
    const root = rootOf(t);
    const known = nodes.get(root);
    if (known !== undefined) return known;
    const made = network.node();
    nodes.set(root, made);
    return made;
  };
  for (const t of graph.ops) {
    const list = able.get(t)!;
    // An edge that is cut costs its capacity: source -> t when t is on the host, t -> sink when it is on `first`.
    network.edge(source, nodeOf(t), list.includes(host) ? estimate(t, host) : Number.POSITIVE_INFINITY);
    network.edge(nodeOf(t), sink, list.includes(first) ? estimate(t, first) : Number.POSITIVE_INFINITY);
  }
  for (const t of graph.feeds) network.edge(nodeOf(t), sink, Number.POSITIVE_INFINITY);

  const users = new Map<Tensor, Set<number>>();
  const uses = (value: Tensor, user: number): void => {
    const root = rootOf(value);
    if (root.source.kind !== 'constant') users.set(root, (users.get(root) ?? new Set()).add(user));
  };
  for (const t of graph.ops) for (const input of t.source.inputs) uses(input, nodeOf(t));
  for (const t of graph.outputs) uses(t, sink);
  // A new value is used where its variable lives, which is where the next step reads it.
  for (const [variable, value] of graph.assignments) uses(value, nodeOf(variable));
  for (const [value, nodesOfUsers] of users) {
    // A value crosses once, however many use it there: one helper node for each direction.
    const seconds = transferSeconds(value, first);
    const [away, back] = [network.node(), network.node()];
    network.edge(nodeOf(value), away, seconds);
    network.edge(back, nodeOf(value), seconds);
    for (const user of nodesOfUsers) {
      network.edge(away, user, Number.POSITIVE_INFINITY);
      network.edge(user, back, Number.POSITIVE_INFINITY);
    }
  }
  const side = network.sourceSide(source, sink);
  return new Set(graph.ops.filter((t) => side.has(nodeOf(t))));
}
