// Two backends in lockstep: the first op, step and element where they differ.
import { checkCount, type Dataset } from '../data/spec.js';
import { type HostArray, isFloat, type Shape, showShape } from '../dtype.js';
import { type Device, Engine, engine } from '../engine.js';
import { OptionError } from '../errors.js';
import { Tensor } from '../graph.js';
import type { Loss } from '../loss/index.js';
import type { Module } from '../nn/module.js';
import { watchLayers } from '../nn/watch.js';
import type { Optimizer } from '../optim/index.js';
import { checkAtLeast } from '../optim/monitor.js';
import { RandomStream } from '../philox.js';
import { isOp, type OpTensor, rootOf } from '../schedule/graph.js';
import { read } from '../tensor.js';
import { core } from '../train/core.js';
import {
  findNonFinite,
  layerOf,
  type NonFinite,
  nameOf,
  partOf,
  type StepMarks,
  type StepPart,
} from '../train/non-finite.js';
import { firstNonFinite, PureGraph, type PureRun, placeOf } from '../train/pure-graph.js';
import { TrainingPass } from '../train/step.js';

/** Options of `bisect`. */
export interface BisectOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** The device that is compared with that of `configure`; 'reference' where not said. */
  against?: Device | Engine;
  /** Training steps; 5 where not said. */
  steps?: number;
  /** 32 where not said. */
  batchSize?: number;
  seed?: number;
  /**
   * What two results of an op may differ by: the difference of an element divided by the largest number of that result, or
   * what that element moves by when the inputs of the op change by this part of themselves. 1e-4 where not said.
   */
  tolerance?: number;
}

/** A result in which the two differ. */
export interface Difference {
  /** From 1. */
  step: number;
  op: string;
  part: StepPart;
  layer: string | null;
  shape: Shape;
  element: number[];
  /** On the device, and on the one it is compared with. */
  values: [number, number];
  /** Relative to the largest number of the result; infinite where only one of the two is a finite number. */
  difference: number;
  text: string;
}

/** Where two devices differ first, if they do. */
export interface BisectResult {
  devices: [string, string];
  steps: number;
  /** Results that were compared in each step. */
  ops: number;
  /** The first op that does not do on the device what it does on the other; null if they agree. */
  first: Difference | null;
  /** The largest difference among the results that are not counted below. */
  largest: Difference | null;
  /** Results that differed by more than the tolerance only because what they were made of differed a little. */
  amplified: number;
  /** Results that differed by more only because the terms of sums cancel out: their rounding is all that is left. */
  cancelled: number;
  /** What made NaN or infinity in weights or optimizer state, on both; it ends the comparison. */
  nonFinite: NonFinite | null;
}

/**
 * Trains on two devices in lockstep and names the first op whose results differ. In each step both begin with the same
 * batch, weights and optimizer state, those of the configured device, so that what differs was made in that step, and all
 * intermediate results are compared. Where an op differs, the other device computes it once more from the first one's
 * inputs: if that agrees, the op has only made a small difference larger (the sign of a gradient near 0 in Adam's first
 * step, say) and is counted as amplified. Where the terms of a sum cancel out, as in the gradient of a bias before a batch
 * norm, the result is rounding alone: a difference counts only beyond what an element moves by when the inputs of the op
 * change by the tolerance, up or down at random, which is the tolerance times the norm of the terms (backward error:
 * Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 1.5). The model and the optimizer are left as they were. Where both come
 * to NaN it stops, too.
 * Errors: OptionError, and what training raises.
 */
export async function bisect(model: Module, data: Dataset, options: BisectOptions): Promise<BisectResult> {
  const { loss, optimizer, against = 'reference', steps = 5, batchSize = 32, seed = 0 } = options;
  const { tolerance = 1e-4 } = options;
  checkCount('bisect', 'steps', steps);
  checkCount('bisect', 'batchSize', batchSize);
  checkAtLeast('bisect', 'tolerance', tolerance, 0);
  await model.initialize(seed);
  const ours = await engine();
  const theirs = typeof against === 'string' ? await Engine.create({ device: against }) : against;
  const pass = new TrainingPass(model, loss, data, optimizer, seed);
  try {
    return await compare(pass, model, data, [ours, theirs], { steps, batchSize, seed, tolerance });
  } finally {
    pass.dispose();
    if (theirs !== against) theirs.dispose();
  }
}

