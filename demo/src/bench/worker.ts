// The benchmarks, off the page's own thread.
import {
  type BenchOptions,
  type BenchResult,
  benchNames,
  describeMachine,
  type Machine,
  runBench,
  setAssetsUrl,
} from 'everygrad/bench';

export interface Job {
  /** Where the kernels are. */
  assets: string;
  /** Describes the machine where there is none. */
  run: Omit<BenchOptions, 'onResult' | 'signal'> | null;
}

export type Answer =
  | { type: 'machine'; machine: Machine; names: readonly string[] }
  | { type: 'result'; result: BenchResult }
  | { type: 'done' }
  | { type: 'error'; message: string };

const tell = (answer: Answer): void => postMessage(answer);

addEventListener('message', async ({ data }: MessageEvent<Job>) => {
  try {
    setAssetsUrl(data.assets);
    if (data.run) await runBench({ ...data.run, onResult: (result) => tell({ type: 'result', result }) });
    else tell({ type: 'machine', machine: await describeMachine(), names: benchNames });
    tell({ type: 'done' });
  } catch (error) {
    tell({ type: 'error', message: error instanceof Error ? error.message : String(error) });
  }
});
