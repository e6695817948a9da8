// Recurrent networks over whole sequences: an op for each kind of cell, which packs all that the way back needs, and one
// that walks back in time. Time comes first here, so that what belongs to a step lies together: T steps, batch B, H units.
import { requireDType, type Shape, sameShape, showShape } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { add } from './arithmetic.js';
import { type GradientContext, hostBytes, type KernelOp, type Sample, type Site, suffix } from './define.js';
import { matmul } from './matmul.js';
import { concat, pad, reshape, slice } from './movement.js';
import { backwardCalls, forwardCalls } from './recurrent-calls.js';
import { type Cell, gru, lstm, rnnRelu, rnnTanh, scalars } from './recurrent-cells.js';
import { composedGradient, gradientReference } from './recurrent-gradient.js';
import {
  type GradientAttributes,
  gradientLayout,
  type Layout,
  layoutOf,
  presence,
  type SequenceAttributes,
} from './recurrent-layout.js';
import { backwardShaders, forwardShaders } from './recurrent-shaders.js';
import { sum } from './reduce.js';

function checkShapes(where: string, wanted: readonly (readonly [string, Shape, Spec])[]): void {
  for (const [name, shape, given] of wanted) {
    if (sameShape(shape, given.shape)) continue;
    throw new ShapeError({
      where,
      problem: `${name} is ${showShape(given.shape)}, must be ${showShape(shape)}`,
      hint: 'T steps, batch B, H units: projected inputs (T, B, gates * H), weights (H, gates * H), states (B, H), lengths (B)',
      values: { [name]: given.shape, expected: shape },
    });
  }
}

function checkDTypes(where: string, inputs: readonly Spec[], lengths: Spec | undefined): void {
  const floats = inputs.filter((s) => s !== lengths);
  for (const { dtype } of floats) requireDType(where, dtype, ['float32', 'float64']);
  if (lengths) requireDType(where, lengths.dtype, ['int32']);
  const other = floats.find(({ dtype }) => dtype !== floats[0]!.dtype);
  if (!other) return;
  throw new DTypeError({
    where,
    problem: `operands have different dtypes: ${floats[0]!.dtype} and ${other.dtype}`,
    hint: 'convert one with .cast(dtype)',
  });
}

/**
 * Rows `from` to `to` of a gradient along its first axis; null where they are surely zero. Gradients of slices are pads,
 * so that mostly only a small part of the packed tensor's gradient has to exist.
 */
function rowsOf(dy: Tensor, from: number, to: number): Tensor | null {
  const { source } = dy;
  if (source.kind === 'op' && source.op.name === 'add') {
    const [a, b] = source.inputs as [Tensor, Tensor];
    if (sameShape(a.shape, b.shape)) {
      const parts = [rowsOf(a, from, to), rowsOf(b, from, to)].filter((t) => t !== null);
      return parts.length > 0 ? parts.reduce((x, y) => add(x, y)) : null;
    }
  }
  if (source.kind === 'op' && source.op.name === 'pad' && source.attributes.value === 0) {
    const [x] = source.inputs as [Tensor];
    const low = (source.attributes.low as readonly number[])[0]!;
    const size = x.shape[0]!;
    if (sameShape(x.shape.slice(1), dy.shape.slice(1)) && dy.shape[0]! >= low + size && isDense(source)) {
      const [start, end] = [Math.max(from, low), Math.min(to, low + size)];
      if (start >= end) return null;
      const part = end - start === size ? x : slice(x, [start - low], [end - low]);
      if (start === from && end === to) return part;
      return pad(part, [[start - from, to - end], ...x.shape.slice(1).map(() => [0, 0] as const)]);
    }
  }
  return slice(dy, [from], [to]);
}

const isDense = ({ attributes }: { attributes: Attributes }): boolean =>
  (attributes.interior as readonly number[])[0] === 0;

