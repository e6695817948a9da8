// Which of two backends computes which op: a minimum cut of costs and transfers. Loads on demand, see train/core.ts.
import type { Tensor } from '../graph.js';
import { Network } from './mincut.js';
import type { Cut } from './place.js';
import type { PlanParts } from './plan.js';

/** The ops for which `first` is better, all costs and transfers of a step taken together. */
export const cutWith =
  ({ rootOf }: PlanParts): Cut =>
  (graph, first, host, able, costs) => {
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
      network.edge(
        source,
        nodeOf(t),
        list.includes(host) ? costs.seconds(t, host) : Number.POSITIVE_INFINITY,
      );
      network.edge(
        nodeOf(t),
        sink,
        list.includes(first) ? costs.seconds(t, first) : Number.POSITIVE_INFINITY,
      );
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
      const [away, back] = [network.node(), network.node()];
      network.edge(nodeOf(value), away, costs.transfer(value, true));
      network.edge(back, nodeOf(value), costs.transfer(value, false));
      for (const user of nodesOfUsers) {
        network.edge(away, user, Number.POSITIVE_INFINITY);
        network.edge(user, back, Number.POSITIVE_INFINITY);
      }
    }
    const side = network.sourceSide(source, sink);
    return new Set(graph.ops.filter((t) => side.has(nodeOf(t))));
  };
