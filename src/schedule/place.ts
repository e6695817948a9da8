// Second pass: which backend computes which op. With two backends the best assignment is a minimum cut.
import type { Backend, BackendName } from '../backend/backend.js';
import { DeviceError } from '../errors.js';
import type { Spec, Tensor } from '../graph.js';
import type { Site } from '../ops/define.js';
import type { NeededGraph, OpTensor } from './graph.js';

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

/** Costs that were measured. */
export interface Costs {
  /** Seconds of an op on a backend. */
  seconds(t: OpTensor, backend: Backend): number;
  /** Seconds of bringing a value from the backend that is not at the host's side to the host, or the other way. */
  transfer(value: Spec, toHost: boolean): number;
}

/** Costs by the backends' rates. */
const costsByRates = (first: Backend): Costs => ({
  seconds: estimate,
  transfer: (value) =>
    first.rates.transferOverhead + first.bytesOf(value) / first.rates.transferBytesPerSecond,
});

/** Which ops go to `first`; from cut.ts, which loads where there are two backends to share by. */
export type Cut = (
  graph: NeededGraph,
  first: Backend,
  host: Backend,
  able: ReadonlyMap<OpTensor, readonly Backend[]>,
  costs: Costs,
) => Set<Tensor>;

export interface PlaceOptions {
  costs?: Costs | undefined;
  /** Which backend the user chose for an op; one that has no kernel for it does not count. */
  override?: ((t: OpTensor) => BackendName | undefined) | undefined;
}

/**
 * Places all ops. `backends` is in order of preference; the last one is at the host's side and must be able to do what
 * the others cannot. One backend takes all that it supports; two share by the cost model where `share` cuts the graph.
 */
export function place(
  graph: NeededGraph,
  backends: readonly Backend[],
  share: false | Cut,
  { costs = costsByRates(backends[0]!), override }: PlaceOptions = {},
): Map<Tensor, Placement> {
  const [first, host] = [backends[0]!, backends.at(-1)!];
  const overridden = new Set<Tensor>();
  const able = new Map(
    graph.ops.map((t) => {
      const list = backends.filter((b) => b.supports(t.source.op, siteOf(t)));
      const own = override && list.filter((b) => b.name === override(t));
      if (!own?.length) return [t, list];
      overridden.add(t);
      return [t, own];
    }),
  );
  for (const [t, list] of able) {
    if (list.length > 0) continue;
    throw new DeviceError({
      where: t.source.op.name,
      problem: `no backend has a kernel for ${t.source.inputs.map((i) => `${i.dtype}(${i.shape})`).join(', ')}`,
      hint: `backends in use: ${backends.map((b) => b.name).join(', ')}`,
    });
  }
  const onFirst = share && backends.length === 2 ? share(graph, first, host, able, costs) : null;
  return new Map(
    graph.ops.map((t): [Tensor, Placement] => {
      const list = able.get(t)!;
      const backend = list.length === 1 ? list[0]! : onFirst ? (onFirst.has(t) ? first : host) : list[0]!;
      const why =
        backends.length === 1
          ? 'the only backend in use'
          : overridden.has(t)
            ? 'chosen by the placement option'
            : list.length === 1
              ? 'the only backend with a kernel for it'
              : onFirst
                ? 'minimum cut of estimated times and transfers'
                : 'chosen by the device option';
      return [t, { backend: backend.name, why, seconds: costs.seconds(t, backend) }];
    }),
  );
}
