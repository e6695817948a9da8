// How good the scheduler's choice is: each workload on WASM alone, on WebGPU alone, and as it places the ops; and how far
// the cost model is off.
import type { Engine, EngineOptions } from '../engine.js';
import { MeasuredCosts } from '../schedule/costs.js';
import { countOps } from '../schedule/plan.js';
import { convPlacements } from './conv.js';
import { gemmPlacements } from './gemm.js';
import { inferencePlacements } from './inference.js';
import { backendNames, describeEngine, freshEngine, type PlacementCase, type Workload } from './rounds.js';
import { trainingPlacements } from './training.js';

/** How far estimates are off measured times, as parts of these. */
export interface CostError {
  /** Mean over the steps of a plan. */
  perStep: number;
  /** The same with each step weighted by the time that it takes: the sum of the differences over the sum of the times. */
  byTime: number;
  /** Of the whole plan. */
  total: number;
}

/** What came out for one benchmark. */
export interface PlacementResult {
  /** As in `train/mlp800_b128`. */
  name: string;
  unit: string;
  /** The backends in words. */
  engine: string;
  /** How fast it is with all ops on WASM, all on WebGPU, and shared by the cost model. */
  wasm: number;
  webgpu: number;
  auto: number;
  /** Where the ops ran when shared. */
  backends: string;
  /** `auto` as a part of the best of the three. */
  ofBest: number;
  /** Seconds until the first plan that the cost model made was ready, measuring and compiling included. */
  firstPlan: number;
  /** Seconds of these in which costs were measured. */
  measuring: number;
  /** Of the cost model, before it learns from these very profiles, in plans with all on one backend. */
  errors: { wasm: CostError; webgpu: CostError };
}

const placements: readonly PlacementCase[] = [
  ...gemmPlacements,
  ...convPlacements,
  ...trainingPlacements,
  ...inferencePlacements,
];

/** Names of all workloads whose placement can be looked at. */
export const placementNames: readonly string[] = placements.map(({ name }) => name);

/** Rounds of runs between two waits are at least this long. */
const roundSeconds = 0.05;
/** Profiles of which the median counts, where there is time for so many. */
const mostProfiles = 11;

/**
 * How much of a workload is done in a second: the best of the rounds that fit into so many seconds. Where one run takes
 * longer, a second one counts, as the first one warms up; where even that would take too long, the first.
 */
async function rateOf({ prepared, feeds, amount, settle }: Workload, seconds: number): Promise<number> {
  const round = async (runs: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) await prepared.run(...feeds);
    await settle();
    return (performance.now() - start) / 1000;
  };
  const first = await round(1);
  if (first > 10 * seconds) return amount / first;
  let took = await round(1);
  const runs = Math.max(1, Math.ceil(roundSeconds / took));
  let best = took;
  for (let total = took; total < seconds; total += took) {
    took = await round(runs);
    best = Math.min(best, took / runs);
  }
  return amount / best;
}

/** The error of the estimates in a plan. */
async function errorOf({ prepared, feeds }: Workload, seconds: number): Promise<CostError> {
  const start = performance.now();
  await prepared.run(...feeds);
  const once = (performance.now() - start) / 1000;
  const runs = Math.min(mostProfiles, Math.max(1, Math.floor(seconds / once)));
  // The estimates of the plan were made before.
  const steps = (await prepared.profile(feeds, runs))
    .map((row) => [row.estimatedMicroseconds, row.measuredMicroseconds] as const)
    .filter((pair): pair is readonly [number, number] => pair[1] !== null && pair[1] > 0);
  const sum = (part: (pair: readonly [number, number]) => number): number =>
    steps.reduce((n, pair) => n + part(pair), 0);
  const measured = sum(([, m]) => m);
  return {
    perStep: sum(([e, m]) => Math.abs(e - m) / m) / steps.length,
    byTime: sum(([e, m]) => Math.abs(e - m)) / measured,
    total: Math.abs(sum(([e]) => e) - measured) / measured,
  };
}

/** Runs `f` on a workload in a new engine. */
async function opened<T>(
  { open }: PlacementCase,
  options: EngineOptions,
  f: (workload: Workload, engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await freshEngine(options);
  const workload = await open();
  try {
    return await f(workload, engine);
  } finally {
    workload.prepared.dispose();
    workload.dispose();
  }
}

async function run(
  bench: PlacementCase,
  seconds: number,
  options: Omit<EngineOptions, 'device'>,
): Promise<PlacementResult> {
  const rates = { wasm: 0, webgpu: 0, auto: 0 };
  let [backends, description, firstPlan, measuring] = ['', '', Number.NaN, 0];
  let names: readonly string[] = [];
  // The load of a machine changes: the two that are compared most take turns.
  for (const device of ['wasm', 'auto', 'webgpu', 'wasm', 'auto', 'wasm', 'auto'] as const) {
    const start = performance.now();
    const { spent } = MeasuredCosts;
    await opened(bench, { ...options, device }, async (workload, engine) => {
      if (device === 'auto') {
        if (!backends) {
          firstPlan = (performance.now() - start) / 1000;
          measuring = MeasuredCosts.spent - spent;
        }
        const { plan } = workload.prepared;
        backends = backendNames(countOps(plan));
        description = describeEngine(engine);
        names = [...new Set(plan.graph.ops.map((t) => t.source.op.name))];
      }
      rates[device] = Math.max(rates[device], await rateOf(workload, seconds));
    });
  }
  const errorOn = (backend: 'wasm' | 'webgpu'): Promise<CostError> => {
    const placement = Object.fromEntries(names.map((op) => [op, backend]));
    return opened(bench, { ...options, device: 'auto', placement }, (workload) => errorOf(workload, seconds));
  };
  return {
    ...{ name: bench.name, unit: bench.unit, engine: description, ...rates, backends },
    ...{ firstPlan, measuring },
    ofBest: rates.auto / Math.max(...Object.values(rates)),
    errors: { wasm: await errorOn('wasm'), webgpu: await errorOn('webgpu') },
  };
}

/** One benchmark after the other; it configures the engine anew for each. */
export async function runPlacement(
  filter: string,
  seconds: number,
  options: Omit<EngineOptions, 'device'>,
  onResult: (result: PlacementResult) => void,
): Promise<void> {
  for (const bench of placements.filter(({ name }) => name.includes(filter)))
    onResult(await run(bench, seconds, options));
}
