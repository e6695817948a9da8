// The public API.
export { checkpoint } from './checkpoint.js';
export { type Compiled, compile } from './compile.js';
export { customGradient, type GradientRule } from './custom-gradient.js';
export * as data from './data/index.js';
export type { DType, HostArray, Shape } from './dtype.js';
export { configure, type Device, type Engine, type EngineOptions, engine, memoryStats } from './engine.js';
export * from './errors.js';
export { grad, gradients, hessianVectorProduct, valueAndGrad, vjp } from './grad.js';
export { Tensor, Variable } from './graph.js';
export { jacobian, jvp } from './jacobian.js';
export * as loss from './loss/index.js';
export * as nn from './nn/index.js';
export {
  loadQuantized,
  Quantized,
  type QuantizeOptions,
  quantize,
  quantizedFromBytes,
} from './nn/quantize.js';
export * from './ops/index.js';
export * as optim from './optim/index.js';
export * as schedules from './optim/schedules.js';
export * as minimise from './optim/second-order.js';
export { setAssetsUrl, writeFileAtomic } from './platform.js';
export { cacheFolder } from './platform-folder.js';
export { decodeSafetensors, encodeSafetensors } from './safetensors.js';
export type { PlanRow } from './schedule/explain.js';
export { type Nested, read, type TensorOptions, tensor, variable } from './tensor.js';
export { recoverDevice } from './train/after-loss.js';
export { type CheckpointOptions, checkpointed } from './train/checkpoints.js';
export { type ExplainOptions, explainTraining, type StepExplanation } from './train/explain.js';
export {
  load,
  type SaveOptions,
  save,
  weightsFromBytes,
  weightsSha256,
  weightsToBytes,
} from './train/files.js';
export {
  type EpochReport,
  evaluate,
  type FitOptions,
  type FitResult,
  fit,
  type ProgressReport,
  predict,
  type Recovery,
  type RecoveryOptions,
} from './train/fit.js';
export { type LossRing, type LossRingOptions, lossRing } from './train/loss-ring.js';
export { type LrRangeOptions, type LrRangePoint, type LrRangeResult, lrRangeTest } from './train/lr-range.js';
export { type MixedPrecision, type MixedPrecisionOptions, mixedPrecision } from './train/mixed.js';
