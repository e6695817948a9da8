// For tests of the scheduler: backends that only have numbers, and a replay of a plan that watches every byte.
import type { Backend, BackendName, Rates } from '../../src/backend/backend.js';
import type { Tensor, Variable } from '../../src/graph.js';
import { hostBytes } from '../../src/ops/define.js';
import { membersOf } from '../../src/schedule/fuse.js';
import { type OpTensor, rootOf } from '../../src/schedule/graph.js';
import type { Plan } from '../../src/schedule/plan.js';

const never = (): never => {
  throw new Error('a plan is made without a backend at work');
};

export interface FakeOptions
  extends Partial<Pick<Backend, 'alignment' | 'maxOperands' | 'fusesEpilogue' | 'takesEpilogue'>> {
  rates?: Partial<Rates>;
  supports?: Backend['supports'];
}

/** A backend that plans can be made for, and nothing else. */
export function fakeBackend(name: BackendName, options: FakeOptions = {}): Backend {
  return {
    name,
    description: 'made of numbers',
    alignment: 16,
    maxOperands: 8,
    pieceBytes: Number.POSITIVE_INFINITY,
    fusesEpilogue: false,
    supports: () => true,
    ...options,
    rates: {
      overhead: 1e-6,
      flopsPerSecond: 1e10,
      bytesPerSecond: 1e10,
      transferOverhead: 0,
      transferBytesPerSecond: 1e10,
      ...options.rates,
    },
    bytesOf: hostBytes,
    allocate: never,
    free: never,
    write: never,
    read: never,
    copy: never,
    compile: never,
    run: never,
    release: never,
    stats: never,
    dispose: never,
  };
}

/** Which value each piece of an arena holds. */
class Bytes {
  #pieces: { start: number; end: number; value: Tensor }[] = [];

  write(start: number, bytes: number, value: Tensor): void {
    const end = start + bytes;
    this.#pieces = this.#pieces.filter((p) => p.end <= start || p.start >= end);
    this.#pieces.push({ start, end, value });
  }

  holds(start: number, bytes: number, value: Tensor): boolean {
    return (
      bytes === 0 ||
      this.#pieces.some((p) => p.value === value && p.start === start && p.end >= start + bytes)
    );
  }
}

/**
 * Runs a plan twice in thought, following every read and write of every byte; gives what went wrong. Feeds that stay are
 * written once, arguments before each run; a variable holds its old value until the new one is written.
 */
export function replay(plan: Plan, keepFeeds: boolean): string[] {
  const problems: string[] = [];
  const arenas = new Map<BackendName, Bytes>([...plan.slots.keys()].map((name) => [name, new Bytes()]));
  const backendOf = new Map<Tensor, BackendName>(
    plan.groups.flatMap((g) => membersOf(g).map((t): [Tensor, BackendName] => [t, g.backend])),
  );

  for (let run = 0; run < 2; run++) {
    const written = new Map<Variable, Tensor>();
    const problem = (text: string): unknown => problems.push(`run ${run}: ${text}`);
    const read = (t: Tensor, on: BackendName, where: string): void => {
      if (t.source.kind === 'variable') {
        if (written.has(t as Variable)) problem(`${where} reads the old value of ${t}, which is gone`);
        return;
      }
      const variable = plan.inPlace.get(t);
      if (variable && backendOf.get(t) === on) {
        if (written.get(variable) !== t) problem(`${where} reads ${t} before it is there`);
        return;
      }
      const slot = plan.slots.get(on)?.get(t);
      if (!slot) problem(`${where} reads ${t}, which has no place on ${on}`);
      else if (!arenas.get(on)!.holds(slot.offset, hostBytes(t), t))
        problem(`${where} reads ${t}, which is not there`);
    };
    const write = (t: Tensor, on: BackendName): void => {
      const slot = plan.slots.get(on)?.get(t);
      if (!slot) return;
      if (slot.offset + slot.bytes > plan.arenaBytes.get(on)!) problem(`${t} lies beyond the arena`);
      if (slot.bytes < hostBytes(t)) problem(`${t} does not fit its slot`);
      arenas.get(on)!.write(slot.offset, slot.bytes, t);
    };

    for (const name of plan.slots.keys()) {
      for (const feed of plan.graph.feeds) {
        if (run === 0 || !keepFeeds || feed.source.kind === 'input') write(feed, name);
      }
    }
    for (const { backend, groups, arrivals } of plan.segments) {
      for (const { value, from } of arrivals) {
        read(value, from, `the transfer to ${backend}`);
        write(value, backend);
      }
      for (const group of groups) {
        const members = membersOf(group);
        const inside = new Set<Tensor>(members);
        for (const t of members) {
          for (const input of t.source.inputs.map(rootOf)) {
            const loaded = input.source.kind !== 'constant' || t === group.kernel;
            if (loaded && !inside.has(input)) read(input, backend, t.source.op.name);
          }
        }
        const store = (t: OpTensor): void => {
          const variable = plan.inPlace.get(t);
          if (variable) written.set(variable, t);
          else write(t, backend);
        };
        const { kernel, chain, prologue = [] } = group;
        for (const t of kernel ? [kernel, ...chain] : chain) store(t);
        // A kernel reads while it writes: its inputs must be whole when it is done, and those of the chain before it.
        for (const t of kernel ? [kernel, ...prologue] : []) {
          for (const input of t.source.inputs.map(rootOf)) {
            const loaded = input.source.kind !== 'constant' || t === kernel;
            if (loaded && !inside.has(input)) read(input, backend, `the end of ${t.source.op.name}`);
          }
        }
        // What the chain before it stores goes element by element.
        for (const t of prologue) store(t);
      }
    }
    for (const output of plan.graph.outputs.map(rootOf)) {
      if (output.source.kind === 'variable') continue;
      const on = backendOf.get(output) ?? [...plan.slots].find(([, slots]) => slots.has(output))?.[0];
      if (on) read(output, on, 'the user');
      else problem(`${output} is nowhere`);
    }
    for (const [variable, value] of plan.graph.assignments) {
      if (!written.has(variable)) problem(`${variable.name} does not get ${value}`);
    }
  }
  return problems;
}