interface Settings {
  steps: number;
  batchSize: number;
  seed: number;
  tolerance: number;
}

async function compare(
  pass: TrainingPass,
  model: Module,
  data: Dataset,
  engines: readonly [Engine, Engine],
  { steps, batchSize, seed, tolerance }: Settings,
): Promise<BisectResult> {
  const [ours, theirs] = engines;
  const name = ({ order }: Engine): string => order.map((b) => `${b.name} (${b.description})`).join(' and ');
  const [record, specs] = pass.recipe(batchSize);
  const { result: pure, calls } = watchLayers(core(), model, () => PureGraph.trace(core(), record, specs));
  const marks: StepMarks = { calls, ...pass.recorded! };
  const { ops, variables, assignments } = pure.graph;
  const result: BisectResult = {
    ...{ devices: [name(ours), name(theirs)], steps: 0, ops: ops.length },
    ...{ first: null, largest: null, amplified: 0, cancelled: 0, nonFinite: null },
  };
  await ours.initialize(variables);
  let state = await read(variables);
  const runs: PureRun[] = [];
  try {
    for (const e of engines) runs.push(await pure.prepare(e, ops));
    while (result.steps < steps && !result.first && !result.nonFinite) {
      const before = result.steps;
      const epoch = { batchSize, shuffle: true, seed, epoch: before + 1, dropLast: true };
      for await (const { inputs, targets } of data.batches(epoch)) {
        result.steps++;
        const feeds = [inputs, targets, ...state];
        const [a, b] = [await runs[0]!.run(feeds), await runs[1]!.run(feeds)];
        const given = new Map<Tensor, HostArray>(
          [...pure.inputs, ...variables].map((t, i) => [t, feeds[i]!]),
        );
        for (const [i, t] of ops.entries()) given.set(t, b[i]!);
        /** Why a result that differs is not wrong: what the op does with the very inputs of the other one tells. */
        const excuseOf = async (t: OpTensor, expected: HostArray, { step }: Difference) => {
          const again = await alone(t, ours, given);
          const agrees = (moves?: Float64Array): boolean =>
            differenceOf(t, again, expected, step, marks, moves).difference <= tolerance;
          if (agrees()) return 'amplified';
          return agrees(await movesOf(t, theirs, given, expected, tolerance)) ? 'cancelled' : null;
        };
        for (const [i, t] of ops.entries()) {
          const found = differenceOf(t, a[i]!, b[i]!, result.steps, marks);
          const excuse = found.difference <= tolerance ? null : await excuseOf(t, b[i]!, found);
          if (excuse) {
            result[excuse]++;
            continue;
          }
          if (!result.largest || found.difference > result.largest.difference) result.largest = found;
          if (found.difference <= tolerance) continue;
          result.first = found;
          break;
        }
        const values = new Map<Tensor, HostArray>(ops.map((t, i) => [t, a[i]!]));
        const next = variables.map((v, i) =>
          assignments.has(v) ? values.get(assignments.get(v)!)! : state[i]!,
        );
        if (!result.first && next.some((v, i) => firstNonFinite(v, variables[i]!.dtype) >= 0))
          result.nonFinite = await findNonFinite(pure, marks, [inputs, targets], state);
        if (result.first || result.nonFinite || result.steps === steps) break;
        state = next;
      }
      if (result.steps > before) continue;
      throw new OptionError({
        where: 'bisect',
        problem: `${data.name} has no batch of ${batchSize} examples`,
        hint: 'use a smaller batchSize',
        values: { batchSize },
      });
    }
  } finally {
    for (const run of runs) run.dispose();
  }
  return result;
}

