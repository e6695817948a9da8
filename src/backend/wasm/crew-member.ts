// What a worker does from its first message to its end, and what it tells the host.
import { control, controlBytes, extend, instantiate } from './kernels.js';

/** The host's first message to a worker. */
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

/** Its second one, should it come: more kernels. */
export interface Extension {
  extra: WebAssembly.Module;
}

/** `left`: it will touch the memory no more. */
export type Report = { kind: 'ready' | 'done' | 'left' } | { kind: 'failed'; problem: string };

/** A thread of a crew, from its first message to its end. */
export class CrewMember {
  #onExtension: (extension: Extension) => void = () => undefined;
  readonly #extension = new Promise<Extension>((resolve) => {
    this.#onExtension = resolve;
  });

  constructor(readonly post: (report: Report) => void) {}

  /** Takes a message of the host. */
  receive(message: Setup | Extension): void {
    if ('extra' in message) this.#onExtension(message);
    else void this.#join(message);
  }

  /** Runs programs until the host ends it; this thread's event loop stands still meanwhile. */
  async #join(setup: Setup): Promise<void> {
    const { module, memory, threads } = setup;
    const words = controlWords(memory, setup.control);
    const count = (word: number): void => {
      Atomics.add(words, word, 1);
      Atomics.notify(words, word);
    };
    try {
      const kernels = await instantiate(module, memory);
      // Twice: a host that runs program after program has no time for messages.
      count(control.ready);
      this.post({ kind: 'ready' });
      for (;;) {
        const what = kernels.runner.work(setup.control, setup.thread, threads, Number(setup.reports));
        if (what === 0) break;
        if (what === 1) {
          this.post({ kind: 'done' });
          continue;
        }
        await extend(kernels, (await this.#extension).extra);
        count(control.extended);
      }
    } catch (error) {
      fail(memory, setup.control);
      this.post({ kind: 'failed', problem: String(error) });
    }
    count(control.left);
    this.post({ kind: 'left' });
  }
}

export const controlWords = (memory: WebAssembly.Memory, address: number): Int32Array =>
  new Int32Array(memory.buffer, address, controlBytes / 4);

/** Lets all who wait for this thread give up. */
export function fail(memory: WebAssembly.Memory, address: number): void {
  const words = controlWords(memory, address);
  Atomics.store(words, control.failed, 1);
  Atomics.notify(words, control.opened);
}
