// The workers that run programs together with the calling thread.
import { DeviceError, StateError } from '../../errors.js';
import { assetUrl, breathe, canBlock, startWorker, type WorkerHandle } from '../../platform.js';
import { controlWords, type Extension, fail, type Report, type Setup } from './crew-member.js';
import type { Heap } from './heap.js';
import { control, controlBytes, type Kernels } from './kernels.js';

/** How often a waiting thread looks before it sleeps: about 20 us where each thread has a core of its own. */
const patientSpin = 20_000;
const crowdedSpin = 200;

/** Workers get this long to start before the program goes on without them. */
const startTimeout = 20_000;

export interface CrewOptions {
  threads: number;
  cores: number;
  module: WebAssembly.Module;
  heap: Heap;
  kernels: Kernels;
}

/** After a failure workers get this long to finish the call that they are in. */
const leaveTimeout = 10_000;

/** A list of calls in WASM memory. */
export interface CallList {
  readonly address: number;
  readonly count: number;
}

/**
 * All threads together. Where this thread may sleep it is thread 0 of them. In a page's main thread, which may not,
 * all threads are workers, and the end of a run is told by a message.
 */
export class Crew {
  readonly threads: number;
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #control: number;
  readonly #words: Int32Array;
  /** Whether this thread may sleep, and so take part. */
  readonly leads = canBlock();
  #workers: WorkerHandle[] = [];
  readonly #workerCount: number;
  #state: 'starting' | 'ready' | 'ended' = 'starting';
  #ready: { promise: Promise<void>; resolve: () => void };
  #finished: { resolve: () => void; reject: (error: Error) => void } | null = null;
  /** More kernels, and whether the workers were told to fetch them. */
  #extension: Extension | null = null;
  #extensionSent = false;
  /** Set while workers that outlived a failure are waited for. */
  #failure: { problem: string; timer: ReturnType<typeof setTimeout> } | null = null;

  constructor({ threads, cores, module, heap, kernels }: CrewOptions) {
    this.threads = threads;
    this.#memory = heap.memory;
    this.#kernels = kernels;
    this.#control = heap.allocate(controlBytes);
    this.#words = controlWords(heap.memory, this.#control);
    this.#words.fill(0);
    this.#words[control.spin] = threads > cores ? crowdedSpin : patientSpin;
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#ready = { promise, resolve };
    this.#workerCount = this.leads ? threads - 1 : threads;
    const setup = { module, memory: heap.memory, control: this.#control, threads };
    for (let thread = this.leads ? 1 : 0; thread < threads; thread++) {
      void this.#start({ ...setup, thread, reports: !this.leads && thread === 0 });
    }
  }

  get isReady(): boolean {
    if (this.#state === 'starting' && Atomics.load(this.#words, control.ready) === this.#workerCount) {
      this.#state = 'ready';
    }
    if (this.#state !== 'ready') return false;
    if (!this.#extension) return true;
    if (!this.#extensionSent) this.#sendExtension(this.#extension);
    return Atomics.load(this.#words, control.extended) === this.#workerCount;
  }

  /** Gives the workers more kernels; until all have them, no program runs on them. To be called between runs. */
  extend(extra: WebAssembly.Module): void {
    this.#extension = { extra };
  }

  #sendExtension(extension: Extension): void {
    this.#extensionSent = true;
    for (const worker of this.#workers) worker.post(extension);
    this.#signal(-2);
  }

  /** Resolves when all workers run and have all kernels, or when it is clear that they will not. */
  async ready(): Promise<void> {
    if (this.isReady || this.#state === 'ended') return;
    const timer = setTimeout(() => this.#giveUp(`they did not start in ${startTimeout} ms`), startTimeout);
    await this.#ready.promise;
    clearTimeout(timer);
    // Workers say nothing when they have further kernels, they count; one that fails ends all of them.
    while (this.#state === 'ready' && !this.isReady) await breathe();
  }

  /** Runs a list of calls on all threads, this one included. */
  lead({ address, count }: CallList): void {
    try {
      this.#kernels.runner.lead(this.#control, address, count, this.threads);
    } catch (error) {
      this.#dismiss();
      const deadline = performance.now() + leaveTimeout;
      for (let left = this.#left; left < this.#workerCount; left = this.#left) {
        const rest = deadline - performance.now();
        if (rest <= 0) break;
        Atomics.wait(this.#words, control.left, left, rest);
      }
      this.end();
      throw kernelFailed(error);
    }
  }

  /** Runs a list of calls on the workers, where this thread may not sleep until they are done. */
  runAll({ address, count }: CallList): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finished = { resolve, reject };
      this.#kernels.runner.start(this.#control, address, count);
    });
  }

  /** Ends the workers. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#dismiss();
    if (this.#failure) clearTimeout(this.#failure.timer);
    this.#failure = null;
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    this.#ready.resolve();
    this.#finished?.reject(
      new StateError({ where: 'wasm', problem: 'the backend was disposed while it was running' }),
    );
    this.#finished = null;
  }

  /** How many workers will touch the memory no more. */
  get #left(): number {
    return Atomics.load(this.#words, control.left);
  }

  /** Lets workers leave: those that wait at once, those in a kernel when their share of it is done. */
  #dismiss(): void {
    fail(this.#memory, this.#control);
    this.#signal(-1);
  }

  /** Starts a run that is none: its length says what the workers shall do instead. */
  #signal(count: number): void {
    this.#words[control.count] = count;
    Atomics.add(this.#words, control.run, 1);
    Atomics.notify(this.#words, control.run);
  }

  async #start(setup: Setup): Promise<void> {
    try {
      const worker = await startWorker(assetUrl('thread.js'), {
        onMessage: (message) => this.#onReport(message as Report),
        onError: (problem) => this.#giveUp(problem),
      });
      if (this.#state === 'ended') return worker.terminate();
      this.#workers.push(worker);
      worker.post(setup);
    } catch (error) {
      this.#giveUp(String(error));
    }
  }

  #onReport(report: Report): void {
    if (this.#state === 'ended') return;
    if (report.kind === 'failed') this.#fail(report.problem);
    else if (report.kind === 'ready') {
      if (this.isReady) this.#ready.resolve();
    } else if (report.kind === 'left') {
      if (this.#failure && this.#left === this.#workerCount) this.#giveUp(this.#failure.problem);
    } else {
      const finished = this.#finished;
      this.#finished = null;
      finished?.resolve();
    }
  }

  /** A worker failed: the others may still be writing, so memory is theirs until they have left. */
  #fail(problem: string): void {
    if (this.#failure) return;
    if (this.#state === 'starting') this.#giveUp(problem);
    else this.#waitForLeaving(problem);
  }

  #waitForLeaving(problem: string): void {
    this.#failure = { problem, timer: setTimeout(() => this.#giveUp(problem), leaveTimeout) };
    this.#dismiss();
  }

  /** Goes on with one thread. */
  #giveUp(problem: string): void {
    if (this.#state === 'ended') return;
    console.warn(`everygrad: continuing on one thread, the workers failed: ${problem}`);
    this.#finished?.reject(kernelFailed(problem));
    this.#finished = null;
    this.end();
  }
}

/** A kernel trapped: what it was to write is not complete. */
export const kernelFailed = (cause: unknown): DeviceError =>
  new DeviceError({
    where: 'wasm',
    problem: `a kernel failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'this is a bug of everygrad, please report it',
    cause,
  });
