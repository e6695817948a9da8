// How the shaders of normalisation are called.
import type { ShaderCall } from './define.js';
import { type ReduceView, reduceShader, spread } from './shader-calls.js';

/** Neighbours of a workgroup, its invocations for each, and parts of the middle axis that keep a GPU busy. */
function splitMiddle({ outer, reduce, inner }: ReduceView) {
  const TX = inner === 1 ? 1 : Math.min(32, 2 ** Math.ceil(Math.log2(inner)));
  const TY = (inner === 1 ? 64 : 256) / TX;
  const groups = outer * Math.ceil(inner / TX);
  const most = Math.max(1, Math.min(Math.floor(128 / groups), Math.floor(reduce / (8 * TY))));
  const PART = Math.ceil(reduce / most);
  const PARTS = Math.ceil(reduce / PART);
  const constants = { OUTER: outer, REDUCE: reduce, INNER: inner, PART, PARTS, TX, TY };
  return { constants, workgroups: spread(groups * PARTS), outputs: outer * inner };
}

/** Bindings: x, output (2, outer, inner): means, variances. */
export function momentsShader(view: ReduceView): ShaderCall[] {
  const { constants, workgroups, outputs } = splitMiddle(view);
  const { PARTS } = constants;
  const parts = { shader: 'moments', constants, workgroups };
  if (PARTS === 1) return [{ ...parts, bindings: [{ input: 0 }, 'output'] }];
  return [
    { ...parts, bindings: [{ input: 0 }, 'scratch'], scratch: 2 * PARTS * outputs },
    {
      shader: 'moments_join',
      constants,
      bindings: ['scratch', 'output'],
      workgroups: spread(Math.ceil(outputs / 64)),
    },
  ];
}

/** Bindings: y, x, centre (outer, inner), output (2, outer, inner): sums of y, of y (x - centre). */
export function pairSumsShader(view: ReduceView): ShaderCall[] {
  const { constants, workgroups, outputs } = splitMiddle(view);
  const { PARTS } = constants;
  const inputs = [{ input: 0 }, { input: 1 }, { input: 2 }];
  const parts = { shader: 'pair_sums', constants, workgroups };
  if (PARTS === 1) return [{ ...parts, bindings: [...inputs, 'output'] }];
  const [sum] = reduceShader('sum', { outer: 1, reduce: PARTS, inner: 2 * outputs }, 'f32');
  return [
    { ...parts, bindings: [...inputs, 'scratch'], scratch: 2 * PARTS * outputs },
    { ...sum!, bindings: ['scratch', 'output'] },
  ];
}

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

type RowNormSizes = RowSizes & { readonly centred: boolean; readonly eps: number };

const rowNorm = (GRADIENT: 0 | 1, { rows, cols, centred, eps }: RowNormSizes): ShaderCall[] => [
  {
    shader: 'row_norm',
    constants: { ROWS: rows, COLUMNS: cols, CENTRED: Number(centred), EPS: eps, GRADIENT },
    bindings: [{ input: 0 }, ...(GRADIENT ? [{ input: 1 }] : []), 'output'],
    workgroups: spread(cols === 0 ? 0 : rows),
  },
];
/** Bindings: x, output. */
export const rowNormShader = (sizes: RowNormSizes): ShaderCall[] => rowNorm(0, sizes);
/** Bindings: x, dy, output. */
export const rowNormGradientShader = (sizes: RowNormSizes): ShaderCall[] => rowNorm(1, sizes);

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
