// What a worker does from its first message to its end, and what it tells the host.
import { control, controlBytes, instantiate } from './kernels.js';

/** The host's only message to a worker. */
export interface Setup {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** Address of the control block. */
  control: number;
  thread: number;
  threads: number;
  /** Whether to tell the host of the end of each run, for a host that may not sleep until then. */
  reports: boolean;
}

/** `left`: it will touch the memory no more. */
export type Report = { kind: 'ready' | 'done' | 'left' } | { kind: 'failed'; problem: string };

/** Runs programs until the host ends it; this thread's event loop stands still meanwhile. */
export async function joinCrew(setup: Setup, post: (report: Report) => void): Promise<void> {
  const { module, memory, threads } = setup;
  try {
    const { runner } = await instantiate(module, memory);
    // Twice: a host that runs program after program has no time for messages.
    Atomics.add(controlWords(memory, setup.control), control.ready, 1);
    post({ kind: 'ready' });
    while (runner.work(setup.control, setup.thread, threads, Number(setup.reports))) post({ kind: 'done' });
  } catch (error) {
    fail(memory, setup.control);
    post({ kind: 'failed', problem: String(error) });
  }
  const words = controlWords(memory, setup.control);
  Atomics.add(words, control.left, 1);
  Atomics.notify(words, control.left);
  post({ kind: 'left' });
}

export const controlWords = (memory: WebAssembly.Memory, address: number): Int32Array =>
  new Int32Array(memory.buffer, address, controlBytes / 4);

/** Lets all who wait for this thread give up. */
export function fail(memory: WebAssembly.Memory, address: number): void {
  const words = controlWords(memory, address);
  Atomics.store(words, control.failed, 1);
  Atomics.notify(words, control.opened);
}
