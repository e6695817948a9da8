// The training API off the main thread: coarse calls into a worker, through Comlink.
import { type Remote, wrap } from 'comlink';
import type { EngineOptions } from './engine.js';
import { DeviceError } from './errors.js';
import { assetUrl, startWorker } from './platform.js';
import type { EpochReport, ProgressReport } from './train/fit.js';
import { keepErrors } from './worker-errors.js';
import type { Lab } from './worker-thread.js';

export type { LossSpec, ModelSpec, OptimizerSpec, ScheduleSpec } from './train/spec.js';
export type { LabData, LabFitOptions } from './worker-thread.js';

/** What the worker tells between question and answer. */
export type LabEvent =
  | { event: 'progress'; model: number; report: ProgressReport }
  | { event: 'epoch'; model: number; report: EpochReport };

export interface TrainerOptions extends EngineOptions {
  /** Hears of progress while a model trains. */
  onEvent?: (event: LabEvent) => void;
}

/** The worker's calls, and `terminate`. */
export interface Trainer extends Remote<Lab> {
  /** Ends the worker; what was not saved is gone. */
  terminate(): void;
}

keepErrors();

/** Starts a worker that trains models: the page, or the main thread of any runtime, stays free. */
export async function trainer({ onEvent, ...options }: TrainerOptions = {}): Promise<Trainer> {
  const listeners = new Set<(event: MessageEvent) => void>();
  let failed: (error: unknown) => void;
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  failure.catch(() => undefined);
  const worker = await startWorker(
    assetUrl('worker-thread.js'),
    {
      onMessage(message) {
        if (isEvent(message)) onEvent?.(message);
        else for (const listener of listeners) listener({ data: message } as MessageEvent);
      },
      onError(problem) {
        failed(
          new DeviceError({
            where: 'trainer',
            problem: `the worker ended: ${problem}`,
            hint: 'start a new trainer()',
          }),
        );
      },
    },
    { keepAlive: true },
  );
  const lab = wrap<Lab>({
    postMessage: (message: unknown, transfer?: Transferable[]) => worker.post(message, transfer),
    addEventListener: (_: string, listener: (event: MessageEvent) => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: (event: MessageEvent) => void) => listeners.delete(listener),
  } as never);
  await Promise.race([lab.configure(options), failure]);
  const remote = lab as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  return new Proxy({} as Trainer, {
    get(_, name: string) {
      if (name === 'then') return undefined;
      if (name === 'terminate') return () => worker.terminate();
      return (...args: unknown[]) => Promise.race([remote[name]!(...args), failure]);
    },
  });
}

const isEvent = (message: unknown): message is LabEvent =>
  typeof message === 'object' && message !== null && 'event' in message && 'report' in message;
