// What ops cost on this machine: measured when the first plan needs it, kept between runs, corrected by profiles. Loads on
// demand, and so gets what it needs of the core (see train/core.ts).
import type { Backend, ChainInput, Memory, Operand, Step } from '../backend/backend.js';
import type { Spec, Tensor } from '../graph.js';
import type { ElementwiseOp, KernelOp, Site } from '../ops/define.js';
import { type CostStore, costStore } from './cost-store.js';
import type { Group } from './fuse.js';
import type { NeededGraph, OpTensor } from './graph.js';
import type { Costs } from './place.js';
import type { Plan, PlanParts } from './plan.js';

declare const EVERYGRAD_VERSION: string;

export { cutWith } from './cut.js';

/** Seconds that measuring for one plan may take; families that are left out are measured for a later one. */
const budget = 0.2;
/** Operands of what is measured, in bytes altogether. */
const mostBytes = 2 ** 25;
/** Measured ops that are remembered. */
const mostKnown = 1000;

const now = (): number => performance.now() / 1000;

/** By the size of an op (the cost that the backend's first rates give), how much longer it takes: a factor, in logarithms. */
type Curve = Record<string, number>;

/** What is kept of a backend. */
interface Known {
  /** Seconds of starting a kernel. */
  overhead: number | null;
  /** A curve for each family of kernels. */
  curves: Record<string, Curve>;
  /** Seconds of very ops, by name, shapes and attributes. */
  ops: Record<string, number>;
}

interface Transfers {
  /** Seconds of bringing a few bytes to the GPU, and back. */
  up: number;
  down: number;
  bytesPerSecond: number;
}

interface Kept {
  key: string;
  backends: Record<string, Known>;
  transfers: Transfers | null;
}

const emptyBackend = (): Known => ({ overhead: null, curves: {}, ops: {} });

export class MeasuredCosts implements Costs {
  #kept: Kept = { key: '', backends: {}, transfers: null };
  #opened: Promise<void> | null = null;

  private readonly gpu: Backend;
  private readonly host: Backend;

  constructor(
    [gpu, host]: readonly Backend[],
    private readonly parts: PlanParts,
    /** Name and version. */
    private readonly runtime: string,
    /** null: nothing is kept. */
    private readonly store: CostStore | null = costStore,
  ) {
    [this.gpu, this.host] = [gpu!, host!];
  }

