// The public API.
export { type Compiled, compile } from './compile.js';
export * as data from './data/index.js';
export type { DType, HostArray, Shape } from './dtype.js';
export { configure, type Device, type EngineOptions, engine, memoryStats } from './engine.js';
export * from './errors.js';
export { grad, gradients, hessianVectorProduct, valueAndGrad, vjp } from './grad.js';
export { Tensor, Variable } from './graph.js';
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
export { setAssetsUrl } from './platform.js';
export { decodeSafetensors, encodeSafetensors } from './safetensors.js';
export { type Nested, read, type TensorOptions, tensor, variable } from './tensor.js';
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
} from './train/fit.js';
