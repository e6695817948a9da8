// The engine: the backends of this process, the plans made so far, and the queue that lets one plan run at a time.
import type { Backend, BackendName, MemoryStats } from './backend/backend.js';
import { createWasmBackend, type WasmOptions } from './backend/wasm/index.js';
import type { OnCompile } from './backend/webgpu/device.js';
import { type HostArray, showShape } from './dtype.js';
import { type DeviceError, DeviceLostError, EverygradError, OptionError, StateError } from './errors.js';
import { type Backends, DeviceStorage, Executable, type Feed, storageOf } from './execute.js';
import { type Tensor, Variable } from './graph.js';
import { runtime } from './platform.js';
import { mayHaveGpu, requestAdapter } from './platform-gpu.js';
import type { MeasuredCosts } from './schedule/costs.js';
import { hostData, type NeededGraph, needed, type Request, structureKey } from './schedule/graph.js';
import type { Overrides } from './schedule/overrides.js';
import type { Cut, PlaceOptions } from './schedule/place.js';
import { planGraph, planParts } from './schedule/plan.js';

/** Where ops run: `auto` shares them between WASM and a GPU. */
export type Device = 'auto' | 'wasm' | 'webgpu' | 'reference';

/** Options of `configure`. */
export interface EngineOptions extends Pick<WasmOptions, 'build' | 'threads' | 'maximumBytes'> {
  /**
   * `auto`: the cost model shares the ops between WASM and, if there is one, the GPU. `wasm` or `webgpu`: that one takes
   * all that it can do. `reference`: plain JavaScript, for checking.
   */
  device?: Device;
  /** Ops that are to run on a backend if it is there: `{ matmul: 'webgpu', 'softmax (128,10)': 'wasm' }`. */
  placement?: Overrides;
  /** Hears of the GPU's pipelines: all of a plan are compiled at the same time, before its first step. */
  onCompile?: OnCompile;
  /** How long a GPU may take to be there, in seconds; 10 where not said. Then `auto` goes on without, `webgpu` is an error. */
  gpuSeconds?: number;
  /**
   * false: which of several kernels a GPU computes a product or a convolution with follows from its shape alone. Else it is
   * measured where a shape comes for the first time, for half a second in a plan, and kept, by adapter, runtime and
   * version. Which one it is shows in the last bits of results.
   */
  tune?: boolean;
}

/** What plans are made with, besides the backends. */
interface Planning extends PlaceOptions {
  costs?: MeasuredCosts;
  share: false | Cut;
}

const devices: readonly Device[] = ['auto', 'wasm', 'webgpu', 'reference'];

/** Plans of single evaluations that are kept; the one that was not used for longest goes first. */
const keptPlans = 64;

interface Evaluation {
  executable: Executable;
  variables: readonly Variable[];
}

