// The benchmark page: runs them in a worker, shows, exports and compares.
import '../styles/bench.css';
import type { BenchResult, Machine } from 'everygrad/bench';
import { built, byId, ready, say } from '../shell.ts';
import { type Column, parseResults, table } from './results.ts';
import type { Answer, Job } from './worker.ts';

const own: BenchResult[] = [];
const others: Column[] = [];
let names: readonly string[] = [];
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

function draw(): void {
  const columns = [...(own.length > 0 ? [{ title: 'This browser', results: own }] : []), ...others];
  byId('empty').hidden = columns.length > 0;
  const { head, rows } = table(columns);
  byId('head').replaceChildren(...(columns.length > 0 ? [head] : []));
  byId('rows').replaceChildren(...rows);
  byId('json').textContent = JSON.stringify(own, null, 2);
  byId<HTMLButtonElement>('export').disabled = own.length === 0;
}

function end(text: string): void {
  worker?.terminate();
  worker = null;
  byId('play').textContent = 'Run';
  byId('progress').textContent = text;
}

const value = (id: string): string => byId<HTMLSelectElement>(id).value;

byId('play').addEventListener('click', () => {
  if (worker) return end('stopped');
  own.length = 0;
  draw();
  const filter = value('filter');
  const all = names.filter((name) => name.includes(filter)).length;
  const progress = (): void => {
    byId('progress').textContent = `${own.length} of ${all}`;
  };
  progress();
  byId('play').textContent = 'Stop';
  const device = value('device') as 'auto' | 'wasm' | 'webgpu';
  worker = ask({ filter, device, seconds: Number(value('seconds')) }, (answer) => {
    if (answer.type === 'result') {
      own.push(answer.result);
      progress();
      draw();
    } else if (answer.type === 'error') {
      say(answer.message, 'problem');
      end('failed');
    } else if (answer.type === 'done') end(`${own.length} done`);
  });
});

byId('export').addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([JSON.stringify(own, null, 2)], { type: 'application/json' }));
  link.download = `everygrad-bench-${own[0]?.runtime.replace(/[^\w.]+/g, '-')}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

async function take(files: Iterable<File>): Promise<void> {
  for (const file of files) {
    try {
      const results = parseResults(await file.text(), file.name);
      others.push({ title: `${results[0]!.runtime} (${file.name})`, results });
    } catch (error) {
      say((error as Error).message, 'problem');
    }
  }
  draw();
}
byId('import').addEventListener('change', () => void take(byId<HTMLInputElement>('import').files ?? []));
for (const type of ['dragover', 'dragleave', 'drop'] as const)
  addEventListener(type, (event) => {
    event.preventDefault();
    byId('main').classList.toggle('over', type === 'dragover');
    if (type === 'drop') void take(event.dataTransfer?.files ?? []);
  });

draw();
built();
await new Promise<void>((resolve) => {
  const asked = ask(null, (answer) => {
    if (answer.type === 'machine') {
      names = answer.names;
      showMachine(answer.machine);
    } else if (answer.type === 'error') say(answer.message, 'problem');
    if (answer.type === 'machine') return;
    asked.terminate();
    resolve();
  });
});
ready();