/** Parts of the last axis, each of `width` elements, side by side. */
function pick(x: Tensor, parts: readonly number[], width: number): Tensor {
  const runs: [number, number][] = [];
  for (const part of parts) {
    const last = runs.at(-1);
    if (last?.[1] === part) last[1]++;
    else runs.push([part, part + 1]);
  }
  const pieces = runs.map(([from, to]) =>
    (to - from) * width === x.shape[2] ? x : slice(x, [0, 0, from * width], [null, null, to * width]),
  );
  return pieces.length === 1 ? pieces[0]! : concat(pieces, 2);
}

function sequenceOp(cell: Cell, back: KernelOp<GradientAttributes>): KernelOp<SequenceAttributes> {
  const name = `${cell.name}Sequence`;
  const operands = <T>(list: readonly T[], { lengths, initial }: SequenceAttributes) => {
    const [projected, weights, bias, ...rest] = list as readonly [T, T, T, ...T[]];
    const states = initial ? rest.slice(lengths ? 1 : 0) : [];
    return { projected, weights, bias, lengths: lengths ? rest[0] : undefined, states };
  };
  const layout = ({ inputs: [projected, weights], attributes }: Site<SequenceAttributes>): Layout =>
    layoutOf(cell, projected!.shape, weights!.shape[0]!, attributes);
  return {
    kind: 'kernel',
    name,
    infer(inputs, attributes) {
      const { projected, weights, bias, lengths, states } = operands(inputs, attributes);
      checkDTypes(name, inputs, lengths);
      if (projected.shape.length !== 3 || weights.shape.length !== 2 || projected.shape[0] === 0) {
        throw new ShapeError({
          where: name,
          problem: `projected inputs are ${showShape(projected.shape)}, weights ${showShape(weights.shape)}`,
          hint: `(T, B, ${cell.gates} H) with at least one step, and (H, ${cell.gates} H)`,
          values: { projected: projected.shape, weights: weights.shape },
        });
      }
      const l = layoutOf(cell, projected.shape, weights.shape[0]!, attributes);
      const { steps, batch, hidden } = l;
      checkShapes(name, [
        ['weights', [hidden, cell.gates * hidden], weights],
        ['projected', [steps, batch, cell.gates * hidden], projected],
        ['bias', [cell.parts * hidden], bias],
        ...(lengths ? [['lengths', [batch], lengths] as const] : []),
        ...states.map((s) => ['state', [batch, hidden], s] as const),
      ]);
      return { shape: [l.rows, batch, hidden], dtype: projected.dtype };
    },
    gradient: (context) => sequenceGradient(cell, back, context),
    reference(context) {
      const l = layout(context);
      const { batch, hidden, plane } = l;
      const { out, attributes } = context;
      const { projected, weights, bias, lengths, states } = operands(context.values, attributes);
      let before = l.stateRows.map((_, i) => [...(states[i] ?? new Float64Array(plane))] as number[]);
      const store = (row: number, list: readonly number[][]): void => {
        for (const [i, values] of list.entries()) out.set(values, (l.stateRows[i]! + row) * plane);
      };
      store(l.firstState, before);
      for (const t of l.times) {
        const after = before.map((s) => [...s]);
        for (let b = 0; b < batch; b++) {
          const active = !lengths || t < lengths[b]!;
          for (let j = 0; j < hidden; j++) {
            const at = b * hidden + j;
            const kept = (k: number): number => ((t * batch + b) * cell.kept + k) * hidden + j;
            if (!active) {
              for (let k = 0; k < cell.kept; k++) out[kept(k)] = 0;
              continue;
            }
            const gates = Array.from({ length: cell.gates }, (_, g) => g);
            const result = cell.forward(scalars, {
              x: gates.map((g) => projected[((t * batch + b) * cell.gates + g) * hidden + j]!),
              q: gates.map((g) => {
                let total = 0;
                for (let k = 0; k < hidden; k++)
                  total += before[0]![b * hidden + k]! * weights[(k * cell.gates + g) * hidden + j]!;
                return total;
              }),
              bias: Array.from({ length: cell.parts }, (_, p) => bias[p * hidden + j]!),
              before: before.map((s) => s[at]!),
            });
            for (const [k, value] of result.kept.entries()) out[kept(k)] = value;
            for (const [i, value] of result.after.entries()) after[i]![at] = value;
          }
        }
        before = after;
        store(l.rowAfter(t), before);
      }
    },
    cost(site) {
      const { steps, plane, hidden } = layout(site);
      const bytes = site.inputs.reduce((n, s) => n + hostBytes(s), hostBytes(site.output));
      return { flops: steps * plane * (2 * cell.gates * hidden + 30 * cell.gates), bytes };
    },
    samples: WITH_SAMPLES ? sequenceSamples(cell) : [],
    wasm: {
      calls: (site) =>
        forwardCalls(
          cell,
          layout(site),
          operands([...site.inputs.keys()], site.attributes),
          site.output.dtype,
        ),
    },
    webgpu: {
      calls: (site) =>
        forwardShaders(
          cell,
          layout(site),
          operands([...site.inputs.keys()], site.attributes),
          site.attributes,
        ),
    },
  };
}

