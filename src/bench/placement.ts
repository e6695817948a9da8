// How good the scheduler's choice is: training on WASM alone, on WebGPU alone, and as it places the ops; and how far the
// cost model is off.
import type { EngineOptions } from '../engine.js';
import { crossEntropy } from '../loss/index.js';
import { explainTraining } from '../train/explain.js';
import { describeEngine, freshEngine } from './rounds.js';
import { dataOf, timed, trainingCases } from './training.js';

/** What came out for one benchmark. */
export interface PlacementResult {
  /** As in `train/mlp800_b128`. */
  name: string;
  /** The backends in words. */
  engine: string;
  /** Samples per second with all ops on WASM, all on WebGPU, and shared by the cost model. */
  wasm: number;
  webgpu: number;
  auto: number;
  /** Where the ops ran when shared. */
  backends: string;
  /** `auto` as a part of the best of the three. */
  ofBest: number;
  /** Mean of |estimated - measured| / measured over the steps of the shared plan, and over their sum. */
  meanError: number;
  totalError: number;
}

/** Measured runs of a step; what counts is their median. */
const profiledRuns = 11;

/** One benchmark after the other; it configures the engine anew for each. */
export async function runPlacement(
  filter: string,
  seconds: number,
  options: Omit<EngineOptions, 'device'>,
  onResult: (result: PlacementResult) => void,
): Promise<void> {
  for (const bench of trainingCases.filter(({ name }) => name.includes(filter))) {
    const train = await dataOf(bench);
    const rates = { wasm: 0, webgpu: 0, auto: 0 };
    let backends = '';
    let engine = '';
    for (const device of ['wasm', 'webgpu', 'auto'] as const) {
      engine = describeEngine(await freshEngine({ ...options, device }));
      const { value, backend } = await timed(bench, train, seconds);
      rates[device] = value;
      backends = backend;
    }
    const [model, optimizer] = [bench.model(), bench.optimizer()];
    const { loss = crossEntropy(), batchSize } = bench;
    const { rows } = await explainTraining(model, train, { loss, optimizer, batchSize, runs: profiledRuns });
    model.dispose();
    optimizer.dispose();
    const steps = rows
      .map((row) => [row.estimatedMicroseconds, row.measuredMicroseconds] as const)
      .filter((pair): pair is readonly [number, number] => pair[1] !== null && pair[1] > 0);
    const sum = (part: (pair: readonly [number, number]) => number): number =>
      steps.reduce((n, pair) => n + part(pair), 0);
    const [estimated, measured] = [sum(([e]) => e), sum(([, m]) => m)];
    onResult({
      ...{ name: bench.name, engine, ...rates, backends },
      ofBest: rates.auto / Math.max(...Object.values(rates)),
      meanError: sum(([e, m]) => Math.abs(e - m) / m) / steps.length,
      totalError: Math.abs(estimated - measured) / measured,
    });
  }
}
