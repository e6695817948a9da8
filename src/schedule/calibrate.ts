// Measures steps of a plan on both backends within a budget of time. Loads on demand.
//
// The budget holds by construction. What can be waited for (the GPU, compilers, workers) is waited for no longer than
// there is time; what cannot be interrupted (kernels of WASM) starts only when several times what it is expected to take
// still fits. Nothing is lost with a step that there is no time for: its turn comes with the next plan.
import type { Backend, Program, Step } from '../backend/backend.js';
import { type Deadline, late } from './deadline.js';
import type { Steps } from './features.js';
import type { Group } from './fuse.js';
import type { PlanParts } from './plan.js';
import { Probe } from './probe.js';

/** A step that may be measured. */
export interface Unit {
  readonly steps: Steps;
  readonly family: string;
  readonly group: Group;
}

/** What measuring needs to know, and whom it tells. */
export interface Listener {
  /** Seconds that a step is expected to take. */
  expected(unit: Unit): number;
  /** Whether steps of its family were measured. */
  isKnown(unit: Unit): boolean;
  /** A step took so long; with `isBound`, it had not ended then, or was run for the first time. */
  learn(unit: Unit, seconds: number, isBound?: boolean): void;
}

export interface Transfers {
  /** Seconds of bringing a few bytes to the GPU, and back. */
  up: number;
  down: number;
  bytesPerSecond: number;
}

/** Operands of what is measured at the same time, in bytes altogether. */
const mostBytes = 2 ** 25;
/** Clocks are coarse in browsers, and timestamps of GPUs: short steps run so often that they take as long as this. */
const [hostSeconds, gpuSeconds] = [5e-4, 1e-3];
/** Runs of which the best counts: other work on the machine only makes them longer. */
const hostRuns = 4;
const [mostHostCopies, mostGpuCopies] = [256, 32];
/** A step of an unknown family may take this many times as long as expected, one of a known family this many. */
const [doubt, trust] = [4, 2];

const copiesFor = (one: number, seconds: number, most: number): number =>
  Math.min(most, Math.max(1, Math.ceil(seconds / Math.max(one, 1e-7))));

/** A step whose kernels are being compiled. */
interface Started {
  readonly probe: Probe;
  readonly compiled: Promise<void>;
  isReady: boolean;
  readonly expected: number;
  learn(seconds: number, isBound?: boolean): void;
}

export class Calibration {
  constructor(
    private readonly parts: PlanParts,
    private readonly deadline: Deadline,
    /** Until when the host's threads may start. */
    private readonly starting: Deadline,
    private readonly listener: Listener,
  ) {}

  /** Seconds of a kernel on the host's side that has next to nothing to do. */
  async hostOverhead(host: Backend): Promise<number | null> {
    const probe = Probe.small(host, this.parts);
    try {
      return await this.#onHost(host, probe.step);
    } finally {
      probe.free();
    }
  }

  /** Measures steps on the backend at the host's side as long as more than so many seconds are left. */
  async host(units: readonly Unit[], keep: number): Promise<void> {
    const { deadline, listener, parts } = this;
    for (const unit of units) {
      const { group, steps } = unit;
      const wary = listener.isKnown(unit) ? trust : doubt;
      const left = deadline.left - keep;
      if (left <= 0) return;
      if (wary * listener.expected(unit) > left || Probe.bytes(group, steps, parts) > mostBytes) continue;
      const probe = Probe.of(group, steps, parts);
      try {
        const seconds = await this.#onHost(steps.backend, probe.step);
        if (seconds !== null) listener.learn(unit, seconds);
      } finally {
        probe.free();
      }
    }
  }