/** The gradients of a sequence: one op back in time, then one product for the weights of all steps. */
function sequenceGradient(
  cell: Cell,
  back: KernelOp<GradientAttributes>,
  { inputs, output, dy, attributes }: GradientContext<SequenceAttributes>,
): (Tensor | null)[] {
  const [projected, weights] = inputs as [Tensor, Tensor];
  const l = layoutOf(cell, projected.shape, weights.shape[0]!, attributes);
  const { steps, batch, hidden } = l;
  const dKept = cell.kept > 0 ? rowsOf(dy, 0, steps * cell.kept) : null;
  const dStates = l.stateRows.map((row) => rowsOf(dy, row, row + steps + 1));
  const [dHidden, dCell = null] = dStates;
  if (!dKept && !dHidden && !dCell) return inputs.map(() => null);
  const given = [dKept, dHidden, dCell].filter((t) => t !== null && t !== undefined);
  const d = record(back, [output, weights, ...(attributes.lengths ? [inputs[3]!] : []), ...given], {
    ...attributes,
    dKept: Boolean(dKept),
    dHidden: Boolean(dHidden),
    dCell: Boolean(dCell),
  });
  const rows = steps * cell.parts;
  const parts = reshape(attributes.initial ? slice(d, [0], [rows]) : d, [steps, batch, cell.parts * hidden]);
  const firstBefore = l.stateRows[0]! + (attributes.reverse ? 1 : 0);
  const before = reshape(slice(output, [firstBefore], [firstBefore + steps]), [steps * batch, hidden]);
  const recurrent = reshape(pick(parts, cell.recurrentParts, hidden), [steps * batch, cell.gates * hidden]);
  return [
    pick(parts, cell.inputParts, hidden),
    matmul(before, recurrent, { transA: true }),
    sum(parts, [0, 1]),
    ...(attributes.lengths ? [null] : []),
    ...(attributes.initial
      ? l.stateRows.map((_, i) => reshape(slice(d, [rows + i], [rows + i + 1]), [batch, hidden]))
      : []),
  ];
}

function gradientOp(cell: Cell): KernelOp<GradientAttributes> {
  const name = `${cell.name}Gradient`;
  const layout = ({ inputs, attributes }: Pick<Site<GradientAttributes>, 'inputs' | 'attributes'>): Layout =>
    gradientLayout(cell, inputs[0]!.shape, attributes);
  return {
    kind: 'kernel',
    name,
    infer(inputs, attributes) {
      const { packed, weights, lengths, dKept, dHidden, dCell } = presence(inputs, attributes);
      checkDTypes(name, inputs, lengths);
      const { steps, batch, hidden } = layout({ inputs, attributes });
      checkShapes(name, [
        ['weights', [hidden, cell.gates * hidden], weights],
        ...(lengths ? [['lengths', [batch], lengths] as const] : []),
        ...(dKept ? [['dKept', [steps * cell.kept, batch, hidden], dKept] as const] : []),
        ...(dHidden ? [['dHidden', [steps + 1, batch, hidden], dHidden] as const] : []),
        ...(dCell ? [['dCell', [steps + 1, batch, hidden], dCell] as const] : []),
      ]);
      const rows = steps * cell.parts + (attributes.initial ? cell.states : 0);
      return { shape: [rows, batch, hidden], dtype: packed.dtype };
    },
    gradient: ({ inputs, dy, attributes, partials }) =>
      partials((list) => composedGradient(cell, list, attributes), inputs, dy),
    reference: (context) => gradientReference(cell, layout(context), context),
    cost(site) {
      const { steps, plane, hidden } = layout(site);
      const bytes = site.inputs.reduce((n, s) => n + hostBytes(s), hostBytes(site.output));
      return { flops: steps * plane * (2 * cell.gates * hidden + 20 * cell.gates), bytes };
    },
    samples: WITH_SAMPLES ? gradientSamples(cell) : [],
    wasm: {
      calls: (site) =>
        backwardCalls(
          cell,
          layout(site),
          presence([...site.inputs.keys()], site.attributes),
          site.attributes,
          suffix(site.output.dtype),
        ),
    },
    webgpu: {
      calls: (site) =>
        backwardShaders(
          cell,
          layout(site),
          presence([...site.inputs.keys()], site.attributes),
          site.attributes,
        ),
    },
  };
}

