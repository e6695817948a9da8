// Searching for hyperparameters: spaces, strategies, trials that are stopped early, results that are kept.
export { type Kernel, normalCdf, normalPdf } from './gaussian-process.js';
export type { HalvingOptions, Report } from './halving.js';
export { type SearchOptions, type SearchResult, search, type Trial, type TrialRecord } from './search.js';
export {
  choice,
  type Dimension,
  integer,
  logUniform,
  type Scalar,
  type Space,
  uniform,
  type Values,
} from './space.js';
export { fileStorage, type SearchStorage } from './storage.js';
export {
  type BayesianOptions,
  bayesian,
  grid,
  type Observation,
  random,
  type Strategy,
} from './strategies.js';
