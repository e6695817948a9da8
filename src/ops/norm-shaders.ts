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