/** Samples by steps, batch, units; lengths where they are given. */
const sizes: readonly [number, number, number, Omit<SequenceAttributes, 'lengths'>, number[]?][] = [
  [1, 1, 1, { initial: false, reverse: false }],
  [2, 2, 3, { initial: true, reverse: false }],
  [3, 2, 2, { initial: false, reverse: false }, [3, 1]],
  [2, 2, 2, { initial: true, reverse: true }, [1, 2]],
];

const lengthsInput = (values: number[]) => ({ shape: [values.length], dtype: 'int32' as const, values });

/** A case with weights that do not saturate the gates. */
export function sequenceSample(
  cell: Cell,
  steps: number,
  batch: number,
  hidden: number,
  attributes: Omit<SequenceAttributes, 'lengths'>,
  lengths?: number[],
): Sample<SequenceAttributes> {
  const wide = cell.gates * hidden;
  const bound = 1.5 / Math.sqrt(hidden);
  return {
    inputs: [
      { shape: [steps, batch, wide] },
      { shape: [hidden, wide], range: [-bound, bound] },
      { shape: [cell.parts * hidden], range: [-0.5, 0.5] },
      ...(lengths ? [lengthsInput(lengths)] : []),
      ...(attributes.initial
        ? Array.from({ length: cell.states }, () => ({ shape: [batch, hidden], range: [-1, 1] as const }))
        : []),
    ],
    attributes: { ...attributes, lengths: lengths !== undefined },
  };
}

const sequenceSamples = (cell: Cell) => sizes.map((size) => sequenceSample(cell, ...size));

export function gradientSample(
  cell: Cell,
  steps: number,
  batch: number,
  hidden: number,
  attributes: Omit<SequenceAttributes, 'lengths'>,
  given: Pick<GradientAttributes, 'dKept' | 'dHidden' | 'dCell'>,
  lengths?: number[],
): Sample<GradientAttributes> {
  const all = { ...attributes, ...given, lengths: lengths !== undefined };
  const states = { shape: [steps + 1, batch, hidden], range: [-1, 1] as const };
  const { rows } = layoutOf(cell, [steps, batch, cell.gates * hidden], hidden, all);
  const bound = 1.5 / Math.sqrt(hidden);
  return {
    inputs: [
      { shape: [rows, batch, hidden], range: [-0.9, 0.9] },
      { shape: [hidden, cell.gates * hidden], range: [-bound, bound] },
      ...(lengths ? [lengthsInput(lengths)] : []),
      ...(given.dKept ? [{ ...states, shape: [steps * cell.kept, batch, hidden] }] : []),
      ...(given.dHidden ? [states] : []),
      ...(given.dCell ? [states] : []),
    ],
    attributes: all,
  };
}

const gradientSamples = (cell: Cell) =>
  sizes.map(([steps, batch, hidden, attributes, lengths], i) => {
    const dCell = cell.states > 1 && i !== 2;
    const given = { dKept: cell.kept > 0 && i % 2 === 1, dHidden: !dCell || i < 3, dCell };
    return gradientSample(cell, steps, batch, hidden, attributes, given, lengths);
  });

