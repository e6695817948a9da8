// What ops cost on this machine: measured when the first plan needs it, kept between runs, corrected by profiles. Loads on
// demand, and so gets what it needs of the core (see train/core.ts).
import type { Backend } from '../backend/backend.js';
import type { Spec } from '../graph.js';
import { Calibration, type Transfers, type Unit } from './calibrate.js';
import { FamilyModel, fit, type Rate, type Sample, secondsBy } from './cost-model.js';
import { type CostStore, costStore, keptAs } from './cost-store.js';
import { type Clock, Deadline, realClock } from './deadline.js';
import { type Features, familyOf, Steps } from './features.js';
import type { Group } from './fuse.js';
import type { NeededGraph, OpTensor } from './graph.js';
import type { Costs } from './place.js';
import type { Plan, PlanParts } from './plan.js';

declare const EVERYGRAD_VERSION: string;

export { cutWith } from './cut.js';

/** Seconds that measuring for one plan may take; families that are left out are measured for a later one. */
const budget = 0.2;
/** The part of it in which threads may start, and the part that is kept for the GPU. */
const [startPart, gpuPart] = [0.2, 0.5];
/** Plans in which a family that could not be measured has its turn. */
const mostTries = 3;
/** Measured ops that are remembered, and steps of a family. */
const [mostOps, mostSamples] = [1000, 24];
/** Steps of a family that are measured for a plan. */
const stepsOfFamily = 4;

/** What is kept of a backend. */
interface Known {
  /** Seconds of starting a kernel. */
  overhead: number | null;
  /** Of each family of kernels the steps that were measured, the newest last. */
  families: Record<string, Sample[]>;
  /** How often a family had its turn. */
  tries: Record<string, number>;
  /** Seconds of very ops, by their signatures. */
  ops: Record<string, number>;
}

interface Kept {
  key: string;
  backends: Record<string, Known>;
  transfers: Transfers | null;
}

const emptyBackend = (): Known => ({ overhead: null, families: {}, tries: {}, ops: {} });

export class MeasuredCosts implements Costs {
  #kept: Kept = { key: '', backends: {}, transfers: null };
  #opened: Promise<void> | null = null;
  /** By backend, what was counted of an op. */
  readonly #features = new WeakMap<OpTensor, Map<Backend, Features>>();
  /** Of steps that had not ended in time or ran for the first time, which may have been a compiler's: measured anew. */
  readonly #bounds = new Map<string, Sample[]>();
  /** Fitted models, until something is learned. */
  readonly #models = new Map<string, FamilyModel>();
  /** Seconds that measuring has taken in this process. */
  static spent = 0;
  private readonly gpu: Backend;
  private readonly host: Backend;

  constructor(
    [gpu, host]: readonly Backend[],
    private readonly parts: PlanParts,
    /** Name and version. */
    private readonly runtime: string,
    /** null: nothing is kept. */
    private readonly store: CostStore | null = costStore,
    private readonly clock: Clock = realClock,
  ) {
    [this.gpu, this.host] = [gpu!, host!];
  }

