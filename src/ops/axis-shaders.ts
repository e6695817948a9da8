// How the shaders that work along one axis are called; the .wgsl files say what the constants mean.
import type { ShaderCall } from './define.js';
import { type RowsView, rowConstants, spread, type WgslType } from './shader-calls.js';

/** A tensor seen as (outer, size, inner) around the axis of `size`. */
export interface AxisView {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

const groups = (invocations: number, width: number) => spread(Math.ceil(invocations / width));
const axisConstants = ({ outer, size, inner }: AxisView) => ({ OUTER: outer, SIZE: size, INNER: inner });

/** Bindings: input, output (outer, count, inner) int32. */
export const argsortShader = (
  view: AxisView,
  count: number,
  descending: boolean,
  type: WgslType,
): ShaderCall[] => [
  {
    shader: 'argsort',
    constants: {
      ...axisConstants(view),
      COUNT: count,
      TYPE: Number(type === 'i32'),
      DESCENDING: Number(descending),
    },
    bindings: [{ input: 0 }, 'output'],
    workgroups: groups(view.outer * view.size * view.inner, 64),
  },
];

/** Bindings: updates (outer, count, inner), indices of that shape int32, output (outer, axisSize, inner), all written. */
export const addAlongShader = (view: RowsView, type: WgslType): ShaderCall[] => [
  {
    shader: 'add_along',
    constants: rowConstants(view),
    types: { Value: type },
    bindings: [{ input: 0 }, { input: 1 }, 'output'],
    workgroups: groups(view.outer * view.inner, 64),
  },
];

/** Bindings: input, output of the same shape. */
export const cumsumShader = (
  view: AxisView,
  reverse: boolean,
  exclusive: boolean,
  type: WgslType,
): ShaderCall[] => [
  {
    shader: 'cumsum',
    constants: { ...axisConstants(view), REVERSE: Number(reverse), EXCLUSIVE: Number(exclusive) },
    types: { Value: type },
    bindings: [{ input: 0 }, 'output'],
    workgroups: groups(view.outer * view.inner, 64),
  },
];

export interface Resampling {
  readonly outer: number;
  readonly inner: number;
  /** Rows before, rows after. */
  readonly size: number;
  readonly to: number;
  readonly linear: boolean;
  readonly alignCorners: boolean;
}

/** Bindings: input (outer, size, inner), output (outer, to, inner); for the gradient the other way round. */
export function resampleShader(view: Resampling, gradient: boolean): ShaderCall[] {
  const { outer, inner, size, to, linear, alignCorners } = view;
  return [
    {
      shader: 'resample',
      constants: {
        ...axisConstants(view),
        TO: to,
        LINEAR: Number(linear),
        ALIGN: Number(alignCorners),
        GRADIENT: Number(gradient),
      },
      bindings: [{ input: 0 }, 'output'],
      workgroups: groups(outer * inner * (gradient ? size : to), 64),
    },
  ];
}
