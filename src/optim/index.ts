// Optimizers: rules that assign new values to parameters. They are made of ops, so they fuse and run on any backend.
export * from './adam.js';
export * from './adaptive.js';
export {
  clipByGlobalNorm,
  clipByValue,
  globalNorm,
  type Item,
  limitNorm,
  Optimizer,
  type OptimizerOptions,
  type ParameterGroup,
} from './optimizer.js';
export * from './sgd.js';
