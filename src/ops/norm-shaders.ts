// How the shaders of normalisation are called.
import type { ShaderCall } from './define.js';
import { type ReduceView, spread } from './shader-calls.js';

const overMiddle = (shader: string, inputs: number, { outer, reduce, inner }: ReduceView): ShaderCall[] => [
  {
    shader,
    constants: { OUTER: outer, REDUCE: reduce, INNER: inner },
    bindings: [...Array.from({ length: inputs }, (_, input) => ({ input })), 'output'],
    workgroups: spread(outer * inner),
  },
];

/** Bindings: x, output (2, outer, inner): means, variances. */
export const momentsShader = (view: ReduceView): ShaderCall[] => overMiddle('moments', 1, view);
/** Bindings: y, x, centre (outer, inner), output (2, outer, inner): sums of y, of y (x - centre). */
export const pairSumsShader = (view: ReduceView): ShaderCall[] => overMiddle('pair_sums', 3, view);

/** `full` tensors and the coefficients of columns of `inputs` in all. Bindings: the inputs in order, output. */
export const columnsShader = (
  full: number,
  inputs: number,
  { outer, reduce, inner }: ReduceView,
): ShaderCall[] => [
  {
    shader: full === 1 ? 'column_affine' : 'column_affine_pair',
    constants: { OUTER: outer, REDUCE: reduce, INNER: inner },
    bindings: [...Array.from({ length: inputs }, (_, input) => ({ input })), 'output'],
    workgroups: spread(Math.ceil((outer * reduce * inner) / 64)),
  },
];

interface RowSizes {
  readonly rows: number;
  readonly cols: number;
}

const overRows = (
  shader: string,
  inputs: number,
  { rows, cols }: RowSizes,
  more: Record<string, number>,
): ShaderCall[] => [
  {
    shader,
    constants: { ROWS: rows, COLUMNS: cols, ...more },
    bindings: [...Array.from({ length: inputs }, (_, input) => ({ input })), 'output'],
    workgroups: spread(cols === 0 ? 0 : rows),
  },
];

type RowNormSizes = RowSizes & { readonly centred: boolean; readonly eps: number };

/** Bindings: x, output. */
export const rowNormShader = ({ centred, eps, ...sizes }: RowNormSizes): ShaderCall[] =>
  overRows('row_norm', 1, sizes, { CENTRED: Number(centred), EPS: eps });
/** Bindings: x, dy, output. */
export const rowNormGradientShader = ({ centred, eps, ...sizes }: RowNormSizes): ShaderCall[] =>
  overRows('row_norm_gradient', 2, sizes, { CENTRED: Number(centred), EPS: eps });

/** Bindings: x, output. */
export const windowSumShader = ({
  rows,
  cols,
  before,
  after,
}: RowSizes & { readonly before: number; readonly after: number }): ShaderCall[] => [
  {
    shader: 'window_sum',
    constants: { ROWS: rows, COLUMNS: cols, BEFORE: before, AFTER: after },
    bindings: [{ input: 0 }, 'output'],
    workgroups: spread(Math.ceil((rows * cols) / 64)),
  },
];