  get #key(): string {
    const backends = `${this.gpu.description}, ${this.host.description}`;
    return `costs of steps ${EVERYGRAD_VERSION} ${this.runtime} ${backends}`;
  }

  async #open(): Promise<void> {
    // Where nothing can be kept, or what was kept is damaged, it is measured again.
    this.#kept = (await keptAs<Kept>(this.store, this.#key)) ?? this.#kept;
  }

  async #save(): Promise<void> {
    this.#kept.key = this.#key;
    await this.store?.put(this.#key, JSON.stringify(this.#kept)).catch(() => undefined);
  }

  #known({ name }: Backend): Known {
    this.#kept.backends[name] ??= emptyBackend();
    return this.#kept.backends[name];
  }

  /** Seconds of an op by itself, or what it adds to the step that it runs in. */
  seconds(t: OpTensor, backend: Backend): number {
    const features = this.#featuresOf(t, backend);
    return this.#known(backend).ops[features.signature] ?? this.#estimate(features, backend);
  }

  #estimate({ family, flops, bytes, starts, together }: Features, backend: Backend): number {
    const model = this.#model(family, backend);
    return model.seconds(flops, bytes, starts, together);
  }

  /** Seconds of bringing a value to the GPU or back. */
  transfer(value: Spec, toHost: boolean): number {
    const { up, down, bytesPerSecond } = this.#kept.transfers ?? {
      up: this.gpu.rates.transferOverhead,
      down: this.gpu.rates.transferOverhead,
      bytesPerSecond: this.gpu.rates.transferBytesPerSecond,
    };
    return (toHost ? down : up) + this.gpu.bytesOf(value) / bytesPerSecond;
  }

  /** What was counted of an op in its graph; of one whose graph is not known, by itself. */
  #featuresOf(t: OpTensor, backend: Backend): Features {
    const known = this.#features.get(t)?.get(backend);
    if (known) return known;
    const { flops, bytes } = t.source.op.cost(this.parts.siteOf(t));
    const family = familyOf(this.parts, t, backend);
    return { family, flops, bytes, starts: true, together: { flops, bytes }, signature: '' };
  }

  #assumed(backend: Backend): Rate {
    const { overhead, flopsPerSecond, bytesPerSecond } = backend.rates;
    return [this.#known(backend).overhead ?? overhead, 1 / flopsPerSecond, 1 / bytesPerSecond];
  }

  /** What is known of a family goes before what is known of all, and that before the backend's first rates. */
  #model(family: string, backend: Backend): FamilyModel {
    const key = `${backend.name} ${family}`;
    const known = this.#models.get(key);
    if (known) return known;
    const { families } = this.#known(backend);
    const assumed = this.#assumed(backend);
    const all = Object.values(families).flat();
    const model = new FamilyModel(families[family] ?? this.#bounds.get(key) ?? [], fit(all, assumed));
    this.#models.set(key, model);
    return model;
  }

  /** Takes in that a step took so long, or (`isBound`) that so much is known of it. */
  #learn(group: Group, backend: Backend, took: number, isBound = false): void {
    const members = this.parts.membersOf(group);
    const known = this.#known(backend);
    const expected = members.map((t) => this.seconds(t, backend));
    const total = expected.reduce((a, b) => a + b, 0);
    const [first] = members;
    const { family, together } = this.#featuresOf(first!, backend);
    if (isBound) {
      const key = `${backend.name} ${family}`;
      this.#bounds.set(key, [...(this.#bounds.get(key) ?? []), [together.flops, together.bytes, took]]);
      this.#models.clear();
      return;
    }
    for (const [i, t] of members.entries()) {
      const { signature } = this.#featuresOf(t, backend);
      if (!signature) continue;
      const seconds = (took * expected[i]!) / total;
      const before = known.ops[signature];
      delete known.ops[signature]; // the newest come last
      known.ops[signature] = before === undefined ? seconds : (before + seconds) / 2;
    }
    const names = Object.keys(known.ops);
    for (const name of names.slice(0, Math.max(0, names.length - mostOps))) delete known.ops[name];

    // What a chain adds to a kernel is taken off as it is expected.
    const chain = group.kernel ? total - expected[0]! : 0;
    const net = Math.max(took - chain, (took * expected[0]!) / total);
    known.families[family] ??= [];
    const samples = known.families[family];
    const same = samples.findIndex(([f, b]) => f === together.flops && b === together.bytes);
    const before = same >= 0 ? samples.splice(same, 1)[0]![2] : net;
    samples.push([together.flops, together.bytes, (before + net) / 2]);
    if (samples.length > mostSamples) samples.shift();
    this.#models.clear();
  }

  /** Takes in what the steps of a plan took; NaN where that is not known. */
  async learn(plan: Plan, seconds: readonly number[]): Promise<void> {
    const { stepTimes } = await import('./explain.js');
    this.#count(plan.graph);
    for (const [i, took] of stepTimes(this.parts, plan, seconds).entries()) {
      const group = plan.groups[i]!;
      const backend = [this.gpu, this.host].find((b) => b.name === group.backend);
      if (backend && took > 0) this.#learn(group, backend, took);
    }
    await this.#save();
  }

  #count(graph: NeededGraph): Steps[] {
    return [this.gpu, this.host].map((backend) => {
      const steps = new Steps(this.parts, graph, backend, this.host);
      for (const [t, features] of steps.features) {
        const known = this.#features.get(t) ?? new Map();
        this.#features.set(t, known.set(backend, features));
      }
      return steps;
    });
  }

  /** Measures what the plan of a graph needs to know and nobody has measured yet, the costliest first. */
  async measure(graph: NeededGraph): Promise<void> {
    this.#opened ??= this.#open();
    await this.#opened;
    const { gpu, host } = this;
    const [onGpu, onHost] = this.#count(graph) as [Steps, Steps];
    const atHost = graph.ops.reduce((n, t) => n + this.seconds(t, host), 0);
    // What takes less than one way to the GPU and back will not go there.
    if (atHost < 2 * gpu.rates.transferOverhead && !this.#kept.transfers) return;
    const [hostUnits, gpuUnits] = [this.#unknown(onHost), this.#unknown(onGpu)];
    if (hostUnits.length + gpuUnits.length === 0) return;
    this.#bounds.clear();
    this.#models.clear();
    const start = this.clock.now();
    const deadline = new Deadline(this.clock, budget);
    try {
      await this.#calibrate(deadline, hostUnits, gpuUnits);
    } catch (error) {
      // What is wrong with a step or a device shows again, and is said, when the plan is made.
      if ((error as Error).name !== 'DeviceError') throw error;
    } finally {
      deadline.dispose();
      this.#models.clear();
      MeasuredCosts.spent += this.clock.now() - start;
    }
    await this.#save();
  }

  async #calibrate(deadline: Deadline, hostUnits: Unit[], gpuUnits: Unit[]): Promise<void> {
    const { gpu, host, parts } = this;
    const starting = new Deadline(this.clock, startPart * budget);
    const calibration = new Calibration(parts, deadline, starting, {
      expected: ({ group, steps: { backend } }) =>
        parts.membersOf(group).reduce((n, t) => n + this.seconds(t, backend), 0),
      isKnown: ({ family, steps: { backend } }) => Boolean(this.#known(backend).families[family]),
      learn: ({ group, steps: { backend } }, seconds, isBound) =>
        this.#learn(group, backend, seconds, isBound),
    });
    // First the host, while nothing else is at work: threads of a compiler would be in its way.
    const ofHost = this.#known(host);
    ofHost.overhead ??= await calibration.hostOverhead(host);
    await calibration.host(hostUnits, gpuPart * budget);
    starting.dispose();
    const first = new Deadline(this.clock, deadline.left / 2);
    this.#kept.transfers ??= await calibration.transfers(gpu, first);
    first.dispose();
    let started = calibration.start(gpuUnits);
    const ofGpu = this.#known(gpu);
    if (ofGpu.overhead === null) {
      const learn = (seconds: number, isBound = false): void => {
        if (!isBound) ofGpu.overhead = seconds;
      };
      started.unshift(calibration.startSmall(gpu, learn));
    }
    while (started.length > 0) {
      await calibration.gpu(gpu, started);
      started = calibration.start(gpuUnits);
    }
  }

  /**
   * Steps of families that were not measured yet and that could run on both backends. Round by round one of each family,
   * the costliest family first: the cheapest step, which tells what the others will take, the costliest, the next, ...
   */
  #unknown(steps: Steps): Unit[] {
    const { gpu, host, parts } = this;
    const { backend } = steps;
    const { families: measured, tries } = this.#known(backend);
    const assumed = this.#assumed(host);
    const countsOf = (t: OpTensor): [number, number] => {
      const { flops, bytes } = t.source.op.cost(parts.siteOf(t));
      return [flops, bytes];
    };
    const cost = ({ group }: Unit): number => {
      const members = parts.membersOf(group);
      return members.reduce((n, t) => n + secondsBy(assumed, ...countsOf(t)), 0);
    };
    const families = new Map<string, { all: number; units: Map<string, Unit> }>();
    for (const group of steps.groups) {
      const members = parts.membersOf(group);
      if (!members.every((t) => [gpu, host].every((b) => b.supports(t.source.op, parts.siteOf(t))))) continue;
      const { family } = steps.features.get(members[0]!)!;
      if (measured[family] || (tries[family] ?? 0) >= mostTries) continue;
      const unit: Unit = { steps, family, group };
      const found = families.get(family) ?? { all: 0, units: new Map() };
      found.all += cost(unit);
      found.units.set(members.map((t) => steps.features.get(t)!.signature).join(), unit);
      families.set(family, found);
    }
    for (const name of families.keys()) tries[name] = (tries[name] ?? 0) + 1;
    const lists = [...families.values()]
      .sort((a, b) => b.all - a.all)
      .map(({ units }) => [...units.values()].sort((a, b) => cost(b) - cost(a)))
      .map((units) => [units.at(-1)!, ...units.slice(0, -1)]);
    return Array.from({ length: stepsOfFamily }, (_, round) =>
      lists.flatMap((list) => list[round] ?? []),
    ).flat();
  }
}
