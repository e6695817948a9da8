// `everygrad bench`: the benchmarks of the library, and how fast a process starts.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type BenchOptions,
  type BenchResult,
  benchNames,
  type Measurement,
  placementNames,
  runBench,
  runPlacement,
} from '../bench.js';
import { OptionError } from '../index.js';
import { writeJson } from './reporter.js';
import { bold, dim, grouped } from './style.js';

interface Options {
  filter: string;
  seconds: number;
  device: NonNullable<BenchOptions['device']>;
  build: NonNullable<BenchOptions['build']>;
  threads?: number;
  json?: boolean;
  placement?: boolean;
}

const startupName = 'startup/first_step';
/** Processes that are started one after the other. */
const starts = 5;

export async function bench({ filter, seconds, json, placement, ...engine }: Options): Promise<void> {
  if (placement) return placements(filter, seconds, json ?? false, engine);
  const onResult = json ? (result: BenchResult) => writeJson(rounded(result)) : printer();
  const measuresStartup = startupName.includes(filter);
  if (benchNames.some((name) => name.includes(filter))) {
    await runBench({ filter, seconds, onResult, ...engine });
  } else if (!measuresStartup) {
    throw noSuchBench(filter, [...benchNames, startupName]);
  }
  if (measuresStartup) onResult(await startup(engine));
}

/** Each workload on WASM alone, on WebGPU alone, and as the scheduler places it. */
async function placements(
  filter: string,
  seconds: number,
  json: boolean,
  { build, threads }: Omit<Options, 'filter' | 'seconds' | 'json'>,
): Promise<void> {
  if (!placementNames.some((name) => name.includes(filter))) throw noSuchBench(filter, placementNames);
  const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;
  const show = (value: number, unit: string): string =>
    (unit === 'samples/s' && value > 10 ? grouped(Math.round(value)) : value.toPrecision(3)).padStart(11);
  if (!json) console.log(dim('all on WASM, all on WebGPU, as placed; the last as a part of the best'));
  await runPlacement(filter, seconds, { build, ...(threads ? { threads } : {}) }, (result) => {
    if (json) return writeJson(result);
    const { name, unit, wasm, webgpu, auto, backends, ofBest, errors, measuring } = result;
    const rates = [wasm, webgpu, auto].map((n) => show(n, unit)).join('');
    const part = bold(percent(ofBest).padStart(5));
    console.log(`${name.padEnd(24)}${rates} ${unit.padEnd(9)}  ${part} on ${backends}`);
    if (measuring > 0) console.log(dim(`  costs were measured for ${Math.round(1000 * measuring)} ms`));
    for (const [backend, error] of Object.entries(errors)) {
      const { byTime, perStep, total } = error;
      const parts = `${percent(byTime)} by time, ${percent(perStep)} of a step, ${percent(total)} of their sum`;
      console.log(dim(`  error of the cost model on ${backend}: ${parts}`));
    }
  });
}

const noSuchBench = (filter: string, names: readonly string[]): OptionError =>
  new OptionError({
    where: '--filter',
    problem: `no benchmark has '${filter}' in its name`,
    hint: `there are ${names.join(', ')}`,
    values: { filter },
  });

/** Five digits: more would be noise. */
const fiveDigits = (value: number): number => Number(value.toPrecision(5));
const rounded = (result: BenchResult): BenchResult => ({
  ...result,
  value: fiveDigits(result.value),
  best: fiveDigits(result.best),
});

function printer(): (result: BenchResult) => void {
  let engine = '';
  return ({ name, backend, runtime, value, best, unit, ...result }) => {
    if (result.engine !== engine) {
      engine = result.engine;
      console.log(`${dim(`${runtime}, ${engine}; median and best round`)}`);
    }
    const text = (n: number): string => (unit === 'samples/s' ? grouped(n) : n.toPrecision(4));
    console.log(
      `${name.padEnd(24)}${backend.padEnd(13)}${bold(text(value).padStart(9))} ${unit.padEnd(10)}${dim(`best ${text(best)}`)}`,
    );
  };
}

/** How this runtime is told to run a program. */
function runtimeArguments(): string[] {
  if (process.versions.deno) return ['run', '--allow-all', '--no-config', '--no-lock', '--unstable-webgpu'];
  return process.versions.bun ? ['run'] : process.execArgv;
}

/** Fresh processes, from their start to the end of their first training step. */
async function startup(engine: Omit<Options, 'filter' | 'seconds' | 'json'>): Promise<BenchResult> {
  const program = fileURLToPath(new URL('./bench/first-step.js', import.meta.url));
  const made: (Measurement & { runtime: string })[] = [];
  for (let i = 0; i < starts; i++) {
    const command = [...runtimeArguments(), program, JSON.stringify(engine)];
    const { stdout } = await promisify(execFile)(process.execPath, command);
    made.push(JSON.parse(stdout) as (typeof made)[number]);
  }
  made.sort((a, b) => a.value - b.value);
  const { backend, runtime, unit, engine: description } = made[0]!;
  const times = { value: made[made.length >> 1]!.value, unit, best: made[0]!.value, rounds: starts };
  return { name: startupName, backend, runtime, ...times, engine: description };
}
