// Runs plans: gives every value its place, has the backends compile the segments, moves values between backends.
import type {
  Backend,
  BackendName,
  Chain,
  ChainInput,
  Memory,
  Operand,
  Program,
  Step,
} from './backend/backend.js';
import { type HostArray, showShape } from './dtype.js';
import { EverygradError, StateError } from './errors.js';
import { type Spec, type Storage, type Tensor, Variable } from './graph.js';
import type { ElementwiseOp, KernelOp } from './ops/define.js';
import { type Group, membersOf } from './schedule/fuse.js';
import { hostData, type OpTensor, rootOf } from './schedule/graph.js';
import type { Slot } from './schedule/memory.js';
import { siteOf } from './schedule/place.js';
import type { Plan } from './schedule/plan.js';

export type Backends = ReadonlyMap<BackendName, Backend>;

/** The values of a variable: a piece of memory on each backend that uses it, some of them up to date. */
export class DeviceStorage implements Storage {
  readonly #pieces = new Map<BackendName, Memory>();
  readonly #current = new Set<BackendName>();
  /** A copy at the host, if it is up to date. Not kept beside WASM's, which is as safe. */
  #host: HostArray | null;
  disposed = false;

  constructor(
    /** Not the variable itself: a result that nobody holds must be free to go. */
    readonly owner: Spec,
    readonly backends: Backends,
    host: HostArray | null,
  ) {
    this.#host = host;
  }

  /** The memory on a backend, whatever it holds. */
  memory(name: BackendName): Memory {
    const known = this.#pieces.get(name);
    if (known) return known;
    const backend = this.backends.get(name)!;
    const piece = backend.allocate(Math.max(backend.bytesOf(this.owner), backend.alignment), true);
    this.#pieces.set(name, piece);
    return piece;
  }

  isCurrent(name: BackendName): boolean {
    return this.#current.has(name);
  }