  get #key(): string {
    const backends = `${this.gpu.description}, ${this.host.description}`;
    return `costs ${EVERYGRAD_VERSION} ${this.runtime} ${backends}`;
  }

  async #open(): Promise<void> {
    // Where nothing can be kept, or what was kept is damaged, it is measured again.
    const text = await this.store?.get(this.#key).catch(() => undefined);
    try {
      const kept = JSON.parse(text ?? '{}') as Partial<Kept>;
      if (kept.key === this.#key) this.#kept = kept as Kept; // names of files are cut off
    } catch {}
  }

  async #save(): Promise<void> {
    this.#kept.key = this.#key;
    await this.store?.put(this.#key, JSON.stringify(this.#kept)).catch(() => undefined);
  }

  #known({ name }: Backend): Known {
    this.#kept.backends[name] ??= emptyBackend();
    return this.#kept.backends[name];
  }

  /** Seconds of an op by itself, or what it adds to the step that it is fused into. */
  seconds(t: OpTensor, backend: Backend): number {
    const known = this.#known(backend);
    const exact = known.ops[this.#signature(t)];
    if (exact !== undefined) return exact;
    const x = this.#assumed(t, backend);
    const overhead = known.overhead ?? backend.rates.overhead;
    return (
      (this.#fuses(t, backend) ? 0 : overhead) +
      x * Math.exp(factorAt(known.curves[this.#family(t)] ?? {}, x))
    );
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

  /** Cost by the backend's first rates, without the start of the kernel. */
  #assumed(t: OpTensor, { rates }: Backend): number {
    const { flops, bytes } = t.source.op.cost(this.parts.siteOf(t));
    return Math.max(1e-9, flops / rates.flopsPerSecond + bytes / rates.bytesPerSecond);
  }

  /** Whether the op will most likely run as part of the step that makes its input. */
  #fuses(t: OpTensor, { fusesEpilogue }: Backend): boolean {
    if (t.source.op.kind !== 'elementwise') return false;
    return t.source.inputs.map(this.parts.rootOf).some(({ source, size }) => {
      if (source.kind !== 'op' || size !== t.size) return false;
      const { op } = source;
      return op.kind === 'elementwise' || (op.kind === 'kernel' && fusesEpilogue && op.webgpu.epilogue);
    });
  }

  #signature(t: OpTensor): string {
    const { op, inputs, attributes } = t.source;
    return `${op.name} ${inputs.map((i) => `${i.dtype}${i.shape}`).join(';')} ${JSON.stringify(attributes)}`;
  }

  #family(t: OpTensor): string {
    const { op } = t.source;
    return op.kind === 'kernel'
      ? (op.webgpu.calls(this.parts.siteOf(t))?.[0]?.shader ?? op.name)
      : 'elementwise';
  }

  /** Takes in that an op took so long. */
  #learn(t: OpTensor, backend: Backend, seconds: number): void {
    const known = this.#known(backend);
    const signature = this.#signature(t);
    const before = known.ops[signature];
    delete known.ops[signature]; // the newest come last
    known.ops[signature] = before === undefined ? seconds : (before + seconds) / 2;
    const names = Object.keys(known.ops);
    if (names.length > mostKnown) delete known.ops[names[0]!];
    const x = this.#assumed(t, backend);
    const net = Math.max(seconds - (known.overhead ?? 0), 0.05 * seconds);
    const family = this.#family(t);
    known.curves[family] ??= {};
    const curve = known.curves[family];
    const bucket = bucketOf(x);
    const factor = Math.log(net / x);
    curve[bucket] = curve[bucket] === undefined ? factor : (curve[bucket] + factor) / 2;
  }

  /** Takes in what the steps of a plan took; NaN where that is not known. */
  async learn(plan: Plan, seconds: readonly number[]): Promise<void> {
    for (const [i, group] of plan.groups.entries()) {
      const took = seconds[i]!;
      const backend = [this.gpu, this.host].find((b) => b.name === group.backend);
      if (!backend || !(took > 0)) continue;
      const members = this.parts.membersOf(group as Group);
      const expected = members.map((t) => this.seconds(t, backend));
      const total = expected.reduce((a, b) => a + b, 0);
      for (const [k, t] of members.entries()) this.#learn(t, backend, (took * expected[k]!) / total);
    }
    await this.#save();
  }

  /** Measures what the plan of a graph needs to know and nobody has measured yet, the costliest first. */
  async measure(graph: NeededGraph): Promise<void> {
    this.#opened ??= this.#open();
    await this.#opened;
    const { gpu, host } = this;
    const atHost = graph.ops.reduce((n, t) => n + this.seconds(t, host), 0);
    // What takes less than one way to the GPU and back will not go there.
    if (atHost < 2 * gpu.rates.transferOverhead && !this.#kept.transfers) return;
    const able = (t: OpTensor): boolean =>
      [gpu, host].every((b) => b.supports(t.source.op, this.parts.siteOf(t)));
    const families = this.#families(graph.ops.filter(able));
    if (families.length === 0) return;
    const deadline = now() + budget;
    for (const backend of [host, gpu]) {
      const known = this.#known(backend);
      known.overhead ??= await this.#time(backend, null, deadline);
    }
    this.#kept.transfers ??= await this.#timeTransfers();
    const rounds = Math.max(...families.map(({ ops }) => ops.length));
    for (let round = 0; round < rounds; round++) {
      for (const { name, ops } of families) {
        const t = ops[round];
        if (now() > deadline || !t) continue;
        for (const backend of [host, gpu]) {
          this.#known(backend).curves[name] ??= {}; // it had its turn, even if it is too slow to be measured
          const seconds = this.seconds(t, backend);
          // Once to warm up, and at least once more.
          if (now() + 2 * seconds < deadline) this.#learn(t, backend, await this.#time(backend, t, deadline));
        }
      }
    }
    await this.#save();
  }

  /**
   * Families that were not measured yet, the costliest first. Of each the different ops: the cheapest, which tells what the
   * others will take, then the costliest, the second, and so on.
   */
  #families(graphOps: readonly OpTensor[]): { name: string; ops: OpTensor[] }[] {
    const families = new Map<string, Map<string, OpTensor>>();
    for (const t of graphOps) {
      const name = this.#family(t);
      if ([this.gpu, this.host].every((b) => this.#known(b).curves[name])) continue;
      const bytes = t.source.inputs.reduce((n, i) => n + this.gpu.bytesOf(i), this.gpu.bytesOf(t));
      if (bytes <= mostBytes)
        families.set(name, (families.get(name) ?? new Map()).set(this.#signature(t), t));
    }
    const cost = (t: OpTensor): number => this.#assumed(t, this.host);
    return [...families]
      .map(([name, found]) => ({ name, ops: [...found.values()].sort((a, b) => cost(b) - cost(a)) }))
      .sort((a, b) => cost(b.ops[0]!) - cost(a.ops[0]!))
      .map(({ name, ops }) => ({ name, ops: [ops.at(-1)!, ...ops.slice(0, -1)] }));
  }

  /** Seconds of an op, or of a kernel that has next to nothing to do. */
  async #time(backend: Backend, t: OpTensor | null, deadline: number): Promise<number> {
    const { gpu, parts } = this;
    const bench = new Bench(backend, parts);
    try {
      const step = t ? bench.step(t) : bench.smallStep();
      return backend === gpu ? await bench.timeOnGpu(step, deadline) : await bench.time(step, deadline);
    } finally {
      bench.free();
    }
  }

  async #timeTransfers(): Promise<Transfers> {
    const { gpu } = this;
    const seconds = async (length: number): Promise<[number, number]> => {
      const data = new Float32Array(length);
      const memory = gpu.allocate(4 * length);
      const spec = { shape: [length], dtype: 'float32' as const };
      const times: [number, number][] = [];
      for (let i = 0; i < 3; i++) {
        const start = now();
        gpu.write(memory, 0, data, 'float32');
        const written = now();
        await gpu.read(memory, 0, spec);
        times.push([written - start, now() - written]);
      }
      gpu.free(memory);
      return [Math.min(...times.map(([w]) => w)), Math.min(...times.map(([, r]) => r))];
    };
    const [up, down] = await seconds(1);
    const large = 2 ** 18;
    const [upLarge, downLarge] = await seconds(large);
    const both = Math.max(1e-6, upLarge + downLarge - up - down);
    return { up, down, bytesPerSecond: (8 * large) / both };
  }
}

const bucketOf = (x: number): string => String(Math.round(Math.log2(x)));

/** The factor at a size: between two that were measured a line, beyond them the nearest; none where nothing was. */
export function factorAt(curve: Curve, x: number): number {
  const points = Object.entries(curve)
    .map(([bucket, factor]) => [Number(bucket), factor] as const)
    .sort(([a], [b]) => a - b);
  if (points.length === 0) return 0;
  const at = Math.log2(x);
  const above = points.findIndex(([bucket]) => bucket >= at);
  if (above === 0) return points[0]![1];
  if (above < 0) return points.at(-1)![1];
  const [[x0, y0], [x1, y1]] = [points[above - 1]!, points[above]!];
  return y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}

const chainOf = (op: ElementwiseOp, site: Site, inputs: readonly ChainInput[], to: Operand): Step => ({
  kernel: null,
  chain: {
    shape: to.shape,
    instructions: [{ op, site, inputs }],
    stores: [{ instruction: 0, to }],
  },
});

/** Operands and programs for measuring steps on a backend. */
class Bench {
  readonly #memory: Memory[] = [];

  constructor(
    private readonly backend: Backend,
    private readonly parts: PlanParts,
  ) {}

  #operand({ shape, dtype }: Spec): Operand {
    const { backend, parts } = this;
    const memory = backend.allocate(Math.max(backend.bytesOf({ shape, dtype }), backend.alignment));
    this.#memory.push(memory);
    const length = shape.reduce((a, b) => a * b, 1);
    backend.write(memory, 0, new parts.dtypes[dtype].array(length), dtype);
    return { memory, offset: 0, shape, dtype };
  }

  /** A step that computes an op from zeros. */
  step(t: OpTensor): Step {
    const site = this.parts.siteOf(t);
    const { op, inputs } = t.source;
    const output = this.#operand(t);
    if (op.kind === 'kernel') {
      const places = new Map<Tensor, Operand>();
      for (const i of inputs) if (!places.has(i)) places.set(i, this.#operand(i));
      return {
        kernel: { op: op as KernelOp, site, inputs: inputs.map((i) => places.get(i)!), output },
        chain: null,
      };
    }
    const read = inputs.map(
      (i): ChainInput =>
        i.source.kind === 'constant'
          ? { kind: 'constant', value: i.source.value, dtype: i.dtype }
          : { kind: 'operand', operand: this.#operand(i) },
    );
    return chainOf(op as ElementwiseOp, site, read, output);
  }

  /** A step that computes a number from a number. */
  smallStep(): Step {
    const spec: Spec = { shape: [1], dtype: 'float32' };
    const site = { inputs: [spec], output: spec, attributes: {} };
    const input = { kind: 'operand', operand: this.#operand(spec) } as const;
    return chainOf(this.parts.negation, site, [input], this.#operand(spec));
  }

  /** The best of some runs of a program with so many copies of a step, each with a wait for its end. */
  async #best(step: Step, copies: number, runs: number, deadline: number, wait: boolean): Promise<number> {
    const { backend } = this;
    const program = await backend.compile(new Array<Step>(copies).fill(step));
    const end = { memory: this.#memory[0]!, shape: [1], dtype: 'float32' as const };
    let best = Number.POSITIVE_INFINITY;
    try {
      for (let i = 0; i <= runs; i++) {
        const start = now();
        await backend.run(program);
        if (wait) await backend.read(end.memory, 0, end);
        if (i > 0 || now() > deadline) best = Math.min(best, now() - start); // the first one warms up
        if (now() > deadline) break;
      }
    } finally {
      backend.release(program);
    }
    return best;
  }

  /** On a backend that is done when `run` returns. Clocks are coarse in browsers: short steps run many times. */
  async time(step: Step, deadline: number): Promise<number> {
    const one = await this.#best(step, 1, 2, deadline, false);
    if (one > 1e-3 || now() > deadline) return one;
    const copies = Math.min(200, Math.ceil(2e-3 / Math.max(one, 1e-6)));
    return (await this.#best(step, copies, 2, deadline, false)) / copies;
  }

  /** On one that works while the host waits: of more and fewer copies the difference. */
  async timeOnGpu(step: Step, deadline: number): Promise<number> {
    const [few, many] = [1, 9];
    const start = await this.#best(step, few, 2, deadline, true);
    if (start > 0.02 || now() > deadline) return start;
    const end = await this.#best(step, many, 2, deadline, true);
    return Math.max(1e-7, (end - start) / (many - few));
  }

  free(): void {
    for (const memory of this.#memory) this.backend.free(memory);
  }
}
