// The WASM kernels of a recurrent network: the weights are put into panels, then there is a call for each step.
import { type DType, dtypes } from '../dtype.js';
import { suffix, type WasmArgument, type WasmCall } from './define.js';
import type { Cell } from './recurrent-cells.js';
import type { GradientAttributes, Layout, Present } from './recurrent-layout.js';

/** Units of a tile, and bytes of a thread's own scratch memory, as in assembly/recurrent-args.ts. */
const units = 8;
const stageBytes = 4 * 48 * 8;

/** Indices of the inputs of a sequence. */
export interface SequenceInputs {
  readonly projected: number;
  readonly weights: number;
  readonly bias: number;
  readonly lengths: number | undefined;
  readonly states: readonly number[];
}

/** Bytes of scratch memory for all threads: panels of weights, two of rows, carried gradients. */
const sharedBytes = (
  { gates }: Cell,
  { hidden, plane }: Layout,
  rowParts: number,
  carried: number,
  bytes: number,
): number =>
  bytes * (Math.ceil(hidden / units) * units * gates * hidden + 2 * plane * rowParts + carried * plane);

const whole = (index: number | undefined): WasmArgument => (index === undefined ? 0 : { input: index });

export function forwardCalls(
  cell: Cell,
  l: Layout,
  { projected, weights, bias, lengths, states }: SequenceInputs,
  dtype: DType,
): WasmCall[] {
  const { batch, hidden, plane } = l;
  const { bytes } = dtypes[dtype];
  const scratch = { shared: sharedBytes(cell, l, 1, 0, bytes), each: stageBytes };
  const rowBytes = plane * bytes;
  const out = (row: number): WasmArgument => ({ output: true, offset: row * rowBytes });
  const state = (i: number, row: number): WasmArgument => (i < cell.states ? out(l.stateRows[i]! + row) : 0);
  const calls: WasmCall[] = [
    {
      kernel: `recurrentPack_${suffix(dtype)}`,
      args: [
        'scratch',
        { input: weights },
        cell.gates,
        batch,
        hidden,
        whole(states[0]),
        whole(states[1]),
        state(0, l.firstState),
        state(1, l.firstState),
      ],
      scratch,
    },
  ];
  for (const [i, t] of l.times.entries()) {
    const [before, after] = [l.rowBefore(t), l.rowAfter(t)];
    calls.push({
      kernel: `${cell.name}Step_${suffix(dtype)}`,
      args: [
        'scratch',
        'ownScratch',
        batch,
        hidden,
        t,
        i % 2,
        Number(i === 0 && states.length === 0),
        whole(lengths),
        { input: projected, offset: t * cell.gates * rowBytes },
        { input: bias },
        out(t * cell.kept),
        state(0, before),
        state(0, after),
        state(1, before),
        state(1, after),
      ],
      scratch,
    });
  }
  return calls;
}

export function backwardCalls(
  cell: Cell,
  l: Layout,
  { packed, weights, lengths, dKept, dHidden, dCell }: Present<number>,
  { initial }: GradientAttributes,
  type: string,
): WasmCall[] {
  const { steps, batch, hidden, plane } = l;
  const bytes = type === 'f64' ? 8 : 4;
  const scratch = { shared: sharedBytes(cell, l, cell.gates, 2, bytes), each: stageBytes };
  const rowBytes = plane * bytes;
  const part = (index: number | undefined, row: number): WasmArgument =>
    index === undefined ? 0 : { input: index, offset: row * rowBytes };
  const state = (i: number, row: number): WasmArgument =>
    i < cell.states ? part(packed, l.stateRows[i]! + row) : 0;
  const calls: WasmCall[] = [
    {
      kernel: `recurrentPackBack_${type}`,
      args: ['scratch', { input: weights }, cell.gates, batch, hidden],
      scratch,
    },
  ];
  for (const [i, t] of l.times.toReversed().entries()) {
    const [before, after] = [l.rowBefore(t), l.rowAfter(t)];
    calls.push({
      kernel: `${cell.name}Back_${type}`,
      args: [
        'scratch',
        'ownScratch',
        batch,
        hidden,
        t,
        i % 2,
        Number(i === 0),
        whole(lengths),
        part(packed, t * cell.kept),
        state(0, before),
        state(0, after),
        state(1, before),
        state(1, after),
        part(dKept, t * cell.kept),
        part(dHidden, after),
        part(dCell, after),
        { output: true, offset: t * cell.parts * rowBytes },
      ],
      scratch,
    });
  }
  if (!initial) return calls;
  const first = (i: number): WasmArgument =>
    i < cell.states ? { output: true, offset: (steps * cell.parts + i) * rowBytes } : 0;
  calls.push({
    kernel: `recurrentFinish_${type}`,
    args: [
      'scratch',
      'ownScratch',
      batch,
      hidden,
      cell.gates,
      steps % 2,
      whole(lengths),
      part(dHidden, l.firstState),
      part(dCell, l.firstState),
      first(0),
      first(1),
    ],
    scratch,
  });
  return calls;
}
