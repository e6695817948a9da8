// The plan: what the passes make of a graph. Plain data that can be printed, compared and tested with no backend.
import type { Backend, BackendName } from '../backend/backend.js';
import { dtypes, showShape } from '../dtype.js';
import type { Tensor, Variable } from '../graph.js';
import { neg } from '../ops/index.js';
import { keyOf } from '../ops/shader-calls.js';
import { fuse, type Group, membersOf } from './fuse.js';
import { type NeededGraph, needed, type Request, rootOf } from './graph.js';
import { type MemoryPlan, planMemory } from './memory.js';
import { order } from './order.js';
import { type Cut, type Placement, type PlaceOptions, place, siteOf } from './place.js';

export interface Plan extends MemoryPlan {
  readonly graph: NeededGraph;
  readonly placements: ReadonlyMap<Tensor, Placement>;
  readonly groups: readonly Group[];
  readonly inPlace: ReadonlyMap<Tensor, Variable>;
}

export interface PlanOptions extends PlaceOptions {
  /** In order of preference, the one at the host's side last. */
  readonly backends: readonly Backend[];
  /** Shares the ops between two backends, instead of giving the first all that it can do. */
  readonly share: false | Cut;
  /** Host data of the graph are written once, not at each run. */
  readonly keepFeeds: boolean;
}

export const makePlan = (request: Request, options: PlanOptions): Plan => planGraph(needed(request), options);

export function planGraph(graph: NeededGraph, options: PlanOptions): Plan {
  const { backends, share, keepFeeds } = options;
  const placements = place(graph, backends, share, options);
  const { groups, inPlace } = order(graph, fuse(graph, placements, backends));
  return { graph, placements, groups, inPlace, ...planMemory(graph, groups, inPlace, backends, keepFeeds) };
}

/** How many ops run on each backend. */
export function countOps(plan: Plan): Partial<Record<BackendName, number>> {
  const counts: Partial<Record<BackendName, number>> = {};
  for (const group of plan.groups)
    counts[group.backend] = (counts[group.backend] ?? 0) + membersOf(group).length;
  return counts;
}

/** What modules of this folder need that load on demand: they import nothing that the core has (see train/core.ts). */
export const planParts = {
  dtypes,
  fuse,
  keyOf,
  membersOf,
  negation: neg.definition,
  rootOf,
  siteOf,
  showShape,
};
export type PlanParts = typeof planParts;