  /** Seconds of a step; null where there was no time for it. */
  async #onHost(host: Backend, step: Step): Promise<number | null> {
    const once = await this.#timed(host, step, 1, 1);
    if (once === null) return null;
    const copies = copiesFor(once, hostSeconds, mostHostCopies);
    const affordable = Math.floor(this.deadline.left / 8 / (once * copies));
    const again = await this.#timed(host, step, copies, Math.min(hostRuns, Math.max(1, affordable)));
    return again === null ? once : Math.min(once, again);
  }

  /** Seconds of a step: the best of some runs of so many copies; of fewer where they would take too long. */
  async #timed(host: Backend, step: Step, copies: number, runs: number): Promise<number | null> {
    const { clock } = this.deadline;
    const program = await this.#compiled(host, new Array<Step>(copies).fill(step));
    if (!program) return null;
    // Also those that have first to fetch the kernels that it calls: what one thread takes is not what a plan will take.
    if (host.ready) await this.starting.within(host.ready());
    let best = Number.POSITIVE_INFINITY;
    try {
      for (let run = 0; run < runs; run++) {
        const start = clock.now();
        const running = host.run(program);
        if (running && (await this.deadline.within(running)) === late) return null;
        best = Math.min(best, clock.now() - start);
        if (2 * best > this.deadline.left) break;
      }
    } finally {
      host.release(program);
    }
    return best / copies;
  }

  /** A program, or null when it is not there in time: then it is released when it is. */
  async #compiled(backend: Backend, steps: readonly Step[]): Promise<Program | null> {
    if (this.deadline.left <= 0) return null;
    const compiling = backend.compile(steps);
    if (!(compiling instanceof Promise)) return compiling;
    const program = await this.deadline.within(compiling);
    if (program !== late) return program;
    compiling.then(
      (made) => backend.release(made),
      () => undefined,
    );
    return null;
  }

  /** What it takes to bring values to a GPU and back; null where there was no time for it. */
  async transfers(gpu: Backend, deadline: Deadline): Promise<Transfers | null> {
    const { clock } = deadline;
    const seconds = async (length: number, runs: number): Promise<[number, number] | null> => {
      const data = new Float32Array(length);
      const memory = gpu.allocate(4 * length);
      let best: [number, number] | null = null;
      for (let i = 0; i < runs; i++) {
        const start = clock.now();
        gpu.write(memory, 0, data, 'float32');
        const written = clock.now();
        const reading = Promise.resolve(gpu.read(memory, 0, { shape: [length], dtype: 'float32' }));
        if ((await deadline.within(reading)) === late) break;
        const [up, down] = [written - start, clock.now() - written];
        best = best ? [Math.min(best[0], up), Math.min(best[1], down)] : [up, down];
      }
      gpu.free(memory);
      return best;
    };
    const small = await seconds(1, 3);
    if (!small) return null;
    const [up, down] = small;
    let { transferBytesPerSecond: bytesPerSecond } = gpu.rates;
    for (const length of [2 ** 14, 2 ** 18]) {
      const large = await seconds(length, 2);
      if (!large) break;
      const both = Math.max(1e-6, large[0] + large[1] - up - down);
      bytesPerSecond = (8 * length) / both;
      // Sixteen times as many bytes, twice: writing cannot be interrupted.
      if (32 * both > deadline.left) break;
    }
    return { up, down, bytesPerSecond };
  }

  /** Begins to compile a step that has next to nothing to do. */
  startSmall(gpu: Backend, learn: Started['learn']): Started {
    return this.#start(gpu, Probe.small(gpu, this.parts), gpu.rates.overhead, learn);
  }

  /** Begins to compile as many of the units as there will be time for; takes them, and those that are too slow, off the list. */
  start(units: Unit[]): Started[] {
    const { deadline, listener, parts } = this;
    const started: Started[] = [];
    let [seconds, bytes] = [0, 0];
    while (units.length > 0) {
      const unit = units[0]!;
      const { group, steps } = unit;
      const expected = listener.expected(unit);
      const needs = Probe.bytes(group, steps, parts);
      const fits = expected < deadline.left / 3 && needs <= mostBytes;
      if (fits && (seconds + expected > deadline.left / 3 || bytes + needs > mostBytes)) break;
      units.shift();
      if (!fits) continue;
      seconds += expected;
      bytes += needs;
      const probe = Probe.of(group, steps, parts);
      const learn: Started['learn'] = (took, isBound) => listener.learn(unit, took, isBound);
      started.push(this.#start(steps.backend, probe, expected, learn));
    }
    return started;
  }

  #start(gpu: Backend, probe: Probe, expected: number, learn: Started['learn']): Started {
    const compiled = Promise.resolve(gpu.compile([probe.step])).then((program) => {
      item.isReady = true;
      gpu.release(program);
    });
    const item: Started = { probe, compiled, isReady: false, expected, learn };
    return item;
  }

  /** Measures on a GPU what `start` gave it. */
  async gpu(gpu: Backend, started: readonly Started[]): Promise<void> {
    const all = Promise.allSettled(started.map(({ compiled }) => compiled));
    await this.deadline.within(all);
    const ready = started.filter(({ isReady }) => isReady);
    const byStamps = gpu.profile && gpu.features?.includes('timestamp-query');
    const work =
      ready.length > 0 ? (byStamps ? this.#byStamps(gpu, ready) : this.#byClock(gpu, ready)) : null;
    // Memory is in use until the GPU is done, also where nobody waits for that.
    const free = (): void => {
      for (const { probe } of started) probe.free();
    };
    void Promise.allSettled([all, work]).then(free);
    if (work) await this.deadline.within(work);
  }

  /** By the GPU's own clock: all steps in one submit, first once each, then the short ones often. */
  async #byStamps(gpu: Backend, ready: readonly Started[]): Promise<void> {
    const { deadline } = this;
    const once = ready.map(() => 1);
    const begun = deadline.clock.now();
    const first = await this.#profile(gpu, ready, once, () => {
      // Which of them kept the GPU busy is not known: the time is shared out by what was expected.
      const took = deadline.clock.now() - begun;
      const total = ready.reduce((n, { expected }) => n + expected, 0);
      if (took > total) for (const { expected, learn } of ready) learn((took * expected) / total, true);
    });
    if (!first) return;
    // Some drivers compile at the first run, and warm ones are what counts.
    const sum = (seconds: readonly number[]): number => seconds.reduce((n, s) => n + s, 0);
    const warm = sum(first) < deadline.left ? await this.#profile(gpu, ready, once) : null;
    if (!warm) {
      for (const [i, { learn }] of ready.entries()) learn(Math.max(first[i]!, 1e-7), true);
      return;
    }
    const copies = warm.map((seconds) => copiesFor(Math.max(seconds, 2e-5), gpuSeconds, mostGpuCopies));
    const needed = sum(warm.map((seconds, i) => seconds * copies[i]!));
    const often = 2 * needed < deadline.left ? await this.#profile(gpu, ready, copies) : null;
    for (const [i, { learn }] of ready.entries()) {
      const seconds = often && copies[i]! > 1 ? often[i]! : Math.min(warm[i]!, often?.[i] ?? warm[i]!);
      learn(Math.max(seconds, 1e-7));
    }
  }

  /** Mean seconds of each step in a submit with so many copies of it; null when time is over. */
  async #profile(
    gpu: Backend,
    ready: readonly Started[],
    copies: readonly number[],
    onLate?: () => void,
  ): Promise<number[] | null> {
    const steps = ready.flatMap(({ probe }, i) => new Array<Step>(copies[i]!).fill(probe.step));
    const program = await this.#compiled(gpu, steps);
    if (!program) return null;
    const profiling = Promise.resolve(gpu.profile!(program));
    void Promise.allSettled([profiling]).then(() => gpu.release(program));
    const seconds = await this.deadline.within(profiling);
    if (seconds === late) {
      onLate?.();
      return null;
    }
    let first = 0;
    return copies.map((count) => {
      const own = seconds.slice(first, first + count);
      first += count;
      return own.reduce((a, b) => a + b, 0) / count;
    });
  }

  /** By the host's clock: one step after the other, without the time of a wait for nothing. */
  async #byClock(gpu: Backend, ready: readonly Started[]): Promise<void> {
    const { deadline } = this;
    let idle = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++)
      idle = Math.min(idle, (await this.#waited(gpu, null, ready[0]!.probe, 0)).seconds);
    for (const [i, { probe, learn }] of ready.entries()) {
      const first = await this.#waited(gpu, probe.step, probe, 1);
      const once = Math.max(1e-7, first.seconds - idle);
      if (first.isLate) {
        // Nor had those ended that would have come after it.
        for (const open of ready.slice(i)) if (once > open.expected) open.learn(once, true);
        return;
      }
      const copies = copiesFor(once, Math.max(gpuSeconds, 2 * idle), mostGpuCopies);
      const again =
        2 * copies * once < deadline.left ? await this.#waited(gpu, probe.step, probe, copies) : null;
      learn(again && !again.isLate ? Math.max(1e-7, again.seconds - idle) / copies : once);
      if (deadline.left <= 0) return;
    }
  }

  /** Seconds until the GPU is done with so many copies of a step, or until there is no time left. */
  async #waited(
    gpu: Backend,
    step: Step | null,
    { end }: Probe,
    copies: number,
  ): Promise<{ seconds: number; isLate: boolean }> {
    const { clock } = this.deadline;
    const program = step && (await this.#compiled(gpu, new Array<Step>(copies).fill(step)));
    if (step && !program) return { seconds: 0, isLate: true };
    const start = clock.now();
    const work = (async () => {
      if (program) await gpu.run(program);
      await gpu.read(end, 0, { shape: [1], dtype: 'float32' });
    })();
    if (program) void Promise.allSettled([work]).then(() => gpu.release(program));
    const isLate = (await this.deadline.within(work)) === late;
    return { seconds: clock.now() - start, isLate };
  }
}
