// The benchmark page: runs them in a worker, shows, exports and compares.
import '../styles/bench.css';
import type { BenchResult, Machine } from 'everygrad/bench';
import { built, byId, download, ready, say, takeFiles } from '../shell.ts';
import { type EngineChoice, enginesOf } from './engines.ts';
import { type Column, columnsOf, parseResults, table } from './results.ts';
import type { Answer, Job } from './worker.ts';

/** What was measured here, by engine. */
const own = new Map<string, BenchResult[]>();
const others: Column[] = [];
let names: readonly string[] = [];
let engines: readonly EngineChoice[] = [];
let worker: Worker | null = null;

function ask(run: Job['run'], hear: (answer: Answer) => void): Worker {
  const made = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  made.addEventListener('message', ({ data }: MessageEvent<Answer>) => hear(data));
  made.addEventListener('error', ({ message }) => hear({ type: 'error', message: message || 'no worker' }));
  made.postMessage({ assets: new URL('everygrad/', document.baseURI).href, run } satisfies Job);
  return made;
}

function showMachine({ runtime, cores, wasm, webgpu }: Machine): void {
  const simd = wasm.build
    ? `${wasm.build}, ${wasm.threadCount} of ${cores} threads`
    : `none: ${wasm.problem}`;
  const gpu = webgpu as unknown as Record<string, unknown>;
  const adapter = String(gpu.adapter ?? gpu.description ?? gpu.reason ?? 'none');
  const rows = [
    ['Browser', runtime],
    ['WASM', simd],
    ['WebGPU', adapter],
  ];
  byId('machine').replaceChildren(
    ...rows.flatMap(([name, value]) => {
      const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
      dt.textContent = name!;
      dd.textContent = value!;
      return [dt, dd];
    }),
  );
}

const ownResults = (): BenchResult[] => [...own.values()].flat();

/** A reload loses no results; where nothing may be kept, it does. */
const kept = 'everygrad.bench';
function keep(): void {
  try {
    sessionStorage.setItem(kept, JSON.stringify([...own]));
  } catch {
    // They last as long as the page, then.
  }
}
function bringBack(): void {
  try {
    const entries = JSON.parse(sessionStorage.getItem(kept) ?? '[]') as [string, BenchResult[]][];
    for (const [title, results] of entries) if (results.length > 0) own.set(title, results);
  } catch {
    // Forbidden, or of another version of this page.
  }
}

function draw(): void {
  const here = [...own].map(([title, results]) => ({ title, results, own: true }));
  const columns = [...here, ...others];
  byId('empty').hidden = columns.length > 0;
  const { head, rows } = table(columns);
  byId('head').replaceChildren(...(columns.length > 0 ? [head] : []));
  byId('rows').replaceChildren(...rows);
  byId('json').textContent = JSON.stringify(ownResults(), null, 2);
  byId<HTMLButtonElement>('export').disabled = ownResults().length === 0;
}

function showEngines(): void {
  byId('engines').replaceChildren(
    ...engines.map(({ name, title, problem }) => {
      const label = document.createElement('label');
      const box = document.createElement('input');
      Object.assign(box, {
        type: 'checkbox',
        id: `engine-${name}`,
        checked: !problem,
        disabled: Boolean(problem),
      });
      label.append(box, title);
      if (problem) label.title = problem;
      return label;
    }),
  );
}

function end(text: string): void {
  worker?.terminate();
  worker = null;
  byId('play').textContent = 'Run';
  byId('progress').textContent = text;
}

const value = (id: string): string => byId<HTMLSelectElement>(id).value;

/** Runs the benchmarks on one engine after the other, each in a worker of its own. */
function run(left: readonly EngineChoice[], filter: string, all: number): void {
  const [engine, ...others] = left;
  if (!engine) {
    end(`${ownResults().length} done`);
    return;
  }
  const results: BenchResult[] = [];
  own.set(engine.title, results);
  const progress = (): void => {
    byId('progress').textContent = `${ownResults().length} of ${all}`;
  };
  progress();
  worker = ask({ filter, ...engine.options, seconds: Number(value('seconds')) }, (answer) => {
    if (answer.type === 'result') {
      results.push(answer.result);
      progress();
      draw();
      keep();
    } else if (answer.type === 'error') {
      // One that fails does not keep the others from being measured.
      say(`${engine.title}: ${answer.message}`, 'problem');
      worker?.terminate();
      run(others, filter, all);
    } else if (answer.type === 'done') {
      worker?.terminate();
      run(others, filter, all);
    }
  });
}

byId('play').addEventListener('click', () => {
  if (worker) return end('stopped');
  const filter = value('filter');
  const chosen = engines.filter(({ name }) => byId<HTMLInputElement>(`engine-${name}`).checked);
  if (chosen.length === 0) return say('Nothing is chosen to run on.');
  own.clear();
  draw();
  byId('play').textContent = 'Stop';
  run(chosen, filter, chosen.length * names.filter((name) => name.includes(filter)).length);
});

byId('export').addEventListener('click', () => {
  const results = ownResults();
  const file = `everygrad-bench-${results[0]!.runtime.replace(/[^\w.]+/g, '-')}.json`;
  download(file, JSON.stringify(results, null, 2), 'application/json');
});

/** Larger files than this have no results of benchmarks. */
const mostBytes = 5e6;

async function take(files: readonly File[]): Promise<void> {
  const problems: string[] = [];
  for (const file of files) {
    try {
      if (file.size > mostBytes) throw new Error(`${file.name} is too large for results of benchmarks`);
      others.push(...columnsOf(parseResults(await file.text(), file.name)));
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  draw();
  if (problems.length > 0) say(`${problems.join('; ')}.`, 'problem');
}
takeFiles({ drop: byId('main'), inputs: [byId('import')], take });

bringBack();
draw();
built();
await new Promise<void>((resolve) => {
  /** On a busy machine, Firefox may halt a worker for ever as it starts workers of its own: then another one is asked. */
  const describe = (patience: number): void => {
    const asked = ask(null, (answer) => {
      clearTimeout(timer);
      if (answer.type === 'machine') {
        names = answer.names;
        engines = enginesOf(answer.machine);
        showMachine(answer.machine);
        showEngines();
        return;
      }
      if (answer.type === 'error') say(answer.message, 'problem');
      asked.terminate();
      resolve();
    });
    const timer = setTimeout(() => {
      asked.terminate();
      describe(2 * patience);
    }, patience);
  };
  describe(30_000);
});
ready();
