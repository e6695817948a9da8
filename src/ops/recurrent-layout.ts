// Where what is in the packed tensor of a recurrent network: its rows along the first axis are (B, H) each.
import type { Shape } from '../dtype.js';
import type { Cell } from './recurrent-cells.js';

export type SequenceAttributes = {
  /** Which inputs there are: lengths (B) int32, first states (B, H). */
  readonly lengths: boolean;
  readonly initial: boolean;
  readonly reverse: boolean;
};

export type GradientAttributes = SequenceAttributes & {
  /** Which parts of the packed tensor's gradient are given; the others are zero. */
  readonly dKept: boolean;
  readonly dHidden: boolean;
  readonly dCell: boolean;
};

export interface Layout {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  /** Elements of a row. */
  readonly plane: number;
  /**
   * Of the packed tensor. First the values kept of each step, (T, B, kept * H); then T + 1 hidden states, of which the
   * first (in reverse the last) is the one before all steps; then for an LSTM as many cell states.
   */
  readonly rows: number;
  /** Where the hidden states begin, and the cell states. */
  readonly stateRows: readonly number[];
  /** Among the states: the first one, and those before and after the step at time t. */
  readonly firstState: number;
  rowBefore(t: number): number;
  rowAfter(t: number): number;
  /** Times in the order in which the steps are made. */
  readonly times: readonly number[];
}

export function layoutOf(
  { kept, states }: Cell,
  [steps, batch]: Shape,
  hidden: number,
  { reverse }: SequenceAttributes,
): Layout {
  const T = steps!;
  return {
    steps: T,
    batch: batch!,
    hidden,
    plane: batch! * hidden,
    rows: T * kept + (T + 1) * states,
    stateRows: Array.from({ length: states }, (_, i) => T * kept + (T + 1) * i),
    firstState: reverse ? T : 0,
    rowBefore: (t) => (reverse ? t + 1 : t),
    rowAfter: (t) => (reverse ? t : t + 1),
    times: Array.from({ length: T }, (_, i) => (reverse ? T - 1 - i : i)),
  };
}

/** The layout of a packed tensor of this shape. */
export function gradientLayout(
  cell: Cell,
  [rows, batch, hidden]: Shape,
  attributes: GradientAttributes,
): Layout {
  const steps = (rows! - cell.states) / (cell.kept + cell.states);
  return layoutOf(cell, [steps, batch!], hidden!, attributes);
}

/** The inputs of a gradient op by name. */
export function presence<T>(list: readonly T[], { lengths, dKept, dHidden, dCell }: GradientAttributes) {
  const [packed, weights, ...rest] = list as readonly [T, T, ...T[]];
  const next = (given: boolean): T | undefined => (given ? rest.shift() : undefined);
  return {
    packed,
    weights,
    lengths: next(lengths),
    dKept: next(dKept),
    dHidden: next(dHidden),
    dCell: next(dCell),
  };
}

export type Present<T> = ReturnType<typeof presence<T>>;
