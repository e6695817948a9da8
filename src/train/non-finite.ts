// Finds where a NaN or an infinity comes from: evaluates a step op by op and names the first op that made one.
import type { HostArray, Shape } from '../dtype.js';
import type { Tensor } from '../graph.js';
import { kindOf, type LayerCall } from '../nn/watch.js';
import { firstNonFinite, inputsOf, isOp, type PureGraph, placeOf } from './pure-graph.js';

/** A part of a training step. */
export type StepPart = 'forward pass' | 'loss' | 'gradient' | 'update';

/** Where the first value that is no finite number was made. */
export interface NonFinite {
  /** The op; or `input` and the variable's name where the value was there from the start. */
  op: string;
  part: StepPart;
  /** Path and kind of the layer, as in `2 (relu)`; null outside of layers. */
  layer: string | null;
  shape: Shape;
  /** The first element that is not finite, and its value. */
  element: number[];
  value: number;
  /** What the op read: names of variables, shapes and ranges. */
  inputs: { name: string; shape: Shape; least: number; greatest: number }[];
  /** All that in words. */
  text: string;
}

/** The landmarks of a recorded step. */
export interface StepMarks {
  calls: readonly LayerCall[];
  loss: Tensor;
  gradients: readonly Tensor[];
}

/** Which part of a step recorded `t`. */
export function partOf(t: Tensor, { calls, loss, gradients }: StepMarks): StepPart {
  const model = calls.find(({ path }) => path === '');
  if (model && t.id < model.below) return 'forward pass';
  if (t.id <= loss.id) return 'loss';
  return t.id <= Math.max(...gradients.map((g) => g.id)) ? 'gradient' : 'update';
}

/**
 * The layer that recorded `t`. For the ops of the gradient and the update, which no layer records, the one whose values or
 * parameters they are made from in the fewest steps, the earlier layer of two. null if there is none.
 */
export function layerOf(t: Tensor, { calls }: StepMarks, rootOf: (t: Tensor) => Tensor): string | null {
  const inLayers = calls.filter(({ path }) => path !== '');
  const owner = (x: Tensor): LayerCall | undefined =>
    inLayers
      .filter(({ layer, above, below }) =>
        x.source.kind === 'variable'
          ? [...layer.namedVariables().values()].some((v) => v === x)
          : above < x.id && x.id < below,
      )
      .sort((a, b) => a.below - a.above - (b.below - b.above))[0];
  let level: Tensor[] = [t];
  for (let steps = 0; steps < 4 && level.length > 0; steps++) {
    const found = level.map(owner).filter((call) => call !== undefined);
    const [first] = found.sort((a, b) => a.above - b.above);
    if (first) return `${first.path} (${kindOf(first.layer)})`;
    level = level.flatMap((x) => inputsOf(x).map(rootOf));
  }
  return null;
}

/** From where to where numbers go, NaN left out. */
function rangeOf(values: HostArray): { least: number; greatest: number } {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < least) least = values[i]!;
    if (values[i]! > greatest) greatest = values[i]!;
  }
  return { least, greatest };
}

/**
 * Evaluates the step once with these arguments and variables and looks for what made its results not finite. null if they
 * are finite. An infinity that has no effect on results, a mask for instance, is not meant.
 */
export async function findNonFinite(
  pure: PureGraph,
  marks: StepMarks,
  args: readonly HostArray[],
  state: readonly HostArray[],
): Promise<NonFinite | null> {
  const { graph, inputs, core } = pure;
  const { rootOf } = core;
  const run = await pure.prepare(await core.engine(), graph.ops);
  const known = new Map<Tensor, HostArray>();
  try {
    const values = await run.run([...args, ...state]);
    for (const [i, t] of graph.ops.entries()) known.set(t, values[i]!);
  } finally {
    run.dispose();
  }
  for (const [i, t] of [...inputs, ...graph.variables].entries()) known.set(t, [...args, ...state][i]!);
  const valuesOf = (t: Tensor): HostArray => {
    const { source } = t;
    return known.get(t) ?? (source.kind === 'data' ? source.data : Float64Array.of(constantOf(t)));
  };
  const isBad = (t: Tensor): boolean => firstNonFinite(valuesOf(t), t.dtype) >= 0;
  const { loss } = marks;
  const results = [loss, ...graph.outputs, ...graph.assignments.values()].map(rootOf);
  const open = new Set(results.filter(isBad));
  const origins: Tensor[] = [];
  for (const t of open) {
    const causes = inputsOf(t).map(rootOf).filter(isBad);
    if (causes.length === 0) origins.push(t);
    for (const cause of causes) open.add(cause);
  }
  const first = origins.sort((a, b) => Number(isOp(a)) - Number(isOp(b)) || a.id - b.id)[0];
  return first ? describe(first, marks, valuesOf, rootOf) : null;
}

const constantOf = ({ source }: Tensor): number => (source.kind === 'constant' ? source.value : Number.NaN);

/** What a tensor is called: its op, a variable's name, else where it comes from. */
export function nameOf({ source }: Tensor): string {
  if (source.kind === 'op') return source.op.name;
  return source.kind === 'variable' ? source.variable.name : source.kind;
}

function describe(
  t: Tensor,
  marks: StepMarks,
  valuesOf: (t: Tensor) => HostArray,
  rootOf: (t: Tensor) => Tensor,
): NonFinite {
  const values = valuesOf(t);
  const at = firstNonFinite(values, t.dtype);
  const [element, value] = [placeOf(at, t.shape), values[at]!];
  const [part, layer] = [partOf(t, marks), layerOf(t, marks, rootOf)];
  const op = nameOf(t);
  const sources = inputsOf(t).map(rootOf);
  const inputs = sources.map((x) => ({ name: nameOf(x), shape: x.shape, ...rangeOf(valuesOf(x)) }));
  const where = `${layer ? `layer ${layer}, ` : ''}${part}`;
  const number = (v: number): string => String(Number(v.toPrecision(4)));
  const from = inputs
    .map(
      ({ name, shape, least, greatest }) => `${name} (${shape}) in [${number(least)}, ${number(greatest)}]`,
    )
    .join(', ');
  const text = isOp(t)
    ? `${op} (${t.shape}) (${where}) makes ${value} at [${element}] out of ${from || 'nothing'}`
    : `${op} (${t.shape}) has ${value} at [${element}] before the step`;
  return { op, part, layer, shape: t.shape, element, value, inputs, text };
}
