// Minimising a function of variables with what is known of its second derivatives: apart, so that it loads only where used.
export { type LbfgsOptions, lbfgs, type NewtonCgOptions, newtonCg } from './minimise.js';
export type { MinimiseOptions, MinimiseResult, ObjectiveFunction } from './objective.js';
