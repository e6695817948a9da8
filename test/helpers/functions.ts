// The mathematical functions of the kernels, as JavaScript has them in double precision.
import { referenceErf } from './erf.js';

export const references: Record<string, (x: number) => number> = {
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
  erf: referenceErf,
  sin: Math.sin,
  cos: Math.cos,
};
