// A plan in a form to be read: a table of its steps, and a graph. Loads on demand, and so gets what it needs of the core.
import type { Backend, BackendName } from '../backend/backend.js';
import type { Tensor } from '../graph.js';
import type { Group } from './fuse.js';
import type { OpTensor } from './graph.js';
import type { Plan, PlanParts } from './plan.js';

/** What is asked of backends. */
type Backends = ReadonlyMap<BackendName, Pick<Backend, 'verdicts' | 'tuned'>>;

/** What is to be known of one step. */
export interface PlanRow {
  step: number;
  ops: string;
  shape: string;
  backend: BackendName;
  why: string;
  estimatedMicroseconds: number;
  /** null until it was measured. */
  measuredMicroseconds: number | null;
  flops: number;
}

const names = ({ membersOf }: PlanParts, group: Group): string =>
  membersOf(group)
    .map((t) => t.source.op.name)
    .join(' ');

/** How products and convolutions came to their kernels, where the GPU's were on trial or measured. */
function kernelsOf({ keyOf, membersOf, siteOf }: PlanParts, group: Group, backends?: Backends): string {
  const { verdicts = {}, tuned = {} } = backends?.get(group.backend) ?? {};
  const product = membersOf(group).find(({ source: { op } }) => op.kind === 'kernel' && op.webgpu.epilogue);
  if (!product) return '';
  const held = Object.entries(verdicts).map(([name, wrong]) =>
    wrong ? `${name} refused (${wrong})` : `${name} right`,
  );
  const { op } = product.source;
  const [call] = (op.kind === 'kernel' && op.webgpu.calls(siteOf(product))) || [];
  const measured = Object.entries((call && tuned[keyOf(call)]?.seconds) ?? {})
    .sort(([, a], [, b]) => a - b)
    .map(([name, seconds]) => `${name} ${microseconds(seconds)} us`);
  const trials = held.length > 0 ? `; kernels on trial: ${held.join(', ')}` : '';
  return trials + (measured.length > 0 ? `; kernels measured: ${measured.join(', ')}` : '');
}

const microseconds = (seconds: number): number => Math.round(seconds * 1e8) / 100;

/** Steps on WASM of a plan, at least, for the quickest of them to tell what a profile adds to each, and seconds of that at most. */
const [enoughSteps, longestWait] = [4, 1e-4];

/**
 * Seconds that each step takes in a run, from those of a profile.
 *
 * A profile waits for WASM's threads after each step, a run does so once: what the quickest step took beyond what is expected
 * of it is taken off all of them. A GPU runs chains that need not wait for one another in one dispatch, and its profile
 * gives the whole time to the last of them: it is shared out by what is expected of each.
 */
export function stepTimes({ membersOf }: PlanParts, plan: Plan, seconds: readonly number[]): number[] {
  const shared = [...seconds];
  const expected = plan.groups.map((group) =>
    membersOf(group).reduce((n, t) => n + (plan.placements.get(t)?.seconds ?? 0), 0),
  );
  const onHost = plan.groups.flatMap(({ backend }, i) => (backend === 'wasm' && shared[i]! > 0 ? [i] : []));
  if (onHost.length >= enoughSteps) {
    const quickest = onHost.reduce((a, b) => (shared[b]! < shared[a]! ? b : a));
    const wait = Math.min(longestWait, Math.max(0, shared[quickest]! - expected[quickest]!));
    for (const i of onHost) shared[i]! -= wait;
  }
  let waiting: number[] = [];
  for (const [i, { backend, kernel }] of plan.groups.entries()) {
    if (backend !== 'webgpu' || kernel) continue;
    waiting.push(i);
    const took = shared[i]!;
    if (!(took > 0)) continue;
    const total = waiting.reduce((n, k) => n + expected[k]!, 0);
    if (total > 0) for (const k of waiting) shared[k] = (took * expected[k]!) / total;
    waiting = [];
  }
  return shared;
}

/**
 * A row for each step: its ops, its shape, where it runs and why, what the cost model expects, and what was measured.
 * @param seconds of each step, NaN where nothing measures them
 * @param backends that the plan runs on
 */
export function explain(
  parts: PlanParts,
  plan: Plan,
  seconds: readonly number[] = [],
  backends?: Backends,
): PlanRow[] {
  const { membersOf, showShape, siteOf } = parts;
  const shared = stepTimes(parts, plan, seconds);
  return plan.groups.map((group, step) => {
    const members = membersOf(group);
    const known = members.map((t) => plan.placements.get(t)).filter((p) => p !== undefined);
    const measured = shared[step] ?? Number.NaN;
    return {
      step,
      ops: names(parts, group),
      shape: showShape(members.at(-1)!.shape),
      backend: group.backend,
      why: (known[0]?.why ?? 'copies a new value into its variable') + kernelsOf(parts, group, backends),
      estimatedMicroseconds: microseconds(known.reduce((n, p) => n + p.seconds, 0)),
      measuredMicroseconds: Number.isNaN(measured) ? null : microseconds(measured),
      flops: members.reduce((n, t) => n + t.source.op.cost(siteOf(t)).flops, 0),
    };
  });
}

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** Steps as boxes in the colour of their backend, values as arrows with their shapes, variables as ovals. */
export function dot(parts: PlanParts, plan: Plan): string {
  const { membersOf, rootOf, showShape } = parts;
  const stepOf = new Map<Tensor, number>(
    plan.groups.flatMap((g, i) => membersOf(g).map((t): [Tensor, number] => [t, i])),
  );
  const lines = ['digraph plan {', '  node [fontname="sans-serif", style=filled];'];
  const colours: Record<BackendName, string> = { wasm: '#dbe9ff', webgpu: '#d9f5dd', reference: '#eeeeee' };
  for (const [i, group] of plan.groups.entries()) {
    const label = quoted(`${i} ${names(parts, group)} ${showShape(membersOf(group).at(-1)!.shape)}`);
    lines.push(`  s${i} [shape=box, fillcolor=${quoted(colours[group.backend])}, label=${label}];`);
  }
  const sources = new Map<Tensor, string>();
  const sourceOf = (t: Tensor): string => {
    const step = stepOf.get(t);
    if (step !== undefined) return `s${step}`;
    const known = sources.get(t);
    if (known) return known;
    const name = `v${sources.size}`;
    const what = t.source.kind === 'variable' ? t.source.variable.name : t.source.kind;
    lines.push(
      `  ${name} [shape=ellipse, fillcolor=white, label=${quoted(`${what} ${showShape(t.shape)}`)}];`,
    );
    sources.set(t, name);
    return name;
  };
  const arrows = new Set<string>();
  for (const [i, group] of plan.groups.entries()) {
    const members = membersOf(group);
    for (const input of members.flatMap((t) => t.source.inputs.map(rootOf))) {
      if (input.source.kind === 'constant' || members.includes(input as OpTensor)) continue;
      arrows.add(`  ${sourceOf(input)} -> s${i} [label=${quoted(showShape(input.shape))}];`);
    }
    for (const t of members) {
      const variable = plan.inPlace.get(t);
      if (variable) arrows.add(`  s${i} -> ${sourceOf(variable)} [style=dashed];`);
    }
  }
  return [...lines, ...arrows, '}', ''].join('\n');
}