/** The result of one op, computed by an engine from given values. */
async function alone(t: OpTensor, e: Engine, given: ReadonlyMap<Tensor, HostArray>): Promise<HostArray> {
  const roots = [...new Set(t.source.inputs.map(rootOf))].filter((r) => given.has(r));
  const feeds = new Map<Tensor, Tensor>(
    roots.map((r, index) => [r, new Tensor({ kind: 'input', index }, r.shape, r.dtype)]),
  );
  const { op, attributes } = t.source;
  const again = (x: Tensor): Tensor => {
    const known = feeds.get(x);
    if (known || !isOp(x)) return known ?? x;
    const { op: view, inputs, attributes: of } = x.source;
    return new Tensor({ kind: 'op', op: view, inputs: inputs.map(again), attributes: of }, x.shape, x.dtype);
  };
  const inputs = t.source.inputs.map(again);
  const output = new Tensor({ kind: 'op', op, inputs, attributes }, t.shape, t.dtype);
  const executable = await e.prepare({ outputs: [output], assignments: new Map() });
  try {
    const positions = [...feeds.values()].map((f) => executable.plan.graph.feeds.indexOf(f));
    await e.run(
      executable,
      positions,
      roots.map((r) => given.get(r)!),
    );
    return await executable.read(0);
  } finally {
    executable.dispose();
  }
}

/** Changes of the inputs; one alone may by chance move an element by nothing. */
const changes = 3;

/** By how much each element of an op's result moves when its inputs change by a part of themselves, up or down at random. */
async function movesOf(
  t: OpTensor,
  e: Engine,
  given: ReadonlyMap<Tensor, HostArray>,
  result: HostArray,
  part: number,
): Promise<Float64Array> {
  const moves = new Float64Array(result.length);
  for (let n = 0; n < changes; n++) {
    const random = new RandomStream(n, 0);
    const changed = new Map(given);
    for (const root of new Set(t.source.inputs.map(rootOf))) {
      const values = given.get(root);
      if (!values || !isFloat(root.dtype)) continue;
      const moved = values.slice();
      for (let i = 0; i < moved.length; i++) moved[i]! *= random.uniform() < 0.5 ? 1 - part : 1 + part;
      changed.set(root, moved);
    }
    const other = await alone(t, e, changed);
    for (let i = 0; i < moves.length; i++) moves[i] = Math.max(moves[i]!, Math.abs(other[i]! - result[i]!));
  }
  return moves;
}

/** The element in which two results differ most, and by more than it moves. */
function differenceOf(
  t: OpTensor,
  a: HostArray,
  b: HostArray,
  step: number,
  marks: StepMarks,
  moves?: Float64Array,
): Difference {
  let [at, most, largest] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    const size = Math.max(Math.abs(x), Math.abs(y));
    if (size > largest && size < Number.POSITIVE_INFINITY) largest = size;
    if (x === y) continue;
    // Sums that overflow are NaN or infinite by the order of their terms.
    if (x - x !== 0 && y - y !== 0 && (Number.isNaN(x) || Number.isNaN(y))) continue;
    const apart = Math.abs(x - y);
    const difference = apart - apart === 0 ? apart : Number.POSITIVE_INFINITY;
    if (moves && difference <= moves[i]!) continue;
    if (difference > most) [at, most] = [i, difference];
  }
  // Whole numbers and truth values are equal or they are not.
  const scale = isFloat(t.dtype) ? largest : 1;
  const difference = most === 0 ? 0 : most / scale;
  const [op, part, layer, element] = [
    nameOf(t),
    partOf(t, marks),
    layerOf(t, marks, rootOf),
    placeOf(at, t.shape),
  ];
  const values: [number, number] = [a[at]!, b[at]!];
  const where = `${layer ? `layer ${layer}, ` : ''}${part}`;
  const text = `${op} ${showShape(t.shape)} (${where}), step ${step}: ${values[0]} and ${values[1]} at [${element}]`;
  return { step, op, part, layer, shape: t.shape, element, values, difference, text };
}
