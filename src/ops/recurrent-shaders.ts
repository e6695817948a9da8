// How the shaders of a recurrent network are called: a dispatch for each step. The steps share a pipeline, as only
// uniforms differ.
import type { ShaderBinding, ShaderCall } from './define.js';
import type { SequenceInputs } from './recurrent-calls.js';
import type { Cell } from './recurrent-cells.js';
import type { GradientAttributes, Layout, Present, SequenceAttributes } from './recurrent-layout.js';
import { spread } from './shader-calls.js';

const cellConstants = ({ name, gates, kept, parts }: Cell): Record<string, number> => ({
  GATES: gates,
  KEPT: kept,
  PARTS: parts,
  TANH: Number(name === 'rnnTanh'),
  RELU: Number(name === 'rnnRelu'),
  GRU: Number(name === 'gru'),
  LSTM: Number(name === 'lstm'),
});

/** Bindings after the four that are always there, and the constants that say where they are. */
function optional(list: readonly (readonly [string, number | undefined])[]) {
  const bindings: ShaderBinding[] = [];
  const slots: Record<string, number> = {};
  for (const [name, input] of list) {
    if (input !== undefined) bindings.push({ input });
    slots[`SLOT_${name}`] = 4 + bindings.length;
  }
  return { bindings, slots };
}

export function forwardShaders(
  cell: Cell,
  l: Layout,
  { projected, weights, bias, lengths, states }: SequenceInputs,
  attributes: SequenceAttributes,
): ShaderCall[] {
  const { bindings, slots } = optional([
    ['LENGTHS', lengths],
    ['HIDDEN', states[0]],
    ['CELL', states[1]],
  ]);
  return l.times.map((t, i) => ({
    shader: 'recurrent',
    constants: {
      ...cellConstants(cell),
      ...slots,
      LENGTHS: Number(attributes.lengths),
      INITIAL: Number(attributes.initial),
      BATCH: l.batch,
      HIDDEN: l.hidden,
      TIME: t,
      BEFORE: l.stateRows[0]! + l.rowBefore(t),
      AFTER: l.stateRows[0]! + l.rowAfter(t),
      CELLS: l.steps + 1,
      FIRST: Number(i === 0),
    },
    bindings: [{ input: projected }, { input: weights }, { input: bias }, 'output', ...bindings],
    workgroups: spread(Math.ceil(l.plane / 64)),
  }));
}

export function backwardShaders(
  cell: Cell,
  l: Layout,
  { packed, weights, lengths, dKept, dHidden, dCell }: Present<number>,
  attributes: GradientAttributes,
): ShaderCall[] {
  const { bindings, slots } = optional([
    ['LENGTHS', lengths],
    ['DKEPT', dKept],
    ['DHIDDEN', dHidden],
    ['DCELL', dCell],
  ]);
  const call = (
    own: Record<'TIME' | 'LATER' | 'BEFORE' | 'AFTER' | 'FIRST' | 'FINISH', number>,
  ): ShaderCall => ({
    shader: 'recurrent_back',
    constants: {
      ...cellConstants(cell),
      ...slots,
      LENGTHS: Number(attributes.lengths),
      DKEPT: Number(attributes.dKept),
      DHIDDEN: Number(attributes.dHidden),
      DCELL: Number(attributes.dCell),
      BATCH: l.batch,
      HIDDEN: l.hidden,
      STATES: l.stateRows[0]!,
      CELLS: l.steps + 1,
      RESULT: l.steps * cell.parts,
      ...own,
    },
    bindings: [{ input: packed }, { input: weights }, 'output', 'scratch', ...bindings],
    scratch: Math.max(1, 2 * l.plane),
    workgroups: spread(Math.ceil(l.plane / 64)),
  });
  const times = l.times.toReversed();
  const calls = times.map((t, i) =>
    call({
      TIME: t,
      LATER: times[i - 1] ?? 0,
      BEFORE: l.rowBefore(t),
      AFTER: l.rowAfter(t),
      FIRST: Number(i === 0),
      FINISH: 0,
    }),
  );
  if (!attributes.initial) return calls;
  const last = { TIME: 0, LATER: times.at(-1)!, BEFORE: 0, AFTER: l.firstState, FIRST: 0, FINISH: 1 };
  return [...calls, call(last)];
}
