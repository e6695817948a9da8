// Benchmarks by which runtimes and machines are compared. Each is checked against a reference before it is timed.
import { convBenches } from './bench/conv.js';
import { gemmBenches } from './bench/gemm.js';
import { inferenceBenches } from './bench/inference.js';
import type { Bench, BenchResult } from './bench/rounds.js';
import { trainingBenches } from './bench/training.js';
import type { EngineOptions } from './engine.js';
import { OptionError } from './errors.js';
import { runtime } from './platform.js';

export { describeMachine, type Machine } from './bench/machine.js';
export { type CostError, type PlacementResult, placementNames, runPlacement } from './bench/placement.js';
export type { BenchResult, Measurement } from './bench/rounds.js';
export { setAssetsUrl } from './platform.js';

/** Options of `bench`. */
export interface BenchOptions extends EngineOptions {
  /** Runs only what has this in its name, as `gemm/64` or `train`. */
  filter?: string;
  /** How long each benchmark is timed, at least; 1.5 where not said. */
  seconds?: number;
  /** Called with each result as soon as it is there. */
  onResult?: (result: BenchResult) => void;
  /** Stops after the benchmark that is running. */
  signal?: AbortSignal;
}

const benches: readonly Bench[] = [...gemmBenches, ...convBenches, ...trainingBenches, ...inferenceBenches];

/** Names of all workloads. */
export const benchNames: readonly string[] = benches.map(({ name }) => name);

/**
 * Runs benchmarks one after the other. It configures the engine anew for each: variables and models that were made
 * before are gone.
 */
export async function runBench(options: BenchOptions = {}): Promise<BenchResult[]> {
  const { filter = '', seconds = 1.5, onResult, signal, ...engineOptions } = options;
  if (!(seconds > 0 && Number.isFinite(seconds))) {
    throw new OptionError({ where: 'bench', problem: `seconds is ${seconds}`, hint: 'a number > 0' });
  }
  const chosen = benches.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) {
    throw new OptionError({
      where: 'bench',
      problem: `no benchmark has '${filter}' in its name`,
      hint: `there are ${benchNames.join(', ')}`,
      values: { filter },
    });
  }
  const { name, version } = runtime();
  const results: BenchResult[] = [];
  for (const bench of chosen) {
    if (signal?.aborted) break;
    const { backend, ...measured } = await bench.run(engineOptions, seconds);
    const result = { name: bench.name, backend, runtime: `${name} ${version}`, ...measured };
    results.push(result);
    onResult?.(result);
  }
  return results;
}
