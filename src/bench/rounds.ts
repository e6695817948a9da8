// What a benchmark is, and how its rounds become one number.
import { WasmBackend } from '../backend/wasm/index.js';
import type { Prepared } from '../compile.js';
import { configure, type Engine, type EngineOptions } from '../engine.js';
import { DeviceError } from '../errors.js';
import type { Feed } from '../execute.js';
import { breathe } from '../platform.js';

/** What was measured. */
export interface Measurement {
  /** Where the ops ran: `wasm`, `webgpu`, `webgpu+wasm` or `reference`. */
  backend: string;
  /** The median of the rounds. */
  value: number;
  unit: 'GFLOPS' | 'samples/s' | 's';
  /** The best round: what the machine can do when nothing else runs on it. */
  best: number;
  rounds: number;
  /** The backends in words: build, threads, adapter. */
  engine: string;
}

export interface BenchResult extends Measurement {
  /** As in `gemm/1024`. */
  name: string;
  /** As in `node 24.9.0`. */
  runtime: string;
}

export interface Bench {
  readonly name: string;
  /** Configures the engine, checks that the results are right, and takes the time. */
  run(options: EngineOptions, seconds: number): Promise<Measurement>;
}

/** What a benchmark runs, ready on the engine as it is configured. */
export interface Workload {
  readonly prepared: Prepared;
  readonly feeds: readonly Feed[];
  /** How much of what is counted a run does: examples, or 1e9 operations. */
  readonly amount: number;
  /** Waits until all runs are done, without a large copy. */
  settle(): Promise<unknown>;
  dispose(): void;
}

/** A benchmark whose placement can be looked at. */
export interface PlacementCase {
  readonly name: string;
  readonly unit: Measurement['unit'];
  open(): Promise<Workload>;
}

/** A new engine, with all its threads running. */
export async function freshEngine(options: EngineOptions): Promise<Engine> {
  const engine = await configure(options);
  for (const backend of engine.order) if (backend instanceof WasmBackend) await backend.ready();
  return engine;
}

export const describeEngine = ({ order }: Engine): string => order.map((b) => b.description).join(', ');

/** Rounds are at least this long. */
const roundSeconds = 0.1;

/** Rates of rounds that take `seconds` together: how much of what a run does, `amount`, was done in a second. */
export async function timedRounds(
  prepared: Prepared,
  settle: () => Promise<unknown>,
  amount: number,
  seconds: number,
): Promise<number[]> {
  const round = async (runs: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) {
      const waiting = prepared.run();
      if (waiting) await waiting;
    }
    await settle();
    const took = (performance.now() - start) / 1000;
    await breathe();
    return took;
  };
  // Warms up, too: the engine's compiler, caches, the clock of the machine.
  let runs = 1;
  for (let took = await round(1); took < roundSeconds; took = await round(runs))
    runs = Math.ceil(runs * Math.min(10, Math.max(1.2, (1.1 * roundSeconds) / took)));
  const rates: number[] = [];
  for (let total = 0; total < seconds || rates.length < 3; ) {
    const took = await round(runs);
    total += took;
    rates.push((runs * amount) / took);
  }
  return rates;
}

/** Median and best of rates, of which larger ones are better. */
export function summary(
  rates: readonly number[],
  unit: Measurement['unit'],
): Pick<Measurement, 'value' | 'unit' | 'best' | 'rounds'> {
  const sorted = [...rates].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const value = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { value, unit, best: sorted.at(-1)!, rounds: sorted.length };
}

/** Names of the backends, as `webgpu+wasm`. */
export const backendNames = (ops: Readonly<Record<string, number>>): string => Object.keys(ops).join('+');

/** Throws unless the error, relative to what was expected, is below the tolerance. */
export function checkError(name: string, what: string, error: number, tolerance: number): void {
  if (error <= tolerance) return;
  throw new DeviceError({
    where: name,
    problem: `${what} differs from the reference by ${error.toPrecision(3)}, more than ${tolerance}`,
    hint: 'the numbers of this backend are wrong on this machine: please report it, with the output of `everygrad doctor`',
    values: { error, tolerance },
  });
}