/** What a sequence may be told besides its inputs. */
export interface SequenceOptions {
  /** Steps of each example (B) int32; all of them where not given. */
  readonly lengths?: Tensor;
  /** First hidden state (B, H), and for an LSTM the cell state; zeros where not given. */
  readonly state?: readonly Tensor[];
  /** From the last step to the first; beyond an example's length the first state is held. */
  readonly reverse?: boolean;
}

/** What the recurrent ops give. */
export interface SequenceResult {
  /** (T, B, H): the hidden state after each step. Beyond an example's length it is held. */
  readonly hidden: Tensor;
  /** (B, H) each: the states after an example's last step (in reverse, its first one). */
  readonly state: readonly Tensor[];
}

function recorder(cell: Cell) {
  const back = gradientOp(cell);
  const definition = sequenceOp(cell, back);
  /** Made available to the tests, which look for definitions of functions. */
  const gradient = Object.assign(
    (inputs: readonly Tensor[], attributes: GradientAttributes): Tensor => record(back, inputs, attributes),
    { definition: back as unknown as KernelOp<Attributes> },
  );
  const sequence = Object.assign(
    (
      projected: Tensor,
      weights: Tensor,
      bias: Tensor,
      { lengths, state, reverse = false }: SequenceOptions = {},
    ): SequenceResult => {
      const inputs = [projected, weights, bias, ...(lengths ? [lengths] : []), ...(state ?? [])];
      const attributes = { lengths: Boolean(lengths), initial: Boolean(state), reverse };
      const packed = record(definition, inputs, attributes);
      const l = layoutOf(cell, projected.shape, weights.shape[0]!, attributes);
      const first = l.stateRows[0]! + (reverse ? 0 : 1);
      const last = l.rowAfter(l.times.at(-1)!);
      return {
        hidden: slice(packed, [first], [first + l.steps]),
        state: l.stateRows.map((row) =>
          reshape(slice(packed, [row + last], [row + last + 1]), [l.batch, l.hidden]),
        ),
      };
    },
    { definition: definition as unknown as KernelOp<Attributes> },
  );
  return { sequence, gradient };
}

// What an app does not use is left out of its bundle: bundlers have to be told that nothing else happens here.
const rnnTanhOps = /* @__PURE__ */ recorder(rnnTanh);
const rnnReluOps = /* @__PURE__ */ recorder(rnnRelu);
const gruOps = /* @__PURE__ */ recorder(gru);
const lstmOps = /* @__PURE__ */ recorder(lstm);
const sequenceOf = ({ sequence }: ReturnType<typeof recorder>) => sequence;
const gradientOf = ({ gradient }: ReturnType<typeof recorder>) => gradient;

/**
 * A sequence through a simple recurrent network (Elman 1990): projected inputs W x of all steps (T, B, H), recurrent
 * weights U (H, H), bias (H); h' = tanh(W x + U h + b).
 */
export const rnnTanhSequence = /* @__PURE__ */ sequenceOf(rnnTanhOps);
/** The same with h' = max(0, W x + U h + b). */
export const rnnReluSequence = /* @__PURE__ */ sequenceOf(rnnReluOps);
/** A GRU (Cho et al. 2014): projected inputs (T, B, 3H), weights (H, 3H), bias (4H): of r, z, n and of n's product. */
export const gruSequence = /* @__PURE__ */ sequenceOf(gruOps);
/** An LSTM (Hochreiter and Schmidhuber 1997): projected inputs (T, B, 4H), weights (H, 4H), bias (4H); i, f, g, o. */
export const lstmSequence = /* @__PURE__ */ sequenceOf(lstmOps);

export const rnnTanhGradient = /* @__PURE__ */ gradientOf(rnnTanhOps);
export const rnnReluGradient = /* @__PURE__ */ gradientOf(rnnReluOps);
export const gruGradient = /* @__PURE__ */ gradientOf(gruOps);
export const lstmGradient = /* @__PURE__ */ gradientOf(lstmOps);