  /** Brings the values to a backend if they are not there. */
  bring(name: BackendName): void | Promise<void> {
    if (this.#current.has(name)) return;
    const to = this.memory(name);
    const arrive = (data: HostArray): void => {
      this.backends.get(name)!.write(to, 0, data, this.owner.dtype);
      this.#current.add(name);
      if (name === 'wasm') this.#host = null;
    };
    const data = this.read();
    if (data instanceof Promise) return data.then(arrive);
    arrive(data);
  }

  /** A copy of the values for the host. */
  read(): HostArray | Promise<HostArray> {
    if (this.#host) return this.#host.slice();
    // Memory that can be read at once, if there is one.
    const [name] = [...this.#current].sort((a, b) => Number(a === 'webgpu') - Number(b === 'webgpu'));
    const data = this.backends.get(name!)!.read(this.memory(name!), 0, this.owner);
    if (!(data instanceof Promise)) return data;
    return data.then((values) => {
      this.#host = values.slice(); // should the GPU be lost
      return values;
    });
  }

  /** The values, if they can be had without a GPU. */
  hostValues(): HostArray | null {
    if (this.#host || this.#current.has('wasm')) return this.read() as HostArray;
    return null;
  }

  /** The values were written on this backend: all other copies are out of date. */
  wroteOn(name: BackendName): void {
    this.#host = null;
    if (this.#current.size === 1 && this.#current.has(name)) return;
    this.#current.clear();
    this.#current.add(name);
  }

  writeHost(data: HostArray): void {
    const [name] = this.#current;
    if (name) {
      this.backends.get(name)!.write(this.memory(name), 0, data, this.owner.dtype);
      this.wroteOn(name);
    }
    if (name !== 'wasm') this.#host = data.slice();
  }

  dispose(): void {
    for (const [name, piece] of this.#pieces) this.backends.get(name)!.free(piece);
    this.#pieces.clear();
    this.#current.clear();
    this.disposed = true;
  }
}

export function storageOf(variable: Variable): DeviceStorage {
  if (variable.disposed || !variable.storage) {
    throw new StateError({
      where: variable.name,
      problem: variable.disposed ? 'the variable was disposed' : 'the variable has no values yet',
      hint: 'variables must live as long as the functions that use them',
    });
  }
  return variable.storage as DeviceStorage;
}

/** A variable's values as a plan reads or writes them on a backend. */
interface VariableUse {
  readonly storage: DeviceStorage;
  readonly backend: BackendName;
  readonly name: string;
}

interface CompiledSegment {
  readonly backend: Backend;
  readonly program: Program;
  readonly arrivals: readonly { value: Tensor; from: Backend; source: Operand; to: Operand }[];
}

/** What a feed is filled with at a run: host values, or a variable whose values lie on a device. */
export type Feed = HostArray | Variable;

/** A plan with memory and compiled segments. */
export class Executable {
  /** Of each backend, in pieces that start at these offsets. */
  readonly #arenas: { backend: Backend; start: number; memory: Memory }[] = [];
  readonly #segments: CompiledSegment[] = [];
  /** Where each feed has to be written, in the order of `plan.graph.feeds`. */
  readonly #feedPlaces: Operand[][] = [];
  /** Where each output lies, in the order of `plan.graph.outputs`; or the variable whose value it is. */
  #outputs: ({ backend: Backend; operand: Operand } | { variable: Variable })[] = [];
  #needs: VariableUse[] = [];
  #writes: VariableUse[] = [];
  disposed = false;

  private constructor(
    readonly plan: Plan,
    readonly backends: Backends,
  ) {}

  /** Takes memory and compiles; all variables of the plan must have values. */
  static async compile(plan: Plan, backends: Backends): Promise<Executable> {
    const executable = new Executable(plan, backends);
    try {
      await executable.#build();
    } catch (error) {
      executable.dispose();
      if (!(error instanceof EverygradError)) throw error;
      throw (await import('./schedule/plan-size.js')).addPlanSize(error, plan);
    }
    return executable;
  }

  async #build(): Promise<void> {
    const { plan, backends } = this;
    for (const [name, bytes] of plan.arenaBytes) {
      const backend = backends.get(name)!;
      const { pieceBytes } = backend;
      for (let start = 0; start < bytes; start += pieceBytes)
        this.#arenas.push({ backend, start, memory: backend.allocate(Math.min(bytes - start, pieceBytes)) });
    }
    // A GPU compiles all that it is given at the same time; WASM one after the other.
    let host: Promise<unknown> = Promise.resolve();
    const compiled = plan.segments.map(({ backend: name, groups }) => {
      const compile = async () => backends.get(name)!.compile(groups.map((g) => this.#step(g)));
      if (name === 'webgpu') return compile();
      const made = host.then(compile);
      host = made;
      return made;
    });
    const settled = await Promise.allSettled(compiled);
    for (const [i, { backend: name, arrivals }] of plan.segments.entries()) {
      const made = settled[i]!;
      if (made.status === 'rejected') continue;
      const moves = arrivals.map(({ value, from }) => ({
        value,
        from: backends.get(from)!,
        source: this.#operand(value, from),
        to: this.#slotOperand(value, name),
      }));
      this.#segments.push({ backend: backends.get(name)!, program: made.value, arrivals: moves });
    }
    await Promise.all(compiled); // throws what went wrong
    for (const feed of plan.graph.feeds) {
      const places = [...plan.slots]
        .filter(([, slots]) => slots.has(feed))
        .map(([name]) => this.#slotOperand(feed, name));
      this.#feedPlaces.push(places);
    }
    // Found now: a tensor that is read becomes a constant, and shows no longer what it was a view of.
    this.#outputs = plan.graph.outputs.map((t) => this.#place(t));
    const use = (v: Variable, backend: BackendName): VariableUse => ({
      storage: storageOf(v),
      backend,
      name: v.name,
    });
    const needs = new Map<string, VariableUse>();
    for (const group of plan.groups) {
      for (const root of membersOf(group).flatMap((t) => t.source.inputs.map(rootOf))) {
        if (root instanceof Variable) needs.set(`${root.id} ${group.backend}`, use(root, group.backend));
      }
    }
    this.#needs = [...needs.values()];
    this.#writes = plan.groups.flatMap((group) =>
      membersOf(group)
        .filter((t) => plan.inPlace.has(t))
        .map((t) => use(plan.inPlace.get(t)!, group.backend)),
    );
  }

  /** Where `t` lies on a backend: a variable's memory or a slot of the arena. */
  #operand(t: Tensor, backend: BackendName): Operand {
    const root = rootOf(t);
    const variable = root instanceof Variable ? root : this.plan.inPlace.get(root);
    if (!variable) return { ...this.#slotOperand(root, backend), shape: t.shape };
    return { memory: storageOf(variable).memory(backend), offset: 0, shape: t.shape, dtype: t.dtype };
  }

  #slotOperand(t: Tensor, backend: BackendName): Operand {
    const slot = this.plan.slots.get(backend)?.get(t) as Slot;
    const { memory, start } = this.#arenas.findLast(
      (a) => a.backend.name === backend && a.start <= slot.offset,
    )!;
    return { memory, offset: slot.offset - start, shape: t.shape, dtype: t.dtype };
  }

  #step({ backend, kernel, chain, prologue }: Group): Step {
    const stored = (t: OpTensor): boolean => this.plan.inPlace.has(t) || this.plan.slots.get(backend)!.has(t);
    return {
      kernel: kernel && {
        op: kernel.source.op as KernelOp,
        site: siteOf(kernel),
        inputs: prologue ? [] : kernel.source.inputs.map((t) => this.#operand(t, backend)),
        output: stored(kernel) ? this.#operand(kernel, backend) : null,
      },
      chain: chain.length > 0 ? this.#chain(chain, kernel, backend, stored) : null,
      prologue: prologue && {
        ...this.#chain(prologue, null, backend, stored),
        result: prologue.indexOf(rootOf(kernel!.source.inputs[0]!) as OpTensor),
      },
    };
  }

  #chain(
    members: readonly OpTensor[],
    kernel: OpTensor | null,
    backend: BackendName,
    stored: (t: OpTensor) => boolean,
  ): Chain {
    const input = (t: Tensor): ChainInput => {
      const root = rootOf(t);
      if (root.source.kind === 'constant')
        return { kind: 'constant', value: root.source.value, dtype: t.dtype };
      const index = members.indexOf(root as OpTensor);
      if (index >= 0) return { kind: 'instruction', index };
      return root === kernel ? { kind: 'kernel' } : { kind: 'operand', operand: this.#operand(t, backend) };
    };
    return {
      shape: members[0]!.shape,
      instructions: members.map((t) => ({
        op: t.source.op as ElementwiseOp,
        site: siteOf(t),
        inputs: t.source.inputs.map(input),
      })),
      stores: members.flatMap((t, instruction) =>
        stored(t) ? [{ instruction, to: this.#operand(t, backend) }] : [],
      ),
    };
  }

  /** Writes the feeds that stay the same. */
  writeHostFeeds(): void {
    this.plan.graph.feeds.forEach((feed, i) => {
      const data = hostData(feed);
      if (data) this.feed(i, data);
    });
  }

  /** Gives the i-th feed of the plan its values for the next run. */
  feed(i: number, value: Feed): void | Promise<void> {
    const waits: Promise<void>[] = [];
    for (const { memory, offset, dtype } of this.#feedPlaces[i]!) {
      const { backend } = this.#arenas.find((a) => a.memory === memory)!;
      if (!(value instanceof Variable)) {
        backend.write(memory, offset, value, dtype);
        continue;
      }
      const storage = storageOf(value);
      const copy = (): void =>
        backend.copy(storage.memory(backend.name), 0, memory, offset, backend.bytesOf(value));
      const brought = storage.bring(backend.name);
      if (brought) waits.push(brought.then(copy));
      else copy();
    }
    if (waits.length > 0) return Promise.all(waits).then(() => undefined);
  }

  /** Runs all segments; returns a promise only if it has to wait. */
  run(): void | Promise<void> {
    this.#checkAlive();
    for (let i = 0; i < this.#needs.length; i++) {
      const { storage, backend } = this.#needs[i]!;
      if (!storage.isCurrent(backend)) return this.#runAfterMoving();
    }
    return this.#runSegments(0);
  }

  /** Programs hold addresses: what was freed must not be touched. */
  #checkAlive(): void {
    if (this.disposed) {
      throw new StateError({
        where: 'run',
        problem: 'the function was disposed',
        hint: 'dispose it when its last call is done',
      });
    }
    for (const uses of [this.#needs, this.#writes]) {
      for (let i = 0; i < uses.length; i++) {
        const { storage, name } = uses[i]!;
        if (!storage.disposed) continue;
        throw new StateError({
          where: name,
          problem: `${name} ${showShape(storage.owner.shape)} was disposed`,
          hint: 'variables must live as long as the functions that use them',
        });
      }
    }
  }

  async #runAfterMoving(): Promise<void> {
    for (const { storage, backend } of this.#needs) await storage.bring(backend);
    await this.#runSegments(0);
  }

  #runSegments(from: number): void | Promise<void> {
    for (let i = from; i < this.#segments.length; i++) {
      const { backend, program, arrivals } = this.#segments[i]!;
      if (arrivals.length > 0) return this.#runWithArrivals(i);
      const running = backend.run(program);
      if (running) return running.then(() => this.#runSegments(i + 1));
    }
    for (let i = 0; i < this.#writes.length; i++) this.#writes[i]!.storage.wroteOn(this.#writes[i]!.backend);
  }

  async #runWithArrivals(i: number): Promise<void> {
    const segment = this.#segments[i]!;
    await bringArrivals(segment);
    await segment.backend.run(segment.program);
    await this.#runSegments(i + 1);
  }

  /** Runs once; seconds of each step of the plan, NaN where the backend cannot tell. */
  async profile(): Promise<number[]> {
    this.#checkAlive();
    for (const { storage, backend } of this.#needs) await storage.bring(backend);
    const seconds: number[] = [];
    for (const segment of this.#segments) {
      await bringArrivals(segment);
      const { backend, program } = segment;
      if (backend.profile) seconds.push(...(await backend.profile(program)));
      else {
        await backend.run(program);
        seconds.push(...new Array<number>(program.steps).fill(Number.NaN));
      }
    }
    for (const { storage, backend } of this.#writes) storage.wroteOn(backend);
    return seconds;
  }

  /** The host's copy of output i of the last run. */
  read(i: number): HostArray | Promise<HostArray> {
    const output = this.#outputs[i]!;
    if ('variable' in output) return storageOf(output.variable).read();
    const { backend, operand } = output;
    return backend.read(operand.memory, operand.offset, operand);
  }

  /** Copies output i of the last run into a variable's memory on the backend where it was made. */
  keep(i: number, variable: Variable): void | Promise<void> {
    const storage = storageOf(variable);
    const output = this.#outputs[i]!;
    if ('variable' in output) {
      const data = this.read(i);
      return data instanceof Promise ? data.then((d) => storage.writeHost(d)) : storage.writeHost(data);
    }
    const { backend, operand } = output;
    backend.copy(operand.memory, operand.offset, storage.memory(backend.name), 0, backend.bytesOf(variable));
    storage.wroteOn(backend.name);
  }

  #place(output: Tensor): { backend: Backend; operand: Operand } | { variable: Variable } {
    const root = rootOf(output);
    if (root instanceof Variable) return { variable: root };
    const group = this.plan.groups.find((g) => membersOf(g).includes(root as OpTensor));
    const name = group?.backend ?? [...this.plan.slots].find(([, slots]) => slots.has(root))![0];
    return { backend: this.backends.get(name)!, operand: this.#operand(output, name) };
  }

  dispose(): void {
    for (const { backend, program } of this.#segments) backend.release(program);
    for (const { backend, memory } of this.#arenas) backend.free(memory);
    this.#segments.length = 0;
    this.#arenas.length = 0;
    this.disposed = true;
  }
}

async function bringArrivals({ backend, arrivals }: CompiledSegment): Promise<void> {
  for (const { from, source, to } of arrivals) {
    const data = await from.read(source.memory, source.offset, source);
    backend.write(to.memory, to.offset, data, to.dtype);
  }
}