/** The backends of a process, what is in their memory, and the plans that were compiled. */
export class Engine {
  readonly backends: Backends;
  readonly #evaluations = new Map<string, Evaluation>();
  /** The backends of the engines that this one succeeded, one after the other. */
  #former: readonly Backends[] = [];
  readonly #planning: Planning = { share: false };
  /** Why another engine succeeded this one. */
  #loss: DeviceError | null = null;
  #queue: Promise<unknown> | null = null;
  disposed = false;
  /** Results that nobody holds any more give their memory back, should their owner have forgotten to. */
  readonly #forgotten = new FinalizationRegistry<DeviceStorage>((storage) => {
    if (!storage.disposed && !this.disposed) storage.dispose();
  });

  private constructor(
    /** In order of preference, the one at the host's side last. */
    readonly order: readonly Backend[],
    readonly share: boolean,
    /** Why there is no GPU although it would have been used. */
    readonly whyNoGpu: string | null,
  ) {
    this.backends = new Map(order.map((b) => [b.name, b]));
  }

  static async create({ placement, ...options }: EngineOptions = {}): Promise<Engine> {
    const engine = await Engine.#create(options);
    if (placement) {
      const { overrideOf } = await import('./schedule/overrides.js');
      engine.#planning.override = overrideOf(placement, planParts, OptionError);
    }
    return engine;
  }

  static async #create({
    device = 'auto',
    onCompile,
    gpuSeconds,
    tune,
    ...wasm
  }: EngineOptions): Promise<Engine> {
    if (!devices.includes(device)) {
      throw new OptionError({
        where: 'device',
        problem: `'${device}' is not a device`,
        hint: `one of ${devices.join(', ')}`,
        values: { device },
      });
    }
    if (device === 'reference') {
      const { ReferenceBackend } = await import('./backend/reference.js');
      return new Engine([new ReferenceBackend(planParts.dtypes)], false, null);
    }
    const host = createWasmBackend(wasm);
    host.catch(() => {}); // it is awaited below, but may fail before that
    if (device === 'wasm') return new Engine([await host], false, null);
    if (device === 'auto' && !(await mayHaveGpu())) {
      return new Engine([await host], false, 'this machine has no GPU, or this is a worker thread of Node');
    }
    try {
      // Before the rest of the backend is loaded: many browsers have WebGPU, but no adapter.
      const adapter = await requestAdapter({ gpuSeconds });
      const { createWebgpuBackend } = await import('./backend/webgpu/index.js');
      const [gpu, cpu] = await Promise.all([
        createWebgpuBackend({ onCompile, adapter, gpuSeconds, tune }),
        host,
      ]);
      return new Engine([gpu, cpu], device === 'auto', null);
    } catch (error) {
      if (device === 'webgpu') {
        (await host).dispose();
        throw error;
      }
      return new Engine([await host], false, error instanceof EverygradError ? error.problem : String(error));
    }
  }

  /** One thing at a time: `f` starts when all before it is done. It may be synchronous, and then nothing waits. */
  exclusively<T>(f: () => T | Promise<T>): T | Promise<T> {
    if (this.#loss) throw this.#loss;
    if (this.disposed) {
      throw new StateError({
        where: 'engine',
        problem: 'the engine was disposed',
        hint: 'configure() replaced it',
      });
    }
    const result = this.#queue ? this.#queue.then(f) : f();
    if (!(result instanceof Promise)) return result;
    // Cleared before the caller goes on, so that its next call finds the way free and need not wait.
    const done = result.finally(() => {
      if (this.#queue === turn) this.#queue = null;
    });
    const turn: Promise<unknown> = done.catch(() => undefined);
    this.#queue = turn;
    return done;
  }

  /** The values of tensors, computed together; with `keep` they become data, and the graph behind them is free to go. */
  async evaluate(tensors: readonly Tensor[], keep = false): Promise<HostArray[]> {
    const variables = tensors.filter((t) => t instanceof Variable);
    return this.exclusively(async () => {
      await this.#initialize(variables);
      const values = new Map<Tensor, HostArray>();
      for (const v of variables) values.set(v, await storageOf(v).read());
      // Looked at in its turn only: what ran before it may have computed a part of the graph, which then is data.
      const open = tensors.filter((t) => t.source.kind !== 'data' && !(t instanceof Variable));
      if (open.length > 0) {
        const executable = await this.#evaluate(needed({ outputs: open, assignments: new Map() }));
        for (const [i, t] of open.entries()) {
          const data = await executable.read(i);
          values.set(t, data);
          if (keep && t.source.kind === 'op') t.source = { kind: 'data', data };
        }
      }
      return tensors.map((t) => (t.source.kind === 'data' ? t.source.data : values.get(t)!));
    });
  }

  /** Gives variables new values. */
  async assign(assignments: ReadonlyMap<Variable, Tensor>): Promise<void> {
    const given = [...assignments].filter(([, value]) => value.source.kind === 'data');
    const computed = new Map([...assignments].filter(([, value]) => value.source.kind !== 'data'));
    await this.exclusively(async () => {
      if (computed.size > 0) await this.#evaluate(needed({ outputs: [], assignments: computed }));
      for (const [variable, value] of given) {
        const values = this.#valuesOf(value);
        // One that lost its values, or that had them in an engine that was replaced, gets new ones.
        if (this.#holds(variable)) storageOf(variable).writeHost(values);
        else this.adopt(variable, values.slice());
      }
    });
  }

  async #evaluate(graph: NeededGraph): Promise<Executable> {
    const executable = await this.#evaluation(graph);
    for (const [i, feed] of graph.feeds.entries()) await executable.feed(i, this.#valuesOf(feed));
    await executable.run();
    return executable;
  }

  #valuesOf(feed: Tensor): HostArray {
    const data = hostData(feed);
    if (data) return data;
    throw new StateError({
      where: 'data',
      problem: `${feed} has no values: it is an argument of a function that is being compiled`,
      hint: 'return it from the function, and read it outside',
    });
  }

  async #evaluation(graph: NeededGraph): Promise<Executable> {
    await this.#initialize(graph.variables);
    this.#dropPlans(({ variables }) => variables.some((v) => v.disposed));
    const key = structureKey(graph);
    const known = this.#evaluations.get(key);
    this.#evaluations.delete(key);
    if (known) {
      this.#evaluations.set(key, known);
      return known.executable;
    }
    const executable = await this.#compile(graph, false);
    this.#evaluations.set(key, { executable, variables: graph.variables });
    this.#dropPlans(() => this.#evaluations.size > keptPlans);
    return executable;
  }

  async #compile(graph: NeededGraph, keepFeeds: boolean): Promise<Executable> {
    const { order, backends } = this;
    const planning = this.#planning;
    const { name, version } = runtime();
    const place = `${name} ${version}`;
    await order[0]!.tune?.(
      graph.ops.map((t) => ({ op: t.source.op, site: planParts.siteOf(t) })),
      place,
    );
    if (this.share) {
      if (!planning.costs) {
        const { cutWith, MeasuredCosts } = await import('./schedule/costs.js');
        planning.costs = new MeasuredCosts(order, planParts, place);
        planning.share = cutWith(planParts);
      }
      await planning.costs.measure(graph);
    }
    return Executable.compile(planGraph(graph, { backends: order, keepFeeds, ...planning }), backends);
  }

  /** Goes through the kept plans, the one that was not used for longest first. */
  #dropPlans(unwanted: (evaluation: Evaluation) => boolean): void {
    for (const [key, evaluation] of this.#evaluations) {
      if (!unwanted(evaluation)) continue;
      this.#evaluations.delete(key);
      evaluation.executable.dispose();
    }
  }

  /** Plans and compiles for many runs. Not to be called inside `exclusively`. */
  async prepare(request: Request): Promise<Executable> {
    return this.exclusively(async () => {
      const graph = needed(request);
      await this.#initialize(graph.variables);
      const executable = await this.#compile(graph, true);
      executable.writeHostFeeds();
      return executable;
    });
  }

  /**
   * Runs with the given values for the feeds at the given positions and copies the outputs into `results`, before any
   * other run can change them; waits only if it must.
   */
  run(
    executable: Executable,
    positions: readonly number[],
    values: readonly Feed[],
    results: readonly Variable[] = [],
  ): void | Promise<void> {
    return this.exclusively(() => {
      for (let i = 0; i < positions.length; i++) {
        const at = positions[i]!;
        if (at < 0) continue;
        const waiting = executable.feed(at, values[i]!);
        if (waiting) return this.#runSlowly(executable, positions, values, results, i, waiting);
      }
      const running = executable.run();
      if (results.length === 0) return running;
      return running ? running.then(() => keepAll(executable, results)) : keepAll(executable, results);
    });
  }

  async #runSlowly(
    executable: Executable,
    positions: readonly number[],
    values: readonly Feed[],
    results: readonly Variable[],
    first: number,
    waiting: Promise<void>,
  ): Promise<void> {
    await waiting;
    for (let i = first + 1; i < positions.length; i++) {
      if (positions[i]! >= 0) await executable.feed(positions[i]!, values[i]!);
    }
    await executable.run();
    await keepAll(executable, results);
  }

  /** Runs several times; for each step of the plan the median of its seconds, NaN where nothing measures them. */
  async profile(
    executable: Executable,
    positions: readonly number[],
    values: readonly Feed[],
    runs: number,
  ): Promise<number[]> {
    return this.exclusively(async () => {
      const all: number[][] = [];
      for (let n = 0; n < runs; n++) {
        for (const [i, at] of positions.entries()) if (at >= 0) await executable.feed(at, values[i]!);
        all.push(await executable.profile());
      }
      const seconds = all[0]!.map((_, step) => median(all.map((run) => run[step]!)));
      await this.#planning.costs?.learn(executable.plan, seconds);
      return seconds;
    });
  }

  /** Gives variables their first values, all computed together on the host's side so that bits agree everywhere. */
  async #initialize(variables: readonly Variable[]): Promise<void> {
    const empty = variables.filter((v) => !this.#owns(v));
    if (empty.length === 0) return;
    const initial = empty.map((v) => {
      if (v.initial && !v.disposed) return v.initial();
      throw new StateError({
        where: v.name,
        problem: `${v.name} ${showShape(v.shape)} ${v.disposed ? 'was disposed' : 'has no values'}`,
        hint: 'make a new one',
      });
    });
    const graph = needed({ outputs: initial, assignments: new Map() });
    await this.#initialize(graph.variables);
    const host = this.order.at(-1)!;
    const plan = planGraph(graph, { backends: [host], share: false, keepFeeds: true });
    const executable = await Executable.compile(plan, this.backends);
    try {
      executable.writeHostFeeds();
      await executable.run();
      for (const [i, v] of empty.entries()) this.adopt(v, await executable.read(i));
    } finally {
      executable.dispose();
    }
  }

  #holds(variable: Variable): boolean {
    return (variable.storage as DeviceStorage | null)?.backends === this.backends;
  }

  #owns(variable: Variable): boolean {
    const where = variable.name;
    const storage = variable.storage as DeviceStorage | null;
    if (!storage) return false;
    if (this.#holds(variable)) return true;
    const lost = this.#former.includes(storage.backends);
    const values = lost && storage.hostValues();
    if (values) {
      this.adopt(variable, values);
      return true;
    }
    throw new (lost ? DeviceLostError : StateError)({
      where,
      problem: lost
        ? `its values ${showShape(variable.shape)} were lost with a GPU`
        : 'the variable belongs to an engine that was replaced',
      hint: `${lost ? '' : 'call configure() before anything is computed, or '}assign it a tensor, or load() the model`,
    });
  }

  /** Makes a variable live in this engine, with values from the host or none yet. */
  adopt(variable: Variable, values: HostArray | null): void {
    const before = variable.storage as DeviceStorage | null;
    if (before && this.#former.includes(before.backends)) before.dispose();
    const storage = new DeviceStorage(
      { shape: variable.shape, dtype: variable.dtype },
      this.backends,
      values,
    );
    variable.storage = storage;
    this.#forgotten.register(variable, storage);
  }

  /** Gives variables that have no values yet their first ones. */
  async initialize(variables: readonly Variable[]): Promise<void> {
    await this.exclusively(() => this.#initialize(variables));
  }

  /** What each backend has in memory. */
  stats(): Partial<Record<BackendName, MemoryStats>> {
    return Object.fromEntries(this.order.map((b) => [b.name, b.stats()]));
  }

  /** The engine that goes on with another GPU, or none, where this one's was lost; values at the host's side stay. */
  succeed(gpu: Backend | null, loss: DeviceError): void {
    this.clearPlans();
    this.disposed = true;
    this.#loss = loss;
    const host = this.order.at(-1)!;
    const next = new Engine(gpu ? [gpu, host] : [host], this.share && gpu !== null, loss.problem);
    next.#former = [...this.#former, this.backends];
    next.#planning.override = this.#planning.override;
    current = Promise.resolve(next);
  }

  /** Forgets the plans of single evaluations and frees their memory. */
  clearPlans(): void {
    this.#dropPlans(() => true);
  }

  /** Frees the memory of all backends; the engine cannot be used afterwards. */
  dispose(): void {
    if (this.disposed) return;
    this.clearPlans();
    this.disposed = true;
    for (const b of this.order) b.dispose();
  }
}

async function keepAll(executable: Executable, results: readonly Variable[]): Promise<void> {
  for (const [i, variable] of results.entries()) await executable.keep(i, variable);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

let current: Promise<Engine> | null = null;

/** The engine that everything runs on, made at first use. */
export function engine(): Promise<Engine> {
  current ??= Engine.create();
  return current;
}

/**
 * Chooses device, kernel build and threads. To be called before anything is computed: an engine that is in use is
 * replaced, and its variables with it.
 */
export async function configure(options: EngineOptions): Promise<Engine> {
  const before = current;
  const next = Engine.create(options);
  current = next;
  try {
    const made = await next;
    if (before) (await before.catch(() => null))?.dispose();
    return made;
  } catch (error) {
    current = before;
    throw error;
  }
}

/** Memory in use on each backend: pieces handed out, their bytes, and how often the system was asked for memory. */
export async function memoryStats(): Promise<Partial<Record<BackendName, MemoryStats>>> {
  return (await engine()).stats();
}
